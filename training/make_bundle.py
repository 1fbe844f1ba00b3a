"""Make a model bundle of trained weights: fit the temperature and the sets, measure, write.

    python -m training.make_bundle --arch cnn --weights RUN/best.weights.h5 --name "..." \\
        --validation DIR --test DIR --background DIR [--cores-test DIR] [--fields DIR] \\
        [--white-balance glass-1] --text CARD.toml --out DIR

The figures are measured on the weights as they are stored (float16), on patches no training saw.
"""

import argparse
import datetime
import hashlib
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from her2core import __version__
from her2core.common.text import interval_text
from her2core.evaluation.figures import Sample
from her2core.evaluation.intervals import patch_codes
from her2core.evaluation.metrics import set_metrics
from her2core.models.architectures import ARCHITECTURES
from her2core.models.bundles.card import BundleError, Metric, ModelCard, ModelInput, PartReading
from her2core.models.bundles.card_records import KnownPatches
from her2core.models.conformal import ConformalSets, calibrate, prediction_sets
from her2core.models.ood.novelty import Novelty
from her2core.models.ood.novelty_file import NOVELTY_FILE, to_bytes
from her2core.models.temperature import NEUTRAL, Temperature, fit_temperature, probabilities
from her2core.preprocessing.glass import WhiteBalance
from her2core.scores import RULE_TEXT, HER2Score, highest_reached
from her2core.training.checkpoint import CheckpointError
from her2core.training.data.datasets import DatasetError, PatchSet, load_patches
from her2core.training.data.duplicates import fingerprints
from her2core.training.data.layouts import read_layout
from her2core.training.data.real_fields import labelled_fields
from her2core.training.provenance import PROVENANCE_FILE, provenance_from, provenance_of_start
from her2core.training.provenance import to_bytes as provenance_bytes
from her2core.training.start import load_start
from training.console import import_tensorflow

BACKGROUND_PATCHES = 20


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.make_bundle", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--arch", required=True, choices=tuple(ARCHITECTURES))
    parser.add_argument(
        "--weights", required=True, type=Path, help="best.weights.h5 of a run, or a bundle"
    )
    parser.add_argument(
        "--validation",
        required=True,
        type=Path,
        help="fits the temperature and prediction sets",
    )
    parser.add_argument("--test", required=True, type=Path, help="class folders no training saw")
    parser.add_argument("--background", required=True, type=Path, help="SHAP's background patches")
    parser.add_argument(
        "--fields",
        type=Path,
        help="real fields with fields.csv, which fit the temperature instead: each source counts "
        "the same (never train on them)",
    )
    parser.add_argument(
        "--white-balance", choices=get_args(WhiteBalance), help="as in the recipe of the training"
    )
    parser.add_argument(
        "--reading", choices=get_args(PartReading), help="how large squares are read in parts"
    )
    parser.add_argument(
        "--lift",
        type=float,
        default=0.0,
        metavar="B",
        help="add B times the grade to the logits: undoes a lean to low or high grades "
        "(default 0: none)",
    )
    parser.add_argument("--cores-test", type=Path, help="crops of held-out cores (crop_cores)")
    parser.add_argument(
        "--text", required=True, type=Path, help="TOML: name, training_data, licence, split, notes"
    )
    parser.add_argument("--demo", action="store_true", help="mark as a demonstration bundle")
    parser.add_argument("--out", required=True, type=Path, help="folder of the bundle")
    return parser


def choose_background(patches: PatchSet, count: int) -> npt.NDArray[np.uint8]:
    """Patches nearest to the centres of k-means over small versions of them: uint8 (count, ...)."""
    import cv2
    from sklearn.cluster import KMeans

    small = np.stack(
        [
            cv2.resize(image, (16, 16), interpolation=cv2.INTER_AREA).ravel()
            for image in patches.images
        ]
    ).astype(np.float32)
    clusters = KMeans(min(count, len(small)), n_init=4, random_state=0).fit(small)
    distance = clusters.transform(small)
    nearest = np.unique(distance.argmin(axis=0))
    return np.asarray(patches.images[nearest])


def _logits(model: Any, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    from her2core.models.bundles.bundle import plain_logits

    return plain_logits(model, images).astype(np.float64)


def _cores_metrics(predicted: npt.NDArray[np.int64], test: PatchSet) -> tuple[Metric, ...]:
    """Per held-out core: which crops go far wrong, and the core's score by the rule of shares."""
    found, exact, near = [], 0, 0
    cores = sorted(set(test.groups))
    for core in cores:
        mine = np.array([group == core for group in test.groups])
        truth = HER2Score(int(test.labels[mine].max()))
        calls, n = predicted[mine], int(mine.sum())
        verdict = highest_reached([HER2Score(int(call)) for call in calls])
        exact += verdict == truth
        near += abs(int(verdict) - int(truth)) <= 1
        where = f"held-out core {core} ({truth.label}; read as {verdict.label})"
        for score in HER2Score:
            share = float((calls == int(score)).mean())
            found.append(Metric(f"crops called {score.label}", where, share, None, None, n))
    everything = f"held-out cores, more than {RULE_TEXT} of crops"
    found.insert(0, Metric("cores exact", everything, exact / len(cores), None, None, len(cores)))
    found.insert(
        1, Metric("cores within one grade", everything, near / len(cores), None, None, len(cores))
    )
    return tuple(found)


def make_bundle(args: argparse.Namespace) -> ModelCard:
    """Fit, measure and write, as the command line says.

    Raises:
        BundleError, CheckpointError, DatasetError: weights, patches or bundle cannot be used.
        KeyError, OSError, tomllib.TOMLDecodeError: the card's text cannot be used.
    """
    from her2core.models.architectures.keras_model import build

    import_tensorflow()
    text = tomllib.loads(args.text.read_text(encoding="utf-8"))
    model = build(ARCHITECTURES[args.arch])
    load_start(model, args.weights, args.arch)
    _lift(model, args.lift)
    background = choose_background(_seen(args.background, args), BACKGROUND_PATCHES)
    draft = ModelCard(
        name=text["name"],
        architecture=args.arch,
        training_data=text["training_data"],
        licence=text["licence"],
        split=text["split"],
        metrics=(),
        temperature=NEUTRAL,
        date=datetime.date.today().isoformat(),
        code_version=__version__,
        demo=args.demo,
        notes=tuple(text.get("notes", ())),
        input=ModelInput(white_balance=args.white_balance, reading=args.reading),
    )
    validation = load_patches(read_layout(args.validation).files)
    fields = labelled_fields(args.fields) if args.fields else None
    provenance = provenance_of_start(args.weights)
    provenance = provenance.and_also(
        provenance_from(fingerprints(validation.images), validation.groups)
    )
    if fields is not None:  # their groups are whole sources, of which others may be tested
        provenance = provenance.and_also(provenance_from(fingerprints(fields.images), ()))
    draft = replace(draft, provenance=provenance.facts)

    return assemble(
        model,
        draft,
        background,
        validation.prepared(args.white_balance),
        partial(_measure, args=args),
        args.out,
        None if fields is None else fields.prepared(args.white_balance),
        {PROVENANCE_FILE: provenance_bytes(provenance)},
    )


def _lift(model: Any, each: float) -> None:
    """Add `each` times the grade to the bias of the logits."""
    layer = model.get_layer("logits")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel, bias + each * np.arange(len(bias), dtype=bias.dtype)])


def _seen(folder: Path, args: argparse.Namespace) -> PatchSet:
    """The patches of class folders as the network sees them."""
    return load_patches(read_layout(folder).files).prepared(args.white_balance)


def assemble(
    model: Any,
    draft: ModelCard,
    background: npt.NDArray[np.uint8],
    validation: PatchSet,
    measure: Callable[[Any, Temperature, ConformalSets], tuple[Metric, ...]],
    out: Path,
    fields: PatchSet | None = None,
    files: Mapping[str, bytes] = MappingProxyType({}),
    know: Callable[[Any], tuple[Novelty, KnownPatches] | None] = lambda bundle: None,
) -> ModelCard:
    """Fit the temperature, measure and write a bundle.

    Args:
        model: trained network.
        draft: card without temperature and metrics.
        background: uint8 (k, 224, 224, 3), for SHAP.
        validation: patches that fit the prediction sets, and the temperature.
        measure: figures of (stored model, temperature, prediction sets).
        out: folder of the bundle.
        fields: real patches from elsewhere that fit the temperature instead, each group counting
            the same.
        files: further files of the bundle, which the draft names.
        know: what the bundle, as it is stored, knows to tell unfamiliar patches; None: nothing.

    Raises:
        BundleError: the bundle cannot be written.
    """
    from her2core.models.bundles.bundle import load_bundle, write_bundle

    with tempfile.TemporaryDirectory() as scratch:
        # measured on what is stored, not on what was trained: float16 rounds the weights
        write_bundle(model, draft, Path(scratch) / "bundle", background)
        bundle = load_bundle(Path(scratch) / "bundle")
    stored = bundle.model
    logits = _logits(stored, validation.images)
    if fields is None:
        temperature = fit_temperature(logits, validation.labels)
    else:
        temperature = fit_temperature(_logits(stored, fields.images), fields.labels, fields.groups)
    # The same patches fitted one number, the temperature: what that costs is measured below.
    sets = calibrate(probabilities(logits, temperature), validation.labels, "validation patches")
    metrics = measure(stored, temperature, sets)
    finished = replace(draft, temperature=temperature, metrics=metrics, conformal=sets)
    if (known := know(bundle)) is not None:
        novelty, facts = to_bytes(known[0]), known[1]
        facts = replace(facts, sha256=hashlib.sha256(novelty).hexdigest())
        finished, files = replace(finished, novelty=facts), {**files, NOVELTY_FILE: novelty}
    return write_bundle(model, finished, out, background, files)


def _measure(
    model: Any, temperature: Temperature, sets: ConformalSets, args: argparse.Namespace
) -> tuple[Metric, ...]:
    test = _seen(args.test, args)
    found = measure_set(model, temperature, sets, test, "fresh synthetic patches")
    if args.cores_test is not None:
        cores = _seen(args.cores_test, args)
        calls = _logits(model, cores.images).argmax(axis=1)
        found += _cores_metrics(calls, cores)
    return found


def measure_set(
    model: Any, temperature: Temperature, sets: ConformalSets, test: PatchSet, name: str
) -> tuple[Metric, ...]:
    """Agreement and calibration on a labelled set, with intervals resampled by group."""
    logits = _logits(model, test.images)
    after, before = probabilities(logits, temperature), probabilities(logits, NEUTRAL)
    codes = patch_codes(test.groups, range(len(test.groups)))
    members = prediction_sets(after, sets)
    return set_metrics(Sample(test.labels, after, before, codes, members), name)


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns 0 when the bundle was written, 1 otherwise."""
    args = _parser().parse_args(arguments)
    try:
        card = make_bundle(args)
    except (BundleError, CheckpointError, DatasetError) as error:
        print(error, file=sys.stderr)
        return 1
    except (OSError, KeyError, tomllib.TOMLDecodeError) as error:
        print(f"The bundle could not be made: {error}.", file=sys.stderr)
        return 1
    for metric in card.metrics:
        figure = interval_text(metric.value, metric.ci_low, metric.ci_high)
        print(f"{metric.name}, {metric.set}: {figure}, n = {metric.n}")
    print(f"{card.model_id} written to {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
