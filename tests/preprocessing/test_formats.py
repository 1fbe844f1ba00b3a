"""Files of cameras, microscopes and other programs: the right picture, or a sentence why not."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from her2core.preprocessing import image_formats
from her2core.preprocessing.formats.pillow_images import read_by_pillow
from her2core.preprocessing.image_formats import (
    EXTENSIONS,
    FORMATS,
    DecodedImage,
    ImageFormat,
    UnreadableImageError,
    format_names,
    read_image,
)
from tests import hostile
from tests.hostile.tiff_layouts import joined_tiff, written_tiff

PICTURE = hostile.brown_patch()
SMALL = np.ascontiguousarray(PICTURE[::2, ::2])
WHITE_TOP = np.concatenate([np.full_like(PICTURE[:40], 255), PICTURE[40:]])
CLEAR_TOP = np.dstack([PICTURE, np.full(PICTURE.shape[:2], 255, np.uint8)])
CLEAR_TOP[:40, :, 3] = 0


def read(data: bytes) -> DecodedImage:
    return read_image(data, 10**8, 32)


def off(data: bytes, expected: np.ndarray) -> int:
    """Grey levels by which the shown picture misses the expected one."""
    shown = read(data).rgb
    assert shown.shape == expected.shape
    return int(np.abs(shown.astype(int) - expected).max())


def page(picture: np.ndarray, **more: Any) -> tuple[bytes, dict[int, Any]]:
    """An uncompressed RGB or grey page; `more` are entries, written t254=(type, values)."""
    height, width = picture.shape[:2]
    samples = 1 if picture.ndim == 2 else 3
    entries = {
        256: (4, (width,)),
        257: (4, (height,)),
        258: (3, (8,) * samples),
        259: (3, (1,)),
        262: (3, (1 if samples == 1 else 2,)),
        277: (3, (samples,)),
        278: (4, (height,)),
    }
    return picture.tobytes(), entries | {int(code[1:]): value for code, value in more.items()}


REDUCED = (4, (1,))


def test_a_marked_preview_is_passed_over_for_the_main_picture():
    data = joined_tiff([page(SMALL, t254=REDUCED), page(PICTURE)])
    assert off(data, PICTURE) == 0
    assert read(data).notes == ("Page 2 of 2 was read, the first of full size.",)


def test_an_unmarked_preview_is_passed_over_too():
    assert off(joined_tiff([page(SMALL), page(PICTURE)]), PICTURE) == 0


def test_a_label_before_the_picture_is_passed_over_whatever_its_shape():
    label = np.full((40, 40, 3), (240, 220, 90), np.uint8)
    data = joined_tiff([page(label), page(PICTURE), page(label)])
    assert off(data, PICTURE) == 0
    assert read(data).notes == ("Page 2 of 3 was read, the first of full size.",)


def test_the_label_of_a_ventana_slide_is_not_taken_for_the_slide():
    scanned = (7, b"<EncodeInfo><iScan/></EncodeInfo>")
    data = joined_tiff([page(SMALL[:, ::-1], t700=scanned), page(SMALL), page(PICTURE)])
    assert off(data, PICTURE) == 0
    assert read(data).notes == ("The file is a Ventana slide; its largest level was read.",)


def test_an_old_mark_of_previews_is_understood():
    assert off(joined_tiff([page(SMALL, t255=(3, (2,))), page(PICTURE)]), PICTURE) == 0


def test_a_main_picture_below_the_preview_is_found():
    body, entries = page(PICTURE)
    whole = joined_tiff([page(SMALL, t254=REDUCED, t330=(13, (0,))), (body, entries)])
    # The second directory, taken out of the chain, is reached by SubIFDs only.
    first = struct.unpack_from("<I", whole, 4)[0]
    count = struct.unpack_from("<H", whole, first)[0]
    link = first + 2 + 12 * count
    second = whole[link : link + 4]
    at = next(
        place
        for place in range(first + 2, link, 12)
        if struct.unpack_from("<H", whole, place)[0] == 330
    )
    data = bytearray(whole)
    data[at + 8 : at + 12], data[link : link + 4] = second, bytes(4)
    assert off(bytes(data), PICTURE) == 0
    assert "preview" in read(bytes(data)).notes[0]


@pytest.mark.parametrize(
    "pages",
    [
        [page(SMALL, t254=REDUCED), page(PICTURE[..., 0], t262=(3, (32803,)))],
        [page(SMALL, t254=REDUCED), page(PICTURE, t262=(3, (34892,)))],
        [page(PICTURE, t50706=(1, (1, 4, 0, 0)))],
        [page(PICTURE), page(PICTURE), page(PICTURE, t50752=(3, (1, 2, 3)))],
    ],
    ids=["colour filter", "linear raw", "DNG", "CR2"],
)
def test_a_raw_file_of_a_camera_is_named(pages):
    with pytest.raises(UnreadableImageError, match="raw file of a camera"):
        read(joined_tiff(pages))


def test_a_file_of_previews_only_is_refused():
    with pytest.raises(UnreadableImageError, match="only reduced versions"):
        read(joined_tiff([page(SMALL, t254=REDUCED)]))


def test_the_page_that_was_read_is_said():
    data = joined_tiff([page(PICTURE), page(PICTURE[::-1]), page(PICTURE[:, ::-1])])
    assert off(data, PICTURE) == 0
    assert read(data).notes == ("Page 1 of 3 was read.",)


OME = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    '<Image><Pixels SizeC="3" SizeT="1" SizeZ="1" Type="uint8"/></Image></OME>'
)


@pytest.mark.parametrize(
    ("text", "name"),
    [(OME, "OME-TIFF"), ("ImageJ=1.53t\nimages=3\nchannels=3\nmode=composite\n", "ImageJ TIFF")],
)
def test_channels_kept_as_pages_are_named_as_such(text, name):
    described = (2, text.encode() + b"\0")
    channels = [page(np.ascontiguousarray(PICTURE[..., n])) for n in range(3)]
    channels[0][1][270] = described
    with pytest.raises(UnreadableImageError, match=f"{name} that keeps its 3 channels"):
        read(joined_tiff(channels))
    colours = joined_tiff([page(PICTURE, t270=described)])
    assert off(colours, PICTURE) == 0


def test_a_slide_is_named_and_its_first_level_read():
    text = (2, b"Aperio Image Library v12\0")
    data = joined_tiff([page(PICTURE, t270=text), page(SMALL)])
    assert off(data, PICTURE) == 0
    assert "an Aperio slide" in read(data).notes[0]
    with pytest.raises(UnreadableImageError, match=r"an Aperio slide of 96 x 80 pixels.*region"):
        read_image(data, 1000, 32)


def test_pieces_that_a_file_leaves_out_are_white_and_said():
    data = written_tiff(PICTURE, 8, 2, tile=(32, 32), left_out=(1,))
    expected = PICTURE.copy()
    expected[:32, 32:64] = 255
    assert off(data, expected) == 0
    assert "leaves empty" in read(data).notes[0]


@pytest.mark.parametrize("tag", [324, 325], ids=["no place", "no length"])
def test_a_piece_with_half_an_address_is_refused(tag):
    tiles = {324: (4, (8,) * 9), 325: (4, (3072,) * 9)}
    tiles[tag] = (4, (0, *tiles[tag][1][1:]))
    with pytest.raises(UnreadableImageError, match="damaged TIFF"):
        read(written_tiff(PICTURE, 8, 2, tile=(32, 32), tags=tiles))


def test_a_picture_of_which_every_piece_is_missing_is_refused():
    with pytest.raises(UnreadableImageError, match="damaged"):
        read(written_tiff(PICTURE, 8, 2, rows=80, left_out=(0,)))


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("colour", [1, 2], ids=["grey", "RGB"])
def test_a_camera_of_fewer_bits_is_stretched_and_named(bits, colour):
    picture = PICTURE if colour == 2 else PICTURE[..., :1]
    stored = picture.astype(np.uint16) << (bits - 8)
    data = written_tiff(stored, 16, colour)
    assert off(data, np.broadcast_to(picture, PICTURE.shape)) <= 1
    assert any(f"read as {bits} bits" in note for note in read(data).notes)
    if colour == 2:
        png = bytes(imagecodecs.png_encode(stored))
        assert off(png, PICTURE) <= 1
        assert any(f"read as {bits} bits" in note for note in read(png).notes)


def test_fourteen_bits_are_believed_where_the_file_declares_them():
    stored = PICTURE.astype(np.uint16) << 6
    with pytest.raises(UnreadableImageError, match="up to 15,552 of 65,535"):
        read(written_tiff(stored, 16, 2))
    assert off(written_tiff(stored, 16, 2, tags={281: (3, (16_383,) * 3)}), PICTURE) <= 1


def test_values_too_low_for_any_camera_are_refused():
    with pytest.raises(UnreadableImageError, match="true brightness is not known"):
        read(written_tiff(PICTURE.astype(np.uint16), 16, 2))


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({339: (3, (3, 3, 3)), 258: (3, (32, 32, 32))}, "without defined brightness"),
        ({339: (3, (2, 2, 2))}, "without defined brightness"),
        ({258: (3, (32, 32, 32))}, "without defined brightness"),
        ({258: (3, (5, 6, 5))}, "without defined brightness"),
        ({262: (3, (8,))}, "photometric 8"),
        ({262: (3, (1,))}, "3 channels"),
        ({262: (3, (5,)), 332: (3, (2,))}, "without defined brightness|damaged"),
        ({259: (3, (34887,))}, "method 34887"),
        ({317: (3, (3,)), 259: (3, (5,))}, "damaged"),
        ({256: (2, b"96\0")}, "damaged"),
        ({338: (3, (2, 2))}, "damaged"),
        ({278: (4, (2,))}, "damaged"),
    ],
    ids=str,
)
def test_what_cannot_be_read_with_certainty_is_refused(tags, reason):
    with pytest.raises(UnreadableImageError, match=reason):
        read(written_tiff(PICTURE, 8, 2, tags=tags))


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("packing", ["lzw", "deflate", "packbits", "zstd", "lzma"])
def test_a_strip_that_ends_too_early_is_refused(packing, planar):
    data = written_tiff(PICTURE, 8, 2, packing=packing, planar=planar)
    directory = struct.unpack_from("<I", data, 4)[0]
    counts = directory + 2
    while struct.unpack_from("<H", data, counts)[0] != 279:
        counts += 12
    number, place = struct.unpack_from("<II", data, counts + 4)
    for strip in (0, number // 2, number - 1):
        for share in (0.2, 0.6, 0.9):
            broken = bytearray(data)
            (length,) = struct.unpack_from("<I", data, place + 4 * strip)
            struct.pack_into("<I", broken, place + 4 * strip, int(length * share))
            with pytest.raises(UnreadableImageError, match="damaged TIFF"):
                read(bytes(broken))


def test_an_uncompressed_strip_that_lies_behind_the_end_is_refused():
    with pytest.raises(UnreadableImageError, match="damaged TIFF"):
        read(written_tiff(PICTURE, 8, 2, tags={273: (4, (10**6,) * 9)}))


def test_opacity_is_told_from_a_further_channel():
    declared = written_tiff(CLEAR_TOP, 8, 2, extra=(2,))
    assert off(declared, WHITE_TOP) == 0
    with pytest.raises(UnreadableImageError, match="whether it is transparency"):
        read(written_tiff(CLEAR_TOP, 8, 2))
    unspecified = read(written_tiff(CLEAR_TOP, 8, 2, extra=(0,)))
    assert np.array_equal(unspecified.rgb, PICTURE)
    assert "left out" in unspecified.notes[0]
    second = np.dstack([PICTURE, np.full(PICTURE.shape[:2], 7), CLEAR_TOP[..., 3]])
    assert off(written_tiff(second, 8, 2, extra=(0, 2)), WHITE_TOP) == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_of_a_tiff_is_turned_upright(orientation):
    data = written_tiff(PICTURE, 8, 2, tile=(16, 32), tags={274: (3, (orientation,))})
    turned = {
        1: PICTURE,
        2: PICTURE[:, ::-1],
        3: PICTURE[::-1, ::-1],
        4: PICTURE[::-1],
        5: PICTURE.swapaxes(0, 1),
        6: np.rot90(PICTURE, -1),
        7: PICTURE[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(PICTURE, 1),
    }
    assert off(data, turned[orientation]) == 0


# PNG


def test_a_transparent_grey_of_16_bits_is_white_glass():
    grey = PICTURE[..., 0].astype(np.uint16) * 257
    grey[:40] = 1234
    png = hostile.png_with_chunk(
        bytes(imagecodecs.png_encode(grey)), b"tRNS", struct.pack(">H", 1234)
    )
    expected = np.repeat(PICTURE[..., :1], 3, axis=2)
    expected[:40] = 255
    assert off(png, expected) == 0
    assert any("white" in note for note in read(png).notes)


def test_a_transparent_colour_of_16_bits_and_an_opacity_of_16_bits_are_white_glass():
    deep = PICTURE.astype(np.uint16) * 257
    keyed = deep.copy()
    keyed[:40] = (1, 2, 3)
    key = struct.pack(">3H", 1, 2, 3)
    assert (
        off(hostile.png_with_chunk(bytes(imagecodecs.png_encode(keyed)), b"tRNS", key), WHITE_TOP)
        == 0
    )
    opacity = CLEAR_TOP.astype(np.uint16) * 257
    assert off(bytes(imagecodecs.png_encode(opacity)), WHITE_TOP) == 0


def test_a_palette_with_several_opacities_is_laid_on_white():
    image = Image.fromarray(np.tile(np.arange(3, dtype=np.uint8), (48, 16)), "P")
    image.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
    png = hostile.as_png(image, transparency=bytes([255, 128, 0]))
    assert [tuple(map(int, pixel)) for pixel in read(png).rgb[0, :3]] == [
        (200, 0, 0),
        (127, 227, 127),
        (255, 255, 255),
    ]


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_of_few_bits_covers_the_whole_range(bits):
    values = np.tile(np.arange(2**bits), (40, 64 // 2**bits)).astype(np.uint8)
    each = values[..., None] >> np.arange(bits - 1, -1, -1) & 1
    rows = np.packbits(each.reshape(40, -1).astype(np.uint8), axis=1)
    header = struct.pack(">IIBBBBB", values.shape[1], 40, bits, 0, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    parts = [(b"IHDR", header), (b"IDAT", body), (b"IEND", b"")]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(hostile.png_chunk(*part) for part in parts)
    expected = np.repeat((values * (255 // (2**bits - 1)))[..., None], 3, axis=2)
    assert off(png, expected) == 0


# JPEG


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("size", [(64, 64), (69, 77), (65, 70), (72, 65)])
def test_a_jpeg_that_lacks_its_last_blocks_is_refused(mode, subsampling, size):
    noise = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    image = Image.fromarray(noise).convert(mode)
    options = {} if mode == "L" else {"subsampling": subsampling}
    data = hostile.encoded(image, "JPEG", quality=95, **options)
    assert read(data).rgb.shape == (*size, 3)
    with pytest.raises(UnreadableImageError, match="incomplete JPEG"):
        read(data[: -len(data) // 3] + b"\xff\xd9")


# BMP and JPEG 2000


def test_a_bmp_is_read_in_every_common_kind():
    image = Image.fromarray(PICTURE)
    for kind in (image, image.convert("L"), image.quantize(64), image.convert("1")):
        assert off(hostile.encoded(kind, "BMP"), np.asarray(kind.convert("RGB"))) == 0
    assert read(hostile.encoded(image, "BMP")).format == "BMP"


def test_a_bmp_of_32_bits_shows_its_colours_only_where_the_fourth_byte_says_nothing():
    opaque = np.dstack([PICTURE, np.full(PICTURE.shape[:2], 255, np.uint8)])
    assert off(hostile.encoded(Image.fromarray(opaque), "BMP"), PICTURE) == 0
    with pytest.raises(UnreadableImageError, match="whether it is transparency"):
        read(hostile.encoded(Image.fromarray(CLEAR_TOP), "BMP"))


@pytest.mark.parametrize(
    ("stored", "options"),
    [
        (PICTURE, {}),
        (PICTURE, {"codecformat": "j2k"}),
        (PICTURE.astype(np.uint16) * 257, {}),
        (PICTURE.astype(np.uint16) << 4, {"bitspersample": 12}),
        (PICTURE.astype(np.uint16) << 4, {}),
    ],
    ids=["8 bits", "bare codestream", "16 bits", "12 bits", "12 of 16 bits"],
)
def test_a_jpeg_2000_is_read_at_any_number_of_bits(stored, options):
    data = bytes(imagecodecs.jpeg2k_encode(stored, level=0, **options))
    assert off(data, PICTURE) <= 1
    assert read(data).format == "JPEG 2000"


def test_opacity_of_a_jpeg_2000_is_laid_on_white():
    assert off(hostile.encoded(Image.fromarray(CLEAR_TOP), "JPEG2000"), WHITE_TOP) == 0


def test_a_jpeg_2000_cut_short_is_refused_wherever_it_is_cut():
    data = hostile.encoded(PICTURE, "JPEG2000")
    for length in np.linspace(20, len(data) - 8, 12).astype(int):
        with pytest.raises(UnreadableImageError):
            read(data[:length])


# The table of formats


def test_a_new_format_is_one_entry(monkeypatch):
    pixmap = ImageFormat("Netpbm", (".ppm",), rb"P6", read_by_pillow("PPM"))
    data = hostile.encoded(PICTURE, "PPM")
    with pytest.raises(UnreadableImageError, match="is not a PNG, JPEG, TIFF, BMP, JPEG 2000 or"):
        read(data)
    monkeypatch.setattr(image_formats, "FORMATS", (*FORMATS, pixmap))
    assert np.array_equal(read(data).rgb, PICTURE)
    assert read(data).format == "Netpbm"
    assert format_names() == "PNG, JPEG, TIFF, BMP, JPEG 2000, WebP or Netpbm"


def test_webp_is_read_lossless_and_its_transparent_parts_are_glass():
    decoded = read(hostile.encoded(PICTURE, "WEBP", lossless=True))
    assert np.array_equal(decoded.rgb, PICTURE)
    assert (decoded.format, decoded.notes) == ("WebP", ())
    clear = hostile.encoded(Image.fromarray(CLEAR_TOP), "WEBP", lossless=True, exact=True)
    assert off(clear, WHITE_TOP) == 0


def test_of_an_animated_webp_the_first_picture_is_shown_and_that_is_said():
    others = [Image.fromarray(255 - PICTURE)]
    data = hostile.encoded(PICTURE, "WEBP", lossless=True, save_all=True, append_images=others)
    decoded = read(data)
    assert np.array_equal(decoded.rgb, PICTURE)
    assert any("several pictures" in note for note in decoded.notes)


def test_a_webp_cut_short_is_refused_wherever_it_is_cut():
    data = hostile.encoded(PICTURE, "WEBP", lossless=True)
    for length in np.linspace(20, len(data) - 8, 12).astype(int):
        with pytest.raises(UnreadableImageError):
            read(data[:length])


def test_extensions_name_the_formats():
    assert EXTENSIONS[".jpeg"] == "JPEG"
    assert {".bmp", ".jp2", ".tif", ".png", ".webp"} <= set(EXTENSIONS)
    assert ".heic" not in EXTENSIONS


def test_text_that_begins_like_a_bmp_is_no_bmp():
    with pytest.raises(UnreadableImageError, match="is not a PNG"):
        read(b"BMW drives through the town, as every year." * 10)
