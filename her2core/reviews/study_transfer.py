"""Taking a study from one installation to another: records and images, all or nothing."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from her2core.common.files import new_file
from her2core.preprocessing.bounded_decode import decode_bounded
from her2core.preprocessing.image_store import ImageStore
from her2core.preprocessing.patches import Patch, PatchError, Square
from her2core.reviews.errors import StoreError
from her2core.reviews.store import ReviewStore
from her2core.reviews.study import Imported, StudyError, check_study, refuse_conflicts
from her2core.reviews.study_archive import StudyReader, write_study
from her2core.settings import UploadLimits

# an upload of one compressed format may be a larger PNG
_PNG_BYTES_PER_PIXEL = 4


@dataclass(frozen=True)
class Exported:
    """What went into a study: numbers, and how many images are not kept here any more."""

    patches: int
    entries: int
    missing_images: int


def export_study(store: ReviewStore, images: ImageStore, target: Path) -> Exported:
    """Write everything into a new ZIP, for its owner alone.

    It holds file names, reviewers' names and comments: it is for another installation, not for the
    public.

    Raises:
        StudyError: the target is there already or cannot be written.
        StoreError: the store cannot be read.
    """
    study = store.study()
    with _writable(target), new_file(target) as file:
        missing = write_study(file, study, images.stored)
    return Exported(len(study.patches), len(study.entries), missing)


def import_study(
    store: ReviewStore, images: ImageStore | None, source: Path, limits: UploadLimits
) -> Imported:
    """Take over what is new in a study; its records alone where no images are kept (None).

    Every record, sum and picture is checked first. Then the images are kept, then all records are
    written in one transaction; where that fails, the images that were new are removed again, but
    for those that somebody uploaded here meanwhile.

    Raises:
        StudyError: the archive is not sound or contradicts what is here; one sentence per line.
        StoreError: the store cannot be written.
    """
    try:
        file = source.open("rb")
    except OSError as error:
        raise StudyError(f"'{source}' could not be opened ({error.strerror}).") from error
    with file:
        reader = StudyReader(file, limits.max_pixels * _PNG_BYTES_PER_PIXEL)
        check_study(reader.study)
        refuse_conflicts(store.study(), reader.study)
        if images is None:
            return store.adopt(reader.study)
        for _ in _pictures(reader, images, limits):
            pass  # every picture can be read before the first is kept
        kept: dict[str, datetime] = {}
        try:
            for patch in _pictures(reader, images, limits):
                images.put(patch)
                kept[patch.sha256] = datetime.now(UTC)
            adopted = store.adopt(reader.study)
        except BaseException as error:
            for sha256 in kept.keys() - _recorded(store, kept):
                # an upload of the last moment is not recorded yet, but it renewed the file's time
                images.remove(sha256, stored_before=kept[sha256])
            if isinstance(error, PatchError):
                raise StudyError(f"{error} Nothing was imported.") from error
            raise
    return replace(adopted, images=len(kept))


def _recorded(store: ReviewStore, otherwise: Iterable[str]) -> set[str]:
    """sha256 of the patches in the store; where it cannot be asked, all that may be in it."""
    try:
        return {patch.sha256 for patch in store.patches()}
    except StoreError:
        return set(otherwise)


def _pictures(reader: StudyReader, images: ImageStore, limits: UploadLimits) -> Iterator[Patch]:
    """The study's images that are not kept here, one at a time, each as its record says."""
    records = {patch.sha256: patch for patch in reader.study.patches}
    allowed = replace(limits, max_bytes=limits.max_pixels * _PNG_BYTES_PER_PIXEL, min_side=1)
    for sha256 in reader.images():
        if images.has(sha256):
            continue
        record = records[sha256]
        try:
            decoded = decode_bounded(reader.image(sha256), record.name, allowed)
        except PatchError as error:
            raise StudyError(f"{error} Nothing was imported.") from error
        if (decoded.width, decoded.height) != (record.width, record.height):
            raise StudyError(
                f"The image of patch {sha256[:12]} does not have the size its record says. "
                "Nothing was imported."
            )
        square = Square.centred(decoded.width, decoded.height)
        yield Patch(record.name, sha256, decoded.rgb, square)


@contextmanager
def _writable(target: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise StudyError(f"'{target}' is there already; name a new file.") from error
    except OSError as error:
        raise StudyError(
            f"'{target}' could not be written ({error.strerror or type(error).__name__})."
        ) from error
