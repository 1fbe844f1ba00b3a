"""Which patches of a worklist to show: as a value, as an address keeps it, and as a question."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, not_, or_, select
from sqlalchemy.orm import aliased

from her2core.common.text import printable
from her2core.reviews.state_tables import PatchStateRow
from her2core.scores import HER2Score

STAIN = "stain"
State = Literal["", "open", "reviewed"]
Given = Literal["", "me", "nobody"]
# longer texts are no part of a file's name
_LONGEST = 200


@dataclass(frozen=True)
class WorklistFilter:
    """Which patches to show; an empty field does not narrow.

    Attributes:
        state: still to be reviewed by this person, or reviewed.
        reader: whose scores are meant: an architecture or `STAIN`; empty for any of them.
        scores: what the reader says.
        gap: grades between the lowest and the highest reader: any of 0, 1, 2, 3.
        unfamiliar: only patches unlike what a model knows.
        not_assessable: only patches with too few tumour cells for a score.
        case: slide or case, whatever its letter case.
        given: to this person, or to nobody.
        text: case-insensitive part of the file name or the sha256.
        among: sha256 of patches chosen one by one; an address does not keep them.
    """

    state: State = ""
    reader: str = ""
    scores: tuple[HER2Score, ...] = ()
    gap: tuple[int, ...] = ()
    unfamiliar: bool = False
    not_assessable: bool = False
    case: str = ""
    given: Given = ""
    text: str = ""
    among: tuple[str, ...] = ()


EVERYTHING = WorklistFilter()


def conditions(
    wanted: WorklistFilter,
    derived_id: int,
    reviewed: ColumnElement[bool],
    may_know: ColumnElement[bool],
) -> list[ColumnElement[bool]]:
    """What a row must meet to pass; `given` is for who knows of accounts.

    What is asked of the row's own columns is asked in a query of its own: the order is then walked
    in its index alone, however few rows pass.

    Args:
        wanted: the filter.
        derived_id: of the models in use.
        reviewed: whether the person has reviewed the patch.
        may_know: whether they may know what second readers say of it. A patch of which they may not
            passes no filter by scores, gap, unfamiliar or not assessable, whatever it holds.
    """
    row = aliased(PatchStateRow)
    needed: list[ColumnElement[bool]] = []
    if wanted.state:
        needed.append(reviewed if wanted.state == "reviewed" else not_(reviewed))
    if wanted.among:
        needed.append(PatchStateRow.sha256.in_(wanted.among))
    its_own: list[ColumnElement[bool]] = []
    if wanted.case:
        its_own.append(row.case_name == wanted.case.casefold())
    if needle := wanted.text.strip().casefold():
        its_own.append(row.search.contains(needle, autoescape=True))
    by_readers: list[ColumnElement[bool]] = []
    if wanted.scores:
        who = f" {wanted.reader}" if wanted.reader else ""
        spoken = [f"{who}={score:d} " for score in wanted.scores]
        by_readers.append(or_(*(row.said.contains(one, autoescape=True) for one in spoken)))
    if wanted.gap:
        by_readers.append(row.reader_gap.in_(wanted.gap))
    if wanted.unfamiliar:
        by_readers.append(row.unfamiliar.is_(True))
    if wanted.not_assessable:
        by_readers.append(not_(row.assessable))
    if by_readers:
        needed.append(may_know)
    if its_own or by_readers:
        passing = select(row.patch_id).where(row.derived_id == derived_id, *its_own, *by_readers)
        needed.append(PatchStateRow.patch_id.in_(passing))
    return needed


# in an address -----------------------------------------------------------------------------------


def to_address(wanted: WorklistFilter) -> dict[str, str]:
    """The query of an address that keeps the filter; empty is what does not narrow."""
    return {
        "state": wanted.state,
        "reader": wanted.reader if wanted.scores else "",
        "score": ",".join(f"{score:d}" for score in wanted.scores),
        "gap": ",".join(map(str, wanted.gap)),
        "unfamiliar": "1" if wanted.unfamiliar else "",
        "assessable": "no" if wanted.not_assessable else "",
        "case": wanted.case,
        "given": wanted.given,
        "text": wanted.text,
    }


def from_address(
    query: Mapping[str, str], readers: Iterable[str]
) -> tuple[WorklistFilter, list[str]]:
    """The filter of an address, and a sentence for each part of it that is none.

    Args:
        query: of the address; other names in it are not looked at.
        readers: whose scores can be asked for.
    """
    wrong: list[str] = []

    def read(name: str, known: Callable[[str], bool]) -> str:
        text = printable(query.get(name, ""))[:_LONGEST]
        if known(text) or not text:
            return text
        wrong.append(f"“{name}={text[:40]}” in the address is no filter and was left out.")
        return ""

    def one_of(name: str, *values: str) -> str:
        return read(name, values.__contains__)

    def grades(name: str) -> tuple[int, ...]:
        text = read(name, lambda text: set(text.split(",")) <= set("0123"))
        return tuple(sorted({int(part) for part in text.split(",") if part}))

    def anything(_said: str) -> bool:
        return True

    state: State = one_of("state", "open", "reviewed")  # type: ignore[assignment]
    given: Given = one_of("given", "me", "nobody")  # type: ignore[assignment]
    wanted = WorklistFilter(
        state=state,
        reader=one_of("reader", *readers),
        scores=tuple(map(HER2Score, grades("score"))),
        gap=grades("gap"),
        unfamiliar=bool(one_of("unfamiliar", "1")),
        not_assessable=bool(one_of("assessable", "no")),
        case=read("case", anything),
        given=given,
        text=read("text", anything),
    )
    return wanted, wrong
