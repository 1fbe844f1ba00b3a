"""JSON into dataclasses: a number of a scale is read as its member, and no other number is."""

from __future__ import annotations

from dataclasses import dataclass

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
