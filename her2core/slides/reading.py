"""Reading the regions of a slide: each becomes a patch that networks and stain measurement read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from her2core.models.assessable import assess_tumour
from her2core.models.verdict import Verdict
from her2core.preprocessing.glass import Colour, balanced
from her2core.preprocessing.patches import MODEL_SIDE, Patch, Square
from her2core.preprocessing.quality.assessment import assess
from her2core.preprocessing.quality.findings import BLANK, BLURRED, PEN
from her2core.slides.readings import RegionReading
from her2core.slides.regions import Region
from her2core.slides.slide import Slide
from her2core.stain.report import measure_membranes
from her2core.stain.thresholds import StainThresholds

# patches to their verdicts, one from each network
Networks = Callable[[Sequence[Patch]], Sequence[tuple[Verdict, ...]]]

# findings with which nothing of a region counts
_LEFT_OUT = (BLANK.code, PEN, BLURRED.code)
# 0.25 µm a pixel in a region of 200 µm; the stain measurement works at 0.4
MOST_PIXELS = 800
# regions in memory at once
_AT_ONCE = 8


def pixels_of(region: Region) -> int:
    """Side of the region's patch: its own pixels, as far as the readers can use them.

    Fewer than twice the networks' input would not be read in parts (models.reading_grid).
    """
    return max(2 * MODEL_SIDE, min(MOST_PIXELS, region.size))


def region_patch(slide: Slide, region: Region, glass: Colour | None) -> Patch:
    """A region as a patch, its white balanced by the slide's own glass.

    A single region may show no glass, so that only the slide knows its colour.

    Raises:
        SlideError: this part of the slide is damaged.
    """
    size, side = region.size, pixels_of(region)
    pixels = slide.read(region.x, region.y, size, size, (side, side))
    if glass is not None:
        pixels = balanced(pixels, glass)
    name = f"x{region.x}-y{region.y}"
    whole = Square(0, 0, side)
    return Patch(name, hashlib.sha256(pixels.tobytes()).hexdigest(), pixels, whole)


def read_regions(
    slide: Slide,
    regions: Sequence[Region],
    glass: Colour | None,
    um_per_pixel: float,
    networks: Networks,
    thresholds: StainThresholds,
) -> tuple[RegionReading, ...]:
    """Read regions by all readers.

    Raises:
        SlideError: a part of the slide is damaged.
    """
    readings: list[RegionReading] = []
    for start in range(0, len(regions), _AT_ONCE):
        some = regions[start : start + _AT_ONCE]
        patches = [region_patch(slide, region, glass) for region in some]
        verdicts = networks(patches)
        for region, patch, said in zip(some, patches, verdicts, strict=True):
            scale = um_per_pixel * region.size / patch.width
            stain = measure_membranes(patch.rgb, scale, thresholds).reading
            codes = tuple(finding.code for finding in assess(patch).findings)
            left_out = next((code for code in codes if code in _LEFT_OUT), None)
            told = assess_tumour(said, stain, patch.width)
            readings.append(RegionReading(region, tuple(said), stain, left_out, told.reason, codes))
    return tuple(readings)
