"""A stopped run ends with the weights of one that was never stopped, to the last bit."""

from __future__ import annotations

import errno
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load

from her2core.common.files import write_atomically
from her2core.training import checkpoint, loop
from her2core.training.checkpoint import CheckpointError, Progress
from her2core.training.data.batches import Mixture
from her2core.training.data.datasets import PatchSet
from her2core.training.fit import Run, build, fit
from her2core.training.frozen import keep_features
from her2core.training.loop import HISTORY_FILE, STATE_FILE
from her2core.training.recipe import Recipe

CNN = Recipe("cnn", batch=4, epochs=3, steps_per_epoch=1, patience=2, seed=3, cosine=True)
TWO_PHASES = Recipe(
    "densenet121",
    size=32,
    batch=4,
    epochs=1,
    steps_per_epoch=1,
    imagenet=False,
    frozen_epochs=2,
    fine_tune_blocks=1,
    fine_tune_rate=1e-3,
    seed=3,
)


def noise(count: int, side: int, seed: int) -> PatchSet:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    images = rng.integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    return PatchSet(images, labels, tuple(map(str, range(count))))


class StoppedError(Exception):
    """The training is stopped from outside."""


@pytest.fixture
def fit_stopped(monkeypatch):
    """A training that is stopped as soon as the state of its first epoch is on disk."""

    def stopped(*state: Any) -> None:
        checkpoint.save_state(*state)
        raise StoppedError

    def fit_until_then(*given: Any) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(loop, "save_state", stopped)
            with pytest.raises(StoppedError):
                fit(*given)

    return fit_until_then


def same_tensors(first: Path, second: Path) -> bool:
    one, other = load(first.read_bytes()), load(second.read_bytes())
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def test_a_stopped_cnn_ends_like_one_that_was_not(tmp_path, fit_stopped):
    data, validation = Mixture((noise(8, 224, 0),), (1.0,)), noise(4, 224, 1)
    whole = fit(CNN, data, validation, tmp_path / "whole")
    fit_stopped(CNN, data, validation, tmp_path / "stopped")
    stopped = fit(CNN, data, validation, tmp_path / "stopped")
    assert same_tensors(whole.state, stopped.state)
    assert whole.best.read_bytes() == stopped.best.read_bytes()
    assert (whole.folder / HISTORY_FILE).read_text() == (stopped.folder / HISTORY_FILE).read_text()
    assert len((whole.folder / HISTORY_FILE).read_text().splitlines()) == 3
    with pytest.raises(CheckpointError, match="another learning_rate"):
        fit(replace(CNN, learning_rate=0.1), data, validation, tmp_path / "stopped")


def test_densenet_trains_its_head_on_cached_features_and_then_its_last_block(
    tmp_path, fit_stopped, monkeypatch
):
    data, validation = Mixture((noise(8, 32, 0),), (1.0,)), noise(4, 32, 1)
    whole = fit(TWO_PHASES, data, validation, tmp_path / "whole")
    fit_stopped(TWO_PHASES, data, validation, tmp_path / "stopped")
    assert not Run(tmp_path / "stopped").state.exists()  # stopped within the head's phase
    monkeypatch.setattr("her2core.training.frozen._compute", None)  # features come from disk
    stopped = fit(TWO_PHASES, data, validation, tmp_path / "stopped")
    assert same_tensors(whole.head / STATE_FILE, stopped.head / STATE_FILE)
    assert same_tensors(whole.state, stopped.state)
    assert (whole.folder / HISTORY_FILE).read_text() == (stopped.folder / HISTORY_FILE).read_text()

    before = {weight.path: weight.value.numpy() for weight in build(TWO_PHASES).weights}
    after = load(whole.state.read_bytes())
    changed = {p for p, value in before.items() if not np.array_equal(value, after[f"weight/{p}"])}
    assert any(path.startswith("conv5_block16") for path in changed)
    assert {"hidden/kernel", "logits/kernel"} <= changed
    assert all(path.startswith(("conv5_block", "hidden", "logits")) for path in changed)
    assert not any("_bn/" in path for path in changed)


def test_features_are_kept_by_pictures_and_backbone(tmp_path):
    import keras

    inputs = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D(name="pool")(keras.layers.Conv2D(5, 3)(inputs))
    for name in ("dropout", "hidden", "dropout_hidden", "logits", "probabilities"):
        x = keras.layers.Dense(4, name=name)(x)
    model = keras.Model(inputs, x)
    images = noise(6, 8, 0).images
    told: list[tuple[int, int]] = []

    def features(which: slice) -> np.ndarray:
        return keep_features(tmp_path, model, images[which], lambda *done: told.append(done))

    first = features(slice(0, 4))
    assert first.shape == (4, 5)
    model.get_layer("hidden").set_weights([w + 1 for w in model.get_layer("hidden").get_weights()])
    assert np.array_equal(features(slice(0, 4)), first)  # the head does not matter
    assert told == [(4, 4)]  # nor are they computed again
    other = features(slice(2, 6))
    assert np.allclose(other[:2], first[2:])
    assert len(list(tmp_path.iterdir())) == 2
    for path in tmp_path.iterdir():
        path.write_bytes(b"damaged")
    assert np.allclose(features(slice(0, 4)), first)
    model.layers[1].set_weights([w + 1 for w in model.layers[1].get_weights()])
    assert not np.allclose(features(slice(0, 4)), first)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=30), st.integers(1, 5), st.integers(1, 30))
def test_progress_stops_like_keras_early_stopping(losses, patience, epochs):
    progress = Progress()
    for loss in losses[:epochs]:
        if progress.ended(epochs, patience):
            break
        progress = progress.after({"val_loss": loss})
    seen = losses[: progress.epochs]
    assert progress.best == min(seen)
    assert progress.waited == progress.epochs - 1 - seen.index(min(seen))
    assert progress.waited <= patience
    assert progress.improved == (seen.index(min(seen)) == len(seen) - 1)
    assert [record["epoch"] for record in progress.history] == list(range(progress.epochs))


def test_weights_must_beat_the_loss_they_started_from():
    assert not Progress(best=0.5).after({"val_loss": 0.6}).improved
    assert Progress(best=0.5).after({"val_loss": 0.4}).improved
    assert Progress().best == math.inf


def test_a_write_that_fails_leaves_the_file_before_it(tmp_path, monkeypatch):
    path = tmp_path / "state"
    write_atomically(path, b"before")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_damaged_checkpoint_is_named(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    path = tmp_path / "state.safetensors"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(CheckpointError, match="is damaged"):
        checkpoint.load_state(path, model, optimizer)
    checkpoint.save_state(path, model, optimizer, Progress(epochs=2, best=math.inf))
    assert checkpoint.load_state(path, model, optimizer) == Progress(epochs=2)
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="other")])
    optimizer = keras.optimizers.Adam()
    optimizer.build(other.trainable_variables)
    with pytest.raises(CheckpointError, match="another network"):
        checkpoint.load_state(path, other, optimizer)


def test_weights_that_do_not_fit_are_named_whatever_the_file_is(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)])
    other.save_weights(tmp_path / "other.weights.h5")
    other.save(tmp_path / "other.keras")
    model.save_weights(tmp_path / "own.weights.h5")
    whole = (tmp_path / "own.weights.h5").read_bytes()
    (tmp_path / "cut.weights.h5").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "renamed.h5").write_bytes(whole)
    for name in ("text.weights.h5", "text.h5", "text.keras", "text.safetensors", "text.toml"):
        (tmp_path / name).write_text("nothing of the kind")
    checkpoint.load_weights(model, tmp_path / "own.weights.h5")
    for path in sorted(set(tmp_path.iterdir()) - {tmp_path / "own.weights.h5"}):
        with pytest.raises(CheckpointError, match=f"The weights .*{path.name} cannot be used"):
            checkpoint.load_weights(model, path)
    with pytest.raises(CheckpointError, match=r"There is no file .*none\.weights\.h5"):
        checkpoint.load_weights(model, tmp_path / "none.weights.h5")


def test_weights_are_not_begun_where_the_disk_cannot_hold_them(tmp_path, monkeypatch):
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    path = tmp_path / "best.weights.h5"
    loop.save_weights(model, path)
    before = path.read_bytes()
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(OSError, match="No space left") as caught:
        loop.save_weights(model, path)
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
