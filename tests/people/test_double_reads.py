"""Two blinded readers, a third who decides, and a desk that keeps everybody to their part."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.exc import DatabaseError

from her2core.accounts.records import Identity, NotAllowedError, Role
from her2core.accounts.store import AccountStore
from her2core.people.access import Desk
from her2core.people.assignments import AssignmentError, Assignments
from her2core.people.double_read_table import to_csv
from her2core.preprocessing.patches import Square
from her2core.reviews.database import parse_url
from her2core.reviews.double_reads import DoubleRead, GivenScore, blinded_answers
from her2core.reviews.errors import ReviewRefusedError
from her2core.reviews.records import ReviewFilter
from her2core.reviews.store import ReviewStore
from her2core.scores import HER2Score
from tests.review_samples import SHA, SQUARE, VERDICTS, draft, open_store, patch
from tests.whole_worklist import screenfuls

PASSWORD = "brown rings round blue nuclei"
OTHER = "b" * 64
PEOPLE: dict[str, Role] = {
    "Ada": "reviewer",
    "Ben": "reviewer",
    "Cy": "reviewer",
    "Dee": "adjudicator",
    "Eve": "adjudicator",
    "Root": "administrator",
}
NOBODY: dict[str, None] = {"cnn": None, "densenet121": None}


@pytest.fixture
def store(store_url: str) -> Iterator[ReviewStore]:
    """Two patches with verdicts, and six people, on each kind of database."""
    opened = open_store(store_url)
    opened.add_patch(patch(OTHER, name="other.png"))
    opened.record_verdicts(SHA, SQUARE, VERDICTS)
    accounts = AccountStore(opened)
    for name, role in PEOPLE.items():
        accounts.add(name, role, login=f"{name}@hospital.example")
    yield opened
    opened.close()


def desk(store: ReviewStore, name: str) -> Desk:
    return Desk(store, Identity(name, PEOPLE[name], "account"))


def answer(store: ReviewStore, name: str, score: int, **other: Any):
    facts = {"reviewer": name, "own_score": HER2Score(score), "agrees": NOBODY, "blind": True}
    return desk(store, name).save_review(draft(**{**facts, **other}))


def given_to_two(store: ReviewStore, blind: bool = True) -> None:
    desk(store, "Root").assign_double([SHA], ["Ada", "Ben"], blind=blind)


def claim(store: ReviewStore, name: str) -> None:
    with store.writing() as session:
        Assignments(store).claim(session, SHA, name)


def listed(store: ReviewStore, name: str) -> list[str]:
    return [item.patch.sha256 for item in screenfuls(desk(store, name).ordered({}))]


# what counts -------------------------------------------------------------------------------------


def test_a_correction_counts_only_while_the_other_answer_is_unknown():
    ada_1, ada_2 = GivenScore(1, "Ada", HER2Score(1)), GivenScore(2, "Ada", HER2Score(2))
    ben = GivenScore(3, "Ben", HER2Score(3))
    late = GivenScore(4, "Ada", HER2Score(3))
    assert blinded_answers(["Ada", "Ben"], [ada_1, ada_2]) == {"Ada": ada_2}
    assert blinded_answers(["Ada", "Ben"], [ada_1, ada_2, ben, late]) == {"Ada": ada_2, "Ben": ben}


@given(
    st.lists(
        st.tuples(st.sampled_from(["Ada", "Ben", "Cy"]), st.sampled_from(list(HER2Score))),
        max_size=8,
    )
)
def test_whatever_is_answered_later_an_ended_double_read_stays_as_it_was(entries):
    log = [GivenScore(number, *entry) for number, entry in enumerate(entries, 1)]
    ended: DoubleRead | None = None
    for length in range(len(log) + 1):
        answers = blinded_answers(["Ada", "Ben"], log[:length])
        now = DoubleRead(SHA, ("Ada", "Ben"), True, answers)
        assert set(answers) <= {"Ada", "Ben"}
        if ended is not None:
            assert now == ended
        elif not now.sealed:
            ended = now


# the way of a double read ------------------------------------------------------------------------


def test_two_disagree_blind_and_a_third_decides(store):
    given_to_two(store)
    assert listed(store, "Ada") == [SHA, OTHER]
    assert listed(store, "Cy") == listed(store, "Dee") == listed(store, "Root") == [OTHER]
    ada = desk(store, "Ada")
    assert not ada.sight(SHA).verdicts
    assert all(not item.verdicts for item in screenfuls(ada.ordered({})))
    with pytest.raises(ReviewRefusedError, match="cannot agree or disagree with verdicts yet"):
        answer(store, "Ada", 1, blind=False, agrees={"cnn": True, "densenet121": None})

    first = answer(store, "Ada", 1)
    for name in PEOPLE:
        shown, sealed = desk(store, name).log().everything(ReviewFilter(include_superseded=True))
        assert (shown, sealed) == ([], 1)
    with pytest.raises(NotAllowedError, match="when both answers are in"):
        desk(store, "Ben").review(first.id)
    assert ada.review(first.id) == first
    assert "when the other reader has answered" in ada.sight(SHA).sentence

    answer(store, "Ben", 3)
    assert len(desk(store, "Ben").log().everything(ReviewFilter())[0]) == 2
    assert desk(store, "Ada").sight(SHA).verdicts
    assert listed(store, "Dee") == [SHA, OTHER]
    read = desk(store, "Dee").sight(SHA).adjudicates
    assert read is not None
    assert (read.stage, read.score) == ("disagreed", None)
    for name in ("Ada", "Cy", "Root"):
        assert desk(store, name).sight(SHA).adjudicates is None

    decision = answer(store, "Dee", 2, blind=False)
    read = Assignments(store).plan().double_reads[SHA]
    assert (read.stage, read.score, read.adjudicator) == ("adjudicated", HER2Score(2), "Dee")
    assert read.decision is not None
    assert read.decision.review_id == decision.id
    assert listed(store, "Eve") == [OTHER]
    with pytest.raises(NotAllowedError, match="given to other readers"):
        answer(store, "Eve", 0)
    actions = [(entry.actor, entry.action) for entry in desk(store, "Root").audit()]
    assert ("Root", "assigned double") in actions
    assert ("Dee", "adjudicates") in actions
    assert store.verify_chain() == []


@pytest.mark.parametrize("blind", [True, False])
def test_no_filter_tells_what_a_sealed_entry_holds(store, blind):
    answer(store, "Cy", 2, patch_sha256=OTHER, square=SQUARE, blind=False)
    given_to_two(store, blind)
    first = answer(store, "Ada", 3, comment="rings all round", blind=blind)
    answer(store, "Ada", 2, comment="rings all round", blind=blind, supersedes=first.id)
    for wanted in (
        ReviewFilter(),
        ReviewFilter(include_superseded=True),
        *(ReviewFilter(scores=(score,)) for score in HER2Score),
        *(ReviewFilter(text=text) for text in ("rings", "no such text", SHA[:9])),
        *(ReviewFilter(agreement=agreement) for agreement in ("agrees", "disagrees")),
        *(ReviewFilter(model_gap=(gap,)) for gap in range(4)),
        *(ReviewFilter(reviewers=(name,)) for name in PEOPLE),
        ReviewFilter(since=first.recorded_at),
        ReviewFilter(until=first.recorded_at),
    ):
        for name in PEOPLE:
            shown, sealed = desk(store, name).log().everything(wanted)
            assert sealed == 1, wanted
            assert {review.patch.sha256 for review in shown} <= {OTHER}


def test_an_answer_given_while_the_log_is_read_is_not_shown(store, monkeypatch):
    """A double read made, and answered, between the two questions to the database."""
    read = Assignments.plan

    def late(assignments: Assignments):
        plan = read(assignments)
        if not plan.double_reads:
            monkeypatch.undo()
            given_to_two(store)
            answer(store, "Ada", 1)
        return plan

    monkeypatch.setattr(Assignments, "plan", late)
    assert desk(store, "Ben").log().everything(ReviewFilter())[0] == []


def table(store: ReviewStore) -> list[dict[str, str]]:
    text = to_csv(Assignments(store).plan()).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_the_table_holds_no_answer_before_both_are_in_and_the_end_afterwards(store):
    given_to_two(store)
    answer(store, "Ada", 0)
    (row,) = table(store)
    assert (row["stage"], row["score_1"], row["score_2"]) == ("reading", "", "")
    answer(store, "Ben", 3)
    (row,) = table(store)
    assert (row["stage"], row["score_1"], row["score_2"]) == ("disagreed", "0", "3+")
    assert (row["adjudicator"], row["final_score"]) == ("", "")
    answer(store, "Dee", 2, blind=False)
    (row,) = table(store)
    assert (row["stage"], row["adjudicator"], row["final_score"]) == ("adjudicated", "Dee", "2+")


def test_two_who_agree_need_no_third(store):
    given_to_two(store)
    answer(store, "Ada", 2)
    answer(store, "Ben", 2)
    read = Assignments(store).plan().double_reads[SHA]
    assert (read.stage, read.score) == ("agreed", HER2Score(2))
    assert listed(store, "Dee") == [OTHER]
    with pytest.raises(AssignmentError, match="no disagreement"):
        claim(store, "Dee")


def test_a_read_that_is_not_blind_shows_verdicts_but_no_answers(store):
    given_to_two(store, blind=False)
    sight = desk(store, "Ada").sight(SHA)
    assert sight.verdicts
    answer(store, "Ada", 3, blind=False, agrees={"cnn": True, "densenet121": False})
    assert desk(store, "Ben").log().everything(ReviewFilter()) == ([], 1)


def test_the_adjudicator_may_correct_the_decision_and_nobody_else_takes_it(store):
    given_to_two(store)
    answer(store, "Ada", 0)
    answer(store, "Ben", 1)
    decision = answer(store, "Dee", 1, blind=False)
    answer(store, "Dee", 0, blind=False, supersedes=decision.id)
    assert Assignments(store).plan().double_reads[SHA].score == HER2Score(0)
    with pytest.raises(AssignmentError, match="Dee has adjudicated"):
        claim(store, "Eve")


def disagreed(store: ReviewStore) -> None:
    given_to_two(store)
    answer(store, "Ada", 0)
    answer(store, "Ben", 3)


def test_a_claim_without_an_answer_locks_nobody_out(store):
    disagreed(store)
    claim(store, "Dee")
    answer(store, "Eve", 1, blind=False)
    assert Assignments(store).plan().double_reads[SHA].adjudicator == "Eve"


@pytest.mark.parametrize("role", ["administrator", "reviewer"])
def test_who_claimed_and_may_not_adjudicate_any_more_decides_nothing(store, role):
    disagreed(store)
    claim(store, "Dee")
    AccountStore(store).set_role("Dee", role)
    for known_as in (role, "adjudicator"):  # the page may have been drawn before
        dee = Desk(store, Identity("Dee", known_as, "account"))
        with pytest.raises(NotAllowedError, match=f"As {role} you may not adjudicate"):
            dee.save_review(draft(reviewer="Dee", agrees=NOBODY))
    with pytest.raises(AssignmentError, match=f"As {role} you may not adjudicate"):
        claim(store, "Dee")
    read = Assignments(store).plan().double_reads[SHA]
    assert (read.stage, read.decision) == ("disagreed", None)


@pytest.mark.parametrize("role", ["administrator", "reviewer"])
def test_who_lost_the_role_corrects_no_decision(store, role):
    disagreed(store)
    decision = answer(store, "Dee", 1, blind=False)
    AccountStore(store).set_role("Dee", role)
    dee = Desk(store, Identity("Dee", role, "account"))
    assert SHA not in [item.patch.sha256 for item in screenfuls(dee.ordered({}))]
    with pytest.raises(NotAllowedError, match=f"As {role} you may not adjudicate"):
        dee.save_review(draft(reviewer="Dee", agrees=NOBODY, supersedes=decision.id))
    assert Assignments(store).plan().double_reads[SHA].score == HER2Score(1)


@pytest.mark.parametrize("wrong", [{"comment": "x" * 4001}, {"supersedes": 99}])
def test_a_refused_answer_claims_nothing(store, wrong):
    disagreed(store)
    with pytest.raises(ReviewRefusedError):
        answer(store, "Dee", 1, blind=False, **wrong)
    assert "Dee" not in Assignments(store).plan().kinds[SHA]
    assert "adjudicates" not in [entry.action for entry in desk(store, "Root").audit()]


def before_the_next_answer(monkeypatch, act: Callable[[], object]) -> None:
    """Do something at the last moment before an answer is appended."""
    save = ReviewStore.save_review

    def late(self: ReviewStore, *arguments: Any, **options: Any):
        monkeypatch.undo()
        act()
        return save(self, *arguments, **options)

    monkeypatch.setattr(ReviewStore, "save_review", late)


def test_of_two_who_decide_at_once_the_first_answer_decides(store, monkeypatch):
    disagreed(store)
    before_the_next_answer(monkeypatch, lambda: answer(store, "Eve", 3, blind=False))
    with pytest.raises(NotAllowedError):
        answer(store, "Dee", 0, blind=False)
    read = Assignments(store).plan().double_reads[SHA]
    assert (read.adjudicator, read.score) == ("Eve", HER2Score(3))
    assert [review.reviewer for review in store.reviews()] == ["Eve", "Ben", "Ada"]


def test_an_answer_decided_once_may_be_sent_again(store):
    disagreed(store)
    facts = draft(reviewer="Dee", agrees=NOBODY)
    first = desk(store, "Dee").save_review(facts, token="once")
    assert desk(store, "Dee").save_review(facts, token="once") == first


def test_a_second_answer_to_a_patch_is_a_correction_or_refused(store):
    answer(store, "Ada", 1)
    said = r"already reviewed this patch \(1\+, entry 1\).*save a correction"
    for other in ({}, {"own_score": HER2Score(3)}, {"square": Square(0, 0, 100)}):
        with pytest.raises(ReviewRefusedError, match=said):
            desk(store, "Ada").save_review(draft(reviewer="Ada", agrees=NOBODY, **other))
    corrected = answer(store, "Ada", 2, supersedes=1, square=Square(0, 0, 100))
    with pytest.raises(ReviewRefusedError, match=r"2\+, entry 2"):
        answer(store, "Ada", 2)
    assert answer(store, "Ben", 0).id == 3, "each reader has one"
    assert [review.id for review in store.reviews()] == [3, corrected.id]


def test_two_tabs_that_save_at_the_same_moment_leave_one_answer(store):
    start, ends = threading.Barrier(2), []

    def save(score: int) -> None:
        start.wait()
        try:
            ends.append(answer(store, "Ada", score).own_score)
        except ReviewRefusedError as error:
            ends.append(str(error))

    tabs = [threading.Thread(target=save, args=(score,)) for score in (0, 3)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert [type(end) for end in sorted(ends, key=str)].count(str) == 1
    assert len(store.reviews()) == 1


def test_who_adjudicated_corrects_the_decision_and_gives_no_second_one(store):
    disagreed(store)
    decision = answer(store, "Dee", 2, blind=False)
    with pytest.raises(ReviewRefusedError, match="save a correction"):
        answer(store, "Dee", 3, blind=False)
    assert answer(store, "Dee", 3, blind=False, supersedes=decision.id).id == decision.id + 1


def test_what_is_given_out_at_the_last_moment_counts(store, monkeypatch):
    before_the_next_answer(monkeypatch, lambda: given_to_two(store))
    with pytest.raises(NotAllowedError, match="given to other readers"):
        answer(store, "Cy", 1, blind=False)
    two = ["Ben", "Cy"]
    before_the_next_answer(
        monkeypatch, lambda: desk(store, "Root").assign_double([OTHER], two, blind=True)
    )
    with pytest.raises(ReviewRefusedError, match="cannot agree or disagree"):
        answer(store, "Cy", 1, patch_sha256=OTHER, blind=False, agrees={"cnn": True})
    assert store.reviews() == []


def test_a_reader_promoted_to_adjudicator_does_not_decide_their_own_case(store):
    given_to_two(store)
    answer(store, "Ada", 0)
    answer(store, "Ben", 1)
    AccountStore(store).set_role("Ben", "adjudicator")
    promoted = Desk(store, Identity("Ben", "adjudicator", "account"))
    assert promoted.sight(SHA).adjudicates is None
    with pytest.raises(AssignmentError, match="cannot adjudicate"):
        claim(store, "Ben")


# giving out --------------------------------------------------------------------------------------


def test_what_is_given_to_one_reader_is_theirs_alone_and_their_progress_shows(store):
    root = desk(store, "Root")
    assert root.assign([SHA, OTHER], "Ada") == 2
    assert root.assign([SHA], "Ada") == 0
    assert listed(store, "Ben") == []
    with pytest.raises(NotAllowedError, match="given to other readers"):
        answer(store, "Ben", 1)
    answer(store, "Ada", 1, blind=False)
    (line,) = root.overview().progress
    assert (line.name, line.assigned, line.done, line.left) == ("Ada", 2, 1, 1)
    assert root.withdraw([SHA, OTHER], "Ada") == 1
    assert listed(store, "Ben") == [OTHER]


@pytest.mark.parametrize(
    ("patches", "names", "says"),
    [
        ([SHA], ["Ada"], "two different readers"),
        ([SHA], ["Ada", "ada"], "two different readers"),
        ([SHA], ["Ada", "Nobody"], "no account that may sign in"),
        ([], ["Ada", "Ben"], "at least one patch"),
        (["c" * 64], ["Ada", "Ben"], "not known here"),
        ([OTHER, SHA], ["Ada", "Cy"], "Cy has reviewed one of these"),
    ],
)
def test_a_double_read_that_cannot_be_is_not_begun(store, patches, names, says):
    answer(store, "Cy", 1, blind=False)
    with pytest.raises(AssignmentError, match=says):
        desk(store, "Root").assign_double(patches, names, blind=True)
    assert Assignments(store).plan().double_reads == {}
    assert Assignments(store).plan().kinds == {}


def test_a_patch_is_in_one_double_read_only(store):
    given_to_two(store)
    with pytest.raises(AssignmentError, match="given to somebody already"):
        desk(store, "Root").assign_double([SHA], ["Cy", "Dee"], blind=True)
    with pytest.raises(AssignmentError, match="two readers already"):
        desk(store, "Root").assign([SHA], "Cy")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE double_read SET blind = NOT blind",
        "DELETE FROM double_read",
        "DELETE FROM assignment WHERE kind = 'double'",
        "UPDATE assignment SET account_id = 3 WHERE kind = 'double'",
        "UPDATE assignment SET kind = 'single', double_read_id = NULL WHERE kind = 'double'",
        "UPDATE assignment SET account_id = 5 WHERE kind = 'adjudication'",
        "UPDATE assignment SET kind = 'double' WHERE kind = 'adjudication'",
    ],
)
def test_the_database_itself_keeps_the_terms_of_a_double_read(store_url, store, statement):
    disagreed(store)
    answer(store, "Dee", 1, blind=False)
    before = Assignments(store).plan()
    with (
        create_engine(parse_url(store_url)).connect() as raw,
        pytest.raises(DatabaseError, match="never changed or deleted"),
    ):
        raw.exec_driver_sql(statement)
    assert Assignments(store).plan() == before


# roles -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Ada", "Dee"])
def test_only_administrators_give_out_and_see_the_audit(store, name):
    mine = desk(store, name)
    for refused in (
        lambda: mine.assign([SHA], "Ben"),
        lambda: mine.assign_double([SHA], ["Ada", "Ben"], blind=True),
        lambda: mine.withdraw([SHA], "Ben"),
        mine.audit,
        mine.people,
        mine.overview,
    ):
        with pytest.raises(NotAllowedError, match="you may not"):
            refused()


def test_a_role_taken_away_counts_at_once(store):
    root = desk(store, "Root")
    AccountStore(store).set_role("Root", "reviewer")
    with pytest.raises(NotAllowedError, match="As reviewer you may not assign"):
        root.assign([SHA], "Ben")
    AccountStore(store).set_disabled("Root", True)
    with pytest.raises(NotAllowedError, match="Sign in first"):
        root.note_export("CSV", 1)


def test_nobody_records_under_another_name(store):
    with pytest.raises(NotAllowedError, match="your own name"):
        desk(store, "Ada").save_review(draft(reviewer="Ben"))
    unnamed = Desk(store, Identity("Ben", "reviewer", "open"))
    with pytest.raises(NotAllowedError, match="Sign in first"):
        unnamed.save_review(draft(reviewer="Ben"))


def test_alone_on_a_machine_everything_goes_that_one_can_do(store_url):
    alone_at = open_store(store_url)
    alone = Desk(alone_at, Identity("Ada", "reviewer", "open"))
    saved = alone.save_review(draft(reviewer="Ada"))
    assert alone.log().everything(ReviewFilter()) == ([saved], 0)
    alone.note_export("CSV", 1)
    assert [entry.action for entry in alone.audit()] == ["exported"]
    alone_at.close()
