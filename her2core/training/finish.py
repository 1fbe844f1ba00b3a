"""A finished run becomes a model bundle: temperature, figures on held-out patches, card."""

from __future__ import annotations

import datetime
import gc
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from her2core import __version__
from her2core.models.bundles.bundle_files import write_files
from her2core.models.bundles.card import CARD_FILE, ModelCard, ModelInput
from her2core.models.bundles.card_records import KnownPatches
from her2core.models.ood.novelty import LEAST_CALIBRATION, Novelty
from her2core.models.ood.novelty_file import NOVELTY_FILE
from her2core.models.ood.novelty_file import to_bytes as novelty_bytes
from her2core.models.temperature import NEUTRAL
from her2core.preprocessing.patches import MODEL_SIDE
from her2core.training.assemble import calibrate_card, choose_background, measure_set
from her2core.training.checkpoint import load_weights, read_progress
from her2core.training.data.datasets import DatasetError, PatchSet, class_counts, load_patches
from her2core.training.data.prepare import Prepared
from her2core.training.data.splits import TEST, TRAIN, VALIDATION
from her2core.training.fit import KEPT_START, Run
from her2core.training.known_patches import Drawing, teach
from her2core.training.novelty_patches import Patches, sample_files
from her2core.training.provenance import PROVENANCE_FILE, Provenance, to_bytes
from her2core.training.recipe import Recipe

if TYPE_CHECKING:
    from her2core.models.bundles.bundle import Bundle

HELD_OUT = "held-out test patches"
NO_LICENCE = (
    "Not stated. Whoever passes this bundle on must say under which terms the patches and the "
    "weights may be used."
)
CARD_TEXTS = ("name", "training_data", "licence", "split")
# enough for SHAP's background to find the usual and the rare among the training patches
_BACKGROUND_POOL = 2000
_MOST_KNOWN, _MOST_OTHERS = 700, 200
_CANNOT_TELL = (
    f"It cannot tell unfamiliar patches, which takes {LEAST_CALIBRATION} validation patches; "
    "training.add_novelty teaches it."
)


@dataclass(frozen=True)
class CardText:
    """What a lab says about its bundle; what it leaves out is filled in from the data."""

    name: str = ""
    training_data: str = ""
    licence: str = ""
    split: str = ""
    notes: tuple[str, ...] = ()


def read_card_text(path: Path | None) -> CardText:
    """Read card.toml: name, training_data, licence, split (texts) and notes (a list of texts).

    Raises:
        DatasetError: the file cannot be read or holds something else; the message names it.
    """
    if path is None:
        return CardText()
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DatasetError(f"The card text {path} cannot be read: {error}.") from error
    notes = values.pop("notes", [])
    if values.keys() - CARD_TEXTS or not all(isinstance(value, str) for value in values.values()):
        raise DatasetError(f"{path} may hold the texts {', '.join(CARD_TEXTS)} and notes only.")
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise DatasetError(f"notes in {path} must be a list of texts.")
    return CardText(**values, notes=tuple(notes))


def draft_card(
    recipe: Recipe,
    prepared: Prepared,
    text: CardText,
    name: str,
    start: Path | None = None,
    kept_start: bool = False,
) -> ModelCard:
    """The card without temperature and figures; nothing in it names a path of this machine."""
    train = prepared.files_of(TRAIN)
    classes = class_counts(file.label for file in train)
    groups = len({file.group for file in train} - {""})
    known = f"{groups} groups" if groups else "no groups known"
    described = f"{len(train)} patches ({classes}), {known}. {'; '.join(prepared.statements)}."
    training_data = text.training_data or described
    if start is not None and start.is_dir():
        training_data = f"{training_data} {_before(start)}"
    notes = [*text.notes, *prepared.warnings]
    if not prepared.files_of(TEST):
        notes.append("No patches were held out for a test: there are no figures.")
    if kept_start:
        notes.append(f"{KEPT_START}.")
    if len(prepared.files_of(VALIDATION)) < LEAST_CALIBRATION:
        notes.append(_CANNOT_TELL)
    if recipe.architecture == "densenet121" or start is not None:
        notes.append(_origin(recipe, start))
    return ModelCard(
        name=text.name or name,
        architecture=recipe.architecture,
        training_data=training_data,
        licence=text.licence or NO_LICENCE,
        split=text.split or prepared.describe_split(),
        metrics=(),
        temperature=NEUTRAL,
        date=datetime.date.today().isoformat(),
        code_version=__version__,
        demo=False,
        notes=tuple(notes),
        input=ModelInput(white_balance=recipe.white_balance),
    )


def finish_run(
    recipe: Recipe,
    prepared: Prepared,
    provenance: Provenance,
    run: Run,
    text: CardText,
    out: Path,
    start: Path | None = None,
) -> ModelCard:
    """Write the bundle of a run's best weights.

    Raises:
        BundleError: the bundle cannot be written, for instance because `out` holds something.
        CheckpointError: the run's best weights are missing or damaged.
        DatasetError: a test patch cannot be read.
    """
    from her2core.models.architectures import ARCHITECTURES
    from her2core.models.architectures.keras_model import build
    from her2core.models.bundles.bundle import round_weights

    gc.collect()  # the trained network with its optimizer; the best weights are on disk
    model = build(ARCHITECTURES[recipe.architecture])
    load_weights(model, run.best)
    background = choose_background(_some(prepared, recipe).prepared(recipe.white_balance))
    validation = prepared.validation
    if recipe.size != MODEL_SIDE:
        validation = load_patches(prepared.files_of(VALIDATION))
    kept = read_progress(run.state).kept_start
    draft = draft_card(recipe, prepared, text, out.name, start, kept)
    files, stored = round_weights(model, draft, out, background)
    card = calibrate_card(draft, stored, validation.prepared(recipe.white_balance))
    test = _own_groups(load_patches(prepared.files_of(TEST))).prepared(recipe.white_balance)
    if len(test):
        card = replace(card, metrics=measure_set(card, stored, test, HELD_OUT))
    card = replace(card, provenance=provenance.facts)
    extra = {PROVENANCE_FILE: to_bytes(provenance)}
    if len(prepared.files_of(VALIDATION)) >= LEAST_CALIBRATION:
        novelty, facts = _teach(stored, recipe, prepared)
        card = replace(card, novelty=facts)
        extra[NOVELTY_FILE] = novelty_bytes(novelty)
    return write_files(replace(files, card=card), extra)


def _teach(stored: Bundle, recipe: Recipe, prepared: Prepared) -> tuple[Novelty, KnownPatches]:
    """What tells unfamiliar patches: training patches are known, validation sets the thresholds."""
    from her2core.models.backends.tensorflow_backend import Classifier

    print("Teaching it which patches are unfamiliar.", flush=True)
    known = sample_files(prepared.files_of(TRAIN), _MOST_KNOWN, recipe.seed)
    drawing = Drawing(
        others=min(_MOST_OTHERS, len(known)),
        seed=recipe.seed,
        microscopes=recipe.augmentation.microscopes,
    )
    # no names of groups: the card may be passed on, and they may be patients'
    patches = Patches(known, prepared.files_of(VALIDATION), ())
    return teach(Classifier(stored), stored.card.input, patches, drawing)


def _some(prepared: Prepared, recipe: Recipe) -> PatchSet:
    """Training patches at the models' size, from which SHAP's background is chosen."""
    files = prepared.files_of(TRAIN)
    if len(files) > _BACKGROUND_POOL:
        drawn = np.random.default_rng(recipe.seed).permutation(len(files))[:_BACKGROUND_POOL]
        files = [files[row] for row in sorted(drawn.tolist())]
    return load_patches(files)


def _own_groups(patches: PatchSet) -> PatchSet:
    """A patch without a known group counts as a group of its own."""
    groups = tuple(group or f"patch {row}" for row, group in enumerate(patches.groups))
    return PatchSet(patches.images, patches.labels, groups)


def _origin(recipe: Recipe, weights: Path | None) -> str:
    start = "ImageNet weights" if recipe.imagenet else "random weights"
    if weights is not None:
        start = _earlier(weights)
    if recipe.head_epochs:
        return f"Head trained on frozen features of {start}, then the last blocks fine-tuned."
    return f"Trained from {start}."


def _earlier(start: Path) -> str:
    """What a training went on from."""
    if not start.is_dir():
        return "the weights of an earlier training"
    card = ModelCard.read(start / CARD_FILE)
    return f"the bundle “{card.name}” of {card.date} (weights {card.weights_sha256[:12]})"


def _before(start: Path) -> str:
    """What a bundle had learnt from, and those before it: it stays in the weights."""
    return f"Before that, in {_earlier(start)}: {ModelCard.read(start / CARD_FILE).training_data}"
