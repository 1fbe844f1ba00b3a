"""What a training takes is told before it begins, and is not more than documented."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from her2core.training import loop
from her2core.training.needs import GB, needs
from her2core.training.recipe import Recipe
from tests.tiny_bundles import bundle_root, noise
from tests.training.measured import train_within_what_is_told
from training import train


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for number, picture in enumerate(noise(24, seed=3)):
        folder = root / ("0", "1+", "2+", "3+")[number % 4]
        folder.mkdir(exist_ok=True)
        Image.fromarray(picture).resize((128, 128)).save(folder / f"{number}.png")
    return root


def test_a_training_takes_the_memory_that_is_told(data, tmp_path):
    """For DenseNet121 see test_whole_way."""
    (tmp_path / "r.toml").write_text("epochs = 1\n")
    places = {"data": data, "out": tmp_path / "ours", "config": tmp_path / "r.toml"}
    places["start"] = bundle_root() / "cnn"
    named = [f"--{name}={its}" for name, its in places.items()]
    train_within_what_is_told(Recipe("cnn"), 24, tmp_path, *named)


def test_more_patches_a_batch_and_more_blocks_need_more():
    usual = needs(Recipe("densenet121"), 1000)
    assert needs(Recipe("densenet121"), 2000).memory > usual.memory
    assert needs(Recipe("densenet121", batch=64), 1000).memory > usual.memory
    assert needs(Recipe("densenet121", fine_tune_blocks=5), 1000).memory > 4 * GB


def test_a_disk_too_small_is_told_before_anything_is_learnt(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train, "free_disk", lambda folder: 1_000_000)
    monkeypatch.setattr(train, "free_memory", lambda: 1_000_000)
    assert train.main(["--arch=cnn", f"--data={data}", f"--out={tmp_path / 'ours'}"]) == 1
    told = capsys.readouterr()
    assert "of memory (free: 0.0 GB) and 0.7 GB of disk (free: 0.0 GB)." in told.out
    assert told.err.splitlines()[-1].endswith("name another folder by --run and --out.")


def test_a_disk_that_fills_in_the_first_epoch_promises_no_state(
    data, tmp_path, monkeypatch, capsys
):
    def fills_up(path: Path, *state: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "r.toml").write_text("epochs = 1\nsteps_per_epoch = 1\nbatch = 4\n")
    command = ["--arch=cnn", f"--data={data}", f"--out={tmp_path / 'ours'}"]
    command.append(f"--config={tmp_path / 'r.toml'}")
    monkeypatch.setattr(loop, "save_state", fills_up)
    for _ in range(2):  # nothing is there to resume, and nothing in the way
        assert train.main(command) == 1
        said = capsys.readouterr()
        assert "Recognised" in said.out
        last = said.err.splitlines()[-1]
        assert last.startswith("The disk is full: ")
        assert last.endswith("no epoch was finished, so the same command begins again.")
