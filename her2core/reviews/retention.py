"""How long images and answers begun are kept: old ones go, what is recorded stays."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from her2core.preprocessing.image_store import ImageStore
from her2core.reviews.store import ReviewStore


@dataclass(frozen=True)
class Forgotten:
    """How many images were deleted, of how many bytes, and how many stay; answers begun, too."""

    images: int
    bytes: int
    left: int
    answers: int


def forget_images(
    store: ReviewStore, images: ImageStore, days: int, now: datetime | None = None
) -> Forgotten:
    """Delete the images that came more than so many days ago.

    And the answers that were begun, never saved and not changed for as long.

    Patches, verdicts, reviews and the hash chain are not touched; the pages say that the image is
    missing and that uploading the same file brings it back. An image uploaded again counts from
    then on. An image whose patch was never recorded (a crash) goes by the age of its file.

    Args:
        store: says when each patch came.
        images: what is deleted from.
        days: at least 0.
        now: the present moment, for tests.

    Raises:
        ValueError: `days` is negative.
        OSError: an image cannot be deleted.
        StoreError: the store cannot be read.
    """
    if days < 0:
        raise ValueError("The number of days must not be negative.")
    before = (now or datetime.now(UTC)) - timedelta(days=days)
    received = {patch.sha256: patch.received_at for patch in store.patches()}
    old = size = left = 0
    for sha256, stored_at, length in list(images.kept()):
        if max(stored_at, received.get(sha256, stored_at)) >= before:
            left += 1
        elif images.remove(sha256, stored_before=before):  # it may have come again meanwhile
            old, size = old + 1, size + length
        elif images.has(sha256):
            left += 1
    return Forgotten(old, size, left, store.unsaved.forget(before))
