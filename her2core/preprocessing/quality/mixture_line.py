"""Where colours lie against all mixtures of haematoxylin and DAB.

Colours are shares of optical density in red, green and blue; all mixtures of the two stains lie
between theirs on one line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from her2core.common.optics import PUBLISHED_DAB, PUBLISHED_HAEMATOXYLIN

FloatArray = npt.NDArray[np.float32]

# Summed over the channels: enough colour to be judged, and more than a stain shows.
_STAINED_DENSITY, _DENSITY_LIMIT = 0.2, 2.4
_MINIMUM_STAINED_SHARE = 0.005
_STAINS = np.array([PUBLISHED_HAEMATOXYLIN, PUBLISHED_DAB], np.float32)
_HAEMATOXYLIN, _DAB = _STAINS / _STAINS.sum(axis=1, keepdims=True)
_ALONG = _DAB - _HAEMATOXYLIN
_ACROSS = np.cross(np.ones(3, np.float32), _ALONG)  # towards green density, that is towards pink
_ACROSS = (_ACROSS * np.sign(_ACROSS[1]) / np.linalg.norm(_ACROSS)).astype(np.float32)
_PER_LENGTH = (_ALONG / np.float32(_ALONG @ _ALONG)).astype(np.float32)


_UNMIXING = np.linalg.pinv(_STAINS).astype(np.float32)


def stain_amounts(density: FloatArray) -> FloatArray:
    """Optical density due to haematoxylin and to DAB, >= 0: float32 (..., 2) from (..., 3)."""
    return np.asarray(np.maximum(density @ _UNMIXING, 0), np.float32)


def line_coordinates(density: FloatArray, strength: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Along the line (0 haematoxylin, 1 DAB) and across it (positive towards pink).

    Args:
        density: optical densities, float32 (..., 3).
        strength: their sum over the channels, float32 (...), above 0.
    """
    offset = density / strength[..., None] - _HAEMATOXYLIN
    return offset @ _PER_LENGTH, offset @ _ACROSS


@dataclass(frozen=True)
class Colours:
    """Shares of the stained area, in [0, 1], and its median optical density.

    Attributes:
        ihc: mixtures of haematoxylin and DAB.
        counterstain: of these, those nearer to haematoxylin.
        pink: towards eosin.
        dark: mixtures too dense for one section.
        density: median optical density, summed over the channels.
    """

    ihc: float
    counterstain: float
    pink: float
    dark: float
    density: float


def colours_of(density: FloatArray, looked_at: npt.NDArray[np.bool_]) -> Colours | None:
    """The stained pixels among those looked at; None if too few.

    Args:
        density: optical density per channel, float32 (s, s, 3).
        looked_at: bool (s, s).
    """
    total = summed(density)
    stained = (total > _STAINED_DENSITY) & looked_at
    if stained.mean() < _MINIMUM_STAINED_SHARE:
        return None
    strength = total[stained]
    along, across = line_coordinates(density[stained], strength)
    mixture = (across > -0.13) & (across < 0.03) & (along > -0.25) & (along < 1.15)
    pale = strength < _DENSITY_LIMIT
    return Colours(
        ihc=float((mixture & pale).mean()),
        counterstain=float((mixture & pale & (along < 0.5)).mean()),
        pink=float(((across >= 0.03) & (along < 0.7) & pale).mean()),
        dark=float((mixture & ~pale).mean()),
        density=float(np.median(strength)),
    )


def summed(density: FloatArray) -> FloatArray:
    """The three channels added, (..., 3) to (...)."""
    # numpy reduces over a last axis of three several times slower than it combines three planes.
    return np.asarray(density[..., 0] + density[..., 1] + density[..., 2])
