"""Where colours lie against all mixtures of haematoxylin and DAB.

Colours are shares of optical density in red, green and blue; all mixtures of the two stains lie
between theirs on one line.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from her2core.common.optics import PUBLISHED_DAB, PUBLISHED_HAEMATOXYLIN

FloatArray = npt.NDArray[np.float32]

# Summed over the channels: enough colour to be judged, enough that a camera's and JPEG's noise no
# longer scatters it, and more than shows any colour.
_STAINED_DENSITY, _CLEAR_DENSITY, _DENSITY_LIMIT = 0.2, 0.3, 2.4
_MINIMUM_STAINED_SHARE = 0.005
_ENOUGH_TO_SCATTER = 50
# Real HER2 patches of five sources: along -0.1 to 1.5, across -0.17 to -0.01. H&E, red chromogens:
# across 0.02 and more.
_ALONG_LIMITS, _ACROSS_LIMITS = (-0.3, 1.7), (-0.19, 0.015)
_LEAST_SHARE, _PINK_SHARE, _H_AND_E_SHARE = 0.85, 0.2, 0.8
# Colours made more vivid leave the line at its ends, and stay in a narrow band.
_LEAST_SHARE_NARROW, _NARROW = 0.75, 0.11
# Width of the band round the line: real patches 0.02 to 0.1, 0.2 with each channel stretched.
_MOST_SCATTER, _MOST_SCATTER_UNDER_INK = 0.2, 0.14
# A dark picture that is grey or of many colours; dense stain is blue or brown, and nothing else.
_DARK_DENSITY, _GREYISH, _DARK_SCATTER = 1.1, (0.3, 0.65), 0.145
_MOST_TOO_DARK = 0.6
_DENSEST_H_AND_E = 2.0
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
    """The colours of the stained area, without what is too dark to have one; shares in [0, 1].

    Attributes:
        ihc: mixtures of haematoxylin and DAB.
        pink: towards eosin.
        dark: share of the stained area that is too dark.
        density: median optical density, summed over the channels.
        along: median place on the line, 0 haematoxylin, 1 DAB.
        bluest: place on the line that 5 % lie below.
        scatter: width of the band round the line that holds nine tenths of the clear colours.
    """

    ihc: float
    pink: float
    dark: float
    density: float
    along: float
    bluest: float
    scatter: float

    @property
    def are_h_and_e(self) -> bool:
        """Haematoxylin with eosin."""
        stained = self.pink > _PINK_SHARE and self.pink + self.ihc > _H_AND_E_SHARE
        # darker is no section: fluorescence has pink in it, too
        return stained and self.density < _DENSEST_H_AND_E

    @property
    def are_the_stain_s(self) -> bool:
        """Haematoxylin and DAB, as far as they are not too dark to tell."""
        greyish = _GREYISH[0] < self.along < _GREYISH[1]
        dark = self.density > _DARK_DENSITY
        of_dark_things = dark and (greyish or self.scatter > _DARK_SCATTER)
        narrow = self.scatter <= _NARROW and not dark
        enough = self.ihc >= (_LEAST_SHARE_NARROW if narrow else _LEAST_SHARE)
        return enough and self.scatter <= _MOST_SCATTER and not of_dark_things

    @property
    def scatter_beside_ink(self) -> bool:
        """More colours than tissue has beside a pen stroke: what looks like ink is a dark thing."""
        return self.scatter > _MOST_SCATTER_UNDER_INK

    @property
    def are_brown(self) -> bool:
        """Nearer to DAB than any grey."""
        return self.along >= _GREYISH[1]

    @property
    def are_too_dark(self) -> bool:
        """Most of the stained area is too dark."""
        return self.dark > _MOST_TOO_DARK


def colours_of(density: FloatArray, looked_at: npt.NDArray[np.bool_]) -> Colours | None:
    """The stained pixels among those looked at; None if too few.

    Args:
        density: optical density per channel against the glass in view, float32 (s, s, 3).
        looked_at: bool (s, s).
    """
    total = summed(density)
    stained = (total > _STAINED_DENSITY) & looked_at
    if stained.mean() < _MINIMUM_STAINED_SHARE:
        return None
    strength = total[stained]
    along, across = line_coordinates(density[stained], strength)
    clear = strength <= _DENSITY_LIMIT
    median = float(np.median(along))
    dark = float(1 - clear.mean())
    if not clear.any():
        return Colours(0.0, 0.0, dark, float(np.median(strength)), median, median, 0.0)
    along, across, pale = along[clear], across[clear], strength[clear]
    low, high = _ACROSS_LIMITS
    mixture = (across > low) & (across < high)
    mixture &= (along > _ALONG_LIMITS[0]) & (along < _ALONG_LIMITS[1])
    strong = across[pale > _CLEAR_DENSITY]
    scatter = np.ptp(np.percentile(strong, [5, 95])) if len(strong) >= _ENOUGH_TO_SCATTER else 0.0
    return Colours(
        ihc=float(mixture.mean()),
        pink=float(((across >= high) & (along < 0.7)).mean()),
        dark=dark,
        density=float(np.median(strength)),
        along=median,
        bluest=float(np.percentile(along, 5)),
        scatter=float(scatter),
    )


def summed(density: FloatArray) -> FloatArray:
    """The three channels added, (..., 3) to (...)."""
    # numpy reduces over a last axis of three several times slower than it combines three planes.
    return np.asarray(density[..., 0] + density[..., 1] + density[..., 2])
