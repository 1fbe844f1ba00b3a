"""The dashboard as a reader meets it: no report, one, two side by side, filtered, into review."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from her2core.evaluation.assessment import RowFilter, evaluate
from her2core.evaluation.report import PATCH_FOLDER, REPORT_FILE, Report
from her2core.evaluation_view.plots import figure_text
from her2core.image_store import ImageStore
from her2core.reading_queue import ReadingQueue
from her2core.reviews.store import ReviewStore
from her2core.scores import HER2Score
from her2core.settings import Settings
from her2core.workbench import Workbench
from pages import ui
from tests.report_samples import MODELS, a_report, some_rows
from tests.test_log_evaluation_models_pages import EVALUATION, opened, rerun, serve, shown_text
from tests.tiny_bundles import noise

ALPHA = a_report("Synthetic <b>patches</b>", some_rows(12), n_boot=100)
BETA = a_report("Own patches", some_rows(8, seed=2, per_group=0), n_boot=100, shown=0)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ui.Services:
    """A server without models whose reports lie in its home."""
    home = tmp_path / "home"
    home.mkdir()
    settings = Settings(
        home, f"sqlite:///{home / 'reviews.sqlite3'}", (), report_dirs=(home / "reports",)
    )
    workbench, store = Workbench(settings), ReviewStore(settings.database_url)
    images = ImageStore(settings.image_dir)
    return serve(
        monkeypatch,
        ui.Services(settings, workbench, store, images, ReadingQueue(workbench, images, store)),
    )


def put(here: ui.Services, name: str, report: Report) -> None:
    """A report in the server's home, with the pictures of its gallery."""
    folder = here.settings.home / "reports" / name
    (folder / PATCH_FOLDER).mkdir(parents=True)
    (folder / REPORT_FILE).write_text(report.to_json(), encoding="utf-8")
    for number, entry in enumerate(report.gallery):
        Image.fromarray(noise(1, number)[0]).save(folder / PATCH_FOLDER / f"{entry.sha256}.png")


def choose(app: AppTest, **state: object) -> AppTest:
    """The page after these widgets were set."""
    for key, value in state.items():
        app.session_state[key] = value
    return rerun(app)


def accuracy(app: AppTest) -> list[str]:
    """The first line of the table of overall figures."""
    table = app.dataframe[0].value
    assert table.loc[0, "Figure"] == "Accuracy"
    return list(table.iloc[0, 1:])


def expected(report: Report, **wanted: object) -> list[str]:
    rows = [row for row in report.rows if RowFilter(**wanted)(row)]  # type: ignore[arg-type]
    found = evaluate(rows, MODELS, report.evaluation.n_boot)
    figures = [reader.figure("accuracy").value for reader in found.readers]
    return [f"{figure_text(value)}, n = {value.n}" for value in figures]


def test_without_a_report_the_command_is_named(here):
    app = opened(EVALUATION)
    assert "No evaluation report was found" in shown_text(app)
    assert "python -m training.evaluate" in app.code[0].value
    assert str(here.settings.home / "reports") in app.code[0].value
    assert "make evaluation" in shown_text(app)


def test_one_report_shows_every_figure_with_interval_and_n(here):
    put(here, "alpha", ALPHA)
    app = opened(EVALUATION)
    assert accuracy(app) == expected(ALPHA)
    text = shown_text(app)
    assert "<b>patches" not in text
    assert "McNemar" in text.replace("\\", "")
    assert "whole groups" in text
    assert len(app.get("plotly_chart")) == 8
    assert "optimistic" not in text
    assert {b.label for b in app.get("download_button")} == {"Rows (CSV)", "Whole report (HTML)"}


def test_two_reports_stand_side_by_side_and_unknown_groups_are_said_aloud(here):
    put(here, "alpha", ALPHA)
    put(here, "beta", BETA)
    app = opened(EVALUATION)
    rerun(app.selectbox(key="report_second").set_value("beta"))
    both = accuracy(app)
    assert both[0::2] == expected(ALPHA)
    assert both[1::2] == expected(BETA)
    assert len(app.get("plotly_chart")) == 16
    assert "optimistic" in "\n".join(warning.value for warning in app.warning)
    assert "made with `--gallery 0`" in shown_text(app)
    assert "no difference is tested" in shown_text(app)


def test_a_filter_computes_the_figures_anew(here):
    put(here, "alpha", ALPHA)
    app = opened(EVALUATION)
    choose(app, report_labels=[HER2Score.ZERO, HER2Score.ONE_PLUS])
    assert accuracy(app) == expected(ALPHA, labels=(0, 1))
    assert "No patch is labelled 2+ or 3+." in shown_text(app).replace("\\", "")
    choose(app, report_labels=[], report_quality="Without warning")
    assert accuracy(app) == expected(ALPHA, quality="clean")
    choose(app, report_groups=["core-1"])
    assert accuracy(app) == expected(ALPHA, quality="clean", groups=("core-1",))
    choose(app, report_labels=[HER2Score.THREE_PLUS])
    assert "fits these filters" in shown_text(app)


def test_a_patch_of_the_gallery_opens_on_the_review_page(here):
    put(here, "alpha", ALPHA)
    app = opened(EVALUATION)
    button = next(b for b in app.button if b.key == "gallery_alpha-error-0")
    rerun(button.click())
    (patch,) = here.store.patches()
    entry = ALPHA.gallery[0]
    row = next(row for row in ALPHA.rows if row.sha256 == entry.sha256)
    assert patch.name == row.file
    assert app.session_state["last_patch"] == patch.sha256
    # its verdicts were on the screen: never blind again
    assert patch.sha256 in app.session_state["seen"]


def test_blind_mode_hides_what_the_models_called_single_patches(here):
    put(here, "alpha", ALPHA)
    app = opened(EVALUATION, blind=True)
    assert not [b for b in app.button if (b.key or "").startswith("gallery_")]
    assert "Blind mode" in shown_text(app)
    assert not app.image


def test_a_damaged_report_is_named_and_does_not_stop_the_page(here):
    folder = here.settings.home / "reports" / "torn"
    folder.mkdir(parents=True)
    (folder / REPORT_FILE).write_text("{")
    app = opened(EVALUATION)
    (error,) = [error.value for error in app.error]
    assert "torn" in error
    assert "not valid JSON" in error
