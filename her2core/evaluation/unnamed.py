"""A report without the names of files and groups, which may identify patients: for passing on."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from her2core.evaluation.group_level import GroupVerdict
from her2core.evaluation.report import PatchRow, ReaderEvaluation, Report
from her2core.evaluation.third_reader import PooledGroup

_Group = TypeVar("_Group", PooledGroup, GroupVerdict)
# from the first name quoted to the last: a name may itself hold a quote
_QUOTED = re.compile("“.*”", re.DOTALL)


def unnamed(report: Report) -> Report:
    """The report with numbered groups, no file names, and no name quoted in its notes."""
    numbers = _numbers(report)
    evaluation = report.evaluation
    third = evaluation.third_reader
    if third is not None:
        third = replace(third, groups=_numbered(third.groups, numbers))
    readers = tuple(_unnamed_reader(reader, numbers) for reader in evaluation.readers)
    return replace(
        report,
        evaluation=replace(evaluation, readers=readers, third_reader=third),
        rows=unnamed_rows(report.rows, report),
        notes=tuple(_QUOTED.sub("“…”", note) for note in report.notes),
    )


def unnamed_rows(rows: Iterable[PatchRow], report: Report) -> tuple[PatchRow, ...]:
    """Rows of a report, their groups numbered as in `unnamed`; sha256 tells which patch it is."""
    numbers = _numbers(report)
    return tuple(replace(row, file="", group=numbers.get(row.group, "")) for row in rows)


def _numbers(report: Report) -> dict[str, str]:
    names = sorted({row.group for row in report.rows if row.group})
    return {name: f"group {number}" for number, name in enumerate(names, 1)}


def _unnamed_reader(reader: ReaderEvaluation, numbers: Mapping[str, str]) -> ReaderEvaluation:
    level = reader.group_level
    if level is None:
        return reader
    return replace(reader, group_level=replace(level, groups=_numbered(level.groups, numbers)))


def _numbered(groups: Iterable[_Group], numbers: Mapping[str, str]) -> tuple[_Group, ...]:
    return tuple(replace(one, group=numbers.get(one.group, one.group)) for one in groups)
