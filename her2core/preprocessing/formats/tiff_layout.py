"""How a TIFF directory stores its samples: sizes, strips or tiles, planes and packing, checked."""

import math
from dataclasses import dataclass, replace

from her2core.preprocessing.formats import tiff_pages as tag
from her2core.preprocessing.formats.decoded_image import damaged, refused
from her2core.preprocessing.formats.tiff_pages import Tags

NONE, CCITT_RLE, CCITT_3, CCITT_4, LZW, JPEG = 1, 2, 3, 4, 5, 7
DEFLATE, DEFLATE_OLD, PACKBITS, LZMA, ZSTD, WEBP = 8, 32946, 32773, 34925, 50000, 50001
JPEG_2000, JPEG_2000_APERIO = 34712, 33005
BILEVEL = frozenset({CCITT_RLE, CCITT_3, CCITT_4})
PICTURES = {JPEG: ("JPEG",), WEBP: ("WEBP",), JPEG_2000: ("JPEG2000",)} | {
    JPEG_2000_APERIO: ("JPEG2000",)
}
WITH_PREDICTOR = frozenset({LZW, DEFLATE, DEFLATE_OLD, LZMA, ZSTD})
# Methods that pack the samples as they are, whatever their colours are.
WHOLE_PIXELS = {NONE, PACKBITS} | WITH_PREDICTOR
_KNOWN = WHOLE_PIXELS | BILEVEL | PICTURES.keys()
_YCBCR = 6
# of a piece that is not packed and whose length is not given
UNKNOWN_LENGTH = 2**62


@dataclass(frozen=True)
class Layout:
    """How the samples of a directory are stored.

    Attributes:
        width: of the picture.
        height: of the picture.
        samples: of one pixel.
        bits: of one sample.
        planar: whether each sample has strips or tiles of its own.
        piece_width: of a strip or tile.
        piece_height: of a strip or tile.
        compression: TIFF's number of the method.
        subsampling: pixels across and down that share the chroma samples of YCbCr.
        differences: whether each sample is stored as the difference to the one left of it.
        offsets: of the pieces, row by row, plane by plane.
        counts: their lengths in bytes.
        tags: of the directory.
    """

    width: int
    height: int
    samples: int
    bits: int
    planar: bool
    piece_width: int
    piece_height: int
    compression: int
    subsampling: tuple[int, int]
    differences: bool
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    tags: Tags

    @property
    def across(self) -> int:
        """Pieces in a row of them."""
        return math.ceil(self.width / self.piece_width)

    @property
    def down(self) -> int:
        """Rows of pieces."""
        return math.ceil(self.height / self.piece_height)

    @property
    def together(self) -> int:
        """Samples of a pixel that stand side by side in a piece."""
        return 1 if self.planar else self.samples

    def bytes_of(self, rows: int) -> int:
        """Bytes of so many rows of a piece; rows begin at whole bytes."""
        across, down = self.subsampling
        if across * down > 1:
            blocks = math.ceil(rows / down) * math.ceil(self.piece_width / across)
            return blocks * (across * down + 2)
        return rows * math.ceil(self.piece_width * self.together * self.bits / 8)


def layout_of(tags: Tags) -> Layout:
    """How a directory stores its samples, checked.

    Raises:
        UnreadableImageError: parts that do not fit together, or a way of storing not read here.
    """
    (width, height), samples = tags.size, tags.number(tag.SAMPLES, 1)
    compression = tags.number(tag.COMPRESSION, NONE)
    if compression not in _KNOWN:
        raise refused(f"is compressed in a way that is not read here (TIFF method {compression})")
    bits = set(tags.numbers(tag.BITS)[:samples]) or {1}
    formats = set(tags.numbers(tag.SAMPLE_FORMAT)) or {1}
    if formats != {1} or len(bits) > 1 or not 1 <= max(bits) <= 16:
        raise refused(
            "stores its samples in a way without defined brightness "
            f"({'/'.join(map(str, sorted(bits)))} bits)"
        )
    planes = tags.number(tag.PLANES, 1)
    predictor = tags.number(tag.PREDICTOR, 1) if compression in WITH_PREDICTOR else 1
    if planes not in (1, 2) or predictor not in (1, 2) or not 1 <= samples <= 64:
        raise damaged("TIFF")
    if predictor == 2 and max(bits) not in (8, 16):
        raise damaged("TIFF")
    if tags.value(tag.TILE_WIDTH) is not None:
        piece = tags.number(tag.TILE_WIDTH, 0), tags.number(tag.TILE_HEIGHT, 0)
        offsets, counts = tags.numbers(tag.TILE_OFFSETS), tags.numbers(tag.TILE_COUNTS)
    else:
        piece = width, min(tags.number(tag.ROWS_PER_STRIP, height), height)
        offsets, counts = tags.numbers(tag.STRIP_OFFSETS), tags.numbers(tag.STRIP_COUNTS)
    if min(width, height, *piece) < 1 or max(piece) > 2**16 + max(width, height):
        raise damaged("TIFF")
    planar = planes == 2 and samples > 1
    layout = Layout(
        *(width, height, samples, max(bits), planar, *piece, compression),
        *(_subsampling(tags, compression), predictor == 2, offsets, counts, tags),
    )
    if layout.subsampling != (1, 1) and (planar or samples != 3 or bits != {8} or predictor == 2):
        raise damaged("TIFF")
    pieces = layout.across * layout.down * (samples if planar else 1)
    if compression == NONE and not counts:
        layout = replace(layout, counts=(UNKNOWN_LENGTH,) * pieces)
    if len(layout.offsets) < pieces or len(layout.counts) < pieces:
        raise damaged("TIFF")
    return layout


def _subsampling(tags: Tags, compression: int) -> tuple[int, int]:
    if tags.number(tag.PHOTOMETRIC, -1) != _YCBCR or compression not in WHOLE_PIXELS:
        return 1, 1
    across, down = tags.numbers(tag.YCC_SUBSAMPLING) or (2, 2)
    if across not in (1, 2, 4) or down not in (1, 2, 4):
        raise damaged("TIFF")
    return across, down
