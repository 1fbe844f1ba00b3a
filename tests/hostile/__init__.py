"""Files as people and attackers send them, made here in memory: a corpus for every way in.

Each case says what must come of it: either the right picture, or one sentence. Every file is small.
"""

from __future__ import annotations

from functools import cache

from tests.hostile.broken import broken_groups
from tests.hostile.case import Case
from tests.hostile.names import HOSTILE_NAMES
from tests.hostile.pictures import (
    as_png,
    brown_patch,
    encoded,
    is_zombie,
    jpeg_of_many_scans,
    peak_mib,
    png_chunk,
    png_header_only,
    png_with_chunk,
    sixteen_bits,
    upside_down,
)
from tests.hostile.private import PLANTED, files_with_planted_text
from tests.hostile.unusual import unusual_groups

__all__ = [
    "HOSTILE_NAMES",
    "PLANTED",
    "Case",
    "as_png",
    "brown_patch",
    "cases",
    "encoded",
    "files_with_planted_text",
    "groups",
    "is_zombie",
    "jpeg_of_many_scans",
    "peak_mib",
    "png_chunk",
    "png_header_only",
    "png_with_chunk",
    "sixteen_bits",
    "upside_down",
]


@cache
def groups() -> dict[str, list[Case]]:
    """The corpus by what is wrong with the files."""
    names = [Case(name, as_png(brown_patch()), expected=brown_patch()) for name in HOSTILE_NAMES]
    bad_names = [Case(name, b"no picture", "not a PNG") for name in HOSTILE_NAMES]
    private = [
        Case(name, data, noted=noted, expected=picture, tolerance=tolerance)
        for name, data, noted, picture, tolerance in files_with_planted_text()
    ]
    return {
        **broken_groups(),
        **unusual_groups(),
        "hostile names": names,
        "hostile names of bad files": bad_names,
        "private text inside": private,
    }


def cases() -> list[Case]:
    """The whole corpus."""
    return [case for group in groups().values() for case in group]
