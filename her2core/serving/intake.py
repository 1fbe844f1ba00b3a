"""Taking an uploaded file into the workspace: checked, kept losslessly, entered into the worklist.

Every file ends in exactly one of three ways, and a bad one never stops those after it.
"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from her2core.preprocessing.bounded_decode import decode_bounded
from her2core.preprocessing.image_store import Images
from her2core.preprocessing.patches import Patch, PatchError, safe_name
from her2core.preprocessing.quality.assessment import assess
from her2core.reviews.records import Origin, PatchRecord
from her2core.reviews.store import ReviewStore
from her2core.settings import UploadLimits

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Taken:
    """What became of one file.

    Attributes:
        name: the file's name, fit to be shown (escape it for the place where it is written).
        outcome: "new"; "known" when the same bytes were taken in before; "refused".
        sha256: of the patch, None when refused.
        message: one sentence for the person who uploaded it; empty for a new patch.
    """

    name: str
    outcome: Literal["new", "known", "refused"]
    sha256: str | None
    message: str = ""


def take_in(
    data: bytes,
    name: str,
    images: Images,
    store: ReviewStore,
    limits: UploadLimits,
    origin: Origin | None = None,
) -> Taken:
    """Decode a file, keep its pixels and enter it into the store. Never raises for a bad file.

    The image is kept before the record is made, so that no worklist names a patch whose image is
    missing.
    """
    shown = safe_name(name)
    try:
        patch = decode_bounded(data, name, limits)
        known = store.patch(patch.sha256)
        images.put(patch)  # one that is kept already counts from now on
        if known is not None:
            return Taken(shown, "known", patch.sha256, _known(shown, known.name))
        store.add_patch(
            PatchRecord(
                sha256=patch.sha256,
                name=patch.name,
                width=patch.width,
                height=patch.height,
                received_at=datetime.now(UTC),
                warnings=(*_warnings(patch, origin), *patch.notes),
                origin=origin,
            )
        )
    except PatchError as error:
        return Taken(shown, "refused", None, str(error))
    except Exception:
        _log.exception("A file could not be taken in")
        return Taken(
            shown,
            "refused",
            None,
            f"“{shown}” could not be kept; check the disk and the review store, then try again.",
        )
    return Taken(shown, "new", patch.sha256)


def _warnings(patch: Patch, origin: Origin | None) -> tuple[str, ...]:
    """What the quality checks say; a small picture of a whole slide is none that they know."""
    return () if origin is not None and origin.whole else assess(patch).warnings


def _known(name: str, first_name: str) -> str:
    if name == first_name:
        return f"“{name}” is here already; its review goes on where it was."
    return f"“{name}” has the same bytes as “{first_name}”, which is here already."
