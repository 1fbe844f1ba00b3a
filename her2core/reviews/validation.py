"""What may be recorded. Pure checks that raise ReviewRefusedError with one sentence."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence

from her2core.common.text import storable
from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Square
from her2core.reviews.answer import check_answer
from her2core.reviews.errors import ReviewRefusedError
from her2core.reviews.records import PatchRecord, ReviewDraft
from her2core.scores import HER2Score
from her2core.stain.reading import StainReading

MAX_REVIEWER = 80
MAX_TOKEN = 64
# float32 softmax sums to 1 within 1e-6; more than this is not a distribution
SUM_TOLERANCE = 1e-4
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Cc control characters; Cs lone surrogates, which no database can encode; Zl, Zp line separators;
# and the bidirectional overrides, with which one name can be made to look like another
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def reviewer_name(text: str) -> str:
    """The name as it is recorded: trimmed, in Unicode normal form C.

    Raises:
        ReviewRefusedError: it is empty, longer than 80 characters or holds control characters.
    """
    name = unicodedata.normalize("NFC", text.strip())
    if not name:
        raise ReviewRefusedError("Enter your name as reviewer before saving.")
    if len(name) > MAX_REVIEWER:
        raise ReviewRefusedError(f"The reviewer's name is longer than {MAX_REVIEWER} characters.")
    if any(unicodedata.category(c) in _FORBIDDEN_CATEGORIES or c in _BIDI for c in name):
        raise ReviewRefusedError("The reviewer's name holds a control character; type it again.")
    return name


def recorded_name(text: str) -> str:
    """The name as it is recorded; empty for one that no review can be recorded under."""
    try:
        return reviewer_name(text)
    except ReviewRefusedError:
        return ""


def is_sha256(text: str) -> bool:
    """Whether this can be the sha256 of a patch, as it is written here."""
    return _SHA256.fullmatch(text) is not None


def check_patch(patch: PatchRecord) -> None:
    """Check a patch before it is recorded.

    Raises:
        ReviewRefusedError: the sha256 is not one, the size is not positive, or a text cannot be
            stored.
    """
    if not is_sha256(patch.sha256):
        raise ReviewRefusedError("The patch has no valid sha256; upload it again.")
    if patch.width < 1 or patch.height < 1:
        raise ReviewRefusedError("The patch has no pixels; upload it again.")
    slide = "" if patch.origin is None else patch.origin.slide
    if not all(storable(text) for text in (patch.name, slide, patch.case, *patch.warnings)):
        raise ReviewRefusedError("The patch's file name cannot be stored; rename it and try again.")


def check_square(square: Square, patch: PatchRecord) -> None:
    """Refuse a square that leaves the image or has no area."""
    inside = (
        square.size > 0
        and square.x >= 0
        and square.y >= 0
        and square.x + square.size <= patch.width
        and square.y + square.size <= patch.height
    )
    if not inside:
        raise ReviewRefusedError(
            f"The reviewed square leaves the {patch.width} x {patch.height} image; choose it again."
        )


def check_verdicts(verdicts: Sequence[Verdict]) -> None:
    """Refuse verdicts without a name or that are no distributions; one per architecture."""
    names = [verdict.architecture for verdict in verdicts]
    if len(set(names)) != len(names):
        raise ReviewRefusedError("Two verdicts come from the same architecture; reload the patch.")
    for verdict in verdicts:
        if not (_short(verdict.architecture, 40) and _short(verdict.model_id, 200)):
            raise ReviewRefusedError("A verdict does not name its model; reload the patch.")
        if verdict.backend and not _short(verdict.backend, 80):
            raise ReviewRefusedError("A verdict names no backend; reload the patch.")
        if not _is_distribution(verdict.probabilities):
            raise ReviewRefusedError(
                f"The probabilities of {verdict.architecture} are not four numbers that sum to 1; "
                "reload the patch."
            )
        if verdict.novelty is not None and not _amount(verdict.novelty):
            raise ReviewRefusedError(
                f"How unfamiliar the patch is to {verdict.architecture} is not a number; "
                "reload the patch."
            )


def check_stain(stain: StainReading) -> None:
    """Refuse a stain reading that contradicts itself or cannot be stored."""
    numbers = (stain.completeness, stain.intensity, stain.um_per_pixel)
    sound = (
        _short(stain.method, 200)
        and len(stain.counts) == len(HER2Score)
        and min(stain.counts) >= 0
        and (stain.score is None) == (stain.reason is not None)
        and (stain.reason is None or storable(stain.reason))
        and all(number is None or _amount(number) for number in numbers)
    )
    if not sound:
        raise ReviewRefusedError("The stain measurement is not complete; reload the patch.")


def check_draft(draft: ReviewDraft) -> None:
    """Check all of a draft that can be checked without the database.

    Raises:
        ReviewRefusedError: the first thing that is missing or contradicts itself.
    """
    reviewer_name(draft.reviewer)
    check_answer(draft)
    if not math.isfinite(draft.seconds) or draft.seconds < 0:
        raise ReviewRefusedError("The time spent on the patch is not a number of seconds.")
    check_verdicts(draft.verdicts)
    if draft.stain is not None:
        check_stain(draft.stain)
    unknown = set(draft.agrees) - {verdict.architecture for verdict in draft.verdicts}
    if unknown:
        raise ReviewRefusedError(
            f"There is an answer to {min(unknown)}, which gave no verdict; reload the patch."
        )
    if any(answer not in (True, False, None) for answer in draft.agrees.values()):
        raise ReviewRefusedError("An answer to a verdict is neither agree nor disagree.")
    if draft.blind and any(answer is not None for answer in draft.agrees.values()):
        raise ReviewRefusedError(
            "A blind review cannot agree or disagree with verdicts that were hidden."
        )


def check_token(token: str | None) -> None:
    """Refuse a token that is empty, too long or not plain text."""
    if token is not None and not (_short(token, MAX_TOKEN) and storable(token)):
        raise ReviewRefusedError("The answer's token is not valid; reload the page.")


def _amount(number: float) -> bool:
    return math.isfinite(number) and number >= 0


def _short(text: str, longest: int) -> bool:
    return 0 < len(text) <= longest and storable(text)


def _is_distribution(probabilities: Sequence[float]) -> bool:
    return (
        len(probabilities) == len(HER2Score)
        and all(math.isfinite(p) and 0 <= p <= 1 for p in probabilities)
        and abs(sum(probabilities) - 1) <= SUM_TOLERANCE
    )
