"""Which backend reads a patch fastest? `python -m benchmarks.backends` writes backends.json.

Compiled TensorFlow, ONNX Runtime, and OpenVINO in float32 and as it is used, on the shipped
bundles, one patch at a time. Each is measured apart: threads of ONNX Runtime go on spinning after
an answer and would slow down whoever comes next. A backend may be the default only where its
probabilities are within 1e-3 of TensorFlow's: on the bundle's own patches, on fresh synthetic ones
and on crops of real cores, where there are any. Needs requirements-dev.txt, for ONNX Runtime.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.figure import ROOT, Figure, add_cores, at_most, publish, told
from benchmarks.rows import a_patch, machine, medians
from her2core.common.parallel import cores
from her2core.models.backends.openvino_reader import OpenVinoReader
from her2core.models.backends.reader import TOLERANCE
from her2core.models.bundles.bundle import as_keras
from her2core.models.bundles.bundle_files import BundleFiles, read_files
from her2core.models.bundles.registry import ARCHITECTURES, chosen
from her2core.models.classifier import Classifier
from her2core.preprocessing.patches import decode
from her2core.scores import HER2Score
from her2core.settings import load_settings
from her2core.training.synthetic import make_patch

Floats = npt.NDArray[np.float32]


def onnx_reader(files: BundleFiles) -> Callable[[Floats], Floats]:
    """The bundle's network in ONNX Runtime: pixels, float32 (n, 224, 224, 3), to probabilities."""
    import onnxruntime

    from benchmarks.onnx_graph import build_onnx

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    model = build_onnx(files.card.architecture, files.tensors, files.card.temperature)
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def read(pixels: Floats) -> Floats:
        probabilities: Floats = session.run(["probabilities", "features"], {"patch": pixels})[0]
        return probabilities

    return read


def patches(crops: Path, number: int, seed: int) -> Floats:
    """So many synthetic patches of all scores, and every crop in a folder.

    Returns:
        float32 (n, 224, 224, 3) in [0, 1].
    """
    scores = list(HER2Score)
    drawn = [
        make_patch(scores[i % 4], np.random.default_rng([seed, i])).rgb.astype(np.float32) / 255
        for i in range(number)
    ]
    limits = load_settings({}).limits
    real = [
        decode(path.read_bytes(), path.name, limits).pixels()
        for path in sorted(crops.glob("*.jpg"))
    ]
    return np.stack([*drawn, *real])


def backend_rows(files: BundleFiles, repeats: int, others: Floats) -> list[Figure]:
    """Milliseconds of each backend for one network, and how far it is from TensorFlow.

    Args:
        files: the bundle.
        repeats: patches that are timed.
        others: float32 (n, 224, 224, 3), compared beside the bundle's own patches.
    """
    import onnxruntime

    tensorflow = Classifier(as_keras(files))
    exact, used = OpenVinoReader(files, exact=True), OpenVinoReader(files)
    readers: dict[str, Callable[[Floats], Any]] = {
        tensorflow.backend: lambda x: tensorflow.read(x).probabilities,
        f"onnxruntime {onnxruntime.__version__} float32": onnx_reader(files),
        exact.backend: lambda x: exact.read(x).probabilities,
    }
    if used.backend != exact.backend:
        readers[used.backend] = lambda x: used.read(x).probabilities
    title = ARCHITECTURES[files.card.architecture].title
    pixels = [a_patch(number).pixels()[None] for number in range(8)]
    known = np.concatenate([files.background.astype(np.float32) / np.float32(255), others])

    def turn(read: Callable[[Floats], Any]) -> Callable[[int], object]:
        return lambda number: read(pixels[number % len(pixels)])

    seconds = [medians([turn(read)], repeats)[0] for read in readers.values()]
    reference = readers[tensorflow.backend](known)
    rows = []
    for (name, read), each in zip(readers.items(), seconds, strict=True):
        rows.append(told(f"{title}, {name}", 1000 * each, "ms", repeats, machine()))
        if name != tensorflow.backend:
            found = np.concatenate([read(patch[None]) for patch in known])
            errors = np.abs(found - reference).max(axis=1)
            note = f"{np.count_nonzero(errors > TOLERANCE)} patches beyond"
            rows.append(
                at_most(
                    f"{title}, {name}: largest error",
                    float(errors.max()),
                    TOLERANCE,
                    "probability",
                    len(known),
                    note,
                )
            )
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backends", description=__doc__)
    parser.add_argument("--repeats", type=int, default=25, help="patches read by each backend")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "backends.json")
    parser.add_argument("--number", type=int, default=200, help="synthetic patches compared")
    parser.add_argument("--seed", type=int, default=777)
    add_cores(parser)
    options = parser.parse_args(arguments)
    if min(options.repeats, options.number) < 1:
        parser.error("at least one repeat and one patch are needed")
    others = patches(options.cores / "patches", options.number, options.seed)
    folders = chosen(load_settings({}))
    rows = [
        row
        for name in ARCHITECTURES
        for row in backend_rows(read_files(folders[name]), options.repeats, others)
    ]
    publish(rows, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
