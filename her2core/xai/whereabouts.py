"""Which tissue a map marks: stained membrane, nuclei, or anything else.

The parts come from the stain measurement, not from a network, and are as good as it is. Beside
each share stands how much of the patch that part covers: a map that says nothing has equal shares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from her2core.common.text import percent_text
from her2core.preprocessing.patches import MODEL_SIDE
from her2core.stain.density import separate
from her2core.stain.membranes import membrane_lines
from her2core.stain.nuclei import WORKING_UM, nuclear_mask
from her2core.stain.scale import ASSUMED_UM_PER_PIXEL, estimate_um_per_pixel
from her2core.stain.thresholds import StainThresholds
from her2core.xai.explanation import Explanation

Floats = npt.NDArray[np.float32]
# The field at the working resolution, in pixels: wider ones are measured more coarsely.
_LARGEST_SIDE = 1500


@dataclass(frozen=True)
class Parts:
    """Share of each of the 224 x 224 pixels that is stained membrane and nucleus, float32."""

    membrane: Floats
    nuclei: Floats


class Shares(NamedTuple):
    """Shares in [0, 1] that add up to 1."""

    membrane: float
    nuclei: float
    rest: float


class Whereabouts(NamedTuple):
    """Where the positive heat lies, and what the patch consists of."""

    heat: Shares
    area: Shares


def find_parts(
    rgb: npt.NDArray[np.uint8],
    um_per_pixel: float | None = None,
    thresholds: StainThresholds | None = None,
) -> Parts:
    """Find membranes and nuclei in a field; see `find_masks`."""
    membrane, nuclei = find_masks(rgb, um_per_pixel, thresholds)
    return Parts(_as_seen(membrane), _as_seen(nuclei))


def find_masks(
    rgb: npt.NDArray[np.uint8],
    um_per_pixel: float | None = None,
    thresholds: StainThresholds | None = None,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Find membranes and nuclei in a field.

    Single pixels, unlike whole cells, are not asked for further proof: of the membrane pixels of
    synthetic patches three in five to four in five are found, faint ones least.

    Args:
        rgb: uint8 (s, s, 3), the square the model saw.
        um_per_pixel: micrometres per pixel; None: estimated from the nuclei, else assumed.
        thresholds: from which density on a brown line is membrane.

    Returns:
        Which pixels are membrane and which are nucleus, each (n, n), at the resolution of the stain
        measurement; wide fields are measured more coarsely.
    """
    thresholds = thresholds or StainThresholds()
    scale = um_per_pixel or estimate_um_per_pixel(*separate(rgb)) or ASSUMED_UM_PER_PIXEL
    side = int(np.clip(round(rgb.shape[0] * scale / WORKING_UM), 1, _LARGEST_SIDE))
    how = cv2.INTER_AREA if side < rgb.shape[0] else cv2.INTER_CUBIC
    haematoxylin, dab = separate(np.asarray(cv2.resize(rgb, (side, side), interpolation=how)))
    lines = membrane_lines(haematoxylin, dab)
    membrane = lines > thresholds.line_density
    nuclei = nuclear_mask(haematoxylin, lines > thresholds.clear_line) & ~membrane
    return membrane, nuclei


def whereabouts(explanation: Explanation, parts: Parts) -> Whereabouts | None:
    """Where a map's positive heat lies; None for a map without any."""
    heat = np.maximum(explanation.heat, 0).astype(np.float64)
    total = float(heat.sum())
    if not total > 0:
        return None
    both = (parts.membrane, parts.nuclei)
    return Whereabouts(
        _with_rest(*(float((heat * part).sum()) / total for part in both)),
        _with_rest(*(float(part.mean()) for part in both)),
    )


def in_words(found: Whereabouts, of: str = "patch") -> str:
    """E.g. "On stained membrane 31 % (of the patch 18 %), nuclei 22 % (25 %), rest 47 % (57 %)"."""
    heat, area = (tuple(percent_text(share) for share in shares) for shares in found)
    return (
        f"On stained membrane {heat[0]} (of the {of} {area[0]}), nuclei {heat[1]} ({area[1]}), "
        f"rest {heat[2]} ({area[2]})"
    )


def _with_rest(membrane: float, nuclei: float) -> Shares:
    return Shares(membrane, nuclei, max(0.0, 1 - membrane - nuclei))


def _as_seen(mask: npt.NDArray[np.bool_]) -> Floats:
    """The mask on the model's 224 x 224 pixels, as shares."""
    how = cv2.INTER_AREA if mask.shape[0] > MODEL_SIDE else cv2.INTER_LINEAR
    return np.asarray(
        cv2.resize(mask.astype(np.float32), (MODEL_SIDE, MODEL_SIDE), interpolation=how), np.float32
    )
