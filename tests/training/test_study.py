"""One command repeats the study on the published layout, here with small pictures."""

from __future__ import annotations

import shutil

import pytest

from her2core.evaluation.report import REPORT_FILE, Report
from her2core.models.bundles.card import CARD_FILE, ModelCard
from tests.tiny_bundles import bundle_root
from training import make_synthetic, study


@pytest.mark.timeout(600)
def test_the_study_is_repeated_by_one_command(tmp_path, capfd):
    root = tmp_path / "HER2-IHC-40x"
    for part, count, seed in (("train_data_patch", "4", "1"), ("test_data_patch", "2", "2")):
        made = ["--out", str(root / part), "--per-class", count, "--seed", seed]
        assert make_synthetic.main([*made, "--size", "160", "--field-um", "100", "140"]) == 0
        (root / part / "truth.csv").unlink()  # the published set names no groups
    (tmp_path / "r.toml").write_text("epochs = 1\nsteps_per_epoch = 1\nbatch = 4\n")
    # as if it had been stopped after DenseNet121: what is finished is not done again
    shutil.copytree(bundle_root() / "densenet121", tmp_path / "out" / "densenet121")
    command = [f"--data={root}", f"--out={tmp_path / 'out'}", f"--config={tmp_path / 'r.toml'}"]
    assert study.main(command) == 0
    said = capfd.readouterr()
    assert "Recognised HER2-IHC-40x: 24 patches" in said.out
    card = ModelCard.read(tmp_path / "out" / "cnn" / CARD_FILE)
    assert "Test: the dataset's own test part." in card.split
    report = Report.read(tmp_path / "out" / "report" / REPORT_FILE)
    assert len(report.rows) == 8  # its own test part, all of it
    text = (tmp_path / "out" / study.STUDY_FILE).read_text()
    head, _, exact = text.splitlines()[:3]
    n = report.evaluation.n  # without those that hold too few cells for a score
    assert head == f"| {n} test patches | the study | CNN | DenseNet121 | Mean probability |"
    assert "| 0.9362 |" in exact
    assert "patient, slide or core of every patch is unknown" in text

    assert study.main(command) == 0  # nothing is done again
    assert "epoch 1/1" not in capfd.readouterr().out
