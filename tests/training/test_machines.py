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
from her2core.training.machines import Machines, this_machine
from her2core.training.recipe import RecipeError
from training import make_synthetic, train

PATIENCE = 90


def free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


@pytest.fixture
def command(tmp_path) -> list[str]:
    for name, seed in (("train", "1"), ("validation", "2")):
        out = ["--out", str(tmp_path / name), "--per-class", "2", "--seed", seed]
        assert make_synthetic.main([*out, "--size", "64", "--field-um", "50", "60"]) == 0
    # dropout draws other numbers on each machine; without it both ways must agree
    (tmp_path / "r.toml").write_text("epochs = 1\nsteps_per_epoch = 2\nbatch = 4\ndropout = 0.0\n")
    data = ["--data", str(tmp_path / "train"), "--validation", str(tmp_path / "validation")]
    return ["--arch", "cnn", *data, "--config", str(tmp_path / "r.toml")]


def test_two_processes_end_with_the_weights_of_one(command, tmp_path):
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    processes = []
    for number in (0, 1):
        config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": number}}
        environment = {**os.environ, "TF_CONFIG": json.dumps(config), "CUDA_VISIBLE_DEVICES": "-1"}
        run = ["--run", str(tmp_path / "two")]
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "training.train", *command, *run],
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
    assert train.main([*command, "--run", str(tmp_path / "one")]) == 0

    runs = [tmp_path / "two", tmp_path / "two" / "machine-1", tmp_path / "one"]
    first, second, alone = (load(Run(run).state.read_bytes()) for run in runs)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert first.keys() == alone.keys()
    for name in first:
        assert np.allclose(first[name], alone[name], atol=2e-3), name
    losses = [json.loads((run / HISTORY_FILE).read_text())["loss"] for run in (runs[0], runs[2])]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


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
