"""TIFF of any layout: one strict way from its samples to a picture."""

from dataclasses import dataclass, replace
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from her2core.preprocessing.formats import tiff_pages as tag
from her2core.preprocessing.formats.colour_profiles import (
    D65,
    SRGB_PRIMARIES,
    ToSRGB,
    way_to_srgb,
)
from her2core.preprocessing.formats.decoded_image import (
    Allocate,
    Picture,
    RGBArray,
    SizeLimits,
    damaged,
    refused,
    upright_and_stored,
)
from her2core.preprocessing.formats.pillow_images import exif_icc
from her2core.preprocessing.formats.samples import (
    DARK,
    Colour,
    Meaning,
    is_translucent,
    meaning_in_use,
    notes_on,
    to_srgb,
)
from her2core.preprocessing.formats.tiff_choice import main_page
from her2core.preprocessing.formats.tiff_layout import JPEG, WEBP, WHOLE_PIXELS, Layout, layout_of
from her2core.preprocessing.formats.tiff_pages import Tags
from her2core.preprocessing.formats.tiff_segments import Window, pieces

_COLOURS: dict[int, Colour] = {
    0: "grey",
    1: "grey",
    2: "rgb",
    3: "palette",
    5: "cmyk",
    6: "ycbcr",
}
_WHITE_IS_ZERO, _CMYK_INKS = 0, 1
_ALPHA: dict[int, Any] = {1: "premultiplied", 2: "straight"}
_WHITE = 255
_COLOUR_TOLERANCE = 0.005


class Holds(NamedTuple):
    """Whether a part of a picture lets the background through, has empty pieces, has others."""

    translucent: bool
    empty: bool
    samples: bool


@dataclass(frozen=True)
class _Channels:
    """What the samples mean, and which of them are read.

    Attributes:
        meaning: of the samples in `read`.
        read: their numbers, colour first, then opacity.
        undeclared: whether the file does not say what the last of them is.
    """

    meaning: Meaning
    read: tuple[int, ...]
    undeclared: bool = False


@dataclass(frozen=True)
class TiffPicture:
    """The picture of a directory, of which any part can be read while its file is open.

    Attributes:
        file: that holds it.
        layout: of its samples.
        channels: what they mean, and which are read.
        way: from the declared colours to sRGB; None where nothing is to be done.
        highest: the highest sample where there are 16 bits, else 0.
    """

    file: BinaryIO
    layout: Layout
    channels: _Channels
    way: ToSRGB | None
    highest: int

    def read(self, target: RGBArray, x: int = 0, y: int = 0) -> Holds:
        """Write the part with this upper left corner into `target`, uint8 (h, w, 3), all inside.

        What the file leaves empty is white.

        Raises:
            UnreadableImageError: a piece is damaged, or of transparency that is none for sure.
        """
        meaning = self.channels.meaning
        window = Window(x, y, target.shape[1], target.shape[0])
        translucent = empty = samples = False
        for piece in pieces(self.file, self.layout, self.channels.read, window):
            where = piece.window.of(target, x, y)
            if piece.samples is None:
                where[:] = _WHITE
                empty = True
                continue
            samples = True
            translucent |= is_translucent(piece.samples, meaning)
            where[:] = to_srgb(piece.samples, meaning, self.way)
        if translucent and self.channels.undeclared:
            raise refused("has a further channel and does not say whether it is transparency")
        return Holds(translucent, empty, samples)


def open_picture(
    file: BinaryIO, tags: Tags, notes: list[str], highest: int | None = None
) -> TiffPicture:
    """The picture of a directory, none of it read yet.

    Args:
        file: open TIFF file.
        tags: the directory.
        notes: what the reviewer should know is added here.
        highest: the highest of its 16-bit samples where it is known.

    Raises:
        UnreadableImageError: it is damaged, or of a kind that is not read.
    """
    layout = layout_of(tags)
    channels = _channels(tags, layout, notes)
    meaning = channels.meaning
    if meaning.bits == 16 and highest is None:
        highest = _highest(file, layout, channels)
    declared = tags.number(tag.HIGHEST, 0)
    meaning = meaning_in_use(meaning, highest or 0, declared, notes)
    way = way_to_srgb(_profile(file, tags, notes), meaning.profile_channels, notes)
    return TiffPicture(file, layout, replace(channels, meaning=meaning), way, highest or 0)


def read_tiff(file: BinaryIO, limits: SizeLimits, allocate: Allocate) -> Picture:
    """Read the main picture of an open TIFF file; see `image_formats.read_image_file`."""
    notes: list[str] = []
    with main_page(file, limits, notes) as tags:
        picture = open_picture(file, tags, notes)
        layout, orientation = picture.layout, tags.number(tag.ORIENTATION, 1)
        upright, stored = upright_and_stored(layout.width, layout.height, orientation, allocate)
        holds = picture.read(stored)
    if not holds.samples:
        raise damaged("TIFF")
    if holds.empty:
        notes.append("Parts of the picture that the file leaves empty are shown white.")
    notes += notes_on(picture.channels.meaning, holds.translucent, orientation)
    return Picture(upright, tuple(notes))


def _channels(tags: Tags, layout: Layout, notes: list[str]) -> _Channels:
    """What the samples mean.

    Raises:
        UnreadableImageError: colours without defined brightness, or samples that do not fit them.
    """
    photometric = tags.number(tag.PHOTOMETRIC, -1)
    colour = _COLOURS.get(photometric)
    if colour is None or (colour == "cmyk" and tags.number(tag.INK_SET, 1) != _CMYK_INKS):
        raise refused(
            f"stores colours in a way without defined brightness (TIFF photometric {photometric})"
        )
    if colour == "ycbcr" and layout.compression in (JPEG, WEBP):
        colour = "rgb"  # their decoders have done it already
    meaning = Meaning(colour, layout.bits, inverted=photometric == _WHITE_IS_ZERO)
    if colour == "palette":
        meaning = replace(meaning, palette=_palette(tags, layout.bits))
    if colour == "ycbcr":
        if layout.bits != 8 or layout.compression not in WHOLE_PIXELS:
            raise refused("stores YCbCr colours in a way that is not read here")
        meaning = replace(meaning, **_ycbcr(tags))
    declared = tags.numbers(tag.EXTRA_SAMPLES)
    colours, more = meaning.colours, layout.samples - meaning.colours
    if more < 0 or len(declared) > more:
        raise damaged("TIFF")
    if more and not declared:
        # A grey picture with two or more further channels is one of channels, not of colours.
        if more > 1:
            raise refused(f"holds {layout.samples} channels and does not say what they are")
        return _Channels(
            replace(meaning, alpha="straight"), (*range(colours), colours), undeclared=True
        )
    opacity = next((n for n, kind in enumerate(declared) if kind in _ALPHA), None)
    if colour == "grey" and more and opacity is None:
        raise refused(f"holds {layout.samples} channels and does not say what they are")
    if more > (opacity is not None):
        notes.append("Channels besides the colours, of unknown meaning, were left out.")
    if opacity is None:
        return _Channels(meaning, tuple(range(colours)))
    meaning = replace(meaning, alpha=_ALPHA[declared[opacity]])
    return _Channels(meaning, (*range(colours), colours + opacity))


def _palette(tags: Tags, bits: int) -> RGBArray:
    """The colour map, uint8 (entries, 3)."""
    values = np.asarray(tags.value(tag.PALETTE), dtype=np.int64).ravel()
    if len(values) != 3 << bits or values.min() < 0 or values.max() > 65_535:
        raise damaged("TIFF")
    # Some writers store 0 to 255 where the standard asks for 0 to 65,535; libtiff reads both.
    eight = values if values.max() <= 255 else values >> 8
    return eight.astype(np.uint8).reshape(3, -1).T


def _ycbcr(tags: Tags) -> dict[str, Any]:
    """Weights and codes of YCbCr where the file gives its own."""
    given: dict[str, Any] = {}
    luma, footroom = tags.fractions(tag.YCC_LUMA), tags.fractions(tag.YCC_FOOTROOM)
    if luma:
        given["luma"] = luma
    if footroom:
        given["footroom"] = footroom
    if len(luma) not in (0, 3) or len(footroom) not in (0, 6) or not all((1, *luma)):
        raise damaged("TIFF")
    return given


def _highest(file: BinaryIO, layout: Layout, channels: _Channels) -> int:
    """The highest sample of the colours; stops where the full range is seen to be used."""
    highest = 0
    everything = Window(0, 0, layout.width, layout.height)
    for piece in pieces(file, layout, channels.read[: channels.meaning.colours], everything):
        if piece.samples is not None:
            highest = max(highest, int(piece.samples.max()))
        if highest >= DARK:
            break
    return highest


def _profile(file: BinaryIO, tags: Tags, notes: list[str]) -> bytes | None:
    """The profile of the colours that the file declares; None for sRGB."""
    embedded = tags.value(tag.PROFILE)
    if embedded is not None:
        return bytes(embedded) or b"empty"
    if tags.value(tag.EXIF) is not None:
        exif = Image.Exif()

        def block() -> Image.Exif:
            file.seek(0)
            exif.load_from_fp(file)
            return exif

        return exif_icc(block, notes)
    white, primaries = tags.fractions(tag.WHITE_POINT), tags.fractions(tag.PRIMARIES)
    moved = [
        abs(given - usual)
        for found, usual_ones in ((white, D65), (primaries, SRGB_PRIMARIES))
        for given, usual in zip(found, usual_ones, strict=False)
    ]
    if tags.value(tag.TRANSFER) is not None or max(moved, default=0) > _COLOUR_TOLERANCE:
        notes.append(
            "The file declares primaries or a transfer curve of its own, which were not applied; "
            "the colours may be off."
        )
    return None
