"""What a person should know of a patch before trusting a verdict on it.

Plain measurements of the square, no network: is it tissue, is it a DAB and haematoxylin stain, does
its brown lie on nuclei, is it sharp, is it well exposed, is it of a size the models can use, does
ink or a fold lie on it. Each finding is one sentence that says what to do. Thresholds were set on
201 real HER2 patches from 14 cores (40x), those of the colours on breast tissue of four more
sources too: no source was kept out of that choice. benchmarks/quality.json says what they catch and
what they leave alone.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from her2core.common.optics import optical_density
from her2core.common.text import percent_text
from her2core.preprocessing.patches import MODEL_SIDE, Patch
from her2core.preprocessing.quality.findings import (
    BLANK,
    BLURRED,
    BROWN_NUCLEI,
    CLIPPED,
    DARK,
    DENSE_COUNTERSTAIN,
    DENSE_DAB,
    EOSIN,
    FOLD,
    GREY,
    LITTLE_TISSUE,
    NOT_IHC,
    PEN,
    Finding,
)
from her2core.preprocessing.quality.mixture_line import Colours, colours_of, summed
from her2core.preprocessing.quality.pen_marks import ink_mask, is_of_many_colours
from her2core.preprocessing.quality.stain_range import stain_out_of_range
from her2core.preprocessing.quality.tissue import focus_of, tissue_share
from her2core.preprocessing.quality.tissue_folds import fold_contrast
from her2core.stain.nuclear_brown import brown_lies_on_nuclei

FloatArray = npt.NDArray[np.float32]

_ENOUGH_PIXELS = 128
_WORKING_SIDE = 512
# Pen strokes and folds are looked for at this size.
_OVERVIEW_SIDE = 112
_COARSE_SIDE = 2000
_BLANK_SHARE, _LITTLE_TISSUE_SHARE = 0.03, 0.25
# Real patches: focus 0.22 to 0.49; after a Gaussian blur of 4 pixels at 448: 0.06 to 0.08. This
# lies in the middle, by ratio.
_SHARP_FOCUS = 0.13
_GREY_COLOURFULNESS = 6
_DARK_GLASS, _DARK_MEDIAN = 190, 80
_CLIPPED_SHARE, _NEAR_WHITE = 0.5, 180
# Glass is the brightest in view; how coloured its light may be, and how dark.
_LEAST_OF_BRIGHTEST, _LEAST_GLASS = 0.8, 170
# Where neither glass nor any blue is seen, brown may be anything.
_GLASS_IN_VIEW, _ALL_BROWN = 215, 0.75
# A patch all of one odd colour is not IHC under ink.
_MOST_INK = 0.6
# Less may be a few dark nuclei.
_CLEAR_INK = 0.1
# Real patches: 99 % below it; the same with a fold: 96 % above it.
_FOLD_CONTRAST = 0.35
# In a smaller field, and out of focus, a row of nuclei or a duct's wall is as wide as a fold.
_LEAST_FOLD_SIDE = 300


@dataclass(frozen=True)
class QualityReport:
    """The findings and the measurements behind them.

    Attributes:
        findings: most serious first.
        tissue_share: part of the square that is not empty glass, in [0, 1].
        focus: edge strength against contrast, >= 0; sharp patches have 0.2 to 0.8.
        stain_share: part of the stained area whose colour is a mixture of haematoxylin and DAB,
            in [0, 1]; None where too little is stained to tell.
    """

    findings: tuple[Finding, ...]
    tissue_share: float
    focus: float
    stain_share: float | None

    @property
    def warnings(self) -> tuple[str, ...]:
        """The sentences to show with the verdict."""
        return tuple(each.message for each in self.findings)

    @property
    def disregard(self) -> bool:
        """Whether the square shows no HER2 that could be scored."""
        return any(each.disregard for each in self.findings)

    @property
    def confirmable(self) -> bool:
        """Whether networks that agree on this square confirm anything."""
        return all(each.confirmable for each in self.findings)


def assess(patch: Patch) -> QualityReport:
    """Examine the patch's square, reduced to at most 512 pixels."""
    rgb = _reduced(patch.field(), _WORKING_SIDE)
    # After smoothing, every second pixel tells as much of the colours as all of them.
    step = 2 if len(rgb) >= _ENOUGH_PIXELS else 1
    smooth = np.ascontiguousarray(cv2.GaussianBlur(rgb, (0, 0), 1.0)[::step, ::step])
    density = _absorption(smooth)
    overview = _absorption(_reduced(rgb, _OVERVIEW_SIDE))
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = np.asarray(cv2.GaussianBlur(grey, (0, 0), 1.0), np.float32)
    tissue = tissue_share(fine, summed(density), 4.0 / step)
    focus = focus_of(fine)
    ink = ink_mask(overview)
    if ink.mean() > _MOST_INK:
        ink = np.zeros_like(ink)
    light = _light_of(rgb)
    colours = colours_of(_against(smooth, light), _enlarged(~ink, density.shape[0]))
    if tissue < _BLANK_SHARE:
        seen: tuple[Finding | None, ...] = (BLANK,)
    else:
        exposure = _exposure(rgb, colours)
        # Clipping shifts colours: what they would say is no news after "over-exposed".
        no_glass = light.max() < _GLASS_IN_VIEW
        subject = None if exposure is CLIPPED else _subject(rgb, tissue, colours, no_glass)
        if subject is None and exposure is None and _is_no_ink(overview, ink, colours):
            subject = NOT_IHC
        blurred = BLURRED if focus < _SHARP_FOCUS else None
        may_fold = patch.square.size >= _LEAST_FOLD_SIDE and not blurred
        spoilt = None if subject or exposure else _spoilt(overview, ink, may_fold=may_fold)
        no_stain = subject in (GREY, EOSIN, NOT_IHC)
        nuclear = not no_stain and brown_lies_on_nuclei(patch.field())
        seen = (BROWN_NUCLEI if nuclear else None, subject, exposure, blurred, spoilt)
    findings = (*seen, _size(patch.square.size))
    return QualityReport(
        findings=tuple(finding for finding in findings if finding is not None),
        tissue_share=tissue,
        focus=focus,
        stain_share=None if colours is None else colours.ihc,
    )


def _subject(
    rgb: npt.NDArray[np.uint8], tissue: float, colours: Colours | None, no_glass: bool
) -> Finding | None:
    """What is wrong with what the square shows; the first reason is enough."""
    if _percentile(_brightest(rgb) - _darkest(rgb), 99) <= _GREY_COLOURFULNESS:
        return GREY
    if colours is not None:
        if colours.are_h_and_e:
            return EOSIN
        if not colours.are_the_stain_s or (no_glass and colours.bluest > _ALL_BROWN):
            return NOT_IHC
        if colours.are_too_dark:
            return DENSE_DAB if colours.are_brown else NOT_IHC
    if tissue < _LITTLE_TISSUE_SHARE:
        return Finding(
            LITTLE_TISSUE,
            f"The square shows mostly background ({percent_text(tissue)} tissue); move it onto "
            "tumour.",
        )
    return None


def _spoilt(overview: FloatArray, ink: npt.NDArray[np.bool_], *, may_fold: bool) -> Finding | None:
    """What lies on a patch that is IHC and well exposed, or how its stains are; one is enough."""
    stains = stain_out_of_range(overview[~ink])
    # A counterstain that dense everywhere looks like blue ink.
    if ink.any() and stains is not DENSE_COUNTERSTAIN:
        return Finding(
            PEN,
            f"Pen ink covers {percent_text(float(ink.mean()))} of the square; wipe the slide and "
            "scan it again, or move the square off the ink.",
        )
    return stains or (FOLD if may_fold and fold_contrast(overview) > _FOLD_CONTRAST else None)


def _is_no_ink(overview: FloatArray, ink: npt.NDArray[np.bool_], colours: Colours | None) -> bool:
    """Dark things of a photograph, not strokes over tissue."""
    if ink.mean() < _CLEAR_INK or colours is None:
        return False
    return colours.scatter_beside_ink or is_of_many_colours(overview, ink)


def _exposure(rgb: npt.NDArray[np.uint8], colours: Colours | None) -> Finding | None:
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    brightest = _percentile(grey, 99)
    if brightest < _DARK_GLASS:
        return DARK
    if _percentile(grey, 50) < _DARK_MEDIAN:
        # with glass in view the light is right, and what is dark is the stain
        is_stain = brightest >= _GLASS_IN_VIEW and colours is not None and colours.are_brown
        return DENSE_DAB if is_stain else DARK
    clipped_to_white = (_brightest(rgb) >= 254) & (_darkest(rgb) >= _NEAR_WHITE)
    if np.mean(clipped_to_white) > _CLIPPED_SHARE:
        return CLIPPED
    return None


def _size(size: int) -> Finding | None:
    if size < MODEL_SIDE:
        return Finding(
            "enlarged",
            f"The square was enlarged from {size} pixels to {MODEL_SIDE}; use a larger square or "
            "an export at higher power.",
            confirmable=True,
        )
    if size > _COARSE_SIDE:
        return Finding(
            "coarse",
            f"At {size} pixels the square makes cells too small for the models; choose a smaller "
            "square.",
        )
    return None


def _reduced(field: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    if field.shape[0] <= side:
        return field
    return np.asarray(cv2.resize(field, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _enlarged(mask: npt.NDArray[np.bool_], side: int) -> npt.NDArray[np.bool_]:
    sized = cv2.resize(mask.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST)
    return np.asarray(sized, bool)


def _absorption(rgb: npt.NDArray[np.uint8]) -> FloatArray:
    """Base-10 optical density per channel against the brightest glass in view (at least 220)."""
    glass = np.clip([_percentile(channel, 99) for channel in cv2.split(rgb)], 220, 255)
    return _against(rgb, glass)


def _against(rgb: npt.NDArray[np.uint8], glass: npt.NDArray[np.float64]) -> FloatArray:
    return np.maximum(optical_density(rgb, np.asarray(glass, np.float32)), 0)


def _light_of(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """What glass looks like in each channel, also under a lamp of another colour."""
    brightest = np.array([_percentile(channel, 99) for channel in cv2.split(rgb)], np.float64)
    return np.clip(brightest, max(_LEAST_GLASS, _LEAST_OF_BRIGHTEST * brightest.max()), 255)


def _brightest(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    red, green, blue = cv2.split(rgb)
    return np.asarray(cv2.max(cv2.max(red, green), blue), np.uint8)


def _darkest(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    red, green, blue = cv2.split(rgb)
    return np.asarray(cv2.min(cv2.min(red, green), blue), np.uint8)


def _percentile(levels: npt.NDArray[np.uint8], percent: float) -> int:
    """The grey level that `percent` of the pixels do not exceed."""
    counts = cv2.calcHist([levels], [0], None, [256], [0, 256]).ravel().cumsum(dtype=np.float64)
    return int(np.searchsorted(counts, counts[-1] * percent / 100))
