"""Answers begun and not saved: what they are about, what becomes of them, and blind mode beside."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from streamlit.testing.v1 import AppTest

from her2core.accounts.store import AccountStore
from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Patch
from her2core.reviews.records import Review, ReviewFilter
from her2core.reviews.store import ReviewStore, StoreError
from her2core.scores import HER2Score
from her2core.serving.intake import take_in
from her2core.serving.load_state import LoadState, ModelState
from her2core.serving.services import Services
from her2core.serving.workbench import Workbench
from her2core.settings import PROJECT_ROOT, Settings
from pages.shell import ui
from tests.page_server import cards_say, serve, services_of, text_of
from tests.review_samples import draft

ROOT = PROJECT_ROOT
PASSWORD = "brown rings round blue nuclei"


class Readers(Workbench):
    """Two readers without networks; the ids of their models can change, as by other bundles."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.ids = {"cnn": "cnn-first", "densenet121": "densenet121-first"}

    def start_loading(self) -> None:
        pass

    def state(self) -> LoadState:
        models = tuple(ModelState(n, "ready", "", model_id=i) for n, i in self.ids.items())
        return LoadState("ready", models)

    def wait(self, timeout: float | None = None) -> LoadState:
        return self.state()

    def verdicts(self, patch: Patch) -> tuple[Verdict, ...]:
        """Always 1+."""
        shares = (0.1, 0.7, 0.1, 0.1)
        return tuple(Verdict(n, i, shares, demo=True) for n, i in self.ids.items())

    def explain(self, *_: object, **__: object) -> Any:
        raise RuntimeError("no network, no map")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """A server whose readers have no networks, where nobody signs in."""
    settings = Settings(tmp_path, f"sqlite:///{tmp_path / 'reviews.sqlite3'}", ())
    made = serve(monkeypatch, services_of(settings, Readers(settings)))
    yield made
    assert made.queue.wait(60)
    made.store.close()


@pytest.fixture
def patch(here: Services, brown_patch_png: bytes) -> str:
    """The sha256 of the one patch that was taken in."""
    limits = here.settings.limits
    return str(take_in(brown_patch_png, "p.png", here.images, here.store, limits).sha256)


def opened(query: dict[str, str] | None = None, **state: Any) -> AppTest:
    """The application in a session of its own."""
    app = AppTest.from_file(str(ROOT / "pages" / "main.py"), default_timeout=120)
    for name, value in (query or {}).items():
        app.query_params[name] = value
    for key, value in state.items():
        app.session_state[key] = value
    return app.run()


def press(app: AppTest, label: str) -> AppTest:
    """Press the first button with this label."""
    assert not app.exception
    return next(one for one in app.button if one.label == label).click().run()


def chosen(app: AppTest) -> list[str]:
    """Keys of the answers that are chosen in the form."""
    return [one.key for one in app.button if one.key and one.proto.type == "primary"]


def problems(app: AppTest) -> str:
    """All that is warned of, as it is read."""
    return "\n".join(one.value for one in app.warning).replace("\\", "")


def reviews(here: Services) -> list[Review]:
    """The whole log, the newest entry first."""
    return here.store.reviews(ReviewFilter(include_superseded=True))


def elsewhere(here: Services, sha256: str, score: HER2Score, **changes: object) -> Review:
    """What the same reviewer saves meanwhile in another tab."""
    facts = {"square": here.images.load(sha256, "p.png").square, "own_score": score, "comment": ""}
    who = {"patch_sha256": sha256, "reviewer": "Dr. Ada", "verdicts": (), "agrees": {}}
    saved = draft(**{**who, **facts, **changes})
    return here.store.save_review(saved)


# blind mode --------------------------------------------------------------------------------------


def sign_in(app: AppTest) -> AppTest:
    app.text_input[0].set_value("Dr. Ada")
    app.text_input[1].set_value(PASSWORD)
    return press(app, "Sign in")


def from_left(app: AppTest):
    """Where the square begins, in numbers."""
    return next(one for one in app.number_input if one.label == "From left (px)")


def test_blind_mode_stays_on_over_an_idle_sign_out(here, patch):
    AccountStore(here.store).add("Dr. Ada", "reviewer", password=PASSWORD)
    app = sign_in(opened())
    app.toggle(key="blind").set_value(True).run()
    app.session_state["last_click"] = time.monotonic() - 31 * 60
    app.query_params.clear()  # the session knows it without the address
    app.run()
    assert "signed out" in text_of(app)
    sign_in(app)
    assert app.toggle(key="blind").value


def test_a_reload_shows_no_verdict_to_who_reads_blind_and_notes_none_as_seen(here, patch):
    app = opened(blind=True)
    assert not cards_say(app)
    app.switch_page(ui.REVIEW_LOG_PAGE).run()
    assert app.query_params["blind"] in ("1", ["1"])
    again = opened({"blind": "1"})
    assert again.toggle(key="blind").value
    assert "Blind mode: the verdicts stay hidden" in text_of(again)
    assert not cards_say(again)
    assert here.store.showings.seen("Dr. Ada", [patch]) == frozenset()
    again.toggle(key="blind").set_value(False).run()
    assert cards_say(again)
    assert "blind" not in again.query_params


# what an answer was about ------------------------------------------------------------------------


def test_a_correction_takes_over_no_answer_to_a_model_that_is_gone(here, patch):
    app = opened(reviewer="Dr. Ada")
    for label in ("1+", "Agree", "Save"):
        press(app, label)
    here.workbench.ids["cnn"] = "cnn-second"
    press(app, "Correct this review")
    assert "CNN-Agree" not in chosen(app)
    assert "answer to CNN was about another verdict" in text_of(app)
    press(app, "Save correction")
    assert dict(reviews(here)[0].agrees) == {"cnn": None, "densenet121": None}
    assert reviews(here)[0].own_score is HER2Score.ONE_PLUS


def test_a_correction_keeps_the_answers_to_verdicts_that_still_stand(here, patch):
    app = opened(reviewer="Dr. Ada")
    for label in ("1+", "Agree", "Save", "Correct this review"):
        press(app, label)
    assert "CNN-Agree" in chosen(app)
    assert "another verdict" not in text_of(app)


def test_an_answer_does_not_follow_the_square_to_another_verdict(here, patch):
    app = opened(reviewer="Dr. Ada")
    press(app, "1+")
    press(app, "Agree")
    from_left(app).set_value(0).run()
    assert chosen(app) == ["Own score-1+", "Confidence-Medium"]
    assert "answer to CNN was about another verdict" in text_of(app)
    press(app, "Agree")
    assert "another verdict" not in text_of(app)
    press(app, "Disagree")
    press(app, "Disagree")
    press(app, "Save")
    assert dict(reviews(here)[0].agrees) == {"cnn": None, "densenet121": None}


# corrections and second tabs ---------------------------------------------------------------------


def begun_correction(app: AppTest) -> AppTest:
    """A review of 1+ is recorded, and its correction to 2+ begun."""
    for label in ("1+", "Save", "Correct this review", "2+"):
        press(app, label)
    return app


def test_a_correction_that_another_tab_overtook_can_still_be_saved(here, patch):
    app = begun_correction(opened(reviewer="Dr. Ada"))
    app.text_area[0].set_value("seen again").run()
    (first,) = reviews(here)
    second = elsewhere(here, patch, HER2Score.THREE_PLUS, supersedes=first.id)
    press(app, "Save correction")
    assert len(reviews(here)) == 2
    said = text_of(app)
    assert "Another correction was saved meanwhile: **3+" in said
    assert "already corrected" not in said
    assert app.text_area[0].value == "seen again"
    press(app, "Save correction")
    third = reviews(here)[0]
    assert (third.supersedes, third.own_score) == (second.id, HER2Score.TWO_PLUS)
    assert third.comment == "seen again"
    assert "saved meanwhile" not in text_of(app)


def test_a_correction_can_be_given_up(here, patch):
    app = opened(reviewer="Dr. Ada")
    assert "Keep it as it was" not in [one.label for one in app.button]
    begun_correction(app)
    press(app, "Keep it as it was")
    assert "Your review: 1+" in text_of(app)
    assert not app.text_area
    press(app, "Correct this review")
    assert "Own score-1+" in chosen(app)
    assert len(reviews(here)) == 1


def test_an_answer_refused_because_of_another_tab_becomes_the_correction(here, patch):
    app = opened(reviewer="Dr. Ada")
    for label in ("2+", "Disagree", "Low"):
        press(app, label)
    app.text_area[0].set_value("typed for long").run()
    from_left(app).set_value(0).run()
    press(app, "Disagree")
    first = elsewhere(here, patch, HER2Score.THREE_PLUS)
    press(app, "Save")
    assert [review.id for review in reviews(here)] == [first.id]
    said = text_of(app)
    assert "Your review: 3+" in said
    assert "What you answered now is not saved" in said
    press(app, "Correct this review")
    assert chosen(app) == ["Own score-2+", "CNN-Disagree", "Confidence-Low"]
    assert app.text_area[0].value == "typed for long"
    press(app, "Save correction")
    second = reviews(here)[0]
    assert (second.supersedes, second.own_score) == (first.id, HER2Score.TWO_PLUS)
    assert (second.confidence, second.comment) == ("low", "typed for long")
    assert second.square.x == 0
    assert second.agrees["cnn"] is False
    assert "is not saved" not in text_of(app)


# leaving -----------------------------------------------------------------------------------------


def asks_first(app: AppTest) -> bool:
    """Whether the page tells the browser to ask before it leaves."""
    elements: Any = app.get("html")
    (told,) = [html.value for html in elements if "--her2-answer-begun" in html.value]
    assert told in [f"<style>:root {{ --her2-answer-begun: {begun}; }}</style>" for begun in (0, 1)]
    return "1" in told.split(":")[-1]


@pytest.mark.parametrize("label", ["2+", "Disagree", "Low", "comment"])
def test_every_page_knows_of_an_answer_that_this_window_alone_holds(here, patch, label):
    app = opened()  # without a name it is kept nowhere else
    assert not asks_first(app)
    if label == "comment":
        app.text_area[0].set_value("typed").run()
    else:
        press(app, label)
    assert asks_first(app)
    assert "Without your name this answer is kept in this window only" in text_of(app)
    app.switch_page(ui.MODELS_PAGE).run()
    assert not app.exception
    assert asks_first(app)


def test_a_page_does_not_ask_where_the_answer_outlives_the_window(here, patch):
    app = begun_correction(opened(reviewer="Dr. Ada"))
    assert not asks_first(app)
    assert here.store.unsaved.find("Dr. Ada", patch) is not None
    assert "in this window only" not in text_of(app)


def test_an_answer_given_without_a_name_is_kept_once_the_name_is_given(here, patch, monkeypatch):
    monkeypatch.setattr(here.store, "reviewers", lambda: ["Dr. Ada"])  # the test types no new one
    app = press(opened(), "2+")
    assert asks_first(app)
    app.selectbox(key="reviewer").set_value("Dr. Ada").run()
    app.run()
    assert not asks_first(app)
    assert here.store.unsaved.find("Dr. Ada", patch).own_score == 2


def test_a_correction_that_changes_nothing_is_not_saved(here, patch):
    app = press(begun_correction(opened(reviewer="Dr. Ada")), "1+")
    press(app, "Save correction")
    assert "Nothing is changed yet" in text_of(app)
    assert len(reviews(here)) == 1


def test_a_correction_that_was_overtaken_before_anything_was_changed_can_be_saved(here, patch):
    app = press(begun_correction(opened(reviewer="Dr. Ada")), "1+")
    (first,) = reviews(here)
    second = elsewhere(here, patch, HER2Score.THREE_PLUS, supersedes=first.id)
    press(app, "Save correction")
    press(app, "Save correction")
    last = reviews(here)[0]
    assert (last.supersedes, last.own_score) == (second.id, HER2Score.ONE_PLUS)


def test_the_form_says_for_itself_whether_anything_would_be_lost(here, patch):
    def told(app):
        (marks,) = [html.value for html in app.get("html") if "--her2-answer-here" in html.value]
        return marks.partition("{")[2].split(";")[0].strip(), marks.split("--her2-comment: ")[1][0]

    app = opened()
    assert told(app) == ("--her2-answer-here: 0", "0")
    app.text_area[0].set_value("typed").run()
    assert told(app) == ("--her2-answer-here: 1", "5")
    app.text_area[0].set_value("").run()
    assert told(app) == ("--her2-answer-here: 0", "0")
    from_left(app).set_value(0).run()
    assert told(app) == ("--her2-answer-here: 1", "0")  # a square that was chosen


def test_the_door_knows_of_an_answer_that_waits_behind_it(here, patch, monkeypatch):
    AccountStore(here.store).add("Dr. Ada", "reviewer", password=PASSWORD)
    app = sign_in(opened())
    database_away(here, monkeypatch)
    press(app, "2+")
    app.session_state["last_click"] = time.monotonic() - 31 * 60
    app.run()
    assert "signed out" in text_of(app)
    assert asks_first(app)


# beyond the session ------------------------------------------------------------------------------


def database_away(here: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers begun cannot be written; all else goes on."""

    def refuse(*_: object) -> bool:
        raise StoreError("The review database does not answer.")

    monkeypatch.setattr(here.store.unsaved, "keep", refuse)


def answered_fully(app: AppTest) -> AppTest:
    """Every part of an answer is given: another square, score, agreement, confidence, comment."""
    from_left(app).set_value(0).run()
    for label in ("2+", "Disagree", "Low"):
        press(app, label)
    return app.text_area[0].set_value("typed for long").run()


def test_another_session_of_the_same_person_finds_the_answer_whole(here, patch):
    answered_fully(opened(reviewer="Dr. Ada"))
    later = opened(reviewer="Dr. Ada")
    assert chosen(later) == ["Own score-2+", "CNN-Disagree", "Confidence-Low"]
    assert later.text_area[0].value == "typed for long"
    assert from_left(later).value == 0
    press(later, "Save")
    (review,) = reviews(here)
    assert (review.own_score, review.confidence) == (HER2Score.TWO_PLUS, "low")
    assert (review.comment, review.square.x) == ("typed for long", 0)
    assert dict(review.agrees) == {"cnn": False, "densenet121": None}


def test_a_server_started_anew_finds_the_answer(here, patch, monkeypatch):
    answered_fully(opened(reviewer="Dr. Ada"))
    again = replace(here, store=ReviewStore(here.settings.database_url))
    serve(monkeypatch, again)
    app = opened(reviewer="Dr. Ada")
    assert app.text_area[0].value == "typed for long"
    assert "Own score-2+" in chosen(app)
    again.store.close()


def test_nobody_else_finds_it(here, patch):
    answered_fully(opened(reviewer="Dr. Ada"))
    for name in ("Dr. Bo", "dr. ada", ""):
        app = opened(reviewer=name) if name else opened()
        assert chosen(app) == ["Confidence-Medium"]
        assert app.text_area[0].value == ""
        assert "typed for long" not in text_of(app)


def test_an_answer_that_is_saved_or_emptied_is_kept_no_more(here, patch):
    app = press(opened(reviewer="Dr. Ada"), "Disagree")
    assert here.store.unsaved.find("Dr. Ada", patch) is not None
    press(app, "Disagree")
    assert here.store.unsaved.find("Dr. Ada", patch) is None
    press(answered_fully(app), "Save")
    assert here.store.unsaved.find("Dr. Ada", patch) is None
    again = opened(reviewer="Dr. Ada")
    assert "Your review: 2+" in text_of(again)
    assert "is not saved" not in text_of(again)


def test_a_verdict_that_changed_meanwhile_takes_its_answer_away_with_a_sentence(here, patch):
    press(press(opened(reviewer="Dr. Ada"), "1+"), "Agree")
    here.workbench.ids["cnn"] = "cnn-second"
    later = opened(reviewer="Dr. Ada")
    assert chosen(later) == ["Own score-1+", "Confidence-Medium"]
    assert "answer to CNN was about another verdict" in text_of(later)
    press(later, "Save")
    assert dict(reviews(here)[0].agrees) == {"cnn": None, "densenet121": None}


def test_a_correction_begun_is_found_by_another_session_and_can_be_given_up(here, patch):
    begun_correction(opened(reviewer="Dr. Ada"))
    later = opened(reviewer="Dr. Ada")
    assert "Own score-2+" in chosen(later)
    assert "Save correction" in [one.label for one in later.button]
    press(later, "Keep it as it was")
    assert here.store.unsaved.find("Dr. Ada", patch) is None
    assert "Your review: 1+" in text_of(opened(reviewer="Dr. Ada"))


def test_a_correction_begun_and_taken_back_to_what_it_was_is_none(here, patch):
    begun_correction(opened(reviewer="Dr. Ada"))
    later = press(opened(reviewer="Dr. Ada"), "1+")
    assert here.store.unsaved.find("Dr. Ada", patch) is None
    press(later, "Save correction")
    assert "Nothing is changed yet" in text_of(later)


def test_a_correction_kept_follows_one_that_overtook_it(here, patch):
    begun_correction(opened(reviewer="Dr. Ada"))
    (first,) = reviews(here)
    second = elsewhere(here, patch, HER2Score.THREE_PLUS, supersedes=first.id)
    later = opened(reviewer="Dr. Ada")
    assert "Another correction was saved meanwhile: **3+" in text_of(later)
    press(later, "Save correction")
    assert (reviews(here)[0].supersedes, reviews(here)[0].own_score) == (second.id, 2)


def test_the_answer_changed_last_is_shown_in_every_window(here, patch):
    one = press(opened(reviewer="Dr. Ada"), "2+")
    one.text_area[0].set_value("first").run()
    other = press(opened(reviewer="Dr. Ada"), "3+")
    other.text_area[0].set_value("second").run()
    one.run()
    assert "Own score-3+" in chosen(one)
    assert one.text_area[0].value == "second"
    press(one, "Save")
    assert (reviews(here)[0].own_score, reviews(here)[0].comment) == (3, "second")
    other.run()
    assert "Your review: 3+" in text_of(other)
    assert "is not saved" not in text_of(other)


def test_another_answer_saved_in_a_second_window_leaves_this_one(here, patch):
    one, other = opened(reviewer="Dr. Ada"), opened(reviewer="Dr. Ada")
    press(other, "0")
    answered_fully(one)
    press(other, "Save")
    assert here.store.unsaved.find("Dr. Ada", patch).comment == "typed for long"
    later = opened(reviewer="Dr. Ada")
    assert "Your review: 0" in text_of(later)
    assert "What you answered now is not saved" in text_of(later)
    press(later, "Correct this review")
    assert later.text_area[0].value == "typed for long"


def test_what_was_answered_without_a_name_is_added_to_what_waits_under_it(here, patch, monkeypatch):
    monkeypatch.setattr(here.store, "reviewers", lambda: ["Dr. Ada"])  # the test types no new one
    answered_fully(opened(reviewer="Dr. Ada"))
    app = press(opened(), "3+")
    app.text_area[0].set_value("typed again").run()
    app.selectbox(key="reviewer").set_value("Dr. Ada").run()
    assert chosen(app)[0] == "Own score-3+"
    assert app.text_area[0].value == "typed for long\ntyped again"
    assert here.store.unsaved.find("Dr. Ada", patch).comment == "typed for long\ntyped again"


def test_a_database_that_is_away_is_said_calmly_and_the_answer_stays(
    here, patch, monkeypatch, caplog
):
    app = opened(reviewer="Dr. Ada")
    with monkeypatch.context() as away:
        database_away(here, away)
        app.text_area[0].set_value("Jane Doe, 4711").run()
        press(app, "2+")
        assert "kept in this window only" in text_of(app)
        assert not app.exception
        assert asks_first(app)
    assert "Jane" not in caplog.text
    app.session_state["unsaved_tried"] = time.monotonic() - 60
    app.run()
    assert "kept in this window only" not in text_of(app)
    assert here.store.unsaved.find("Dr. Ada", patch).comment == "Jane Doe, 4711"


def test_a_row_that_cannot_be_read_bars_no_patch(here, patch, caplog):
    press(opened(reviewer="Dr. Ada"), "2+")
    with create_engine(here.settings.database_url).begin() as raw:
        raw.exec_driver_sql('UPDATE unsaved_answer SET content = \'{"comment": "Jane"}\'')
    app = opened(reviewer="Dr. Ada")
    assert chosen(app) == ["Confidence-Medium"]
    assert not app.exception
    assert "Jane" not in caplog.text


def test_looking_at_a_patch_again_writes_nothing(here, patch, monkeypatch):
    app = answered_fully(opened(reviewer="Dr. Ada"))
    written = []
    monkeypatch.setattr(here.store.unsaved, "_put", lambda *what: written.append(what))
    app.run()
    app.switch_page(ui.MODELS_PAGE).run()
    app.switch_page(ui.REVIEW_PAGE).run()
    assert written == []
    press(app, "3+")
    assert len(written) == 1


# the clock ---------------------------------------------------------------------------------------


def clock(app: AppTest, sha256: str) -> float:
    """Since when the patch is in front, 0 while it is not."""
    return app.session_state["drafts"]["Dr. Ada", sha256].opened


@pytest.mark.parametrize(
    "page", [ui.WORKLIST_PAGE, ui.REVIEW_LOG_PAGE, ui.EVALUATION_PAGE, ui.MODELS_PAGE]
)
def test_the_time_spent_on_a_patch_stands_still_on_another_page(here, patch, page):
    app = opened(reviewer="Dr. Ada")
    assert clock(app, patch) > 0
    app.switch_page(page).run()
    assert clock(app, patch) == 0
    spent = app.session_state["drafts"]["Dr. Ada", patch].time_spent()
    assert spent > 0
    app.switch_page(ui.REVIEW_PAGE).run()
    assert clock(app, patch) > 0
    assert app.session_state["drafts"]["Dr. Ada", patch].seconds == spent


def test_the_time_spent_on_a_patch_stands_still_after_a_sign_out(here, patch):
    AccountStore(here.store).add("Dr. Ada", "reviewer", password=PASSWORD)
    app = sign_in(opened())
    assert clock(app, patch) > 0
    app.session_state["last_click"] = time.monotonic() - 31 * 60
    app.run()
    assert clock(app, patch) == 0


# answers that contradict each other --------------------------------------------------------------


def test_a_contradiction_is_asked_about_by_the_first_save_and_saved_by_the_second(here, patch):
    app = opened(reviewer="Dr. Ada")
    for label in ("2+", "Agree", "Save"):
        press(app, label)
    assert not reviews(here)
    assert "You score 2+, but agree with CNN’s 1+" in problems(app)
    press(app, "Save")
    (review,) = reviews(here)
    assert (review.own_score, review.agrees["cnn"]) == (HER2Score.TWO_PLUS, True)


def test_another_contradiction_is_asked_about_again(here, patch):
    app = opened(reviewer="Dr. Ada")
    for label in ("2+", "Agree", "Save", "3+", "Save"):
        press(app, label)
    assert not reviews(here)
    assert "You score 3+, but agree" in problems(app)
    press(app, "1+")
    press(app, "Save")
    assert [review.own_score for review in reviews(here)] == [HER2Score.ONE_PLUS]
