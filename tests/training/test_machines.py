"""Two processes on this machine train like one: TensorFlow's own strategy, loopback only."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load

from her2core.settings import PROJECT_ROOT
from her2core.training.fit import Run
from her2core.training.loop import HISTORY_FILE
from her2core.training.machines import Machines, one_machine, this_machine
from her2core.training.recipe import RecipeError
from training import make_synthetic, train

PATIENCE = 240


def free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Folders train and validation, and a recipe."""
    root = tmp_path_factory.mktemp("data")
    for name, seed in (("train", "1"), ("validation", "2")):
        out = ["--out", str(root / name), "--per-class", "2", "--seed", seed]
        assert make_synthetic.main([*out, "--size", "64", "--field-um", "50", "60"]) == 0
    # dropout draws other numbers on each machine and device; without it all ways must agree
    (root / "r.toml").write_text("epochs = 1\nsteps_per_epoch = 2\nbatch = 4\ndropout = 0.0\n")
    return root


def command(data: Path, run: Path) -> list[str]:
    folders = [f"--data={data / 'train'}", f"--validation={data / 'validation'}"]
    return ["--arch=cnn", *folders, f"--config={data / 'r.toml'}", f"--run={run}"]


@pytest.fixture(scope="module")
def alone(data: Path) -> Path:
    """The run of one machine with one device."""
    assert train.main(command(data, data / "one")) == 0
    return data / "one"


def state(run: Path) -> dict[str, np.ndarray]:
    return load(Run(run).state.read_bytes())


@pytest.mark.timeout(600)
def test_two_processes_end_with_the_weights_of_one(data, alone, tmp_path):
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    processes = []
    for number in (0, 1):
        config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": number}}
        environment = {**os.environ, "TF_CONFIG": json.dumps(config), "CUDA_VISIBLE_DEVICES": "-1"}
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "training.train", *command(data, tmp_path / "two")],
                cwd=PROJECT_ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    try:
        said = [process.communicate(timeout=PATIENCE)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], "\n".join(said)

    first, second = state(tmp_path / "two"), state(tmp_path / "two" / "machine-1")
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert_alike(first, state(alone))
    losses = [
        json.loads((run / HISTORY_FILE).read_text())["loss"] for run in (tmp_path / "two", alone)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


TWO_DEVICES = """
import sys
from pathlib import Path
import tensorflow as tf
processor = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(processor, two)
from her2core.training.data.prepare import Request, prepare
from her2core.training.fit import fit
from her2core.training.machines import one_machine
from her2core.training.recipe import read_recipe
data, run = map(Path, sys.argv[1:])
machines = one_machine(["CPU:0", "CPU:1"])
assert machines.strategy.num_replicas_in_sync == 2
asked = Request(((data / "train", 1.0),), data / "validation", test_share=0.0)
prepared = prepare(asked, 224)
recipe = read_recipe(data / "r.toml", "cnn")
fit(recipe, prepared.mixture, prepared.validation, run, machines=machines)
"""


def test_two_devices_of_one_machine_train_like_one(data, alone, tmp_path):
    words = [sys.executable, "-c", TWO_DEVICES, str(data), str(tmp_path / "two")]
    ended = subprocess.run(words, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=250)
    assert ended.returncode == 0, ended.stderr
    assert_alike(state(tmp_path / "two"), state(alone))


def assert_alike(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    assert first.keys() == second.keys()
    for name in first:
        assert np.allclose(first[name], second[name], atol=2e-3), name


@pytest.mark.parametrize(
    "text",
    ["no json", "{}", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}'],
)
def test_a_tf_config_that_cannot_be_used_is_refused(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(RecipeError, match="TF_CONFIG cannot be used"):
        this_machine()


def test_a_batch_must_be_shared_out_evenly():
    class Strategy:
        num_replicas_in_sync = 4

    rows = Machines(Strategy(), 1, 2).rows(32)
    assert (rows.first, rows.last, rows.count) == (2, 4, 4)
    with pytest.raises(RecipeError, match="multiple of 4"):
        Machines(Strategy(), 1, 2).rows(30)


def test_one_machine_is_the_default(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    machines = this_machine()
    assert (machines.number, machines.count) == (0, 1)
    assert Run(Path("x")).of_machine(machines).folder == Path("x")
    assert np.array_equal(machines.sums([1.0, 2.0]), [1.0, 2.0])


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
