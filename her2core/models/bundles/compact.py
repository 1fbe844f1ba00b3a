"""Weights as a bundle keeps them: small on disk, and nothing left to round for bfloat16.

A processor that multiplies in bfloat16 rounds each kernel to eight significant bits. Kernels of
eight bits lose nothing by that, so convolutions are stored so. But what runs a network multiplies
a kernel by the batch normalisation behind it, and the product has more bits again: therefore that
product is what is stored, behind it a normalisation that scales by one.
"""

from collections.abc import Mapping

import ml_dtypes
import numpy as np
import numpy.typing as npt

from her2core.models.architectures import ARCHITECTURES
from her2core.models.bundles.card import BundleError

Floats = npt.NDArray[np.float32]
Stored = npt.NDArray[np.float16] | npt.NDArray[np.float32]


def compact(tensors: Mapping[str, Floats], architecture: str, bundle: str) -> dict[str, Stored]:
    """The weights of a network, rounded to what is stored.

    Args:
        tensors: path -> values, float32.
        architecture: registry name.
        bundle: its name, for the error.

    Returns:
        Path -> float32 for vectors, float16 for matrices, and for convolution kernels float16 of
        which only bfloat16's eight significant bits are used.

    Raises:
        BundleError: a value is too large for float16.
    """
    whole = scaled_by_one(tensors, architecture)
    return {path: _rounded(values, path, bundle) for path, values in whole.items()}


def scaled_by_one(tensors: Mapping[str, Floats], architecture: str) -> dict[str, Floats]:
    """The same network with the scale of each normalisation moved into the convolution before it.

    Mean, variance and gain of the normalisation go with it, so that training on from these weights
    finds the same activations. Values agree to float32's rounding.
    """
    found = dict(tensors)
    for convolution, norm in ARCHITECTURES[architecture].normalised_convolutions:
        kernel, gain, mean, variance = (
            tensors[path].astype(np.float64)
            for path in (
                f"{convolution.name}/kernel",
                f"{norm.name}/gamma",
                f"{norm.name}/moving_mean",
                f"{norm.name}/moving_variance",
            )
        )
        scale = gain / np.sqrt(variance + norm.epsilon)
        spread = (variance * scale**2).astype(np.float32)
        found[f"{convolution.name}/kernel"] = (kernel * scale).astype(np.float32)
        found[f"{norm.name}/moving_mean"] = (mean * scale).astype(np.float32)
        found[f"{norm.name}/moving_variance"] = spread
        found[f"{norm.name}/gamma"] = np.sqrt(spread + np.float32(norm.epsilon))
    return found


def _rounded(values: Floats, path: str, bundle: str) -> Stored:
    if values.ndim < 2:
        return values.astype(np.float32)
    if np.abs(values).max(initial=0.0) > np.finfo(np.float16).max:
        raise BundleError(f"Bundle “{bundle}” cannot be written: {path} is too large for float16.")
    if values.ndim == 4:
        values = values.astype(ml_dtypes.bfloat16).astype(np.float32)
    return values.astype(np.float16)
