"""What a map of a slide shows of each region: a reader's grade, disagreement or doubt."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from her2core.common.palette import GRADES, HEAT, NOT_COUNTED, Colour
from her2core.common.text import percent
from her2core.models.architectures import ARCHITECTURES
from her2core.scores import HER2Score
from her2core.slides.readings import RegionReading
from her2core.slides.tables import grade_of
from her2core.stain.reading import PREFIX

GRADE, DISAGREEMENT, DOUBT = "grade", "disagreement", "doubt"
# maps by their names: of the networks together, of each reader, of all
KINDS: Mapping[str, str] = MappingProxyType(
    {
        GRADE: "Networks together",
        **{name: network.title for name, network in ARCHITECTURES.items()},
        PREFIX: "Stain measurement",
        DISAGREEMENT: "Disagreement",
        DOUBT: "Doubt",
    }
)
_ENDS = {DISAGREEMENT: ("none", "3 grades"), DOUBT: ("sure", "a guess")}
# of four scores a guess gives each a quarter
_MOST_DOUBT = 0.75


def disagreement(one: RegionReading) -> float:
    """How far the readers are apart in grades, [0, 3]: networks, and the measurement's score."""
    scores = [int(verdict.score) for verdict in one.verdicts]
    if one.stain.score is not None:
        scores.append(int(one.stain.score))
    return float(max(scores) - min(scores)) if scores else 0.0


def doubt(one: RegionReading) -> float:
    """How unsure the networks are together, [0, 0.75]: 1 less their highest mean probability."""
    if not one.verdicts:
        return _MOST_DOUBT
    chances = np.mean([verdict.probabilities for verdict in one.verdicts], axis=0)
    return 1 - float(chances.max())


def colour_of(one: RegionReading, kind: str) -> Colour:
    """The colour of a region on one kind of map."""
    if kind in _ENDS:
        if not one.is_assessable or not one.verdicts:
            return NOT_COUNTED
        return _heat(disagreement(one) / 3 if kind == DISAGREEMENT else doubt(one) / _MOST_DOUBT)
    grade = _grade(one, kind)
    return NOT_COUNTED if grade is None else GRADES[grade]


def legend(kind: str) -> list[tuple[str, Colour]]:
    """Labels and colours of one kind of map."""
    apart = ("not assessable", NOT_COUNTED)
    if kind in _ENDS:
        low, high = _ENDS[kind]
        return [(low, HEAT[0][1]), ("between", HEAT[2][1]), (high, HEAT[-1][1]), apart]
    return [*((score.label, GRADES[score]) for score in HER2Score), apart]


def words(one: RegionReading) -> list[str]:
    """What every reader says of a region, a line each."""
    lines = [f"Core {one.region.core}"] if one.region.core else []
    lines += [
        f"{KINDS.get(verdict.architecture, verdict.architecture)} {verdict.score.label} "
        f"({percent(verdict.confidence)})"
        for verdict in one.verdicts
    ]
    lines.append(f"{KINDS[PREFIX]} {one.stain.verdict}, {one.stain.cells} cells")
    if disagreement(one) > 1:
        lines.append("The readers are far apart")
    if not one.is_assessable:
        lines.append("Not assessable")
    return lines


def _grade(one: RegionReading, kind: str) -> HER2Score | None:
    """The grade that this kind of map shows; None where none counts."""
    if kind == GRADE:
        return grade_of(one)
    if kind == PREFIX:
        return one.stain.score if one.left_out is None else None
    if not one.is_assessable:
        return None
    return next((v.score for v in one.verdicts if v.architecture == kind), None)


def _heat(value: float) -> Colour:
    stops = [stop for stop, _ in HEAT]
    channels = np.array([colour for _, colour in HEAT]).T
    red, green, blue = (round(float(np.interp(value, stops, row))) for row in channels)
    return red, green, blue
