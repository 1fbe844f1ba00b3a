"""The hash chain over the review log: each entry's hash covers its facts and the hash before it.

The chain tells a log changed by accident, by a repair or by a casual edit. It cannot stop someone
who rewrites all later entries as well; for that, note the last entry hash elsewhere (every export
carries it) and check that it is still in the log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from her2core.reviews.answer import Answer, values_of

GENESIS = "0" * 64
# Version 1 knew neither stain readings nor novelty. An entry is spelled in the lowest version that
# has all that it holds, so that every entry ever recorded keeps its hash.
STAIN_SINCE = NOVELTY_SINCE = 2
# which version brought each field of an answer; the later ones are spelled only where answered
ANSWER_SINCE = {"own_score": 1, "confidence": 1, "comment": 1}


@dataclass(frozen=True)
class VerdictFacts:
    """The part of an entry that is about one verdict, as the database holds it."""

    architecture: str
    model_id: str
    probabilities: tuple[float, float, float, float]
    demo: bool
    agrees: bool | None
    novelty: float | None = None


@dataclass(frozen=True)
class StainFacts:
    """The part of an entry that is about the stain reading, as the database holds it."""

    method: str
    counts: tuple[int, int, int, int]
    score: int | None
    reason: str | None
    ultralow: bool
    completeness: float | None
    intensity: float | None
    um_per_pixel: float | None


@dataclass(frozen=True, kw_only=True)
class EntryFacts(Answer):
    """Everything an entry's hash covers. `recorded_at` is the stored ISO text in UTC.

    The id is not hashed: the chain itself fixes the order, and so a moved entry can be told from a
    changed one.
    """

    patch_sha256: str
    square: tuple[int, int, int]
    reviewer: str
    seconds: float
    blind: bool
    supersedes: int | None
    recorded_at: str
    verdicts: tuple[VerdictFacts, ...]
    stain: StainFacts | None = None


@dataclass(frozen=True)
class ChainEntry:
    """An entry as it stands in the database, which may have been tampered with."""

    id: int
    facts: EntryFacts
    previous_hash: str
    entry_hash: str


@dataclass(frozen=True)
class ChainHead:
    """Where the log says it ends: number and hash of the last entry (0 and GENESIS if empty)."""

    last_id: int
    last_hash: str


def entry_hash(facts: EntryFacts, previous_hash: str) -> str:
    """sha256 (64 hex digits) over the canonical JSON of the facts and the previous hash."""
    return hashlib.sha256(canonical_json(facts, previous_hash)).hexdigest()


def canonical_json(facts: EntryFacts, previous_hash: str) -> bytes:
    """The one spelling of an entry: ASCII JSON, sorted keys, no blanks, shortest exact floats."""
    answer = {
        name: value
        for name, value in values_of(facts).items()
        if ANSWER_SINCE[name] == 1 or value is not None
    }
    versions = [ANSWER_SINCE[name] for name in answer]
    if facts.stain is not None:
        versions.append(STAIN_SINCE)
    if any(verdict.novelty is not None for verdict in facts.verdicts):
        versions.append(NOVELTY_SINCE)
    payload: dict[str, Any] = {
        "version": max(versions),
        "previous_hash": previous_hash,
        "patch_sha256": facts.patch_sha256,
        "square": list(facts.square),
        "reviewer": facts.reviewer,
        **answer,
        "seconds": facts.seconds,
        "blind": facts.blind,
        "supersedes": facts.supersedes,
        "recorded_at": facts.recorded_at,
        "verdicts": [
            _verdict_payload(verdict)
            for verdict in sorted(facts.verdicts, key=lambda v: f"{v.architecture} {v.model_id}")
        ],
    }
    if facts.stain is not None:
        payload["stain"] = asdict(facts.stain)
    # default=repr: a tampered row may hold what JSON cannot (a blob); it must hash, not crash.
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), default=repr).encode("ascii")


def _verdict_payload(verdict: VerdictFacts) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "architecture": verdict.architecture,
        "model_id": verdict.model_id,
        "probabilities": list(verdict.probabilities),
        "demo": verdict.demo,
        "agrees": verdict.agrees,
    }
    if verdict.novelty is not None:
        payload["novelty"] = verdict.novelty
    return payload


def verify(
    entries: Sequence[ChainEntry],
    head: ChainHead | None,
    after: ChainHead = ChainHead(0, GENESIS),
) -> list[str]:
    """Check the whole log, or what follows an entry that was checked.

    Args:
        entries: all entries after that one in the order of their ids.
        head: where the log says it ends; None where that row is gone.
        after: the last entry that was checked before.

    Returns:
        One sentence per changed, missing or moved entry; empty when the log is intact.
    """
    sentences: list[str] = []
    position = {entry.entry_hash: entry.id for entry in entries}
    before = after
    explained = False  # the entry before this one is known to be changed or missing
    for entry in entries:
        gap = missing(before.last_id + 1, entry.id - 1)
        sentences += gap
        explained = explained or bool(gap)
        changed = entry_hash(entry.facts, entry.previous_hash) != entry.entry_hash
        if changed:
            sentences.append(
                f"Entry {entry.id} was changed after it was recorded: "
                "its content no longer matches its hash."
            )
        elif entry.previous_hash != before.last_hash:
            sentences += _broken_link(entry, before, position, explained=explained)
        before = ChainHead(entry.id, entry.entry_hash)
        explained = changed
    return sentences + _end(before, head, explained=explained)


def missing(
    first: int, last: int, one: str = "Entry {}", more: str = "Entries {} to {}"
) -> list[str]:
    """A sentence on numbers that a chain should have; none where there is no such number."""
    if first > last:
        return []
    if first == last:
        return [f"{one.format(first)} is missing."]
    return [f"{more.format(first, last)} are missing."]


def _broken_link(
    entry: ChainEntry, before: ChainHead, position: Mapping[str, int], *, explained: bool
) -> list[str]:
    recorded_after = 0 if entry.previous_hash == GENESIS else position.get(entry.previous_hash)
    if recorded_after is not None:
        where = f"after entry {recorded_after}" if recorded_after else "as the first entry"
        return [f"Entry {entry.id} is out of order: it was recorded {where}."]
    if explained:
        return []  # the entry it followed has its own sentence
    if before.last_id == 0:
        return [f"Entry {entry.id} is not the first of the log: an entry before it is missing."]
    return [
        f"Entry {entry.id} does not follow entry {before.last_id}: entry {before.last_id} was "
        "replaced, or an entry between them is missing."
    ]


def _end(last: ChainHead, head: ChainHead | None, *, explained: bool) -> list[str]:
    if head is None:
        return ["The record of where the log ends is missing."]
    if head.last_id > last.last_id:
        return missing(last.last_id + 1, head.last_id)
    if head != last and not explained:
        return [
            f"Entry {last.last_id} is not the one recorded last: it was replaced, "
            "or entries were added outside this program."
        ]
    return []
