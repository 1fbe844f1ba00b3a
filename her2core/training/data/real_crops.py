"""Labelled crops of whole tissue-microarray cores that carry one HER2 score per core.

The score is the core's, not the crop's: a crop of a 2+ core may hold stroma only. The stain
measurement decides which crops may carry their core's label; crops without any stain are class 0
whatever the core says, and what lies in between is left out. Recolouring turns the DAB density of
a crop up or down and labels the result by the same measurement, so that tissue seen by one scanner
appears in all classes and its look alone gives no class away.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from her2core.scores import HER2Score, passes_rule
from her2core.common.optics import DAB
from her2core.stain.density import StainReport, measure, separate

LEAST_TISSUE = 0.55
_UM_PER_PIXEL = 0.25


@dataclass(frozen=True)
class Crop:
    """One square crop with the label it may be trained or measured with.

    `label` is None where the stain measurement contradicts the core's score or is in doubt.
    `dab_factor` is 1.0 for the tissue as it is.
    """

    rgb: npt.NDArray[np.uint8]
    label: HER2Score | None
    x: int
    y: int
    size: int
    dab_factor: float


def plausible_label(core_score: HER2Score, stain: StainReport) -> HER2Score | None:
    """The label a crop may carry, or None where its stain does not fit its core's score."""
    unstained = stain.faint < 0.05 and stain.moderate < 0.005
    if unstained:
        return HER2Score.ZERO if core_score < HER2Score.THREE_PLUS else None
    fits = {
        HER2Score.ZERO: stain.faint < 0.09 and stain.moderate < 0.005,
        HER2Score.ONE_PLUS: stain.faint >= 0.09 and stain.moderate < 0.05,
        HER2Score.TWO_PLUS: stain.moderate >= 0.05 and stain.intense < 0.06,
        HER2Score.THREE_PLUS: stain.intense >= 0.08,
    }
    return core_score if fits[core_score] else None


def recolour(rgb: npt.NDArray[np.uint8], factor: float) -> npt.NDArray[np.uint8]:
    """Multiply the DAB density of a picture, uint8 (H, W, 3), by `factor`."""
    _, dab = separate(rgb)
    change = (factor - 1) * np.maximum(dab - 0.02, 0)[..., None] * np.array(DAB, np.float32)
    light = rgb.astype(np.float32) * np.exp(-np.float32(np.log(10)) * change)
    return np.asarray(np.clip(np.round(light), 0, 255), dtype=np.uint8)


def recoloured_label(factor: float, stain: StainReport) -> HER2Score | None:
    """The label of a recoloured crop of a membrane-stained core; None where in doubt."""
    if factor > 1 and passes_rule(stain.intense):
        return HER2Score.THREE_PLUS
    if factor < 1 and passes_rule(stain.faint) and stain.moderate < 0.02:
        return HER2Score.ONE_PLUS
    return None


def _recolouring(
    rgb: npt.NDArray[np.uint8], rng: np.random.Generator
) -> tuple[float, HER2Score | None]:
    """Draw a factor, up or down, whose result can be labelled; the last one drawn if none can."""
    up = rng.random() < 0.6
    factor, label = 1.0, None
    for attempt in range(5):
        factor = float(rng.uniform(1.6, 2.4) + 0.5 * attempt if up else rng.uniform(0.25, 0.5))
        label = recoloured_label(factor, measure(recolour(rgb, factor)))
        if label is not None:
            break
    return factor, label


def cut_crops(
    core: npt.NDArray[np.uint8],
    core_score: HER2Score,
    count: int,
    rng: np.random.Generator,
    *,
    field_um: tuple[float, float] = (50.0, 300.0),
    recoloured_share: float = 0.0,
    pixels: int = 224,
) -> Iterator[Crop]:
    """Cut up to `count` crops at random places and scales where there is tissue.

    Args:
        core: uint8 (H, W, 3) picture of the whole core, 0.25 µm a pixel.
        core_score: the core's HER2 score.
        count: crops wanted; fewer come where tissue is scarce.
        rng: source of randomness.
        field_um: range of the crop's side in micrometres, drawn log-uniformly.
        pixels: side of the crops' pictures.
        recoloured_share: share of the crops of a 2+ core whose DAB is turned up or down.
    """
    height, width = core.shape[:2]
    found = 0
    for _ in range(count * 12):
        if found == count:
            return
        size = int(np.exp(rng.uniform(*np.log(field_um))) / _UM_PER_PIXEL)
        x, y = int(rng.integers(0, width - size + 1)), int(rng.integers(0, height - size + 1))
        window = core[y : y + size, x : x + size]
        shrinks = size > pixels
        rgb = cv2.resize(
            window, (pixels, pixels), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        )
        # measured on half-size pixels of the scan, so that one scale holds for all fields
        fine = cv2.resize(window, (max(size // 2, 32),) * 2, interpolation=cv2.INTER_AREA)
        stain = measure(fine)
        if stain.tissue < LEAST_TISSUE:
            continue
        factor = 1.0
        label = plausible_label(core_score, stain)
        if label is HER2Score.TWO_PLUS and rng.random() < recoloured_share:
            factor, label = _recolouring(fine, rng)
            rgb = recolour(rgb, factor)
        found += 1
        yield Crop(rgb, label, x, y, size, factor)
