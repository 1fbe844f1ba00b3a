"""The figures of docs are those of the files, and nothing is invented where a file is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.figure import at_least, publish
from her2core.charts.words import figure_text
from her2core.evaluation.report import REPORT_FILE
from her2core.models.bundles.card import Metric
from her2core.settings import PROJECT_ROOT
from tests.report_samples import a_report, some_rows
from tests.tiny_bundles import a_card
from training.figures import BEGIN, END, block, main

PAGE = f"# Title\n\nBefore.\n\n{BEGIN} (written by a command) -->\nold figures\n{END}\n\nAfter.\n"
REPORT = a_report("A set | of <b>patches</b>", some_rows(8), n_boot=100)
SPEED = {
    "name": "both verdicts",
    "against": "predict",
    "peer": 0.2,
    "ours": 0.05,
    "unit": "s",
    "ratio": 4.0,
    "goal": 7.0,
    "holds": False,
    "share": False,
    "machine": "2 cores",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "figures.md").write_text(PAGE, encoding="utf-8")
    return tmp_path


def fill(project: Path) -> None:
    report = project / "data" / "reports" / "synthetic" / REPORT_FILE
    report.parent.mkdir(parents=True)
    report.write_text(REPORT.to_json(), encoding="utf-8")
    card = a_card(
        weights_sha256="0" * 64,
        background_sha256="0" * 64,
        metrics=(Metric("macro F1", "held out", 0.8125, 0.7, 0.9, 40),),
    )
    (project / "data" / "bundles" / "cnn-demo").mkdir(parents=True)
    (project / "data" / "bundles" / "cnn-demo" / "card.json").write_text(card.to_json())
    (project / "benchmarks").mkdir()
    (project / "benchmarks" / "results.json").write_text(json.dumps([SPEED]))


def test_figures_stand_between_the_markers_and_a_second_run_changes_nothing(project):
    fill(project)
    assert main(["--root", str(project)]) == 0
    page = project / "docs" / "figures.md"
    whole = page.read_text(encoding="utf-8")
    assert whole.startswith(f"# Title\n\nBefore.\n\n{BEGIN} (written by a command) -->\n\n")
    assert whole.endswith(f"\n\n{END}\n\nAfter.\n")
    assert "old figures" not in whole
    assert "A set \\| of &lt;b>patches" in whole
    for reader in REPORT.evaluation.readers:
        assert figure_text(reader.figure("macro_f1").value) in whole
        assert figure_text(reader.group_level.exact) in whole
    assert "| cnn-test | macro F1 | 0.812 (0.700 to 0.900) | 40 | held out |" in whole
    assert (
        "| both verdicts (against predict) | 0.200 s | 0.050 s | 4.00 | at least 7 | **no** |"
        in whole
    )
    assert main(["--root", str(project)]) == 0
    assert page.read_text(encoding="utf-8") == whole


def test_without_reports_the_block_says_how_to_make_them(project):
    assert main(["--root", str(project)]) == 0
    text = (project / "docs" / "figures.md").read_text(encoding="utf-8")
    assert "No report has been made yet: `make evaluation` makes it." in text


def test_what_cannot_be_read_changes_nothing(project, capsys):
    fill(project)
    (project / "benchmarks" / "results.json").write_text("{}")
    assert main(["--root", str(project)]) == 1
    assert "make bench" in capsys.readouterr().err
    assert (project / "docs" / "figures.md").read_text(encoding="utf-8") == PAGE
    (project / "docs" / "figures.md").write_text("no markers", encoding="utf-8")
    (project / "benchmarks" / "results.json").unlink()
    assert main(["--root", str(project)]) == 1
    assert "figures.md needs a line" in capsys.readouterr().err


def test_the_project_s_own_pages_have_the_markers():
    for name in ("README.md", "docs/figures.md", "docs/external.md"):
        page = (PROJECT_ROOT / name).read_text(encoding="utf-8")
        assert 0 < page.index(BEGIN) < page.index(END)
    assert block(PROJECT_ROOT)


def test_figures_without_a_peer_are_listed_with_every_miss(project, capsys):
    fill(project)
    measured = project / "benchmarks" / "stain.json"
    publish([at_least("exact | of 40", 0.88, 0.9, "share", 40, "<b>new</b>")], measured)
    assert main(["--root", str(project)]) == 0
    text = (project / "docs" / "figures.md").read_text(encoding="utf-8")
    assert (
        "| exact \\| of 40 | 0.88 share | at least 0.9 | **no** | 40 | &lt;b>new&lt;/b> |" in text
    )
    measured.write_text('{"rows": 1}')
    assert main(["--root", str(project)]) == 1
    assert "benchmarks.stain" in capsys.readouterr().err
