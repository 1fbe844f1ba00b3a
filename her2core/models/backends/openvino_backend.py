"""OpenVINO as backend: starts in a second, needs a fraction of TensorFlow's memory.

Patches go through one at a time, whatever their number: so a patch's values cannot depend on its
neighbours, not even in the last bit. One patch gets all cores; many share them, a patch per core,
which wastes nothing on waiting for each other.

Where the processor is faster in bfloat16, the middle of the network is computed in it, which is
nearly all of the work; the first layers and the head stay in float32, where rounding would move the
probabilities most.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from queue import SimpleQueue
from typing import Any

import numpy as np
import openvino as ov

from her2core.common.parallel import cores, mapped
from her2core.models.architectures import ARCHITECTURES
from her2core.models.backends.openvino_graph import build_graph, build_parts
from her2core.models.backends.reader import (
    Activations,
    BackendError,
    Floats,
    Reader,
    check_pixels,
)
from her2core.models.bundles.bundle_files import BundleFiles
from her2core.models.temperature import probabilities

_PRECISION = "INFERENCE_PRECISION_HINT"


def readers(files: BundleFiles, *, exact: bool) -> Iterator[Reader]:
    """See `her2core.models.backends.choose`: the processor's own precision, then float32."""
    for full in (True,) if exact else (False, True):
        yield OpenVinoReader(files, exact=full)


class OpenVinoReader:
    """A bundle's network run by OpenVINO on the CPU. Safe to use from several threads."""

    def __init__(self, files: BundleFiles, *, exact: bool = False) -> None:
        """Build and compile; takes a second at most.

        Args:
            files: the bundle.
            exact: compute in float32 where the processor would be faster with less.

        Raises:
            BackendError: OpenVINO cannot run it here.
        """
        self._lock = threading.Lock()
        card = files.card
        network = (ARCHITECTURES[card.architecture], files.tensors)
        self._temperature = card.temperature
        self._core = ov.Core()
        try:
            rounds = not exact and self._core.get_property("CPU", _PRECISION) == ov.Type.bf16
            self._graphs = build_parts(*network) if rounds else (build_graph(*network),)
            self._precisions = ("f32", "bf16", "f32") if rounds else ("f32",)
            self._single = _chain(self._compiled("LATENCY", 1))
        except (RuntimeError, KeyError) as error:
            raise BackendError("OpenVINO cannot run this network on this machine.") from error
        version = ov.__version__.partition("-")[0]
        self._backend = f"openvino {version} {'bfloat16/' if rounds else ''}float32"

    @property
    def backend(self) -> str:
        """Name, version and precision."""
        return self._backend

    def read(self, pixels: Floats) -> Activations:
        """See `Reader.read`."""
        check_pixels(pixels)
        with self._lock:
            if len(pixels) == 1:
                rows = [_through(self._single, pixels)]
            else:
                patches = (pixels[row : row + 1] for row in range(len(pixels)))
                rows = list(mapped(self._next_free, patches, cores(), len(pixels)))
        logits, features, hidden = (np.concatenate(values) for values in zip(*rows, strict=True))
        shown = probabilities(logits, self._temperature).astype(np.float32)
        return Activations(shown, features, hidden)

    def _next_free(self, patch: Floats) -> list[Floats]:
        chain = self._free.get()
        try:
            return _through(chain, patch)
        finally:
            self._free.put(chain)

    @cached_property
    def _free(self) -> SimpleQueue[list[ov.InferRequest]]:
        """A chain per core; made when first needed: who reads single patches never pays for it."""
        compiled = self._compiled("THROUGHPUT", cores())
        free: SimpleQueue[list[ov.InferRequest]] = SimpleQueue()
        for _ in range(cores()):
            free.put(_chain(compiled))
        return free

    def _compiled(self, hint: str, streams: int) -> list[ov.CompiledModel]:
        options: dict[str, Any] = {
            "PERFORMANCE_HINT": hint,
            "NUM_STREAMS": str(streams),
            "INFERENCE_NUM_THREADS": str(cores()),
        }
        return [
            self._core.compile_model(graph, "CPU", options | {_PRECISION: precision})
            for graph, precision in zip(self._graphs, self._precisions, strict=True)
        ]


def _chain(compiled: Sequence[ov.CompiledModel]) -> list[ov.InferRequest]:
    """A request for each part; each writes where the next one reads."""
    requests = [part.create_infer_request() for part in compiled]
    for before, after in pairwise(requests):
        after.set_input_tensor(before.get_output_tensor())
    return requests


def _through(chain: Sequence[ov.InferRequest], patch: Floats) -> list[Floats]:
    """The outputs of the last part for one patch, float32 (1, 224, 224, 3)."""
    chain[0].infer([patch], share_inputs=True)
    for request in chain[1:]:
        request.infer()
    last = chain[-1]
    return [last.get_output_tensor(number).data.copy() for number in range(len(last.results))]
