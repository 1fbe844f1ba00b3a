"""Tables beside pictures: how spreadsheets write them, and which picture a line means.

Comma, semicolon or tab; UTF-8 or UTF-16, as Excel saves them; paths with the slashes of either
system, absolute ones too, or bare names. A line that means no picture, or several, is an error that
names it: groups that get lost put one patient into training and test.
"""

import codecs
import csv
import io
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from her2core.preprocessing.picture_files import some
from her2core.common.text import printable
from her2core.training.data.datasets import DatasetError, LabelledFile

_DELIMITERS = ",;\t"
_FILE_COLUMNS = ("file", "filename", "file name", "file_name", "path", "image")
_GROUP_COLUMNS = ("group", "patient", "case", "slide", "core")
_GROUP_SUFFIX = re.compile(r"[ _-]?(id|no|number|nr)\.?$")
# Columns that say nothing of patients.
_OTHER_COLUMNS = frozenset({"file", "label", "score", "part"})
_NEEDS = {
    True: "needs the columns file and label (and group)",
    False: "needs the columns file, group",
}
_ABSOLUTE = re.compile(r"[A-Za-z]:|[\\/]")


@dataclass(frozen=True)
class Line:
    """A row of a table: the line of the file it begins in, and its cells by column, stripped."""

    number: int
    cells: Mapping[str, str]


def lines_of(path: Path, labelled: bool, data: bytes | None = None) -> Iterator[Line]:
    """The rows of a table under the names of its columns, lower case; empty rows are passed over.

    A column for the file or the group is called "file" or "group" whatever its usual name is.

    Args:
        path: of the table.
        labelled: it must have a column label beside file; otherwise one for the group, unless it
            has nothing but labels.
        data: its content where it is not on the disk; `path` is what messages call it then.

    Raises:
        DatasetError: it cannot be read, lacks a column, or a quotation mark is left open.
    """
    text = _text(path, data)
    first, _, rest = text.partition("\n")
    skipped = 0
    if first.strip().strip('"').lower().startswith("sep="):  # Excel's own way to say what separates
        text, skipped = rest, 1
    delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    begin = 1
    try:
        columns: list[str] | None = None
        for row in reader:
            cells = [cell.strip() for cell in row]
            if columns is None and any(cells):
                columns = _named(path, cells, labelled)
            elif columns is not None and any(cells):
                yield Line(begin + skipped, dict(zip(columns, cells, strict=False)))
            begin = reader.line_num + 1
    except csv.Error as error:
        raise unreadable_line(path, begin + skipped, error) from error
    if columns is None:
        raise DatasetError(f"The table {path} {_NEEDS[labelled]}; it is empty.")


def unreadable_line(path: Path, line: int, reason: object) -> DatasetError:
    """The error of a table's row that begins in this line."""
    return DatasetError(
        f"{path}, line {line} cannot be read ({reason}); is a quotation mark left open?"
    )


def _text(path: Path, data: bytes | None) -> str:
    try:
        data = path.read_bytes() if data is None else data
        return data.decode(_encoding(data))
    except (OSError, UnicodeError) as error:
        raise DatasetError(
            f"{path} cannot be read; save it as CSV in UTF-8 with the columns file, group."
        ) from error


def _encoding(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if data[1:2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if data[:1] == b"\0" else "utf-8-sig"


def _delimiter(text: str) -> str:
    """The one that parts the first line into the most columns."""
    head = text.lstrip("\r\n").splitlines()[:1]

    def parts(delimiter: str) -> int:
        try:
            return len(next(csv.reader(head, delimiter=delimiter), []))
        except csv.Error:
            return 0

    return max(_DELIMITERS, key=parts)


def _named(path: Path, head: Sequence[str], labelled: bool) -> list[str]:
    names = [name.lower() for name in head]
    if "file" not in names:
        names = ["file" if name in _FILE_COLUMNS else name for name in names]
    advice = ""
    if "group" not in names:
        usual = [i for i, name in enumerate(names) if _GROUP_SUFFIX.sub("", name) in _GROUP_COLUMNS]
        if len(usual) == 1:
            names[usual[0]] = "group"
        elif usual or not (labelled or set(names) <= _OTHER_COLUMNS | {""}):
            advice = "call the one that tells patients apart group"
    twice = [name for name in ("file", "group", "label") if names.count(name) > 1]
    if "file" not in names or (labelled and "label" not in names):
        advice = "call its columns so"
    elif twice:
        advice = f"keep one for {twice[0]}"
    if advice:
        there = ", ".join(printable(name) for name in head if name)
        raise DatasetError(f"The table {path} {_NEEDS[labelled]}; it has {there}: {advice}.")
    return names


class PictureNames:
    """Finds the picture that a cell of a table means among those of a folder."""

    def __init__(self, root: Path, pictures: Iterable[Path]) -> None:
        """Note the names.

        Args:
            root: folder that the names are relative to.
            pictures: those below it.
        """
        self._by_name: dict[str, list[tuple[Path, tuple[str, ...]]]] = defaultdict(list)
        self._folders: set[str] = set()
        for picture in pictures:
            parts = _parts(picture.relative_to(root).as_posix())
            self._by_name[parts[-1].casefold()].append((picture, parts))
            self._folders.update(part.casefold() for part in parts[:-1])

    def meant(self, cell: str) -> list[Path]:
        """The pictures that a cell may mean: one where it is clear.

        As much of the path as both name must agree, letter case aside where nothing else tells
        them apart. An absolute path of another machine may do so by the picture's name alone,
        unless its folder is one that lies here.
        """
        parts = _parts(cell)
        if not parts:
            return []
        same_name = self._by_name.get(parts[-1].casefold(), [])
        for level in (_as_written, str.casefold):
            agreeing = [(path, its) for path, its in same_name if _agree(its, parts, level)]
            whole = [path for path, its in agreeing if len(its) == len(parts)]
            if agreeing:
                return whole or [path for path, _ in agreeing]
        elsewhere = _ABSOLUTE.match(cell) and parts[-2:-1]
        if elsewhere and parts[-2].casefold() not in self._folders:
            return [path for path, _ in same_name]
        return []


def _parts(text: str) -> tuple[str, ...]:
    """The folders and the name of a path of either system, without drive, dots and blanks."""
    plain = unicodedata.normalize("NFC", text.strip().strip("\"'").replace("\\", "/"))
    plain = re.sub(r"^(file:/+)?([A-Za-z]:)?", "", plain)
    parts = (part.strip() for part in plain.split("/"))
    return tuple(part for part in parts if part not in ("", "."))


def _as_written(text: str) -> str:
    return text


def _agree(first: Sequence[str], second: Sequence[str], level: Callable[[str], str]) -> bool:
    shared = min(len(first), len(second))
    return [level(part) for part in first[-shared:]] == [level(part) for part in second[-shared:]]


def groups_of(path: Path, pictures: Sequence[Path]) -> dict[Path, str]:
    """The group of each picture that a table names, "" where its cell is empty.

    Args:
        path: of the table, with the columns file and group.
        pictures: those in the table's folder and below.

    Raises:
        DatasetError: the table cannot be read; or lines of it mean no picture, several, or one
            picture in two groups. The message names the first of them.
    """
    names = PictureNames(path.parent, pictures)
    groups: dict[Path, tuple[str, int]] = {}
    total, unmatched, unclear = 0, [], []
    for line in lines_of(path, labelled=False):
        total += 1
        cell, group = line.cells.get("file", ""), line.cells.get("group", "")
        meant = names.meant(cell)
        named = f"line {line.number}: {printable(cell)}"
        if not meant:
            unmatched.append(named)
        elif len(meant) > 1:
            unclear.append(named)
        else:
            before, where = groups.setdefault(meant[0], (group, line.number))
            if before != group:
                raise DatasetError(
                    f"{path}, line {line.number}: “{printable(cell)}” is in group "
                    f"“{printable(group)}” here and in “{printable(before)}” in line {where}."
                )
    if unmatched:
        raise DatasetError(
            f"{len(unmatched)} of {total} lines of {path} name no picture beside it "
            f"({some(unmatched)}); write the path from the table's folder, as in "
            "class_0/name.png, or take these lines out."
        )
    if unclear:
        raise DatasetError(
            f"{len(unclear)} of {total} lines of {path} may mean several pictures "
            f"({some(unclear)}); write the folder before the name, as in class_0/name.png."
        )
    return {picture: group for picture, (group, _) in groups.items()}


def with_truth(files: Sequence[LabelledFile], tables: Sequence[Path]) -> list[LabelledFile]:
    """The files with the groups that the tables in their folder or above it name.

    Raises:
        DatasetError: as `groups_of`; or two tables name two groups of one picture.
    """
    groups: dict[Path, str] = {}
    for table in tables:
        below = [file.path for file in files if file.path.is_relative_to(table.parent)]
        for path, group in groups_of(table, below).items():
            if groups.setdefault(path, group) != group:
                raise DatasetError(
                    f"{path} is in group “{groups[path]}” of one table and in “{group}” of "
                    "another; keep one."
                )
    return [replace(file, group=groups.get(file.path, "") or file.group) for file in files]
