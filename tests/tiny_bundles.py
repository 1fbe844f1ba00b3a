"""Real bundles of both architectures with seeded random weights, made once per test run.

Small in cost, not in kind: the networks have their full shape, and the files are those which
training writes.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from her2core.models.bundles.card import Metric, ModelCard
from her2core.preprocessing.patches import Patch, Square
from her2core.settings import Settings

if TYPE_CHECKING:
    from her2core.models.backends.reader import Reader
    from her2core.models.backends.tensorflow_backend import Classifier

NAMES = ("cnn", "densenet121")


def a_card(architecture: str = "cnn", **changes: object) -> ModelCard:
    """A card as training would fill it in, before the bundle is written."""
    card = ModelCard(
        name=f"{architecture}-test",
        architecture=architecture,
        training_data="None: random weights.",
        licence="CC0",
        split="none",
        metrics=(Metric("exact agreement", "nothing", 0.25, 0.2, 0.3, 4),),
        temperature=1.5,
        date="2026-01-31",
        code_version="0.1.0",
        demo=True,
        notes=("For tests only.",),
    )
    return replace(card, **changes)  # type: ignore[arg-type]


def noise(count: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Coarse random colour blocks, uint8 (count, 224, 224, 3)."""
    blocks = np.random.default_rng(seed).integers(0, 256, (count, 28, 28, 3), dtype=np.uint8)
    return blocks.repeat(8, axis=1).repeat(8, axis=2)


def pixels(count: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """The same as models read it: float32 in [0, 1]."""
    return noise(count, seed).astype(np.float32) / np.float32(255)


def a_patch(seed: int = 0, width: int = 224, height: int = 224) -> Patch:
    """A patch of random colour blocks."""
    rgb = np.resize(noise(1, seed)[0], (height, width, 3))
    return Patch(f"{seed}.png", f"{seed:064x}", rgb, Square.centred(width, height))


@cache
def bundle_root() -> Path:
    """A folder which holds one bundle per architecture, named like it."""
    import keras

    from her2core.models.architectures import ARCHITECTURES
    from her2core.models.architectures.keras_model import build
    from her2core.models.bundles.bundle import write_bundle

    root = Path(tempfile.mkdtemp(prefix="her2-bundles-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    for number, name in enumerate(NAMES):
        keras.utils.set_random_seed(number)
        model = build(ARCHITECTURES[name])
        kernel, bias = model.get_layer("logits").get_weights()
        # Fresh weights answer one quarter for everything; spread the answers.
        model.get_layer("logits").set_weights([6.0 * kernel, bias])
        write_bundle(model, a_card(name), root / name, noise(6, seed=99))
    return root


@cache
def classifier(name: str) -> Classifier:
    """The loaded bundle of an architecture."""
    from her2core.models.backends.tensorflow_backend import Classifier
    from her2core.models.bundles.bundle import load_bundle

    return Classifier(load_bundle(bundle_root() / name))


@cache
def usual_reader(name: str) -> Reader:
    """The bundle read by the backend that the settings choose, at this processor's precision."""
    from her2core.models.backends.choose import open_reader
    from her2core.models.bundles.bundle_files import read_files

    with tempfile.TemporaryDirectory() as notes:
        return open_reader(read_files(bundle_root() / name), "auto", Path(notes))


def settings(home: Path, *bundle_dirs: Path) -> Settings:
    """Settings with these bundle folders only."""
    return Settings(home, f"sqlite:///{home / 'reviews.sqlite3'}", bundle_dirs)
