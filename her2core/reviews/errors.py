"""What can go wrong with the review store. str(error) is always one calm sentence for a page."""

from her2core.common.refusal import RefusalError


class StoreError(RefusalError, RuntimeError):
    """The database could not be used; nothing was recorded, and a page should keep its draft."""


class ReviewNotFoundError(StoreError):
    """The log has no review with this number."""


class ReviewRefusedError(ValueError):
    """What was to be recorded is incomplete or contradicts what the log already holds."""


class SeenBeforeError(ReviewRefusedError):
    """A review was to be recorded as blind although its reader was shown the verdicts before."""
