"""What was shown to whom outlives the server, and decides what may be called blind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import DatabaseError

from her2core.accounts.records import Identity
from her2core.accounts.store import AccountStore
from her2core.people.access import Desk
from her2core.reviews.database import parse_url
from her2core.reviews.store import ReviewRefusedError, ReviewStore, SeenBeforeError, StoreError
from tests.review_samples import MORNING, SHA, draft, open_store, patch

OTHER = "b" * 64
ADA = "Dr. Ada Example"
UNASKED = {"cnn": None, "densenet121": None}


@pytest.fixture
def store(store_url: str) -> Iterator[ReviewStore]:
    """Two patches, on each kind of database."""
    opened = open_store(store_url)
    opened.add_patch(patch(OTHER, name="other.png"))
    yield opened
    opened.close()


def blind(**other):
    return draft(**{"blind": True, "agrees": UNASKED, **other})


def rows(where: str) -> list[tuple[str, str, str]]:
    with create_engine(parse_url(where)).connect() as raw:
        found = raw.exec_driver_sql("SELECT * FROM shown_verdicts ORDER BY reviewer, patch_sha256")
        return [tuple(row) for row in found]


# what is known -----------------------------------------------------------------------------------


def test_another_server_and_a_later_one_know_what_was_shown(store_url, store):
    with closing(ReviewStore(store_url)) as second:
        assert second.showings.seen(ADA, [SHA, OTHER]) == frozenset()
        store.showings.record(ADA, [SHA])
        assert second.showings.seen(ADA, [SHA, OTHER]) == {SHA}
    with closing(ReviewStore(store_url)) as restarted:
        assert restarted.showings.seen(ADA, [SHA, OTHER]) == {SHA}
        assert restarted.showings.seen("Dr. Bo", [SHA, OTHER]) == frozenset()


def test_the_first_time_stays(store_url):
    moments = iter(MORNING + timedelta(hours=number) for number in range(9))
    with (
        closing(open_store(store_url, clock=lambda: next(moments))) as first,
        closing(ReviewStore(store_url, clock=lambda: MORNING + timedelta(days=1))) as second,
    ):
        for store in (first, second, first):
            store.showings.record(ADA, [SHA])
    assert rows(store_url) == [(ADA, SHA, "2026-03-01T08:30:00.000000+00:00")]


def test_what_was_shown_before_a_name_was_given_counts_for_everybody(store_url, store):
    store.showings.record("", [SHA])
    with closing(ReviewStore(store_url)) as restarted:
        assert restarted.showings.seen(ADA, [SHA, OTHER]) == {SHA}
        with pytest.raises(SeenBeforeError):
            restarted.save_review(blind())
    # a name that no review can be recorded under is none
    store.showings.record("a\tb", [OTHER])
    assert store.showings.seen(ADA, [OTHER]) == {OTHER}


def test_a_name_is_taken_as_reviews_are_recorded_under_it(store):
    store.showings.record("  Dr. Jose\u0301 ", [SHA])
    assert store.showings.seen("Dr. Jos\u00e9", [SHA]) == {SHA}


def test_an_unblinded_review_tells_that_the_verdicts_were_seen(store_url, store):
    store.save_review(draft())
    store.save_review(blind(reviewer="Dr. Bo"))
    assert rows(store_url) == []
    assert store.showings.seen(ADA, [SHA, OTHER]) == {SHA}
    assert store.showings.seen("Dr. Bo", [SHA, OTHER]) == frozenset()


def test_patches_of_reports_are_remembered_before_they_come_here(store):
    later = "c" * 64
    store.showings.record(ADA, [later, "../no sha256", later[:-1]])
    store.add_patch(patch(later))
    assert store.showings.seen(ADA, [later, "../no sha256", later[:-1]]) == {later}


def test_a_worklist_of_ten_thousand_is_a_few_questions(store_url, store):
    keys = [f"{number:064x}" for number in range(10_000)]
    store.showings.record(ADA, keys[::2])
    with closing(ReviewStore(store_url)) as restarted:
        asked = []
        reading = restarted.showings._reading
        restarted.showings._reading = lambda: asked.append(1) or reading()
        assert restarted.showings.seen(ADA, keys) == set(keys[::2])
        assert len(asked) == 1


def test_a_study_takes_reviews_along_and_no_showings(tmp_path, store):
    store.save_review(draft())
    store.showings.record(ADA, [OTHER])
    with closing(ReviewStore(f"sqlite:///{tmp_path / 'elsewhere.sqlite3'}")) as elsewhere:
        elsewhere.adopt(store.study())
        assert elsewhere.showings.seen(ADA, [SHA, OTHER]) == {SHA}
    assert store.verify_chain() == []


# what may be called blind ------------------------------------------------------------------------


def test_a_blind_review_of_what_was_shown_is_refused_and_can_be_saved_as_not_blind(
    store_url, store
):
    with closing(ReviewStore(store_url)) as yesterday:
        yesterday.showings.record(ADA, [SHA])
    with pytest.raises(SeenBeforeError, match="save it again, and it is recorded as not blind"):
        store.save_review(blind(), token="once")
    assert store.reviews() == []
    saved = store.save_review(blind(blind=False), token="once")
    assert not saved.blind
    assert store.save_review(blind(patch_sha256=OTHER)).blind
    assert store.save_review(blind(reviewer="Dr. Bo")).blind
    assert store.verify_chain() == []


def test_nobody_corrects_an_unblinded_review_blind(store):
    first = store.save_review(draft())
    with pytest.raises(ReviewRefusedError, match="cannot be recorded as blind"):
        store.save_review(blind(supersedes=first.id))
    assert [review.id for review in store.reviews()] == [first.id]


def test_an_answer_saved_before_its_verdicts_came_up_may_be_sent_again(store):
    first = store.save_review(blind(), token="once")
    store.showings.record(ADA, [SHA])
    assert store.save_review(blind(), token="once") == first
    with pytest.raises(SeenBeforeError):
        store.save_review(blind(), token="twice")


def test_a_refused_blind_answer_makes_nobody_an_adjudicator(store):
    accounts = AccountStore(store)
    for name, role in (
        ("Ada", "reviewer"), ("Ben", "reviewer"), ("Dee", "adjudicator"), ("Root", "administrator"),
    ):  # fmt: skip
        accounts.add(name, role, login=f"{name}@hospital.example")
    desks = {one.name: Desk(store, one.identity("account")) for one in accounts.accounts()}
    desks["Root"].assign_double([SHA], ["Ada", "Ben"], blind=True)
    for name, score in (("Ada", 0), ("Ben", 3)):
        facts = blind(reviewer=name, own_score=type(draft().own_score)(score))
        assert desks[name].save_review(facts).blind
    dee = desks["Dee"]
    dee.note_shown([SHA], insist=True)
    assert dee.seen([SHA, OTHER]) == {SHA}
    with pytest.raises(SeenBeforeError):
        dee.save_review(blind(reviewer="Dee"))
    assert "Dee" not in dee.plan().kinds[SHA]
    dee.save_review(blind(reviewer="Dee", blind=False))
    assert dee.plan().double_reads[SHA].adjudicator == "Dee"


def test_alone_on_a_machine_it_is_the_typed_name(store):
    alone = Desk(store, Identity(ADA, "reviewer", "open"))
    alone.note_shown([SHA], insist=True)
    assert alone.seen([SHA]) == {SHA}
    with pytest.raises(SeenBeforeError):
        alone.save_review(blind())


# many at once, and a database that takes nothing -------------------------------------------------


def test_two_servers_record_the_same_pair_at_once(store_url):
    open_store(store_url).close()
    stores = [ReviewStore(store_url) for _ in range(2)]
    keys = [f"{number:064x}" for number in range(20)]
    ready, troubles = threading.Barrier(4), []

    def show(number: int) -> None:
        ready.wait()
        try:
            for key in keys:
                stores[number % 2].showings.record(ADA, [key])
        except Exception as error:
            troubles.append(error)

    threads = [threading.Thread(target=show, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []
    assert [(name, key) for name, key, _ in rows(store_url)] == [(ADA, key) for key in keys]
    for store in stores:
        store.close()


def test_no_verdict_comes_up_while_a_blind_review_is_being_saved(store_url, store):
    """The server that is to show it waits until the review is in the log."""
    with closing(ReviewStore(store_url)) as other:
        showing = threading.Thread(target=other.showings.record, args=(ADA, [SHA]))

        def meanwhile(_: object) -> None:
            showing.start()
            showing.join(0.3)
            assert showing.is_alive()

        assert store.save_review(blind(), admit=meanwhile).blind
        showing.join()
    assert [(name, key) for name, key, _ in rows(store_url)] == [(ADA, SHA)]


def test_what_cannot_be_recorded_is_told_or_kept_and_written_later(store_url, store):
    with closing(ReviewStore(store_url, busy_seconds=0.05)) as busy:
        with store.writing():
            with pytest.raises(StoreError, match="busy"):
                busy.showings.record(ADA, [SHA])
            assert busy.showings.seen(ADA, [SHA]) == frozenset(), "it was not shown"
            busy.showings.record(ADA, [OTHER], insist=False)
            assert busy.showings.seen(ADA, [OTHER]) == {OTHER}
        assert rows(store_url) == []
        with pytest.raises(SeenBeforeError):
            busy.save_review(blind(patch_sha256=OTHER))
        # with the next one, whoever's it is
        busy.showings.record("Dr. Bo", [SHA])
        assert [(name, key) for name, key, _ in rows(store_url)] == [(ADA, OTHER), ("Dr. Bo", SHA)]
    with closing(ReviewStore(store_url)) as restarted, pytest.raises(SeenBeforeError):
        restarted.save_review(blind(patch_sha256=OTHER))


def test_an_old_debt_keeps_nobody_from_what_is_recorded_for_them(store_url, store):
    with closing(ReviewStore(store_url, busy_seconds=0.05)) as busy:
        busy.showings.record(ADA, [SHA])
        with store.writing():
            busy.showings.record("Dr. Bo", [SHA], insist=False)
            busy.showings.record(ADA, [SHA])
        assert busy.showings.seen("Dr. Bo", [SHA]) == {SHA}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE shown_verdicts SET reviewer = 'Dr. Bo'",
        "UPDATE shown_verdicts SET shown_at = ''",
        "DELETE FROM shown_verdicts",
    ],
)
def test_the_database_itself_forgets_nothing_that_was_shown(store_url, store, statement):
    store.showings.record(ADA, [SHA])
    with (
        create_engine(parse_url(store_url)).connect() as raw,
        pytest.raises(DatabaseError, match="stays shown"),
    ):
        raw.exec_driver_sql(statement)
    assert len(rows(store_url)) == 1
