"""A screenful of worklist and log is what the whole of it, read slowly, would have shown there."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from her2core.accounts.records import Identity, NotAllowedError, Role
from her2core.accounts.store import AccountStore
from her2core.models.assessable import assess_tumour
from her2core.people.access import Desk
from her2core.people.assignments import AssignmentError, Assignments
from her2core.preprocessing.patches import Square
from her2core.reviews import derived
from her2core.reviews.double_reads import Plan
from her2core.reviews.errors import ReviewRefusedError, SeenBeforeError
from her2core.reviews.records import Origin, Review, ReviewFilter, WorklistItem
from her2core.reviews.store import ReviewStore
from her2core.reviews.worklist import model_gap, name_key, reader_gap, unfamiliar
from her2core.reviews.worklist_filter import STAIN as STAIN_READER
from her2core.reviews.worklist_filter import WorklistFilter, from_address, to_address
from her2core.scores import HER2Score
from tests.people.slow_worklist import next_unreviewed, slow_worklist
from tests.postgresql_server import Rewound
from tests.review_samples import MORNING, SQUARE, STAIN, draft, patch, tamper, verdict
from tests.whole_worklist import screenfuls

PEOPLE: dict[str, Role] = {"Ada": "reviewer", "Dee": "adjudicator", "Root": "administrator"}
NAMES = ("10.png", "9.png", "a b.png", "A  B.png", "core 07.png", "core 7.png", "Ä.png")
KEYS = [f"{number:064x}" for number in range(len(NAMES))]
ASIDE = Square(0, 0, 100)
MODELS: tuple[dict[str, str], ...] = (
    {},
    {"cnn": "cnn-new"},
    {"cnn": "cnn-new", "densenet121": "densenet121-old"},
)
HISTORY = settings(
    max_examples=6,
    phases=[Phase.generate],  # each example takes its time: none is made smaller
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
Fresh = Callable[[], AbstractContextManager[ReviewStore]]
PATCH, SCORE = st.sampled_from(KEYS), st.integers(0, 3)
WHO = st.sampled_from(list(PEOPLE))

ACTIONS = st.one_of(
    st.tuples(
        st.just("read"),
        PATCH,
        st.sampled_from(["cnn-old", "cnn-new", "densenet121-old", "densenet121-new"]),
        SCORE,
        st.sampled_from([0.4, 0.7, 0.97]),
        st.booleans(),
        st.sampled_from([None, 0.5, 1.5]),
    ),
    st.tuples(st.just("measure"), PATCH, st.sampled_from([None, 0, 2, 3])),
    st.tuples(st.just("answer"), PATCH, WHO, SCORE, st.booleans()),
    st.tuples(st.just("correct"), WHO, SCORE),
    st.tuples(st.just("give"), PATCH, WHO),
    st.tuples(st.just("give to two"), PATCH, st.booleans()),
    st.tuples(st.just("take back"), PATCH, WHO),
    st.tuples(st.just("figures"), WHO),
)


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Fresh:
    """Opens the same store each time: patches that arrived in twos, and three people."""
    if request.param == "postgresql":
        rewound: Rewound = request.getfixturevalue("postgresql_store")
        request.addfinalizer(rewound.rewind)  # noqa: PT021  it returns a function

        @contextmanager
        def on_postgresql() -> Iterator[ReviewStore]:
            rewound.rewind()
            with closing(ReviewStore(rewound.url)) as opened:
                begin(opened)
                yield opened

        return on_postgresql
    template = tmp_path / "template.sqlite3"
    with closing(ReviewStore(f"sqlite:///{template}")) as opened:
        begin(opened)
    numbers = count()

    @contextmanager
    def on_sqlite() -> Iterator[ReviewStore]:
        file = tmp_path / f"{next(numbers)}.sqlite3"
        shutil.copy(template, file)
        with closing(ReviewStore(f"sqlite:///{file}")) as store:
            yield store

    return on_sqlite


def begin(store: ReviewStore) -> None:
    for number, (key, name) in enumerate(zip(KEYS, NAMES, strict=True)):
        arrived = MORNING + timedelta(minutes=(number * 3) // 2 % 4)
        origin = Origin("Müller 17.svs", 0, 0, 200, 0.25) if number % 2 else None
        store.add_patch(patch(key, name=name, received_at=arrived, origin=origin))
    for name, role in PEOPLE.items():
        AccountStore(store).add(name, role, login=f"{name}@hospital.example")


def desk(store: ReviewStore, name: str, way: Any = "account") -> Desk:
    return Desk(store, Identity(name, PEOPLE[name], way))


def act(store: ReviewStore, what: str, *how: Any) -> None:
    """Do one thing as the pages do it; what is refused is left."""
    root = desk(store, "Root")
    with suppress(AssignmentError, NotAllowedError, ReviewRefusedError, SeenBeforeError):
        if what == "read":
            key, model, score, top, centred, novelty = how
            said = verdict(model.split("-")[0], score, top, model_id=model, novelty=novelty)
            store.record_verdicts(key, SQUARE if centred else ASIDE, [said])
        elif what == "measure":
            key, score = how
            reason = None if score is not None else "Too few cells."
            measured = None if score is None else HER2Score(score)
            reading = type(STAIN)("stain-2", (5, 0, 0, 0), measured, reason, False, 0.1, 0.1, 0.25)
            store.record_stain(key, SQUARE, reading)
        elif what == "answer":
            key, name, score, blind = how
            facts = draft(
                patch_sha256=key,
                reviewer=name,
                own_score=HER2Score(score),
                agrees={},
                blind=blind,
                comment="100% _sure_ ß",
                verdicts=(verdict("cnn", score), verdict("densenet121", 2)),
            )
            desk(store, name).save_review(facts)
        elif what == "correct":
            name, score = how
            mine = [one for one in store.reviews() if one.reviewer == name]
            if mine:
                again = draft(
                    patch_sha256=mine[0].patch.sha256,
                    reviewer=name,
                    own_score=HER2Score(score),
                    agrees={},
                    verdicts=(),
                    supersedes=mine[0].id,
                )
                desk(store, name).save_review(again)
        elif what == "give":
            root.assign([how[0]], how[1])
        elif what == "give to two":
            root.assign_double([how[0]], ["Ada", "Root"], blind=how[1])
        elif what == "take back":
            root.withdraw([how[0]], how[1])
        elif what == "figures":
            last = store.head()
            desk(store, how[0]).note_figures(last.last_id if last else 0, insist=True)


# the worklist ------------------------------------------------------------------------------------

GRADES = st.sampled_from([(), (), (0,), (2, 3)])
WANTED = st.builds(
    WorklistFilter,
    state=st.sampled_from(["", "", "open", "reviewed"]),
    reader=st.sampled_from(["", "cnn", "densenet121", STAIN_READER]),
    scores=GRADES.map(lambda grades: tuple(map(HER2Score, grades))),
    gap=GRADES,
    unfamiliar=st.sampled_from([False, False, True]),
    not_assessable=st.sampled_from([False, False, True]),
    case=st.sampled_from(["", "", "müller 17.SVS"]),
    given=st.sampled_from(["", "", "me", "nobody"]),
    text=st.sampled_from(["", "", "CORE 0", ".png", KEYS[2][-5:], "%"]),
    among=st.sampled_from([(), (), tuple(KEYS[1:4])]),
)
VIEWS = st.tuples(
    WHO,
    st.sampled_from(["account", "account", "open"]),
    st.sampled_from(MODELS),
    st.sampled_from(["arrival", "name", "doubt", "doubt"]),
    st.booleans(),
    WANTED,
)


@HISTORY
@given(history=st.lists(ACTIONS, min_size=8, max_size=30), views=st.lists(VIEWS, max_size=5))
def test_every_screenful_count_and_neighbour_is_that_of_the_whole_worklist(fresh, history, views):
    with fresh() as store:
        for event in history:
            act(store, *event)
        for name, way, models, order, blind, wanted in views:
            compare(store, Identity(name, PEOPLE[name], way), models, order, blind)
            filtered(store, Identity(name, PEOPLE[name], way), models, blind, wanted)
        assert store.rebuild() == []


def compare(store: ReviewStore, person: Identity, models, order, blind: bool) -> None:
    slow = slow_worklist(store, person, models, order, blind)
    asked = Desk(store, person).ordered(models, order, blind=blind)
    counts = asked.counts()
    assert (counts.patches, counts.left) == (len(slow.items), slow.left)
    assert (counts.waiting, counts.outdated) == (slow.waiting, slow.outdated)
    assert asked.keys() == slow.keys
    assert asked.next_to_review() == next_unreviewed(slow.items, None)
    seen: list[str] = []
    start: str | None = None
    while True:
        screen = asked.screen(start, size=3)
        assert screen.first == len(seen)
        assert screen.patches == len(slow.items)
        assert screen.previous == (slow.keys[max(0, len(seen) - 3)] if seen else None)
        seen += [item.patch.sha256 for item in screen.items]
        if screen.following is None:
            break
        start = screen.following
    assert seen == slow.keys
    for place, key in enumerate(slow.keys):
        front = asked.front(key)
        assert front is not None
        assert (front.place, front.item, front.known) == (place, slow.items[place], True)
        assert front.previous == (slow.keys[place - 1] if place else None)
        assert front.following == (slow.keys[place + 1] if place + 1 < len(slow.keys) else None)
        assert front.to_review == next_unreviewed(slow.items, key)


def filtered(store: ReviewStore, person: Identity, models, blind: bool, wanted) -> None:
    slow = slow_worklist(store, person, models, "arrival", blind)
    plan = Assignments(store).plan()
    expected = [item for item in slow.items if lets_through(person, plan, item, blind, wanted)]
    asked = Desk(store, person).ordered(models, blind=blind, wanted=wanted)
    assert screenfuls(asked) == expected
    assert asked.counts().left == sum(item.review_id is None for item in expected)


def lets_through(person: Identity, plan: Plan, item, blind: bool, wanted) -> bool:
    """Whether a patch passes the filter, by what this person may know of it.

    Of a patch kept from a blind reader the item is emptied first: what it holds cannot matter.
    """
    if blind and item.review_id is None:
        item = WorklistItem(item.patch)
    patch = item.patch
    said = {verdict.architecture: verdict.score for verdict in item.verdicts}
    if item.stain is not None and item.stain.score is not None:
        said[STAIN_READER] = item.stain.score
    asked = [said.get(wanted.reader)] if wanted.reader else list(said.values())
    tumour = assess_tumour(item.verdicts, item.stain, min(patch.width, patch.height))
    mine = plan.kind(patch.sha256, person.name) is not None
    return (
        (not wanted.state or (item.review_id is None) == (wanted.state == "open"))
        and (not wanted.scores or any(score in wanted.scores for score in asked))
        and (not wanted.gap or reader_gap(item.verdicts, item.stain) in wanted.gap)
        and (not wanted.unfamiliar or unfamiliar(item.verdicts))
        and (not wanted.not_assessable or not tumour.assessable)
        and (not wanted.case or patch.slide_or_case.casefold() == wanted.case.casefold())
        and (not wanted.given or (mine if wanted.given == "me" else plan.is_free(patch.sha256)))
        and wanted.text.casefold() in f"{patch.name}\n{patch.sha256}".casefold()
        and (not wanted.among or patch.sha256 in wanted.among)
    )


def test_a_filter_survives_its_address_and_what_is_none_is_said_and_left_out():
    @given(WANTED)
    def there_and_back(wanted: WorklistFilter) -> None:
        found, wrong = from_address(to_address(wanted), ("cnn", "densenet121", STAIN_READER))
        kept = replace(wanted, among=(), reader=wanted.reader if wanted.scores else "")
        assert (found, wrong) == (kept, [])

    there_and_back()
    hostile = {
        "score": "2,7",
        "state": "<b>",
        "gap": "x",
        "reader": "gpt",
        "text": "a\0b",
        "z": "1",
    }
    found, wrong = from_address(hostile, ("cnn", STAIN_READER))
    assert found == WorklistFilter(text="ab")
    assert [sentence.split("=")[0] for sentence in wrong] == ["“state", "“reader", "“score", "“gap"]


# the log -----------------------------------------------------------------------------------------

FILTERS = st.builds(
    ReviewFilter,
    reviewers=st.sampled_from([(), ("Ada",), ("Dee", "Nobody")]),
    scores=st.sampled_from([(), (HER2Score(0), HER2Score(2))]),
    agreement=st.sampled_from(["any", "agrees", "disagrees"]),
    model_gap=st.sampled_from([(), (0,), (1, 2)]),
    text=st.sampled_from(["", " SURE_ SS", "0% _", "core 7", KEYS[2][-5:], "none"]),
    include_superseded=st.booleans(),
)


@HISTORY
@given(
    history=st.lists(ACTIONS, min_size=8, max_size=30),
    asked=st.lists(st.tuples(WHO, st.booleans(), FILTERS), max_size=6),
)
def test_every_screenful_of_the_log_is_that_of_the_whole_log(fresh, history, asked):
    with fresh() as store:
        for event in history:
            act(store, *event)
        for name, blind, wanted in asked:
            person = Identity(name, PEOPLE[name], "account")
            slow, sealed, withheld = slow_log(store, person, wanted, blind)
            log = Desk(store, person).log(blind=blind)
            assert log.everything(wanted) == (slow, sealed)
            starts: list[int | None] = [None, *(review.id for review in slow[2::2])]
            for place, start in enumerate(starts):
                screen = log.screen(wanted, start, size=2)
                assert list(screen.reviews) == slow[2 * place : 2 * place + 2]
                assert (screen.entries, screen.sealed) == (len(slow), sealed)
                assert (screen.withheld, screen.first) == (withheld, 2 * place)
                assert screen.older == (starts[place + 1] if place + 1 < len(starts) else None)
                assert screen.newer == (slow[2 * place - 2].id if place else None)
            current, _, _ = slow_log(store, person, ReviewFilter(), blind)
            columns, kept_back = log.columns()
            assert (list(columns.ids), kept_back) == ([one.id for one in current][::-1], withheld)
            assert [columns.names[code] for code in columns.reviewers] == [
                one.reviewer for one in current[::-1]
            ]
            for architecture, said in columns.readings.items():
                assert list(said.scores) == [
                    -1 if (one := entry.verdict(architecture)) is None else int(one.score)
                    for entry in current[::-1]
                ]


def slow_log(
    store: ReviewStore, person: Identity, wanted: ReviewFilter, blind: bool
) -> tuple[list[Review], int, int]:
    """All entries are read, and Python leaves out: shown, sealed, withheld."""
    whole = store.reviews(ReviewFilter(include_superseded=True))
    plan = Assignments(store).plan()
    keys = {review.patch.sha256 for review in whole}
    known = {review.patch.sha256 for review in whole if review.reviewer == person.name}
    if blind:
        known |= store.showings.seen(person.name, keys)
    else:
        known = keys
    open_ = [review for review in whole if not plan.is_sealed(review.patch.sha256)]
    return (
        [one for one in open_ if one.patch.sha256 in known and passes(one, wanted)],
        sum(one.superseded_by is None for one in whole)
        - sum(one.superseded_by is None for one in open_),
        sum(one.superseded_by is None and one.patch.sha256 not in known for one in open_),
    )


def passes(review: Review, wanted: ReviewFilter) -> bool:
    """Whether an entry passes the filter."""
    needle = wanted.text.strip().casefold()
    texts = (review.comment, review.patch.name, review.patch.sha256)
    same = all(verdict.score == review.own_score for verdict in review.verdicts)
    return (
        (not wanted.reviewers or review.reviewer in wanted.reviewers)
        and (not wanted.scores or review.own_score in wanted.scores)
        and (wanted.include_superseded or review.superseded_by is None)
        and any(needle in text.casefold() for text in texts)
        and (not wanted.model_gap or model_gap(review.verdicts) in wanted.model_gap)
        and (
            wanted.agreement == "any"
            or (bool(review.verdicts) and same == (wanted.agreement == "agrees"))
        )
    )


# what is derived ---------------------------------------------------------------------------------


@given(st.lists(st.text(max_size=8), max_size=6))
def test_a_name_s_key_sorts_as_the_name_does(names):
    def natural(name: str) -> list[tuple[int, int, str]]:
        parts = re.split(r"(\d+)", name.casefold())
        return [
            piece
            for part in parts
            for piece in (
                [(0, int(part), part)] if part.isdecimal() else [(1, 0, char) for char in part]
            )
        ]

    assert sorted(names, key=name_key) == sorted(names, key=natural)


def test_a_filling_that_is_killed_goes_on_where_it_was(fresh, monkeypatch):
    monkeypatch.setattr(derived, "_PART", 2)
    name = derived.patches_by(MODELS[1])
    with fresh() as store:
        for _ in range(2):
            with store.writing() as session:
                assert not derived.fill_part(session, name)
        filled = []
        put = derived._put_patches
        monkeypatch.setattr(
            derived, "_put_patches", lambda s, ids, c: (filled.extend(ids), put(s, ids, c))
        )
        number = store.derived(name)
        assert store.derived(name) == number
        assert len(filled) == len(KEYS) - 4
        assert store.rebuild() == []


def test_what_was_edited_from_outside_is_named_and_made_right(tmp_path):
    where = f"sqlite:///{tmp_path / 'edited.sqlite3'}"
    with closing(ReviewStore(where)) as store:
        begin(store)
        tamper(where, "UPDATE patch_state SET doubt = 0 WHERE patch_id = 2")
        assert store.rebuild() == [
            "What the worklist knows of patch number 2 is not what the log says."
        ]
        assert store.rebuild() == []


def test_figures_tell_of_a_double_read_only_once_it_is_finished(fresh):
    with fresh() as store:
        root, ada, dee = (desk(store, name) for name in ("Root", "Ada", "Dee"))
        root.assign_double([KEYS[0]], ["Ada", "Root"], blind=True)
        act(store, "answer", KEYS[1], "Ada", 1, False)
        act(store, "answer", KEYS[0], "Ada", 1, True)
        dee.note_figures(2, insist=True)
        assert dee.seen(KEYS) == {KEYS[1]}
        act(store, "answer", KEYS[0], "Root", 1, True)
        assert desk(store, "Dee").seen(KEYS) == {KEYS[1]}
        dee.note_figures(3, insist=True)
        assert dee.seen(KEYS) == {KEYS[0], KEYS[1]}
        # what was seen before it was given out stays seen
        root.assign_double([KEYS[1]], ["Dee", "Root"], blind=True)
        assert dee.seen(KEYS) == {KEYS[0], KEYS[1]}
        assert ada.seen([KEYS[0]]) == frozenset()
        assert store.verify_chain() == []
