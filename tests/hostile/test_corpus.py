"""Hundreds of hostile files: the right picture or one sentence, in bounded memory and time."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from her2core.preprocessing.bounded_decode import DecoderPool
from her2core.preprocessing.patches import Patch, PatchError, decode
from her2core.settings import UploadLimits
from tests import hostile

GROUPS = hostile.groups()
LIMITS = UploadLimits()
MEMORY_MIB = 1024


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    made = DecoderPool(LIMITS.max_seconds, MEMORY_MIB, workers=1)
    yield made
    made.close()


def outcome(pool: DecoderPool, data: bytes, name: str) -> Patch | str:
    """The patch or the sentence; anything else is an error of the test."""
    try:
        return decode(data, name, LIMITS, reader=pool.read)
    except PatchError as error:
        return str(error)


def complaint(case: hostile.Case, found: Patch | str) -> str:
    """What is not as the case demands; empty where all is well."""
    if isinstance(found, str):
        if not case.refused:
            return f"refused: {found}"
        if case.refused not in found:
            return f"other sentence: {found}"
        return "" if is_one_sentence(found) else f"not one calm sentence: {found!r}"
    if case.refused:
        return f"accepted, notes {found.notes}"
    if found.rgb.shape != case.expected.shape:
        return f"shape {found.rgb.shape}"
    off = int(np.abs(found.rgb.astype(int) - case.expected).max())
    if off > case.tolerance:
        return f"off by {off} grey levels"
    notes = [note for note in found.notes if "is in fact a" not in note or case.noted]
    if case.noted is not None and any(case.noted in note for note in notes) != bool(case.noted):
        return f"notes {found.notes}"
    if not np.array_equal(decode(case.data, case.name, LIMITS).rgb, found.rgb):
        return "other pixels than in this process"
    return "" if is_inert(found.name) else f"name {found.name!r}"


def is_one_sentence(text: str) -> bool:
    return text.startswith("“") and text.endswith(".") and is_inert(text)


def is_inert(text: str) -> bool:
    return all(unicodedata.category(char)[0] != "C" for char in text)


def test_the_corpus_is_as_large_as_promised():
    assert sum(map(len, GROUPS.values())) >= 300


@pytest.mark.parametrize("group", GROUPS)
def test_every_file_gives_the_right_picture_or_one_sentence(group, pool):
    found = {
        case.name: complaint(case, outcome(pool, case.data, case.name)) for case in GROUPS[group]
    }
    assert {name: what for name, what in found.items() if what} == {}
    assert all(hostile.peak_mib(worker.pid) < MEMORY_MIB for worker in pool._idle)


WHOLE = [
    case.data for case in hostile.cases() if case.expected is not None and len(case.data) < 60_000
]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_mutation_of_a_valid_file_gets_past_as_another_error(pool, data):
    original = bytearray(data.draw(st.sampled_from(WHOLE)))
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(original)))
        length = data.draw(st.sampled_from((0, 1, 1, 2, 4, 64)))
        original[place : place + length] = data.draw(st.binary(max_size=8))
    found = outcome(pool, bytes(original), "a.png")
    if isinstance(found, str):
        assert is_one_sentence(found)
    else:
        assert found.rgb.shape == (found.height, found.width, 3)
    assert all(hostile.peak_mib(worker.pid) < MEMORY_MIB for worker in pool._idle)
