"""OpenVINO as backend: starts in a second, needs a fraction of TensorFlow's memory.

Patches go through one at a time, whatever their number: so a patch's values cannot depend on its
neighbours, not even in the last bit. One patch gets all cores; many share them, a patch per core,
which wastes nothing on waiting for each other.
"""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Any

import numpy as np
import openvino as ov

from her2core.models.backends.openvino_graph import build_graph
from her2core.models.backends.reader import Activations, BackendError, Floats, check_pixels
from her2core.models.bundle_files import BundleFiles
from her2core.parallel import cores

_PRECISION = "INFERENCE_PRECISION_HINT"
_WRITTEN_OUT = {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}


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
        self._exact = exact
        self._lock = threading.Lock()
        try:
            graph = build_graph(files.card.architecture, files.tensors, files.card.temperature)
            graph.reshape([1, 224, 224, 3])
            self._graph = graph
            self._core = ov.Core()
            self._single = self._compiled("LATENCY", 1).create_infer_request()
        except (RuntimeError, KeyError) as error:
            raise BackendError("OpenVINO cannot run this network on this machine.") from error
        self._shapes = [tuple(output.shape[1:]) for output in graph.outputs]
        compiled = self._single.get_compiled_model()
        precision = str(compiled.get_property(_PRECISION).to_string())
        version = ov.__version__.partition("-")[0]
        self._backend = f"openvino {version} {_WRITTEN_OUT.get(precision, precision)}"

    @property
    def backend(self) -> str:
        """Name, version and precision."""
        return self._backend

    def read(self, pixels: Floats) -> Activations:
        """See `Reader.read`."""
        check_pixels(pixels)
        found = [np.empty((len(pixels), *shape), np.float32) for shape in self._shapes]

        def keep(request: ov.InferRequest, row: int) -> None:
            for number, values in enumerate(found):
                values[row] = request.get_output_tensor(number).data[0]

        with self._lock:
            if len(pixels) == 1:
                self._single.infer([pixels], share_inputs=True)
                keep(self._single, 0)
            else:
                self._queue.set_callback(keep)
                for row in range(len(pixels)):
                    self._queue.start_async([pixels[row : row + 1]], row)
                self._queue.wait_all()
        return Activations(*found)

    @cached_property
    def _queue(self) -> ov.AsyncInferQueue:
        """Made when first needed: who reads single patches never pays for it."""
        streams = cores()
        return ov.AsyncInferQueue(self._compiled("THROUGHPUT", streams), streams)

    def _compiled(self, hint: str, streams: int) -> ov.CompiledModel:
        options: dict[str, Any] = {"PERFORMANCE_HINT": hint, "NUM_STREAMS": str(streams)}
        if self._exact:
            options[_PRECISION] = "f32"
        return self._core.compile_model(self._graph, "CPU", options)
