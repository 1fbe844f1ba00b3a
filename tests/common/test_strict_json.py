"""JSON into dataclasses: a number of a scale is read as its member, and no other number is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from her2core.common.strict_json import ShapeError, read
from her2core.scores import HER2Score


@dataclass(frozen=True)
class Tempered:
    """A record whose number may be one or several, as where a format grew."""

    by: float | tuple[float, ...] | None = None


@dataclass(frozen=True)
class Scored:
    """A record with a score that may be open."""

    score: HER2Score | None = None


@dataclass(frozen=True)
class Dated:
    """A record with a time."""

    at: datetime


@pytest.mark.parametrize("score", HER2Score)
def test_a_score_is_read_by_its_number(score: HER2Score) -> None:
    assert read(Scored, {"score": int(score)}, "it").score is score


def test_an_open_score_stays_open() -> None:
    assert read(Scored, {}, "it") == read(Scored, {"score": None}, "it") == Scored(None)


@pytest.mark.parametrize("value", [4, -1, 1.0, True, "1", "ONE_PLUS", [1], {}])
def test_what_is_no_score_is_refused(value: object) -> None:
    with pytest.raises(ShapeError, match="score"):
        read(Scored, {"score": value}, "it")


@pytest.mark.parametrize(("value", "by"), [(1.5, 1.5), ([1.0, 2.0], (1.0, 2.0)), (None, None)])
def test_of_several_kinds_the_one_that_fits_is_read(value: object, by: object) -> None:
    assert read(Tempered, {"by": value}, "it").by == by


@pytest.mark.parametrize("value", ["1.5", [1.0, "2"], {}])
def test_what_fits_none_of_several_kinds_is_refused(value: object) -> None:
    with pytest.raises(ShapeError, match="by"):
        read(Tempered, {"by": value}, "it")


def test_a_time_is_read_as_it_is_written() -> None:
    moment = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
    text = moment.isoformat(timespec="microseconds")
    assert read(Dated, {"at": text}, "it") == Dated(moment)


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "2026-03-01T08:30:00+00:00",
        "2026-03-01T08:30:00.000000",
        "2026-03-01T09:30:00.000000+01:00",
        "2026-03-01",
        0,
    ],
)
def test_another_spelling_of_a_time_is_refused(value: object) -> None:
    with pytest.raises(ShapeError, match="at"):
        read(Dated, {"at": value}, "it")
