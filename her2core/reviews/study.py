"""A whole study as plain records: every patch, every reading, every entry of the log as hashed.

Two installations' logs are chains of hashes: one can take over what the other has in addition, but
two that grew apart can never be joined without rewriting one of them. That is told, not papered
over.

What was shown to whom stays where it was: it is about the screens of one installation, and names
people who need not have recorded anything. Reviews carry whether they were blind, and an unblinded
one counts as "seen" wherever it is.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from itertools import takewhile

from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Square, safe_name
from her2core.reviews import validation
from her2core.reviews.answer import values_of
from her2core.reviews.chain import (
    ChainEntry,
    ChainHead,
    StainFacts,
    VerdictFacts,
    verify,
)
from her2core.reviews.errors import ReviewRefusedError, StoreError
from her2core.reviews.records import PatchRecord, ReviewDraft
from her2core.reviews.schema import utc_text
from her2core.reviews.stain_rows import to_reading
from her2core.scores import HER2Score

_NAMED = 5  # conflicts spelt out; the rest is counted
_LARGEST = 2**31 - 1  # what a whole number may be in every database


class StudyError(StoreError):
    """A study can be neither read nor taken over; nothing was changed.

    str(error) holds one sentence per line.
    """


@dataclass(frozen=True)
class StudyReading:
    """What one model said of one square: (x, y, size) in pixels."""

    patch_sha256: str
    square: tuple[int, int, int]
    verdict: Verdict


@dataclass(frozen=True)
class StudyStain:
    """What the stain measurement said of one square: (x, y, size) in pixels."""

    patch_sha256: str
    square: tuple[int, int, int]
    facts: StainFacts


@dataclass(frozen=True)
class StudyEntry(ChainEntry):
    """One entry of the review log, with its token.

    `readings` are the places (from 0) of its verdicts among the study's readings, in their order:
    a reading holds more than is hashed.
    """

    readings: tuple[int, ...]
    token: str | None = None


@dataclass(frozen=True)
class Study:
    """Everything the store holds, each kind of record in order of arrival."""

    patches: tuple[PatchRecord, ...]
    readings: tuple[StudyReading, ...]
    stains: tuple[StudyStain, ...]
    entries: tuple[StudyEntry, ...]
    head: ChainHead | None


@dataclass(frozen=True)
class Imported:
    """What was new here: numbers of patches, log entries and images."""

    patches: int
    entries: int
    images: int = 0


def check_study(study: Study) -> None:
    """Refuse a study whose chain is broken or which holds what no review can.

    Raises:
        StudyError: the first few things that are wrong.
    """
    refuse_broken("The study's review log is not intact:", study.entries, study.head)
    patches = {patch.sha256: patch for patch in study.patches}
    if len(patches) != len(study.patches):
        raise StudyError("The study lists a patch twice. Nothing was imported.")
    try:
        _check_numbers((study.patches, study.readings, study.stains, study.entries))
        for patch in study.patches:
            _check_patch(patch)
        for reading in study.readings:
            _check_reading(reading, patches)
        for stain in study.stains:
            validation.check_stain(to_reading(stain.facts))
            validation.check_square(Square(*stain.square), patches[stain.patch_sha256])
        for entry in study.entries:
            _check_entry(entry, patches)
            _check_links(entry, study.readings)
    except (ReviewRefusedError, ValueError, KeyError, OverflowError) as error:
        reason = str(error) if isinstance(error, ReviewRefusedError) else "A value is not valid."
        raise StudyError(
            f"The study holds what no review log can: {reason}\nNothing was imported."
        ) from error


def refuse_conflicts(ours: Study, theirs: Study) -> None:
    """Refuse a study that cannot be taken over here.

    Either log has to begin with all of the other; a patch both know has to have one size.

    Raises:
        StudyError: there is a conflict, or the log here is itself broken.
    """
    refuse_broken("The review log here is not intact:", ours.entries, ours.head)
    sentences: list[str] = []
    pairs = list(zip(ours.entries, theirs.entries, strict=False))
    same = sum(1 for _ in takewhile(lambda pair: pair[0].entry_hash == pair[1].entry_hash, pairs))
    if same < len(pairs):
        mine, other = pairs[same]
        sentences.append(
            f"Entry {mine.id} of the review log differs: here it is by {mine.facts.reviewer} of "
            f"{_day(mine)}, in the study by {other.facts.reviewer} of {_day(other)}; the two logs "
            f"share their first {same} entries and then grew apart."
        )
        sentences.append(
            "Logs that grew apart cannot be joined without rewriting one of them; import the study "
            "into an installation of its own (set HER2_HOME or DATABASE_URL)."
        )
    known = {patch.sha256: patch for patch in ours.patches}
    for patch in theirs.patches:
        here = known.get(patch.sha256)
        if here is not None and (here.width, here.height) != (patch.width, patch.height):
            sentences.append(
                f"Patch {patch.sha256[:12]} is {here.width} x {here.height} pixels here and "
                f"{patch.width} x {patch.height} in the study."
            )
    if sentences:
        raise StudyError(_few(sentences))


def refuse_broken(opening: str, entries: Sequence[ChainEntry], head: ChainHead | None) -> None:
    """Raise what the check of a chain finds, after the sentence `opening`.

    Raises:
        StudyError: the chain is not intact.
    """
    broken = verify(entries, head)
    if broken:
        raise StudyError(_few([opening, *broken]))


def _few(sentences: Sequence[str]) -> str:
    shown = list(sentences[: _NAMED + 1])
    if len(sentences) > len(shown):
        shown.append(f"And {len(sentences) - len(shown)} more.")
    return "\n".join([*shown, "Nothing was imported."])


def _day(entry: StudyEntry) -> str:
    return entry.facts.recorded_at[:10]


def _check_numbers(records: object) -> None:
    """Refuse numbers that a database would not take, or give back otherwise than they are hashed.

    SQLite drops the sign of a negative zero; PostgreSQL takes whole numbers of 32 bits.
    """
    for number in _numbers(records):
        negative_zero = number == 0 and math.copysign(1, number) < 0
        if negative_zero or (isinstance(number, int) and abs(number) > _LARGEST):
            raise ReviewRefusedError("One of its numbers would not stay as it is.")


def _numbers(value: object) -> Iterator[float]:
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _numbers(item)
    elif is_dataclass(value):
        yield from _numbers(tuple(getattr(value, field.name) for field in fields(value)))


def _check_patch(patch: PatchRecord) -> None:
    validation.check_patch(patch)
    if safe_name(patch.name) != patch.name:
        raise ReviewRefusedError("The name of a patch is not one this program gives.")


def _check_reading(reading: StudyReading, patches: Mapping[str, PatchRecord]) -> None:
    validation.check_verdicts([reading.verdict])
    validation.check_square(Square(*reading.square), patches[reading.patch_sha256])


def _hashed(verdict: Verdict | VerdictFacts) -> tuple[object, ...]:
    """What a hash covers of a verdict, but for the answer to it."""
    return (
        verdict.architecture,
        verdict.model_id,
        verdict.probabilities,
        verdict.demo,
        verdict.novelty,
    )


def _check_links(entry: StudyEntry, readings: Sequence[StudyReading]) -> None:
    """An entry's readings must be those that its hash covers."""
    facts = entry.facts
    linked = [readings[place] for place in entry.readings if place < len(readings)]
    recorded = [(one.patch_sha256, one.square, _hashed(one.verdict)) for one in linked]
    hashed = [(facts.patch_sha256, facts.square, _hashed(one)) for one in facts.verdicts]
    if recorded != hashed:
        raise ReviewRefusedError(f"The readings of entry {entry.id} are not those it was made of.")


def _check_entry(entry: StudyEntry, patches: Mapping[str, PatchRecord]) -> None:
    facts = entry.facts
    square, answer = Square(*facts.square), values_of(facts)
    validation.check_square(square, patches[facts.patch_sha256])
    validation.check_token(entry.token)
    if validation.reviewer_name(facts.reviewer) != facts.reviewer:
        raise ReviewRefusedError(f"The reviewer's name of entry {entry.id} is not valid.")
    if facts.supersedes is not None and not 0 < facts.supersedes < entry.id:
        raise ReviewRefusedError(f"Entry {entry.id} corrects one that is not before it.")
    # another spelling of the same moment would be stored, and hashed, in this one
    if utc_text(datetime.fromisoformat(facts.recorded_at)) != facts.recorded_at:
        raise ReviewRefusedError(f"The time of entry {entry.id} is not spelled in UTC.")
    validation.check_draft(
        ReviewDraft(
            patch_sha256=facts.patch_sha256,
            square=square,
            reviewer=facts.reviewer,
            verdicts=tuple(
                Verdict(v.architecture, v.model_id, v.probabilities, v.demo, v.novelty)
                for v in facts.verdicts
            ),
            agrees={v.architecture: v.agrees for v in facts.verdicts},
            **{**answer, "own_score": HER2Score(answer["own_score"])},
            seconds=facts.seconds,
            blind=facts.blind,
            supersedes=facts.supersedes,
            stain=None if facts.stain is None else to_reading(facts.stain),
        )
    )
