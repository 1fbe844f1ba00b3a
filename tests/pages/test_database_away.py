"""The database goes away under the Review page: it says so, and the typed answer stays."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from her2core.serving import reading_queue
from her2core.serving.intake import take_in
from her2core.serving.workbench import Workbench
from her2core.settings import PROJECT_ROOT, Settings
from tests import hostile
from tests.page_server import serve, services_of
from tests.whole_worklist import whole_worklist

ROOT = PROJECT_ROOT
COMMENT = "basolateral, incomplete"


@pytest.fixture
def here(postgresql_url, tmp_path, monkeypatch):
    """A server without models, whose reviews are on PostgreSQL; one patch is taken in."""
    settings = Settings(tmp_path, postgresql_url, ())
    workbench = Workbench(settings)
    workbench.wait()
    made = serve(monkeypatch, services_of(settings, workbench))
    png = hostile.as_png(hostile.brown_patch())
    taken = take_in(png, "a.png", made.images, made.store, settings.limits)
    assert taken.outcome == "new"
    yield made
    made.store.close()


def test_the_answer_stays_while_the_database_is_away_and_is_saved_when_it_is_back(here, postgresql):
    app = AppTest.from_file(str(ROOT / "pages" / "main.py"), default_timeout=60)
    app.session_state["reviewer"] = "Dr. Ada"
    app.run()
    _button(app, "2+").click().run()
    app.text_area[0].set_value(COMMENT).run()
    postgresql.kill()
    try:
        _button(app, "Save").click().run()
        assert not app.exception
        said = "\n".join(str(one.value) for kind in (app.error, app.warning) for one in kind)
        assert "does not answer" in said
    finally:
        postgresql.start()
    _button(app, "Try again").click().run()
    assert app.text_area[0].value == COMMENT
    _button(app, "Save").click().run()
    assert not app.exception
    (review,) = here.store.reviews()
    assert (review.own_score.label, review.comment, review.reviewer) == ("2+", COMMENT, "Dr. Ada")


def test_readings_made_while_the_database_is_away_are_recorded_when_it_is_back(
    here, postgresql, monkeypatch
):
    monkeypatch.setattr(reading_queue, "_AWAY_SECONDS", 0.1)
    (known,) = here.store.patches()
    postgresql.kill()
    try:
        here.queue.add(known.sha256, known.name)
        assert not here.queue.wait(0.5), "it waits for the database"
    finally:
        postgresql.start()
    assert here.queue.wait(60)
    (item,) = whole_worklist(here.store, "")
    assert item.stain is not None


def test_a_part_that_draws_itself_anew_says_it_in_one_sentence_too():
    """Fragments are apart: what they raise would be shown as an error of the program."""

    def script() -> None:
        import streamlit

        from her2core.reviews.store import StoreError
        from pages.shell import ui as pages_ui

        def table() -> None:
            raise StoreError("The review database does not answer.")

        streamlit.fragment(pages_ui.calm(table))()
        streamlit.write("the rest of the page")

    app = AppTest.from_function(script).run()
    assert not app.exception
    assert app.error[0].value.startswith("The review database does not answer")
    assert app.markdown[0].value == "the rest of the page"


def _button(app, label):
    return next(one for one in app.button if one.label == label)
