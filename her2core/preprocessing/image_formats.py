"""One PNG, JPEG or TIFF file's bytes to upright 8-bit sRGB, whatever the file stores.

The content decides the format, never the extension. The header is checked before a pixel is
decoded, and pixels are converted in strips, so that a file costs its decoded size and one RGB copy.
What was changed on the way is said in plain sentences; what cannot be shown right is refused.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageFile

RGBArray = npt.NDArray[np.uint8]
Allocate = Callable[[tuple[int, int, int]], RGBArray]

FORMATS = ("PNG", "JPEG", "TIFF")
_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
_STRIP_PIXELS = 4_000_000
_ORIENTATION, _BITS_PER_SAMPLE, _PHOTOMETRIC = 0x0112, 258, 262
_WHITE_IS_ZERO = 0
_FILLED_IN = 128
_SIXTEEN_BIT_GREY = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
_PLAIN_MODES = frozenset({"1", "L", "P", "RGB", "RGBX", "YCbCr", "CMYK"})
_ALPHA_MODES = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_PROFILE_SPACE = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
_AS_STORED = (0, False)
# EXIF orientation -> (quarter turns anticlockwise, then mirrored left to right)
_UPRIGHT = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False)} | {
    7: (1, True),
    8: (1, False),
}


class UnreadableImageError(ValueError):
    """The image cannot be shown right; str(error) completes a sentence begun with its name."""


@dataclass(frozen=True)
class DecodedImage:
    """An upright image: `rgb` uint8 (H, W, 3), sRGB; its `format`; `notes` on what was changed."""

    rgb: RGBArray
    format: str
    notes: tuple[str, ...]


def _allocated(shape: tuple[int, int, int]) -> RGBArray:
    return np.empty(shape, np.uint8)


def read_image(data: bytes, max_pixels: int, min_side: int) -> DecodedImage:
    """Decode the first picture of a PNG, JPEG or TIFF file.

    Args:
        data: the whole file.
        max_pixels: larger images are refused from their header, before anything is allocated.
        min_side: images with a shorter side are refused.

    Raises:
        UnreadableImageError: no such image, damaged, too large, too small, or of a kind whose
            values have no defined brightness (floating point, 32 bits, L*a*b*).
    """
    return read_image_file(io.BytesIO(data), max_pixels, min_side)


def read_image_file(
    file: BinaryIO, max_pixels: int, min_side: int, allocate: Allocate = _allocated
) -> DecodedImage:
    """`read_image` of an open file, which is never in memory as a whole.

    Args:
        file: open for reading in binary mode, seekable.
        max_pixels: as in `read_image`.
        min_side: as in `read_image`.
        allocate: makes the array the picture is written into, from its shape (H, W, 3).

    Raises:
        UnreadableImageError: as `read_image`.
    """
    # Pillow's own guard raises at twice this number; it must not stand below the chosen limit.
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, max_pixels)
    file.seek(0)
    start = file.read(max(map(len, _MAGIC)))
    kind = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), None)
    if kind is None:
        raise UnreadableImageError(
            "is not a PNG, JPEG or TIFF image; export the patch as one of these and upload that."
        )
    try:
        file.seek(0)
        if kind == "PNG":
            _check_sums(file, max_pixels, min_side)
            file.seek(0)
        with Image.open(file, formats=FORMATS) as image:
            _check_header(image, max_pixels, min_side)
            return _decode(image, kind, allocate)
    except UnreadableImageError:
        raise
    except Image.DecompressionBombError:
        raise _too_large(max_pixels) from None
    except MemoryError:
        raise UnreadableImageError(
            "needs more memory than there is for one file; upload a smaller region."
        ) from None
    except Exception as error:  # decoders fail on hostile bytes in ways no list would cover
        also = " or of an unusual kind" if kind == "TIFF" else ""
        raise UnreadableImageError(
            f"is an incomplete or damaged {kind}{also}; export it again as 8-bit RGB "
            "and upload that."
        ) from error


def _too_large(max_pixels: int) -> UnreadableImageError:
    return UnreadableImageError(
        f"has more than {max_pixels / 1e6:,.6g} million pixels; upload a smaller region."
    )


def _check_header(image: Image.Image, max_pixels: int, min_side: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise _too_large(max_pixels)
    if min(width, height) < min_side:
        raise UnreadableImageError(
            f"is only {width} x {height} pixels; upload a patch of at least "
            f"{min_side} x {min_side}."
        )


def _check_sums(file: BinaryIO, max_pixels: int, min_side: int) -> None:
    """Check every chunk's CRC: Pillow would decode a PNG with flipped bits or no end."""
    with Image.open(file, formats=("PNG",)) as image:
        _check_header(image, max_pixels, min_side)
        image.verify()


def _check_end(image: Image.Image) -> None:
    """Refuse a JPEG whose data stop before its last block.

    The decoder fills what is missing with middle grey, exactly, and only warns.
    """
    if image.mode not in ("L", "RGB"):
        return
    width, height = image.size
    last = np.asarray(image.crop((max(0, width - 8), max(0, height - 8), width, height)))
    if (last == _FILLED_IN).all():
        raise UnreadableImageError(
            "is an incomplete JPEG, the end of its picture is plain grey; "
            "export it again and upload that."
        )


def _decode(image: ImageFile.ImageFile, kind: str, allocate: Allocate) -> DecodedImage:
    notes = []
    if getattr(image, "is_animated", False):
        notes.append("The file holds several pictures or pages; the first one is shown.")
    if ";16" in str(image.tile) or image.mode in _SIXTEEN_BIT_GREY:
        notes.append("16 bits per channel were reduced to 8 over the full range.")
    orientation = _orientation(image)
    image.load()
    if kind == "JPEG":
        _check_end(image)
    convert = _converter(image, getattr(image, "tag_v2", {}), notes)
    if orientation in _UPRIGHT:
        notes.append("The picture was turned upright as its EXIF orientation says.")
    # Pillow turns TIFF files upright itself while loading them.
    turn = _UPRIGHT.get(orientation, _AS_STORED) if kind != "TIFF" else _AS_STORED
    rgb = _in_strips(image, convert, *turn, allocate)
    return DecodedImage(rgb, kind, tuple(notes))


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8; 1 where the EXIF block is absent or damaged."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        return 1


def _in_strips(
    image: Image.Image,
    convert: Callable[[Image.Image], Image.Image],
    turns: int,
    mirrored: bool,
    allocate: Allocate,
) -> RGBArray:
    """Convert strip by strip into the upright picture: turned `turns` quarters anticlockwise, then
    mirrored left to right."""
    width, height = image.size
    upright = allocate((width, height, 3) if turns % 2 else (height, width, 3))
    # The same memory seen as the file stores it, so that no turned copy is needed.
    stored = np.rot90(upright[:, ::-1] if mirrored else upright, -turns)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        stored[top:bottom] = np.asarray(convert(image.crop((0, top, width, bottom))))
    return upright


def _converter(
    image: Image.Image, tags: Mapping[int, Any], notes: list[str]
) -> Callable[[Image.Image], Image.Image]:
    """Choose how a strip of this image becomes 8-bit RGB; append what the reviewer should know."""
    mode = image.mode
    if mode in _SIXTEEN_BIT_GREY:
        shift = _bits(tags) - 8
        inverted = tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
        return lambda strip: _grey_from_16_bits(strip, shift, inverted)
    if mode in _ALPHA_MODES or "transparency" in image.info:
        profile = _to_srgb(image, "RGB", notes) if mode not in ("LA", "La") else None
        if _is_translucent(image):
            notes.append("Transparent parts were laid on white, the colour of empty glass.")
        return lambda strip: _apply(profile, _on_white(strip))
    if mode not in _PLAIN_MODES:
        raise UnreadableImageError(
            f"stores its pixels in a way without defined brightness (mode {mode}); "
            "export it as 8-bit RGB and upload that."
        )
    if mode == "CMYK":
        notes.append("Converted from CMYK print colours; the stain colours may have shifted.")
    source = mode if mode in ("L", "CMYK") else "RGB"
    transform = _to_srgb(image, source, notes)
    if transform is None:
        return lambda strip: strip if strip.mode == "RGB" else strip.convert("RGB")
    return lambda strip: _apply(transform, strip if strip.mode == source else strip.convert("RGB"))


def _bits(tags: Mapping[int, Any]) -> int:
    """Bits a grey sample really uses: 16, or 12 for packed TIFF files."""
    bits = tags.get(_BITS_PER_SAMPLE, (16,))
    return int(bits[0] if isinstance(bits, tuple) else bits)


def _grey_from_16_bits(strip: Image.Image, shift: int, inverted: bool) -> Image.Image:
    values = np.asarray(strip) >> shift
    grey = np.clip(values, 0, 255).astype(np.uint8)
    return Image.fromarray(255 - grey if inverted else grey).convert("RGB")


def _is_translucent(image: Image.Image) -> bool:
    if "transparency" in image.info:
        return True
    low, _ = image.getchannel("A" if "A" in image.getbands() else "a").getextrema()
    return isinstance(low, int | float) and low < 255


def _on_white(strip: Image.Image) -> Image.Image:
    straight = {"La": "LA", "RGBa": "RGBA"}.get(strip.mode, strip.mode)
    layer = strip.convert(straight).convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def _to_srgb(
    image: Image.Image, source: str, notes: list[str]
) -> ImageCms.ImageCmsTransform | None:
    """The transform from the embedded colour profile to sRGB; None where nothing is to be done."""
    embedded = image.info.get("icc_profile")
    if not embedded:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
        if profile.profile.xcolor_space.strip() != _PROFILE_SPACE[source]:
            raise ValueError("the profile is for another kind of image")
        if (profile.profile.profile_description or "").startswith("sRGB"):
            return None
        transform = ImageCms.buildTransform(
            profile, ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")), source, "RGB"
        )
    except Exception:  # a damaged profile is no reason to refuse the picture
        notes.append("The embedded colour profile is not usable and was ignored.")
        return None
    notes.append("The colours were converted from the embedded colour profile to sRGB.")
    return transform


def _apply(transform: ImageCms.ImageCmsTransform | None, strip: Image.Image) -> Image.Image:
    if transform is None:
        return strip
    converted = ImageCms.applyTransform(strip, transform)
    assert converted is not None  # only in-place application returns None
    return converted
