"""The slides of a folder and its subfolders, and what else lies there, with the reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from her2core.preprocessing.image_formats import EXTENSIONS
from her2core.preprocessing.picture_files import Listing, walk
from her2core.slides.files import SCANNERS

SLIDE_ENDINGS = frozenset((*SCANNERS, *EXTENSIONS, ".btf"))
# a DICOM file says its series before its pixels; series it refers to stand before its own
_DICOM_HEAD = 2**16
_SERIES = re.compile(rb"\x20\0\x0e\0UI.\0([0-9.]+)", re.DOTALL)
_PIXELS = b"\x28\0\x02\0US"


def find_slides(folder: Path) -> Listing:
    """The slides in a folder and its subfolders; links to folders are not followed.

    Raises:
        OSError: the folder cannot be opened.
    """
    listing = walk(folder, SLIDE_ENDINGS)
    slides = each_once(listing.pictures, folder)
    left_out = tuple(one for one in listing.left_out if not _belongs_to_mrxs(one.path, folder))
    return Listing((), slides, left_out)


def each_once(files: Sequence[Path], folder: Path) -> tuple[Path, ...]:
    """Files of slides without further ones of the same slide.

    The folder beside an MRXS file is a part of it; files of one DICOM series in one folder are one
    slide, called by the largest of them.

    Args:
        files: found in the folder and its subfolders.
        folder: where the search began.
    """
    slides = [path for path in files if not _belongs_to_mrxs(path, folder)]
    further = _further_files(slides)
    return tuple(path for path in slides if path not in further)


def _belongs_to_mrxs(path: Path, folder: Path) -> bool:
    inner = path.relative_to(folder).parents
    return any((folder / one).with_suffix(".mrxs").exists() for one in inner if one.name)


def _further_files(slides: Iterable[Path]) -> set[Path]:
    """All but the largest file of each DICOM series."""
    by_series: dict[tuple[Path, bytes], list[Path]] = {}
    for path in slides:
        if path.suffix.lower() == ".dcm" and (series := _series_of(path)):
            by_series.setdefault((path.parent, series), []).append(path)
    return {
        path
        for files in by_series.values()
        for path in sorted(files, key=lambda one: one.stat().st_size)[:-1]
    }


def _series_of(path: Path) -> bytes | None:
    """The UID of a DICOM file's series; None where it cannot be told."""
    try:
        with path.open("rb") as file:
            head = file.read(_DICOM_HEAD).partition(_PIXELS)[0]
    except OSError:
        return None
    return next(reversed(_SERIES.findall(head)), None)
