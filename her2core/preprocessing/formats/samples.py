"""From the samples a file stores, 1 to 16 bits each, to 8-bit sRGB."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from her2core.preprocessing.formats.colour_profiles import ToSRGB, way_to_srgb
from her2core.preprocessing.formats.decoded_image import (
    ON_WHITE,
    PRINT_COLOURS,
    SIXTEEN_BITS,
    TURNED,
    Allocate,
    Picture,
    RGBArray,
    is_turned,
    refused,
    upright_and_stored,
)

Samples = npt.NDArray[np.unsignedinteger]
Colour = Literal["grey", "rgb", "cmyk", "palette", "ycbcr"]
_CHANNELS = {"grey": 1, "rgb": 3, "cmyk": 4, "palette": 1, "ycbcr": 3}
# Cameras of fewer bits store their values in 16 without stretching them.
_CAMERA_BITS = (10, 12, 14)
DARK = 2**14
_BAND_PIXELS = 1_000_000


@dataclass(frozen=True)
class Meaning:
    """What the samples of a pixel mean.

    Attributes:
        colour: of its first samples.
        bits: of each sample, 1 to 16.
        inverted: whether 0 is white.
        alpha: whether the sample behind the colour is one of opacity, and whether the colour was
            multiplied by it.
        palette: uint8 (entries, 3), for the palette.
        luma: weights of red, green and blue in the luma of YCbCr.
        footroom: for YCbCr, the codes of black and white of luma and of both chroma channels.
    """

    colour: Colour
    bits: int
    inverted: bool = False
    alpha: Literal["none", "straight", "premultiplied"] = "none"
    palette: RGBArray | None = None
    luma: tuple[float, float, float] = (0.299, 0.587, 0.114)
    footroom: tuple[float, ...] = (0, 255, 128, 255, 128, 255)

    @property
    def colours(self) -> int:
        """How many samples make the colour."""
        return _CHANNELS[self.colour]

    @property
    def used(self) -> int:
        """How many samples of a pixel are used: its colour and its opacity."""
        return self.colours + (self.alpha != "none")

    @property
    def profile_channels(self) -> str:
        """What a colour profile has to be for: "L", "RGB" or "CMYK"."""
        return {"grey": "L", "cmyk": "CMYK"}.get(self.colour, "RGB")


def picture_of(
    rows: Callable[[int, int], Samples],
    size: tuple[int, int],
    meaning: Meaning,
    orientation: int,
    icc: bytes | None,
    notes: list[str],
    allocate: Allocate,
) -> Picture:
    """The upright picture of samples.

    Args:
        rows: gives those from one row to before another, uint8 or uint16 (n, width, channels).
        size: width and height as stored.
        meaning: of the samples.
        orientation: EXIF orientation.
        icc: the profile of the colours; None for sRGB.
        notes: those there are already.
        allocate: makes the array the picture is written into.
    """
    width, height = size
    way = way_to_srgb(icc, meaning.profile_channels, notes)
    upright, stored = upright_and_stored(width, height, orientation, allocate)
    step = max(1, _BAND_PIXELS // width)
    translucent = False
    for top in range(0, height, step):
        bottom = min(height, top + step)
        samples = rows(top, bottom)
        translucent |= is_translucent(samples, meaning)
        stored[top:bottom] = to_srgb(samples, meaning, way)
    notes += notes_on(meaning, translucent, orientation)
    return Picture(upright, tuple(notes))


def picture_in_memory(
    samples: Samples,
    meaning: Meaning,
    orientation: int,
    icc: bytes | None,
    notes: list[str],
    allocate: Allocate,
) -> Picture:
    """`picture_of` samples that are all there, uint8 or uint16 (H, W, channels).

    Raises:
        UnreadableImageError: its brightness cannot be told.
    """
    height, width = samples.shape[:2]
    highest = max(int(samples[..., channel].max()) for channel in range(meaning.colours))
    meaning = meaning_in_use(meaning, highest, 0, notes)
    how = meaning, orientation, icc, notes, allocate
    return picture_of(lambda top, bottom: samples[top:bottom], (width, height), *how)


def notes_on(meaning: Meaning, translucent: bool, orientation: int) -> list[str]:
    """What any reader tells of such a picture."""
    told = {
        SIXTEEN_BITS: meaning.bits == 16 and meaning.colour != "palette",
        PRINT_COLOURS: meaning.colour == "cmyk",
        ON_WHITE: translucent,
        TURNED: is_turned(orientation),
    }
    return [note for note, applies in told.items() if applies]


def to_srgb(samples: Samples, meaning: Meaning, way: ToSRGB | None) -> RGBArray:
    """Samples (H, W, at least `meaning.used`) as a picture, uint8 (H, W, 3)."""
    top = 2**meaning.bits - 1
    levels: Samples = samples[..., : meaning.colours]
    if meaning.palette is not None:
        levels, top = meaning.palette[levels[..., 0]], 255
    elif meaning.bits < 8:
        levels = (levels.astype(np.uint16) * 255 // top).astype(np.uint8)
    elif meaning.bits > 8 and (way is not None or meaning.alpha != "none"):
        levels = (levels.astype(np.uint32) * 65_535 // top).astype(np.uint16)
    elif meaning.bits > 8:
        levels = (levels >> (meaning.bits - 8)).astype(np.uint8)
    if meaning.colour == "ycbcr":
        levels = _from_ycbcr(levels, meaning)
    if meaning.inverted:
        levels = ~levels
    if meaning.alpha != "none":
        levels = _on_white(levels, samples[..., meaning.colours], meaning)
    if meaning.colour == "cmyk":
        return _from_inks(levels, way)
    if way is not None:
        if way.source == "RGB" and levels.shape[2] == 1:
            levels = np.repeat(levels, 3, axis=2)
        return way.levels(levels)
    return _repeated(_eight_bits(levels))


def is_translucent(samples: Samples, meaning: Meaning) -> bool:
    """Whether any of these pixels lets the background through."""
    if meaning.alpha == "none":
        return False
    return bool(samples[..., meaning.colours].min() < 2**meaning.bits - 1)


def meaning_in_use(meaning: Meaning, highest: int, declared: int, notes: list[str]) -> Meaning:
    """What 16-bit samples mean when none of them uses the upper bits.

    Cameras of 10, 12 or 14 bits store their values in 16 bits as they are, which looks near black.
    A picture whose brightest value lies in the upper half of what such a camera can say is read as
    that camera's, with a note. Between that and a picture that is really dark nothing decides.

    Args:
        meaning: as the file says.
        highest: the highest sample of the whole picture.
        declared: what the file names as its highest value; 0 where it does not.
        notes: what the reviewer should know is added here.

    Raises:
        UnreadableImageError: the brightness cannot be told.
    """
    if meaning.bits != 16 or meaning.colour not in ("grey", "rgb") or not 0 < highest < DARK:
        return meaning
    bits = next(
        (
            bits
            for bits in _CAMERA_BITS
            if declared == 2**bits - 1 >= highest
            or (bits < 14 and 2 ** (bits - 1) <= highest < 2**bits)
        ),
        None,
    )
    if bits is None or meaning.inverted or meaning.alpha != "none":
        raise refused(
            f"uses only values up to {highest:,} of 65,535, so that its true brightness is not "
            "known"
        )
    notes.append(
        f"The highest of its 16-bit values is {highest:,}, so they were read as {bits} bits, as "
        f"{bits}-bit cameras store them."
    )
    return replace(meaning, bits=bits)


def _repeated(levels: RGBArray) -> RGBArray:
    """Grey as three equal channels; colours as they are."""
    return np.repeat(levels, 3, axis=2) if levels.shape[2] == 1 else levels


def _eight_bits(levels: Samples) -> RGBArray:
    return levels if levels.dtype == np.uint8 else (levels >> 8).astype(np.uint8)


def _on_white(levels: Samples, alpha: Samples, meaning: Meaning) -> Samples:
    """Laid on white; for inks, on no ink."""
    full = int(np.iinfo(levels.dtype).max)
    top = 2**meaning.bits - 1
    wide = np.dtype(np.uint16 if full == 255 else np.uint32)  # holds the product of two
    opacity: Samples = alpha[..., None].astype(wide) * full // top
    colour: Samples = levels.astype(wide)
    if meaning.alpha == "straight":
        colour = (colour * opacity + full // 2) // full
    background = 0 if meaning.colour == "cmyk" else full - opacity
    return np.asarray(np.minimum(colour + background, full), levels.dtype)


def _from_inks(inks: Samples, way: ToSRGB | None) -> RGBArray:
    inks = _eight_bits(inks)
    if way is not None:
        return way.levels(inks)
    light = 255 - inks.astype(np.uint16)
    return ((light[..., :3] * light[..., 3:] + 127) // 255).astype(np.uint8)


def _from_ycbcr(levels: Samples, meaning: Meaning) -> Samples:
    """TIFF 6.0, section 21."""
    full = int(np.iinfo(levels.dtype).max)
    scale = full / 255
    black, white, *chroma = (code * scale for code in meaning.footroom)
    values = levels.astype(np.float32)
    luma = (values[..., 0] - black) * (full / (white - black))
    blue = (values[..., 1] - chroma[0]) * (127 * scale / (chroma[1] - chroma[0]))
    red = (values[..., 2] - chroma[2]) * (127 * scale / (chroma[3] - chroma[2]))
    weight_r, weight_g, weight_b = meaning.luma
    r = luma + red * (2 - 2 * weight_r)
    b = luma + blue * (2 - 2 * weight_b)
    g = (luma - weight_b * b - weight_r * r) / weight_g
    return np.clip(np.round(np.stack([r, g, b], axis=-1)), 0, full).astype(levels.dtype)
