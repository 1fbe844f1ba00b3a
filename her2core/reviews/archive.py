"""The review log as one ZIP: log, patches, overlays, and a manifest that accounts for all of it.

Images come one at a time, so that a thousand patches need the memory of one.
"""

import io
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from her2core import __version__
from her2core.common.zip_files import ZippedFile, add_file
from her2core.preprocessing.patches import Patch
from her2core.reviews.columns import ExportOptions
from her2core.reviews.export import FORMATS
from her2core.reviews.records import Review, ReviewFilter
from her2core.reviews.schema import utc_text
from her2core.scores import RESEARCH_NOTICE

MANIFEST_SCHEMA_VERSION = 1
_LEFT_OUT = "(left out)"

Images = Callable[[str], Patch | None]
Overlays = Callable[[Review, Patch], Iterable[tuple[str, npt.NDArray[np.uint8]]]]
Progress = Callable[[int, int], bool]


class ExportStopped(Exception):  # noqa: N818 - not an error: the user asked for it
    """The user stopped the export; nothing is left of it."""


@dataclass
class _Archive:
    """The ZIP being written and what has gone into it so far."""

    zip: zipfile.ZipFile
    files: list[ZippedFile] = field(default_factory=list)
    missing: list[dict[str, Any]] = field(default_factory=list)

    def add(self, path: str, data: bytes) -> None:
        """Write one file and note its sum."""
        self.files.append(add_file(self.zip, path, data))

    def miss(self, what: str, reason: str, **where: object) -> None:
        """Note what could not be written, and why."""
        self.missing.append({"what": what, **where, "reason": reason})


def to_zip(
    reviews: Sequence[Review],
    images: Images,
    overlays: Overlays,
    cards: Iterable[Mapping[str, Any]] = (),
    options: ExportOptions | None = None,
    progress: Progress | None = None,
    *,
    used_filter: ReviewFilter | None = None,
) -> io.BufferedReader:
    """Write the archive to an unnamed temporary file.

    Holds log.csv, log.xlsx, log.json, patches/<sha256>.png (re-encoded, without metadata),
    overlays/<review id>_<architecture>_<method>.png and manifest.json (sum and size of every file,
    model cards, filter, what is missing and why). An image or overlay that cannot be had is listed
    as missing, and the rest goes on.

    Args:
        reviews: what to export, in this order.
        images: the stored image of a sha256; None or an exception where it cannot be had.
        overlays: for a review and its patch (with the reviewed square): pairs of
            "<architecture>_<method>" and a uint8 (h, w, 3) picture.
        cards: facts of the model cards, ready for JSON.
        options: what to include.
        progress: called with reviews done and their number, first with 0; False stops the export.
        used_filter: the filter that chose these reviews, for the manifest; without its text where
            names are left out.

    Returns:
        The finished archive, open for reading at its start. The file vanishes when it is closed.

    Raises:
        ExportStopped: `progress` returned False.
        OSError: the temporary file cannot be written, e.g. the disk is full.
    """
    options = options or ExportOptions()
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive_zip:
            archive = _Archive(archive_zip)
            for format_ in FORMATS:
                archive.add(f"log.{format_.ending}", format_.make(reviews, options))
            _add_pictures(archive, reviews, images, overlays, progress)
            manifest = _manifest(archive, reviews, cards, options, used_filter)
            archive.add("manifest.json", manifest)
        file.flush()
        finished = os.fdopen(os.dup(file.fileno()), "rb")
    finished.seek(0)
    return finished


def _add_pictures(
    archive: _Archive,
    reviews: Sequence[Review],
    images: Images,
    overlays: Overlays,
    progress: Progress | None,
) -> None:
    of_patch: dict[str, list[Review]] = {}
    for review in reviews:
        of_patch.setdefault(review.patch.sha256, []).append(review)
    done = 0
    _report(progress, done, len(reviews))
    for sha256, its_reviews in of_patch.items():
        patch = _add_patch(archive, sha256, images)
        for review in its_reviews:
            if patch is None:
                archive.miss("overlays", "The image is missing.", review_id=review.id)
            else:
                _add_overlays(archive, review, patch, overlays)
            done += 1
            _report(progress, done, len(reviews))


def _report(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None and not progress(done, total):
        raise ExportStopped("The export was stopped; no file was made.")


def _add_patch(archive: _Archive, sha256: str, images: Images) -> Patch | None:
    # Reasons name the kind of error only: its text may carry a file name, which may be a patient's.
    try:
        patch = images(sha256)
        data = None if patch is None else _png(patch.rgb)
    except Exception as error:
        reason = f"The stored image could not be read ({type(error).__name__})."
        archive.miss("patch", reason, sha256=sha256)
        return None
    if data is None:
        archive.miss("patch", "The image is not stored here any more.", sha256=sha256)
        return None
    archive.add(f"patches/{sha256}.png", data)
    return patch


def _add_overlays(archive: _Archive, review: Review, patch: Patch, overlays: Overlays) -> None:
    pictures = _drawn(review, patch, overlays)
    taken: set[str] = set()
    while True:
        # only the drawing may fail quietly: a full disk (archive.add) has to end the export
        try:
            picture = next(pictures, None)
        except ExportStopped:
            raise
        except Exception as error:
            reason = f"An overlay could not be drawn ({type(error).__name__})."
            archive.miss("overlays", reason, review_id=review.id)
            return
        if picture is None:
            return
        name = _free_name(picture[0], taken)
        archive.add(f"overlays/{review.id}_{name}.png", picture[1])


def _drawn(review: Review, patch: Patch, overlays: Overlays) -> Iterator[tuple[str, bytes]]:
    for name, pixels in overlays(review, patch.with_square(review.square)):
        yield name, _png(pixels)


def _free_name(name: str, taken: set[str]) -> str:
    """The name in plain letters, numbered where it is taken already."""
    plain = free = re.sub(r"[^A-Za-z0-9_-]", "_", name) or "overlay"
    number = 1
    while free in taken:
        number += 1
        free = f"{plain}_{number}"
    taken.add(free)
    return free


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Lossless PNG of uint8 (h, w, 3) pixels and nothing else.

    Raises:
        ValueError: these are no such pixels.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError("A picture is uint8 of shape (h, w, 3).")
    output = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(output, "PNG")
    return output.getvalue()


def _manifest(
    archive: _Archive,
    reviews: Sequence[Review],
    cards: Iterable[Mapping[str, Any]],
    options: ExportOptions,
    used_filter: ReviewFilter | None,
) -> bytes:
    newest = max(reviews, key=lambda review: review.id, default=None)
    document = {
        "schema_version": MANIFEST_SCHEMA_VERSION,
        "application": "HER2 Review",
        "version": __version__,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "notice": RESEARCH_NOTICE,
        "reviews": len(reviews),
        "patches": len({review.patch.sha256 for review in reviews}),
        "newest_entry": None
        if newest is None
        else {"review_id": newest.id, "entry_hash": newest.entry_hash},
        "file_names_included": options.include_names,
        "filter": None if used_filter is None else _filter_facts(used_filter, options),
        "models": [dict(card) for card in cards],
        "files": [asdict(file) for file in archive.files],
        "missing": archive.missing,
    }
    return json.dumps(document, indent=2, default=str).encode("ascii")


def _filter_facts(used: ReviewFilter, options: ExportOptions) -> dict[str, Any]:
    """The filter in plain JSON: scores by key, times as ISO 8601 in UTC.

    What was searched for may be part of a file's name, and is left out where names are.
    """
    kept = options.include_names or not used.text
    return {
        **asdict(used),
        "text": used.text if kept else _LEFT_OUT,
        "scores": [score.key for score in used.scores],
        "since": None if used.since is None else utc_text(used.since),
        "until": None if used.until is None else utc_text(used.until),
    }
