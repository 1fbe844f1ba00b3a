"""Slides for tests, made from real tissue or painted, in the formats that scanners write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

RGB = npt.NDArray[np.uint8]
GLASS = (233, 232, 241)


def levels_of(rgb: RGB, count: int = 3) -> list[RGB]:
    """The picture and its halves."""
    levels = [rgb]
    while len(levels) < count:
        size = (levels[-1].shape[1] // 2, levels[-1].shape[0] // 2)
        levels.append(cv2.resize(levels[-1], size, interpolation=cv2.INTER_AREA))
    return levels


def write_tiff(path: Path, rgb: RGB, um_per_pixel: float | None = 0.25, count: int = 3) -> Path:
    """A tiled pyramidal TIFF as OpenSlide reads it."""
    options: dict[str, Any] = {"tile": (256, 256), "compression": "zlib", "photometric": "rgb"}
    if um_per_pixel:
        options |= {"resolution": (1e4 / um_per_pixel,) * 2, "resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(path) as file:
        for number, level in enumerate(levels_of(rgb, count)):
            file.write(level, subfiletype=int(number > 0), metadata=None, **options)
    return path


def write_ome(path: Path, rgb: RGB, um_per_pixel: str = "0.25") -> Path:
    """An OME-TIFF whose reduced levels lie below the first page."""
    said = {"axes": "YXS", "PhysicalSizeX": um_per_pixel, "PhysicalSizeXUnit": "µm"}
    first, *others = levels_of(rgb)
    options: dict[str, Any] = {"tile": (256, 256), "compression": "zlib", "photometric": "rgb"}
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(first, subifds=len(others), metadata=said, **options)
        for level in others:
            file.write(level, subfiletype=1, metadata=None, **options)
    return path


def core_part(folder: Path, core: str, x: int, y: int, side: int) -> RGB:
    """A square of a real core at full resolution."""
    (file,) = (folder / "cores").glob(f"*_{core}*.jpg")
    with Image.open(file) as image:
        return np.asarray(image.crop((x, y, x + side, y + side)).convert("RGB"))


def painted_cores(centres: Sequence[tuple[int, int]], radius: int, size: tuple[int, int]) -> RGB:
    """Textured discs on glass, uint8; centres and radius in pixels."""
    rng = np.random.default_rng(5)
    rgb = np.full((size[1], size[0], 3), GLASS, np.uint8)
    disc = np.zeros(rgb.shape[:2], np.uint8)
    for centre in centres:
        cv2.circle(disc, centre, radius, 1, -1)
    noise = rng.integers(90, 200, rgb.shape[:2], np.uint8)
    for channel, share in enumerate((1.0, 0.9, 0.8)):
        rgb[..., channel][disc > 0] = (noise * share).astype(np.uint8)[disc > 0]
    return rgb
