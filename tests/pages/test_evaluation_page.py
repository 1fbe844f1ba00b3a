"""The dashboard as a reader meets it: no report, one, two side by side, filtered, into review."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from her2core.accounts.records import Identity, NotAllowedError
from her2core.accounts.store import AccountStore
from her2core.charts.words import figure_text
from her2core.evaluation.assessment import RowFilter, evaluate
from her2core.evaluation.report import PATCH_FOLDER, REPORT_FILE, Report
from her2core.people.access import Desk
from her2core.reviews.records import PatchRecord
from her2core.scores import HER2Score
from her2core.serving.services import Services
from her2core.serving.workbench import Workbench
from her2core.settings import Settings
from tests.evaluation.test_third_reader import measured_rows
from tests.page_server import serve, services_of
from tests.pages.test_log_evaluation_models_pages import EVALUATION, opened, rerun, shown_text
from tests.report_samples import MODELS, a_report, some_rows
from tests.tiny_bundles import noise

ALPHA = a_report("Synthetic <b>patches</b>", some_rows(12), n_boot=100)
BETA = a_report("Own patches", some_rows(8, seed=2, per_group=0), n_boot=100, shown=0)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Services:
    """A server without models whose reports lie in its home."""
    home = tmp_path / "home"
    home.mkdir()
    settings = Settings(
        home, f"sqlite:///{home / 'reviews.sqlite3'}", (), report_dirs=(home / "reports",)
    )
    return serve(monkeypatch, services_of(settings, Workbench(settings)))


def put(here: Services, name: str, report: Report) -> None:
    """A report in the server's home, with the pictures of its gallery."""
    folder = here.settings.home / "reports" / name
    (folder / PATCH_FOLDER).mkdir(parents=True)
    (folder / REPORT_FILE).write_text(report.to_json(), encoding="utf-8")
    Image.fromarray(noise(1, 99)[0]).save(folder / "overall.png")
    for number, entry in enumerate(report.gallery):
        Image.fromarray(noise(1, number)[0]).save(folder / PATCH_FOLDER / f"{entry.sha256}.png")


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], bytes]]:
    """What each download button would make, by its key."""
    offered: dict[str, Callable[[], bytes]] = {}

    def button(label: str, data: Callable[[], bytes], *, key: str, **_: object) -> None:
        offered[key] = data

    monkeypatch.setattr(st, "download_button", button)
    return offered


def choose(app: AppTest, **state: object) -> AppTest:
    """The page after these widgets were set."""
    for key, value in state.items():
        app.session_state[key] = value
    return rerun(app)


def unfolded(app: AppTest) -> AppTest:
    """The page with everything that stands behind the pictures."""
    app.session_state["report_behind"] = True
    return rerun(app)


def charts(app: AppTest) -> list[str]:
    """The charts of reports, by the names of their files."""
    keys = [chart.key or "" for chart in app.get("plotly_chart")]
    return [key.removeprefix("report_plot_") for key in keys if "external" not in key]


def accuracy(app: AppTest) -> list[str]:
    """The first line of the table of overall figures."""
    if not app.session_state["report_behind"]:
        unfolded(app)
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
    assert [name.split("-")[0] for name in charts(app)] == [
        *(3 * ["confusion"]),
        "headline",
        "groups",
        *(3 * ["roc"]),
    ]
    assert not app.dataframe
    unfolded(app)
    assert accuracy(app) == expected(ALPHA)
    text = shown_text(app)
    assert "<b>patches" not in text
    assert "McNemar" in text.replace("\\", "")
    assert "whole groups" in text
    assert len(charts(app)) == 18
    assert "optimistic" not in text
    buttons: Any = app.get("download_button")
    assert {b.label for b in buttons} == {
        "Rows (CSV)",
        "Whole report (HTML)",
        "Pictures (PNG)",
    }


def test_what_is_not_assessable_is_said_above_the_figures_and_is_in_none(here):
    rows = tuple(replace(row, assessable=row.label != 0) for row in ALPHA.rows)
    put(here, "alpha", a_report("Alpha", rows, n_boot=100))
    app = opened(EVALUATION)
    said = "\n".join(info.value for info in app.info)
    assert f"{sum(row.label == 0 for row in rows)} more patches are not assessable" in said
    assert accuracy(app) == expected(ALPHA, labels=(1, 2, 3))
    choose(app, report_labels=[HER2Score.ZERO])
    assert "fits these filters and is assessable" in shown_text(app)


def test_two_reports_stand_side_by_side_and_unknown_groups_are_said_aloud(here):
    put(here, "alpha", ALPHA)
    put(here, "beta", BETA)
    app = opened(EVALUATION)
    unfolded(rerun(app.selectbox(key="report_second").set_value("beta")))
    both = accuracy(app)
    assert both[0::2] == expected(ALPHA)
    assert both[1::2] == expected(BETA)
    assert len(charts(app)) == 35  # the second has no groups of several patches
    assert "optimistic" in "\n".join(warning.value for warning in app.warning)
    assert "made with `--gallery 0`" in shown_text(app)
    assert "do not show that two models are equal" in shown_text(app)
    assert "The reports have no patch, or no network to compare, in common." in shown_text(app)
    assert app.selectbox(key="report_first").options == [ALPHA.title, BETA.title]
    heads = list(app.dataframe[0].value)[1:3]
    assert heads == ["CNN, first report", "CNN, second report"]
    assert "**Second report:** Own patches" in shown_text(app)


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


def test_blind_mode_shows_nothing_of_a_report_whose_patches_are_all_to_be_read(here, downloads):
    put(here, "alpha", ALPHA)
    app = opened(EVALUATION, reviewer="Ada", blind=True)
    assert "still to read every patch of Synthetic" in shown_text(app)
    assert not [b for b in app.button if (b.key or "").startswith("gallery_")]
    assert not app.dataframe
    assert not app.image
    assert not downloads
    assert not app.multiselect
    assert not here.store.showings.seen("Ada", [row.sha256 for row in ALPHA.rows])


def test_blind_mode_tells_the_known_patches_of_a_tiny_report_and_not_the_one_to_be_read(
    here, downloads
):
    tiny = a_report("Four patches", ALPHA.rows[:4], n_boot=100, shown=2)
    put(here, "tiny", tiny)
    unread, *rest = tiny.rows
    here.store.showings.record("Ada", [row.sha256 for row in rest])
    app = opened(EVALUATION, reviewer="Ada", blind=True)
    assert "1 patch is left out of everything here" in shown_text(app)
    assert accuracy(app) == [
        f"{figure_text(reader.figure('accuracy').value)}, n = 3"
        for reader in evaluate(rest, MODELS, 20).readers
    ]
    rows = downloads["report_csv_tiny"]().decode("utf-8-sig")
    assert rows.count("\r\n") == 4
    assert unread.sha256 not in rows + downloads["report_html_tiny"]().decode()
    assert "report_png_tiny" not in downloads  # the stored pictures count it
    assert here.store.showings.seen("Ada", [unread.sha256]) == frozenset()
    # the switch is no way round: what was looked at without it is noted, and known from then on
    opened(EVALUATION, reviewer="Ada")
    assert here.store.showings.seen("Ada", [unread.sha256])
    assert "left out" not in shown_text(opened(EVALUATION, reviewer="Ada", blind=True))


@pytest.mark.parametrize("label", [None, *HER2Score])
def test_no_filter_and_no_second_report_tells_what_is_to_be_read_blind(here, label):
    reports = {
        name: a_report(name, ALPHA.rows[first : first + 30], n_boot=100, shown=0)
        for name, first in (("one", 0), ("two", 15))
    }
    for name, report in reports.items():
        put(here, name, report)
    unread = {ALPHA.rows[number].sha256 for number in (0, 16, 25, 29)}
    here.store.showings.record("Ada", {row.sha256 for row in ALPHA.rows} - unread)
    wanted = [] if label is None else [label]
    app = opened(EVALUATION, reviewer="Ada", blind=True, report_second="two", report_labels=wanted)
    rest = {
        name: [
            row
            for row in report.rows
            if row.sha256 not in unread and (label is None or row.label == label)
        ]
        for name, report in reports.items()
    }
    shown = [rows for rows in rest.values() if rows]
    for place, rows in enumerate(shown):
        value = evaluate(rows, MODELS, 100).readers[0].figure("accuracy").value
        columns = accuracy(app)[place :: len(shown)]
        assert columns[0] == f"{figure_text(value)}, n = {len(rows)}"
    assert here.store.showings.seen("Ada", unread) == frozenset()


def test_what_figures_rest_on_counts_as_seen_with_the_copies_that_the_report_holds(here):
    put(here, "alpha", ALPHA)
    folder = here.settings.home / "reports" / "alpha" / PATCH_FOLDER
    copies = {hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.glob("*.png")}
    opened(EVALUATION, reviewer="Ada")
    everything = {row.sha256 for row in ALPHA.rows} | copies
    assert here.store.showings.seen("Ada", everything) == everything
    assert here.store.showings.seen("Ben", everything) == frozenset()


def given_blind(here: Services, sha256: str) -> None:
    """This patch is in a blind double read of Ada and Ben; nobody has answered yet."""
    accounts = AccountStore(here.store)
    for name, role in (("Ada", "reviewer"), ("Ben", "reviewer"), ("Root", "administrator")):
        accounts.add(name, role, login=f"{name}@hospital.example")
    now = datetime(2026, 3, 1, tzinfo=UTC)
    here.store.add_patch(PatchRecord(sha256, "p.png", 224, 224, now))
    root = Desk(here.store, Identity("Root", "administrator", "account"))
    root.assign_double([sha256], ["Ada", "Ben"], blind=True)


def opened_by(name: str) -> AppTest:
    person = Identity(name, "administrator" if name == "Root" else "reviewer", "account")
    return opened(EVALUATION, person=person)


@pytest.mark.parametrize("as_copy", [False, True], ids=["original", "copy taken in"])
def test_a_blind_reader_meets_no_verdict_on_their_patch(here, downloads, as_copy):
    put(here, "alpha", ALPHA)
    entry = ALPHA.gallery[0]
    picture = here.settings.home / "reports" / "alpha" / PATCH_FOLDER / f"{entry.sha256}.png"
    copy = hashlib.sha256(picture.read_bytes()).hexdigest()
    given_blind(here, copy if as_copy else entry.sha256)

    app = opened_by("Ada")
    assert "1 patch is left out" in shown_text(app)
    # it was among those of the gallery: what is left of it would tell
    assert not [b for b in app.button if (b.key or "").startswith("gallery_")]
    others = [row for row in ALPHA.rows if row.sha256 != entry.sha256]
    assert accuracy(app) == [
        f"{figure_text(value)}, n = {value.n}"
        for reader in evaluate(others, MODELS, 100).readers
        if (value := reader.figure("accuracy").value)
    ]
    rows = downloads["report_csv_alpha"]().decode("utf-8-sig")
    assert rows.count("\r\n") == len(ALPHA.rows)  # a head, and one row less
    assert entry.sha256 not in rows
    page = downloads["report_html_alpha"]().decode()
    assert "<figcaption>" not in page
    assert entry.sha256 not in app.session_state["seen"]
    assert "report_png_alpha" not in downloads

    # who does not read it is shown everything
    opened_by("Root")
    assert entry.sha256 in downloads["report_csv_alpha"]().decode("utf-8-sig")
    assert "report_png_alpha" in downloads


def test_nothing_is_shown_of_a_report_of_which_every_patch_is_read_blind(here):
    one = ALPHA.rows[:1]
    put(here, "one", a_report("One patch", one, n_boot=10, shown=0))
    given_blind(here, one[0].sha256)
    app = opened_by("Ada")
    assert "You are still to read every patch of One patch blind" in shown_text(app)
    assert not app.dataframe


def test_what_is_taken_along_of_a_report_is_audited_and_counts_as_seen(here, downloads):
    put(here, "alpha", ALPHA)
    app = opened(EVALUATION, reviewer="Ada", report_labels=[HER2Score.ZERO])
    zero = {row.sha256 for row in ALPHA.rows if row.label == 0}
    everything = {row.sha256 for row in ALPHA.rows}
    assert app.session_state["seen"] & everything == zero
    for key in ("report_csv_alpha", "report_html_alpha", "report_png_alpha"):
        downloads[key]()
    # page and pictures are of the whole report
    assert here.store.showings.seen("Ada", everything) == everything
    told = [(e.actor, e.action, e.detail) for e in AccountStore(here.store).audit()]
    assert told == [
        ("Ada", "exported", "1 entries as pictures of a report"),
        ("Ada", "exported", f"{len(ALPHA.rows)} entries as HTML of a report"),
        ("Ada", "exported", f"{len(zero)} entries as CSV of a report"),
    ]


def test_what_is_taken_along_names_files_and_groups_only_on_purpose(here, downloads):
    whole = measured_rows()
    report = a_report("With groups", whole, n_boot=100, shown=1)
    unread = "Files left out because they could not be read: 1. “Jane ”x” Doe.png” is empty."
    put(here, "alpha", replace(report, notes=(unread,)))
    app = opened(EVALUATION, reviewer="Ada")
    made = {key: make().decode("utf-8-sig") for key, make in downloads.items() if "png" not in key}
    for text in made.values():
        written = text.rpartition("</head>")[2]  # plotly's own script stands before it
        assert not re.search(r"patch-\d|core-\d|Jane|Doe", written)
    rows = list(csv.DictReader(io.StringIO(made["report_csv_alpha"])))
    assert "file" not in rows[0]
    assert [row["sha256"] for row in rows] == [row.sha256 for row in whole]
    assert len({row["group"] for row in rows}) == len({row.group for row in whole})
    assert "could not be read: 1. “…” is empty." in made["report_html_alpha"]
    assert "group 1" in made["report_html_alpha"]

    rerun(app.checkbox(key="report_names_alpha").check())
    rows = list(csv.DictReader(io.StringIO(downloads["report_csv_alpha"]().decode("utf-8-sig"))))
    assert rows[0]["file"] == whole[0].file
    assert rows[0]["group"] == whole[0].group
    assert whole[0].group in downloads["report_html_alpha"]().decode()


def test_who_may_not_export_takes_nothing_of_a_report_along(here, downloads, monkeypatch):
    put(here, "alpha", ALPHA)
    opened(EVALUATION, reviewer="Ada", report_labels=[HER2Score.ZERO])
    monkeypatch.setattr(Identity, "permissions", frozenset())
    for make in downloads.values():
        with pytest.raises(NotAllowedError, match="export"):
            make()
    told_only_in_files = {row.sha256 for row in ALPHA.rows if row.label != HER2Score.ZERO}
    assert not here.store.showings.seen("Ada", told_only_in_files)


def test_a_damaged_report_is_named_and_does_not_stop_the_page(here):
    folder = here.settings.home / "reports" / "torn"
    folder.mkdir(parents=True)
    (folder / REPORT_FILE).write_text("{")
    app = opened(EVALUATION)
    (error,) = [error.value for error in app.error]
    assert "torn" in error
    assert "not valid JSON" in error
