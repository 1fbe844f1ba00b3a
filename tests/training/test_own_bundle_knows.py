"""What training makes beside the weights: known patches, the record of the run, what it runs on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load

from her2core.models.bundles.bundle_files import read_files
from her2core.models.ood.novelty_file import load_novelty
from her2core.settings import PROJECT_ROOT
from her2core.training.experiment import EXPERIMENT_FILE, MLFLOW
from her2core.training.fit import PRECISION_FILE
from her2core.training.machines import Machines, one_machine
from her2core.xai.fidelity_report import checked_maps
from her2core.xai.methods import METHODS
from tests.tiny_bundles import bundle_root, noise, settings
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


TWO_DEVICES = """
import sys
from pathlib import Path
import tensorflow as tf
processor = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(processor, two)
from her2core.training.machines import one_machine
from tests.training.test_own_bundle_knows import trained_on
machines = one_machine(["CPU:0", "CPU:1"])
assert machines.strategy.num_replicas_in_sync == 2
trained_on(machines, Path(sys.argv[1]))
"""


def trained_on(machines: Machines, folder: Path) -> dict[str, np.ndarray]:
    """The state of a short training; without dropout, which draws other numbers on each device."""
    from her2core.training.data.batches import Mixture
    from her2core.training.data.datasets import PatchSet
    from her2core.training.fit import fit
    from her2core.training.recipe import Recipe

    def patches(seed: int) -> PatchSet:
        return PatchSet(noise(8, seed=seed), np.arange(8) % 4, tuple("abcdefgh"))

    recipe = Recipe("cnn", batch=4, epochs=1, steps_per_epoch=2, dropout=0.0)
    run = fit(recipe, Mixture((patches(1),), (1.0,)), patches(2), folder, machines=machines)
    return load(run.state.read_bytes())


def test_two_devices_of_one_machine_train_like_one(tmp_path):
    command = [sys.executable, "-c", TWO_DEVICES, str(tmp_path / "two")]
    ended = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=250)
    assert ended.returncode == 0, ended.stderr
    one = trained_on(one_machine([]), tmp_path / "one")
    two = load((tmp_path / "two" / "state.safetensors").read_bytes())
    assert one.keys() == two.keys()
    for name in one:
        assert np.allclose(one[name], two[name], atol=2e-3), name


def test_the_gpu_build_is_of_the_same_version():
    pins = {}
    for file in ("requirements.txt", "requirements-gpu.txt"):
        for line in Path(PROJECT_ROOT, file).read_text().splitlines():
            name, _, version = line.partition("#")[0].strip().partition("==")
            pins[name] = version
    assert pins["tensorflow[and-cuda]"] == pins["tensorflow-cpu"]


def test_one_device_needs_no_strategy():
    kinds = {type(one_machine(gpus).strategy).__name__ for gpus in ([], ["GPU:0"])}
    assert not any("Mirrored" in kind for kind in kinds)
