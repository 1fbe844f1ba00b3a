"""TIFF of every usual layout: the right picture, and the same as an independent reader shows.

libvips decodes by libtiff, which shares no code with the reader here. To compare, its 16 bits are
cut to 8, its opacity is laid on white and its inks are turned into light as they are here.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import pyvips
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from her2core.preprocessing.bounded_decode import DecoderPool
from her2core.preprocessing.image_formats import read_image
from her2core.settings import UploadLimits
from tests import hostile
from tests.hostile.tiff_layouts import blocks_of, joined_tiff, written_tiff

TOLERANCE = 2
LIMITS = UploadLimits()
KINDS = ("grey", "white is 0", "grey+alpha", "RGB", "RGB+alpha", "RGB+premultiplied", "CMYK")
PACKINGS = ("none", "lzw", "deflate", "packbits", "zstd")
PICTURE = hostile.brown_patch(70, 52)
EXTRA = {"grey+alpha": (2,), "RGB+alpha": (2,), "RGB+premultiplied": (1,)}
PHOTOMETRIC = dict.fromkeys(KINDS, 2) | {"white is 0": 0, "grey": 1, "grey+alpha": 1, "CMYK": 5}


@dataclass(frozen=True)
class Layout:
    """One way to store the picture."""

    kind: str
    bits: int
    planar: bool
    packing: str
    predictor: bool
    tiled: bool
    order: str
    big: bool = False

    def data(self) -> bytes:
        """The file."""
        return written_tiff(
            samples_of(self.kind, self.bits),
            self.bits,
            PHOTOMETRIC[self.kind],
            planar=self.planar,
            packing=self.packing,
            predictor=self.predictor,
            tile=(32, 16) if self.tiled else None,
            order=self.order,
            big=self.big,
            extra=EXTRA.get(self.kind, ()),
        )

    def shown(self) -> np.ndarray:
        """What has to be seen: uint8 (H, W, 3)."""
        return as_shown(samples_of(self.kind, self.bits), self.kind, 2**self.bits - 1)


def samples_of(kind: str, bits: int) -> np.ndarray:
    """What is stored: (H, W, samples) of values below 2**bits."""
    top = 2**bits - 1
    light = PICTURE.astype(float) / 255
    grey = light.mean(axis=2, keepdims=True)
    alpha = np.linspace(0, 1, light.shape[1])[None, :, None] * np.ones_like(grey)
    values = {
        "grey": grey,
        "white is 0": 1 - grey,
        "grey+alpha": np.dstack([grey, alpha]),
        "RGB": light,
        "RGB+alpha": np.dstack([light, alpha]),
        "RGB+premultiplied": np.dstack([light * alpha, alpha]),
        "CMYK": np.dstack([1 - light, 0.3 * grey]),
    }[kind]
    whole = np.round(values * top)
    return whole.astype(np.uint16)


def as_shown(samples: np.ndarray, kind: str, top: int) -> np.ndarray:
    """Samples as the reviewer sees them."""
    value = samples.astype(float) / top
    if kind == "CMYK":
        seen = (1 - value[..., :3]) * (1 - value[..., 3:])
    elif kind in EXTRA:
        alpha = value[..., -1:]
        seen = value[..., :-1] * (1 if kind == "RGB+premultiplied" else alpha) + 1 - alpha
    else:
        seen = 1 - value if kind == "white is 0" else value
    return np.round(np.broadcast_to(seen, (*seen.shape[:2], 3)) * 255).astype(np.uint8)


def by_libvips(layout: Layout, data: bytes) -> np.ndarray | None:
    """What libvips shows; None where it does not read the file."""
    try:
        image = pyvips.Image.tiffload_buffer(data, fail_on="warning")
        samples = image.numpy()
    except pyvips.Error:
        return None
    samples = samples[..., None] if samples.ndim == 2 else samples
    # It has undone "white is 0" and the multiplication by opacity.
    kind = {"white is 0": "grey", "RGB+premultiplied": "RGB+alpha"}.get(layout.kind, layout.kind)
    return as_shown(samples, kind, 65_535 if samples.dtype == np.uint16 else 255)


def off(one: np.ndarray, other: np.ndarray) -> int:
    """Grey levels between two pictures where they differ most."""
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other).max())


def matrix(kind: str) -> Iterator[Layout]:
    """Every layout of one kind of picture."""
    several = kind not in ("grey", "white is 0")
    for bits, planar, packing, tiled, order in itertools.product(
        (1, 2, 4, 8, 12, 16), (False, True) if several else (False,), PACKINGS, (False, True), "<>"
    ):
        yield Layout(kind, bits, planar, packing, False, tiled, order)
        if packing in ("lzw", "deflate", "zstd") and bits in (8, 16):
            yield Layout(kind, bits, planar, packing, True, tiled, order, big=True)


def libvips_reads(layout: Layout) -> bool:
    """What libvips 8.18 has to agree on: all but what it refuses, and one thing it shows wrongly.

    Of grey and opacity in planes of their own it gives neither; tiled planes it refuses.
    """
    if layout.planar and (layout.tiled or layout.kind == "grey+alpha"):
        return False
    if layout.packing == "zstd":
        return False
    return layout.bits in ((1, 2, 4, 8, 16) if layout.kind in ("grey", "white is 0") else (8, 16))


@pytest.mark.parametrize("kind", KINDS)
def test_every_layout_is_read_and_shown_as_libvips_shows_it(kind):
    wrong, agreed = [], 0
    for layout in matrix(kind):
        data = layout.data()
        shown = read_image(data, LIMITS.max_pixels, LIMITS.min_side).rgb  # none is refused
        if off(shown, layout.shown()) > TOLERANCE:
            wrong.append(("here", layout))
        if libvips_reads(layout):
            theirs = by_libvips(layout, data)
            if theirs is None or off(shown, theirs) > TOLERANCE:
                wrong.append(("libvips", layout))
            agreed += 1
    assert wrong == []
    assert agreed >= 32


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.integers(1, 16),
    st.booleans(),
    st.sampled_from((*PACKINGS, "lzma")),
    st.sampled_from("<>"),
    st.booleans(),
    st.sampled_from((None, (16, 16), (48, 16), (128, 64))),
    st.integers(1, 80),
    st.booleans(),
)
def test_any_number_of_bits_in_any_layout(
    kind, bits, planar, packing, order, big, tile, rows, swap
):
    data = written_tiff(
        samples_of(kind, bits),
        bits,
        PHOTOMETRIC[kind],
        planar=planar,
        packing=packing,
        order=order,
        big=big,
        tile=tile,
        rows=rows,
        extra=EXTRA.get(kind, ()),
        reversed_bits=swap,
    )
    wanted = as_shown(samples_of(kind, bits), kind, 2**bits - 1)
    assert off(read_image(data, LIMITS.max_pixels, LIMITS.min_side).rgb, wanted) <= TOLERANCE


def test_the_bounded_process_shows_the_same():
    pool = DecoderPool(LIMITS.max_seconds, LIMITS.max_mib, workers=1)
    layouts = [layout for kind in KINDS for layout in itertools.islice(matrix(kind), 0, None, 29)]
    assert len(layouts) > 40
    for layout in layouts:
        data = layout.data()
        here, there = (read(data, LIMITS.max_pixels, 32) for read in (read_image, pool.read))
        assert np.array_equal(here.rgb, there.rgb)
        assert here.notes == there.notes
    pool.close()


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("top", [65_535, 255], ids=["16-bit map", "map of 0 to 255"])
@pytest.mark.parametrize("tiled", [False, True])
def test_a_palette_is_looked_up_in_either_kind_of_map(bits, top, tiled):
    rng = np.random.default_rng(bits)
    colours = rng.integers(0, 256, (2**bits, 3))
    colours[0] = 255
    indices = rng.integers(0, 2**bits, (52, 70, 1))
    colour_map = (colours * (top // 255)).T.ravel()
    data = written_tiff(
        indices, bits, 3, tile=(32, 16) if tiled else None, tags={320: (3, colour_map.tolist())}
    )
    shown = read_image(data, LIMITS.max_pixels, 32).rgb
    assert np.array_equal(shown, colours[indices[..., 0]])
    if top == 65_535:  # libvips shows the other one black
        theirs = pyvips.Image.tiffload_buffer(data).numpy()
        assert off(shown, as_shown(theirs, "RGB", 255)) <= TOLERANCE


@pytest.mark.parametrize("across", [1, 2, 4])
@pytest.mark.parametrize("down", [1, 2, 4])
def test_ycbcr_that_is_not_a_jpeg_becomes_rgb_with_any_subsampling(across, down):
    ycbcr = np.asarray(Image.fromarray(PICTURE).convert("YCbCr"))
    data = joined_tiff(
        [(blocks_of(ycbcr, across, down), entries_of(6, {530: (3, (across, down))}))]
    )
    shown = read_image(data, LIMITS.max_pixels, 32).rgb
    if (across, down) in ((1, 1), (1, 4), (2, 4)):  # libvips converts or reads none of these
        theirs = np.asarray(Image.fromarray(PICTURE).convert("YCbCr").convert("RGB"))
        assert off(shown, theirs) <= (TOLERANCE if down == 1 else 60)
    else:
        theirs = pyvips.Image.tiffload_buffer(data).numpy()
        assert off(shown, theirs[..., :3]) <= TOLERANCE


def entries_of(photometric: int, more: dict[int, Any]) -> dict[int, Any]:
    """The entries of an 8-bit picture of one uncompressed strip with three samples."""
    height, width = PICTURE.shape[:2]
    return {
        256: (4, (width,)),
        257: (4, (height,)),
        258: (3, (8, 8, 8)),
        259: (3, (1,)),
        262: (3, (photometric,)),
        277: (3, (3,)),
        278: (4, (height,)),
    } | more


@pytest.mark.parametrize("tile", [None, (32, 16)], ids=["strips", "tiles"])
@pytest.mark.parametrize(
    ("packing", "photometric"),
    [
        ("jpeg", "ycbcr"),
        ("jpeg", "rgb"),
        ("jpeg", "minisblack"),
        ("webp", "rgb"),
        ("jpeg2000", "rgb"),
        ("jpeg2000", "minisblack"),
    ],
)
def test_pictures_inside_a_tiff_are_shown(packing, photometric, tile):
    picture = PICTURE if photometric != "minisblack" else PICTURE[..., 1]
    options = {"outcolorspace": "ycbcr"} if photometric == "ycbcr" else {}
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        picture,
        photometric="rgb" if photometric == "ycbcr" else photometric,
        compression=packing,
        compressionargs={"level": 0 if packing == "jpeg2000" else 95} | options,
        metadata=None,
        **({"tile": tile} if tile else {"rowsperstrip": 16}),
    )
    data = file.getvalue()
    shown = read_image(data, LIMITS.max_pixels, 32).rgb
    assert off(shown, as_shown(picture.reshape(52, 70, -1), "RGB", 255)) <= 40
    if packing == "jpeg":  # libvips reads no other of these
        theirs = pyvips.Image.tiffload_buffer(data, fail_on="warning").numpy()
        assert off(shown, as_shown(theirs.reshape(52, 70, -1), "RGB", 255)) <= TOLERANCE
