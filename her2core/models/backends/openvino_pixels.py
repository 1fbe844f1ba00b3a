"""DenseNet121's pixel gradient run by OpenVINO, a patch per core: SHAP needs fifty for one map."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import openvino as ov

from her2core.common.parallel import cores
from her2core.models.backends.openvino_gradient import build_gradient
from her2core.models.backends.reader import BackendError, Floats
from her2core.models.bundles.bundle_files import BundleFiles


class OpenVinoGradient:
    """Gradient of weighted class probabilities by the pixels. Safe to use from several threads."""

    def __init__(self, files: BundleFiles) -> None:
        """Build and compile.

        Raises:
            BackendError: OpenVINO cannot run it here.
        """
        self._lock = threading.Lock()
        # Always float32: attributions are sums of small differences.
        options = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": str(cores()),
            "INFERENCE_PRECISION_HINT": "f32",
        }
        try:
            graph = build_gradient(files.tensors, files.card.temperature)
            self._queue = ov.AsyncInferQueue(
                ov.Core().compile_model(graph, "CPU", options), cores()
            )
        except (RuntimeError, KeyError) as error:
            raise BackendError(
                "OpenVINO cannot run this network's gradient on this machine."
            ) from error

    def __call__(self, pixels: Any, weights: Any) -> Floats:
        """The gradient.

        Args:
            pixels: float32 (n, 224, 224, 3), an array or what becomes one.
            weights: float32 (4,), one-hot for a single class.

        Returns:
            float32 (n, 224, 224, 3).
        """
        inputs, wanted = np.asarray(pixels, np.float32), np.asarray(weights, np.float32)
        found = np.empty_like(inputs)

        def keep(request: ov.InferRequest, row: int) -> None:
            found[row] = request.get_output_tensor(0).data[0]

        with self._lock:
            self._queue.set_callback(keep)
            for row in range(len(inputs)):
                self._queue.start_async([inputs[row : row + 1], wanted], row)
            self._queue.wait_all()
        return found
