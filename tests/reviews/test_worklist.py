"""The order in which patches come to a reviewer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from her2core.accounts.records import Identity
from her2core.models.verdict import Verdict
from her2core.people.worklist import Worklist
from her2core.preprocessing.patches import Square
from her2core.reviews.records import PatchRecord, WorklistItem
from her2core.reviews.store import ReviewStore
from her2core.reviews.worklist import Order, entropy, model_gap, reader_gap
from her2core.scores import HER2Score
from her2core.stain.reading import StainReading
from tests.review_samples import draft
from tests.whole_worklist import screenfuls

START = datetime(2026, 1, 1, tzinfo=UTC)


def verdict(architecture: str, *probabilities: float) -> Verdict:
    return Verdict(architecture, f"{architecture}-0123456789ab", probabilities, True)  # type: ignore[arg-type]


SURE_0 = verdict("cnn", 0.97, 0.01, 0.01, 0.01)
UNSURE_0 = verdict("cnn", 0.4, 0.3, 0.2, 0.1)
SURE_3 = verdict("densenet121", 0.01, 0.01, 0.01, 0.97)
ALSO_0 = verdict("densenet121", 0.97, 0.01, 0.01, 0.01)


def item(
    name: str,
    minute: int,
    verdicts: tuple[Verdict, ...] = (),
    review_id: int | None = None,
    stain: HER2Score | None = None,
) -> WorklistItem:
    patch = PatchRecord(key(name), name, 224, 224, START + timedelta(minutes=minute))
    reason = "Too few cells." if stain is None else None
    return WorklistItem(
        patch, verdicts, review_id, StainReading("stain-2", (20, 0, 0, 0), stain, reason)
    )


def key(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


@contextmanager
def listed(
    items: Sequence[WorklistItem], order: Order = "arrival", *, blind: bool = False
) -> Iterator[Worklist]:
    """The worklist of a store with these patches, verdicts and reviews."""
    with (
        TemporaryDirectory() as folder,
        closing(ReviewStore(f"sqlite:///{folder}/reviews.sqlite3")) as store,
    ):
        square = Square(0, 0, 224)
        for one in items:
            store.add_patch(one.patch)
            store.record_verdicts(one.patch.sha256, square, one.verdicts)
            if one.stain is not None:
                store.record_stain(one.patch.sha256, square, one.stain)
        for one in sorted(items, key=lambda one: one.review_id or 0):
            if one.review_id is not None:
                facts = {"patch_sha256": one.patch.sha256, "square": square, "agrees": {}}
                store.save_review(draft(**facts, verdicts=(), reviewer="Ada"))
        yield Worklist(store, Identity("Ada", "reviewer", "open"), {}, order, blind=blind)


def ordered(
    items: Sequence[WorklistItem], order: Order, *, blind: bool = False
) -> list[WorklistItem]:
    with listed(items, order, blind=blind) as worklist:
        return screenfuls(worklist)


def next_unreviewed(items: Sequence[WorklistItem], sha256: str | None) -> str | None:
    with listed(items) as worklist:
        return worklist.next_to_review(sha256)


def names(items: list[WorklistItem]) -> list[str]:
    return [one.patch.name for one in items]


def test_arrival_order_does_not_change_when_a_patch_is_reviewed():
    items = [item("c", 3), item("a", 1, review_id=9), item("b", 2)]
    assert names(ordered(items, "arrival")) == ["a", "b", "c"]


def test_name_order_counts_numbers_as_numbers():
    items = [item("p10.png", 1), item("P9.png", 2), item("p1.png", 3)]
    assert names(ordered(items, "name")) == ["p1.png", "P9.png", "p10.png"]


def test_doubt_puts_the_widest_gap_first_then_the_least_sure_and_the_unread_last():
    items = [
        item("unread", 1),
        item("agreed", 2, (SURE_0, ALSO_0)),
        item("hesitant", 3, (UNSURE_0, ALSO_0)),
        item("far apart", 4, (SURE_0, SURE_3)),
    ]
    assert names(ordered(items, "doubt")) == ["far apart", "hesitant", "agreed", "unread"]


def test_doubt_puts_contradicting_readers_first_and_unfamiliar_patches_next():
    one = verdict("densenet121", 0.1, 0.8, 0.05, 0.05)
    strange = replace(ALSO_0, novelty=1.2)
    items = [
        item("agreed", 1, (SURE_0, ALSO_0), stain=HER2Score.ZERO),
        item("one grade", 2, (SURE_0, one)),
        item("strange", 3, (SURE_0, strange)),
        item("familiar", 4, (SURE_0, replace(ALSO_0, novelty=0.9))),
        item("stain alone says 2+", 5, (SURE_0, ALSO_0), stain=HER2Score.TWO_PLUS),
        item("not read, stain 3+", 6, (), stain=HER2Score.THREE_PLUS),
    ]
    assert names(ordered(items, "doubt")) == [
        "stain alone says 2+",
        "strange",
        "one grade",
        "agreed",
        "familiar",
        "not read, stain 3+",
    ]


def test_in_blind_mode_the_place_in_the_worklist_tells_nothing_of_hidden_verdicts():
    items = [
        item("far apart", 3, (SURE_0, SURE_3)),
        item("agreed", 2, (SURE_0, ALSO_0)),
        item("reviewed, agreed", 0, (SURE_0, ALSO_0), review_id=1),
        item("reviewed, far apart", 1, (SURE_0, SURE_3), review_id=2),
    ]
    assert names(ordered(items, "doubt", blind=True)) == [
        "agreed",
        "far apart",
        "reviewed, far apart",
        "reviewed, agreed",
    ]
    assert names(ordered(items, "doubt"))[:2] == ["reviewed, far apart", "far apart"]


def test_a_measurement_without_a_score_counts_for_nothing():
    silent = StainReading("stain-2", (1, 0, 0, 0), None, "Too few cells.")
    assert reader_gap((SURE_0, ALSO_0), silent) == 0
    assert reader_gap((SURE_0,), silent) is None
    assert reader_gap((SURE_0,), replace(silent, score=HER2Score.THREE_PLUS)) == 3


@pytest.mark.parametrize(
    ("verdicts", "gap"),
    [((), None), ((SURE_0,), None), ((SURE_0, ALSO_0), 0), ((SURE_0, SURE_3), 3)],
)
def test_a_gap_needs_two_verdicts(verdicts, gap):
    assert model_gap(verdicts) == gap


def test_entropy_is_two_bits_when_nothing_is_known_and_zero_when_all_is():
    assert entropy([verdict("cnn", 0.25, 0.25, 0.25, 0.25)]) == pytest.approx(2)
    assert entropy([verdict("cnn", 0, 1, 0, 0)]) == 0


def test_next_goes_round_and_never_names_the_patch_itself():
    items = [item("a", 1), item("b", 2, review_id=1), item("c", 3)]
    assert next_unreviewed(items, key("a")) == key("c")
    assert next_unreviewed(items, key("c")) == key("a")
    assert next_unreviewed([item("only", 1)], key("only")) is None
    assert next_unreviewed(items, None) == key("a")
    assert next_unreviewed(items, "of another workspace") == key("a")


@settings(max_examples=10)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])), max_size=8, unique=True),
    st.sampled_from(["arrival", "doubt", "name"]),
)
def test_every_order_keeps_every_patch_whatever_it_is_called(texts, order):
    items = [item(text, minute) for minute, text in enumerate(texts)]
    assert sorted(names(ordered(items, order))) == sorted(texts)
