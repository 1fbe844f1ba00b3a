"""The directories of a TIFF file, one for each picture in it, and what their tags say."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from her2core.preprocessing.formats.decoded_image import damaged

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

Numbers = tuple[int, ...]
NEW_SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT, BITS = 254, 255, 256, 257, 258
COMPRESSION, PHOTOMETRIC, FILL_ORDER, DESCRIPTION = 259, 262, 266, 270
STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS = 273, 274, 277, 278, 279
HIGHEST, X_RESOLUTION, PLANES, RESOLUTION_UNIT = 281, 282, 284, 296
SOFTWARE, TRANSFER, PREDICTOR = 305, 301, 317
WHITE_POINT, PRIMARIES, PALETTE = 318, 319, 320
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, SUB_PAGES = 322, 323, 324, 325, 330
INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT, JPEG_TABLES = 332, 338, 339, 347
YCC_LUMA, YCC_SUBSAMPLING, YCC_FOOTROOM, PROFILE, EXIF = 529, 530, 532, 34675, 34665
_MOST_PAGES = 5000
_MOST_LOOKED_AT = 64
# Tags without which, or with a damaged one of which, a picture would be read wrongly.
_DECISIVE = frozenset(
    {WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, STRIP_OFFSETS, ORIENTATION}
    | {SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS, PLANES, PREDICTOR, PALETTE, TILE_WIDTH, TILE_HEIGHT}
    | {TILE_OFFSETS, TILE_COUNTS, INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT, JPEG_TABLES}
    | {YCC_LUMA, YCC_SUBSAMPLING, YCC_FOOTROOM, NEW_SUBFILE, SUB_PAGES}
)


@dataclass(frozen=True)
class Tags:
    """The tags of one directory.

    Attributes:
        page: it, as it was parsed.
        above: the directory below which it stands; None for those in the file's own row.
    """

    page: TiffPage
    above: TiffPage | None = None

    @property
    def big_endian(self) -> bool:
        """Whether numbers in the file are big-endian."""
        return bool(self.page.parent.byteorder == ">")

    def numbers(self, code: int) -> Numbers:
        """The values of a tag of whole numbers; empty where there is none."""
        value = self.value(code)
        if value is None:
            return ()
        if isinstance(value, str):
            raise damaged("TIFF")
        if isinstance(value, int):
            return (int(value),)
        return tuple(map(int, value))

    def number(self, code: int, default: int) -> int:
        """The first value of a tag of whole numbers."""
        return next(iter(self.numbers(code)), default)

    def fractions(self, code: int) -> tuple[float, ...]:
        """The values of a tag of fractions; empty where there is none."""
        flat = tuple(map(int, self.value(code) or ()))
        if len(flat) % 2 or 0 in flat[1::2]:
            raise damaged("TIFF")
        return tuple(a / b for a, b in zip(flat[::2], flat[1::2], strict=True))

    def value(self, code: int) -> Any:
        """A tag's value as it was parsed; None where there is none."""
        tag = self.page.tags.get(code)
        return None if tag is None else tag.value

    def text(self, code: int) -> str:
        """A tag of text; empty where there is none."""
        value = self.value(code)
        return value if isinstance(value, str) else ""

    @property
    def size(self) -> tuple[int, int]:
        """Pixels across and down."""
        return self.number(WIDTH, 0), self.number(HEIGHT, 0)

    @property
    def is_main(self) -> bool:
        """Whether it is neither a smaller version of another picture nor a mask."""
        reduced = self.number(NEW_SUBFILE, 0) & 0b001 or self.number(OLD_SUBFILE, 1) == 2
        return not reduced and not self.is_mask

    @property
    def is_mask(self) -> bool:
        """Whether it says which pixels of another picture count."""
        return bool(self.number(NEW_SUBFILE, 0) & 0b100)


def pages_of(tiff: TiffFile) -> list[Tags]:
    """The directories worth looking at, those below others last.

    Raises:
        Exception: the first of them is damaged.
    """
    from tifffile import TiffPage

    number = len(tiff.pages)
    if not 0 < number <= _MOST_PAGES:
        raise damaged("TIFF")
    found = []
    for index in range(min(number, _MOST_LOOKED_AT)):
        try:
            page = tiff.pages[index]
        except Exception:
            if index == 0:
                raise
            continue  # a later directory that leads nowhere harms the first picture in no way
        if isinstance(page, TiffPage):
            found.append(Tags(page))
    below: list[Tags] = []
    for tags in found[:8]:
        for offset in tags.numbers(SUB_PAGES)[:_MOST_LOOKED_AT]:
            try:
                tiff.filehandle.seek(offset)
                below.append(Tags(TiffPage(tiff, index=(0, len(below))), tags.page))
            except Exception:
                continue
    return found + below


def check_decisive(file: BinaryIO, tags: Tags) -> None:
    """Refuse a directory with a decisive tag that was passed over because it is damaged.

    Raises:
        UnreadableImageError: there is such a tag, or one that stands there twice; or no size.
    """
    big = tags.page.parent.is_bigtiff
    order = ">" if tags.big_endian else "<"
    file.seek(tags.page.offset)
    count_format, entry = ("Q", 20) if big else ("H", 12)
    head = file.read(struct.calcsize(order + count_format))
    (number,) = struct.unpack(order + count_format, head)
    stored = [
        struct.unpack(order + "H", code)[0]
        for _ in range(min(number, 65_535))
        if len(code := file.read(entry)[:2]) == 2
    ]
    decisive = [code for code in stored if code in _DECISIVE]
    if len(set(decisive)) < len(decisive):
        raise damaged("TIFF")
    if 0 in tags.size or any(tags.value(code) is None for code in decisive):
        raise damaged("TIFF")
