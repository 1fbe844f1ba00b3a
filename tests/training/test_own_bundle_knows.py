"""What training makes beside the weights: known patches, the record of the run, what it runs on."""

from __future__ import annotations

import json

import pytest

from her2core.models.bundles.bundle_files import read_files
from her2core.models.ood.novelty_file import load_novelty
from her2core.training.experiment import EXPERIMENT_FILE, MLFLOW
from her2core.training.fit import PRECISION_FILE
from her2core.xai.fidelity_report import checked_maps
from her2core.xai.methods import METHODS
from tests.tiny_bundles import bundle_root, settings
from training import make_synthetic, train

RECIPE = "epochs = 1\nsteps_per_epoch = 1\nbatch = 4\n"


@pytest.mark.timeout(600)
def test_a_bundle_warns_of_the_unfamiliar_and_its_run_is_recorded(tmp_path, monkeypatch, capsys):
    made = ["--out", str(tmp_path / "data"), "--per-class", "10", "--seed", "4"]
    assert make_synthetic.main([*made, "--size", "64", "--field-um", "50", "60"]) == 0
    (tmp_path / "r.toml").write_text(RECIPE + "mixed_precision = true\n")
    monkeypatch.setenv(MLFLOW, str(tmp_path / "mlflow"))
    places = {"data": tmp_path / "data", "out": tmp_path / "ours", "config": tmp_path / "r.toml"}
    named = [f"--{name}={its}" for name, its in places.items()]
    shares = ["--validation-share=0.5", "--test-share=0.1"]
    start = f"--start={bundle_root() / 'cnn'}"
    assert train.main(["--arch=cnn", *named, *shares, start]) == 0
    told = capsys.readouterr()

    card = read_files(tmp_path / "ours").card
    assert card.novelty is not None
    assert (card.novelty.known, card.novelty.calibration, card.novelty.groups) == (16, 20, ())
    novelty = load_novelty(tmp_path / "ours", card)
    assert novelty is not None
    assert novelty.other is not None

    checked = checked_maps(settings(tmp_path / "home", tmp_path)).of(card.model_id)
    assert checked is not None
    assert {one.method for one in checked.methods} >= set(METHODS)

    record = json.loads((tmp_path / "ours.run" / EXPERIMENT_FILE).read_text())
    assert record["bundle"] == card.model_id
    assert record["figures"][0]["name"] == "exact"
    assert record["recipe"]["batch"] == 4
    assert len(record["history"]["main"]) == 1
    assert "training 16 patches" in record["data"]["split"]
    assert f"Trains on {record['device']}." in told.out
    assert "mlflow is not installed" in told.err

    # the precision was measured, and the run goes on in it
    assert "A step of 4 patches takes" in told.out
    chosen = json.loads((tmp_path / "ours.run" / PRECISION_FILE).read_text())["bfloat16"]
    assert ("bfloat16 is used" in told.out) == chosen
