"""A table beside uploaded patches: slide or case and label of each, by the name of its file.

What a line cannot tell is said in a sentence, and the other lines count all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from her2core.common.text import printable
from her2core.preprocessing.patches import safe_name
from her2core.reviews import cases
from her2core.reviews.store import ReviewStore
from her2core.scores import HER2Score
from her2core.training.data.datasets import DatasetError
from her2core.training.data.layouts import class_of
from her2core.training.data.tables import Line, PictureNames, lines_of

_NAMED = 5


@dataclass(frozen=True)
class _Entry:
    """What a line says of a patch."""

    case: str
    label: HER2Score | None
    number: int


def note_cases(
    data: bytes, name: str, sent: Iterable[tuple[str, str]], store: ReviewStore
) -> list[str]:
    """Keep slide or case and label of the patches that a table names.

    Args:
        data: the table, with the columns file and group or label.
        name: of its file, fit to be shown.
        sent: path and sha256 of the patches sent with it; others are found by the name under which
            they came first.
        store: where patches are.

    Returns:
        Sentences: how many patches it named, and one for each thing that was wrong.

    Raises:
        StoreError: the database cannot be used; nothing of the table is kept.
    """
    try:
        lines = list(lines_of(Path(name), labelled=False, data=data))
    except DatasetError as error:
        return [f"{error} No slide or case was taken from it."]
    known = _Known(sent, store, [line.cells.get("file", "") for line in lines])
    wrong: list[str] = []
    entries: dict[str, _Entry] = {}
    unknown: list[str] = []
    for line in lines:
        meant = known.meant(line.cells.get("file", ""))
        if len(meant) != 1:
            doubt = "" if not meant else " may be several patches"
            unknown.append(f"line {line.number}: {printable(line.cells.get('file', ''))}{doubt}")
            continue
        _add(entries, meant[0], _read(line, name, wrong), name, line, wrong)
    if unknown:
        some = "; ".join(unknown[:_NAMED]) + ("; …" if len(unknown) > _NAMED else "")
        wrong.append(
            f"{len(unknown)} of {len(lines)} lines of “{name}” name no patch that is here ({some})."
        )
    wrong += _keep(store, entries, name)
    return [f"“{name}” told slide, case or label of {_patches(len(entries))}.", *wrong]


class _Known:
    """Finds the patch that a cell means, among those sent and those here before."""

    def __init__(
        self, sent: Iterable[tuple[str, str]], store: ReviewStore, cells: Sequence[str]
    ) -> None:
        self._sent: dict[Path, list[str]] = {}
        for path, sha256 in sent:
            keys = self._sent.setdefault(Path(path), [])
            if sha256 not in keys:
                keys.append(sha256)
        self._names = PictureNames(Path(), self._sent)
        with store.reading() as session:
            self._here: Mapping[str, list[str]] = cases.named(session, set(map(_last, cells)))

    def meant(self, cell: str) -> list[str]:
        meant = [key for path in self._names.meant(cell) for key in self._sent[path]]
        return meant or self._here.get(_last(cell), [])


def _last(cell: str) -> str:
    return safe_name(cell.replace("\\", "/").rpartition("/")[2])


def _read(line: Line, name: str, wrong: list[str]) -> _Entry:
    label = line.cells.get("label", "")
    score = class_of(label) if label else None
    if label and score is None:
        wrong.append(
            f"“{name}”, line {line.number}: “{printable(label)[:40]}” is no HER2 score from 0 to "
            "3+; the patch has no label."
        )
    return _Entry(printable(line.cells.get("group", "")), score, line.number)


def _add(
    entries: dict[str, _Entry], sha256: str, entry: _Entry, name: str, line: Line, wrong: list[str]
) -> None:
    """What is said first of a patch stands."""
    before = entries.setdefault(sha256, entry)
    where = f"“{name}”, line {entry.number}: “{printable(line.cells['file'])[:120]}”"
    if before.case and entry.case and before.case != entry.case:
        wrong.append(f"{where} is of “{entry.case}” here, of “{before.case}” before, which stands.")
    if _label(before) and _label(entry) and before.label != entry.label:
        wrong.append(f"{where} is {_label(entry)} here and {_label(before)} before, which stands.")
    label = entry.label if before.label is None else before.label
    entries[sha256] = _Entry(before.case or entry.case, label, before.number)


def _label(entry: _Entry) -> str:
    return "" if entry.label is None else entry.label.label


def _keep(store: ReviewStore, entries: Mapping[str, _Entry], name: str) -> list[str]:
    wrong = []
    with store.writing() as session:
        for sha256, entry in entries.items():
            for stands in cases.note(session, sha256, entry.case, entry.label):
                wrong.append(
                    f"“{name}”, line {entry.number}: this patch has {stands} already, which stands."
                )
    return wrong


def _patches(number: int) -> str:
    return "1 patch" if number == 1 else f"{number:,} patches"
