"""What a person should know of a patch before trusting a verdict on it.

Plain measurements of the square, no network: is it tissue, is it a DAB and haematoxylin stain, is
it sharp, is it well exposed, is it of a size the models can use. Each finding is one sentence that
says what to do. Thresholds were set on 201 real HER2 patches from 14 cores (40x), see
tests/test_quality.py for what they catch and what they leave alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from her2core.patches import MODEL_SIDE, Patch

FloatArray = npt.NDArray[np.float32]

_ENOUGH_PIXELS = 128
_WORKING_SIDE = 512
_COARSE_SIDE = 2000
# Optical density summed over the three channels: any tissue, and enough colour to be judged.
_TISSUE_DENSITY, _STAINED_DENSITY = 0.12, 0.2
# Grey levels of local variation: glass has 0.7 to 1.1, the palest unstained stroma more than 2.
_TISSUE_TEXTURE = 2.0
_BLANK_SHARE, _LITTLE_TISSUE_SHARE = 0.03, 0.25
# Real patches: focus 0.22 to 0.49; after a Gaussian blur of 4 pixels at 448: 0.06 to 0.08.
_SHARP_FOCUS = 0.15
_GREY_COLOURFULNESS = 6
_DARK_GLASS, _DARK_MEDIAN = 190, 80
_CLIPPED_SHARE, _NEAR_WHITE = 0.5, 180
_MINIMUM_STAINED_SHARE = 0.005
_IHC_SHARE, _COUNTERSTAIN_SHARE = 0.85, 0.03
_PINK_SHARE, _H_AND_E_SHARE = 0.2, 0.8
_TYPICAL_DENSITY_LIMIT, _DENSITY_LIMIT = 1.6, 2.4

# Stain colours as shares of optical density in red, green, blue (Ruifrok & Johnston, Anal Quant
# Cytol Histol 2001). All mixtures of the two stains lie between them on one line.
_HAEMATOXYLIN = np.array([0.65, 0.70, 0.29], np.float32) / np.float32(1.64)
_DAB = np.array([0.27, 0.57, 0.78], np.float32) / np.float32(1.62)
_ALONG = _DAB - _HAEMATOXYLIN
_ACROSS = np.cross(np.ones(3, np.float32), _ALONG)  # towards green density, that is towards pink
_ACROSS = (_ACROSS * np.sign(_ACROSS[1]) / np.linalg.norm(_ACROSS)).astype(np.float32)


@dataclass(frozen=True)
class Finding:
    """One thing about the square. A "warning" puts the verdict in doubt; a "note" does not."""

    code: str
    message: str
    severity: Literal["note", "warning"]


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
        return tuple(each.message for each in self.findings if each.severity == "warning")


@dataclass(frozen=True)
class _Colours:
    """Shares of the stained area, in [0, 1], and its median optical density."""

    ihc: float
    counterstain: float
    pink: float
    density: float


def assess(patch: Patch) -> QualityReport:
    """Examine the patch's square, reduced to at most 512 pixels."""
    rgb = _reduced(patch.field())
    # After smoothing, every second pixel tells as much of the colours as all of them.
    step = 2 if len(rgb) >= _ENOUGH_PIXELS else 1
    smooth = np.ascontiguousarray(cv2.GaussianBlur(rgb, (0, 0), 1.0)[::step, ::step])
    density = _optical_density(smooth)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = np.asarray(cv2.GaussianBlur(grey, (0, 0), 1.0), np.float32)
    tissue = _tissue_share(fine, _summed(density), 4.0 / step)
    focus = _focus(fine)
    colours = _colours(density)
    if tissue < _BLANK_SHARE:
        seen: tuple[Finding | None, ...] = (_BLANK,)
    else:
        exposure = _exposure(rgb)
        # Clipping shifts colours: what they would say is no news after "over-exposed".
        subject = None if exposure is _CLIPPED else _subject(rgb, tissue, colours)
        seen = (subject, exposure, _BLURRED if focus < _SHARP_FOCUS else None)
    findings = (*seen, _size(patch.square.size))
    return QualityReport(
        findings=tuple(finding for finding in findings if finding is not None),
        tissue_share=tissue,
        focus=focus,
        stain_share=None if colours is None else colours.ihc,
    )


def _warning(code: str, message: str) -> Finding:
    return Finding(code, message, "warning")


_DISREGARD = "the models know HER2 IHC only, so disregard their verdicts."
_BLANK = _warning(
    "blank", "The square shows hardly any tissue; move it onto tumour or choose another patch."
)
_GREY = _warning(
    "grey", "The image has no colour, so brown DAB cannot be told from blue; use the colour image."
)
_EOSIN = _warning("h_and_e", f"The pink looks like eosin (H&E), not IHC; {_DISREGARD}")
_NOT_IHC = _warning("not_ihc", f"The colours are not those of DAB and haematoxylin; {_DISREGARD}")
_BLURRED = _warning("blurred", "The square is out of focus; rescan it or choose a sharper patch.")
_DARK = _warning("dark", "The square is under-exposed; export it again with brighter settings.")
_CLIPPED = _warning(
    "overexposed",
    "Much of the square is pure white, which hides faint staining; export it with less exposure "
    "or choose a part with more tissue.",
)


def _subject(rgb: npt.NDArray[np.uint8], tissue: float, colours: _Colours | None) -> Finding | None:
    """What is wrong with what the square shows; the first reason is enough."""
    if _percentile(_brightest(rgb) - _darkest(rgb), 99) <= _GREY_COLOURFULNESS:
        return _GREY
    if colours is not None:
        if colours.pink > _PINK_SHARE and colours.pink + colours.ihc > _H_AND_E_SHARE:
            return _EOSIN
        if (
            colours.ihc < _IHC_SHARE
            or colours.counterstain < _COUNTERSTAIN_SHARE
            or colours.density > _TYPICAL_DENSITY_LIMIT
        ):
            return _NOT_IHC
    if tissue < _LITTLE_TISSUE_SHARE:
        return _warning(
            "little_tissue",
            f"The square shows mostly background ({tissue:.0%} tissue); move it onto tumour.",
        )
    return None


def _exposure(rgb: npt.NDArray[np.uint8]) -> Finding | None:
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    if _percentile(grey, 99) < _DARK_GLASS or _percentile(grey, 50) < _DARK_MEDIAN:
        return _DARK
    clipped_to_white = (_brightest(rgb) >= 254) & (_darkest(rgb) >= _NEAR_WHITE)
    if np.mean(clipped_to_white) > _CLIPPED_SHARE:
        return _CLIPPED
    return None


def _size(size: int) -> Finding | None:
    if size < MODEL_SIDE:
        return _warning(
            "enlarged",
            f"The square was enlarged from {size} pixels to {MODEL_SIDE}; use a larger square or "
            "an export at higher power.",
        )
    if size > _COARSE_SIDE:
        return _warning(
            "coarse",
            f"At {size} pixels the square makes cells too small for the models; choose a smaller "
            "square.",
        )
    return None


def _reduced(field: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    if field.shape[0] <= _WORKING_SIDE:
        return field
    return np.asarray(
        cv2.resize(field, (_WORKING_SIDE, _WORKING_SIDE), interpolation=cv2.INTER_AREA), np.uint8
    )


def _optical_density(rgb: npt.NDArray[np.uint8]) -> FloatArray:
    """Base-10 optical density per channel against the brightest glass in view (at least 220)."""
    channels = [rgb[..., channel] for channel in range(3)]
    glass = np.clip([_percentile(channel, 99) for channel in channels], 220, 255)
    levels = np.maximum(np.arange(256), 1)
    tables = np.maximum(np.log10(glass[:, None] / levels), 0).astype(np.float32)
    return np.dstack([table[channel] for table, channel in zip(tables, channels, strict=True)])


# numpy reduces over a last axis of three several times slower than it combines three planes.
def _brightest(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.maximum(np.maximum(rgb[..., 0], rgb[..., 1]), rgb[..., 2])


def _darkest(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.minimum(np.minimum(rgb[..., 0], rgb[..., 1]), rgb[..., 2])


def _summed(density: FloatArray) -> FloatArray:
    return density[..., 0] + density[..., 1] + density[..., 2]


def _percentile(levels: npt.NDArray[np.uint8], percent: float) -> int:
    """The grey level that `percent` of the pixels do not exceed."""
    counts = np.bincount(levels.ravel(), minlength=256).cumsum()
    return int(np.searchsorted(counts, counts[-1] * percent / 100))


def _wide(image: FloatArray, sigma: float) -> FloatArray:
    """A Gaussian blur of wide `sigma`, on the image reduced as far as it would blur anyway.

    Returns:
        The blurred image at the reduced size.
    """
    height, width = image.shape
    factor = 1
    while 4 * factor <= sigma and min(height, width) // (2 * factor) >= 16:
        factor *= 2
    small = cv2.resize(image, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), sigma / factor), np.float32)


def _like(image: FloatArray, other: FloatArray) -> FloatArray:
    """The image at the size of the other."""
    size = (other.shape[1], other.shape[0])
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _tissue_share(fine: FloatArray, density: FloatArray, sigma: float) -> float:
    """Part of the square that is coloured or structured; empty glass is neither.

    Args:
        fine: grey levels, slightly smoothed.
        density: optical density summed over the channels, at any resolution.
        sigma: standard deviation in its pixels over which it is averaged.
    """
    detail = fine - _like(_wide(fine, 4.0), fine)
    texture = np.sqrt(np.maximum(_wide(detail * detail, 6.0), 0))
    coloured = _like(_wide(density, sigma), texture) > _TISSUE_DENSITY
    return float(np.mean(coloured | (texture > _TISSUE_TEXTURE)))


def _focus(fine: FloatArray) -> float:
    """Spread of the Laplacian over the spread of structures up to cell size; 0 on an even field.

    The ratio does not change with how strongly the patch is stained, unlike the plain variance of
    the Laplacian.
    """
    structure = float(np.std(fine - _like(_wide(fine, 12.0), fine)))
    return float(np.std(cv2.Laplacian(fine, cv2.CV_32F))) / structure if structure > 1e-3 else 0.0


def _colours(density: FloatArray) -> _Colours | None:
    """Where the stained pixels lie against the haematoxylin to DAB line; None if too few."""
    total = _summed(density)
    stained = total > _STAINED_DENSITY
    if stained.mean() < _MINIMUM_STAINED_SHARE:
        return None
    strength = total[stained]
    offset = density[stained] / strength[:, None] - _HAEMATOXYLIN
    along = offset @ (_ALONG / np.float32(_ALONG @ _ALONG))  # 0 haematoxylin, 1 DAB
    across = offset @ _ACROSS
    ihc = (across > -0.13) & (across < 0.03) & (along > -0.25) & (along < 1.15)
    ihc &= strength < _DENSITY_LIMIT
    pink = (across >= 0.03) & (along < 0.7) & (strength < _DENSITY_LIMIT)
    return _Colours(
        ihc=float(ihc.mean()),
        counterstain=float((ihc & (along < 0.5)).mean()),
        pink=float(pink.mean()),
        density=float(np.median(strength)),
    )
