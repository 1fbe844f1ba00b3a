"""Which labelled patches a folder or table holds: the layouts in which HER2 patches are passed on.

HER2-IHC-40x, BCI, one folder per class and a CSV table are told apart by what lies in the folder. A
name that is not understood is an error which repeats it: a guessed label would be learnt.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from her2core.common.text import printable
from her2core.preprocessing.image_formats import format_names
from her2core.preprocessing.picture_files import LeftOut, left_out_lines, list_folder, shown, some, walk
from her2core.scores import HER2Score
from her2core.training.data.bci import read_bci
from her2core.training.data.datasets import PARTS, Contents, DatasetError, LabelledFile, class_counts, outside
from her2core.training.data.tables import Line, PictureNames, lines_of, unreadable_line, with_truth

TRUTH_FILE = "truth.csv"
_CLASS_NAME = re.compile(
    r"(?:her2[ _-]+)?(?:(?:class|score|ihc|label|grade)[ _-]*)?(?:0|([123])(?: ?\+|[ _-]?plus)?)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Layout:
    """What was recognised.

    Attributes:
        files: every patch, in a fixed order; `part` where the layout brings its own split.
        statement: one line for people: which layout, how many patches, classes and groups.
        remarks: a line each on what was left out, and on patches without a group; they name files.
        left_out: what was left out.
    """

    files: tuple[LabelledFile, ...]
    statement: str
    remarks: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def class_of(name: str) -> HER2Score | None:
    """The score a folder's name stands for, None where it stands for none.

    Understood are 0, 1, 1+, 2plus ... after class, score, ihc, label, grade or HER2, e.g.
    "class_1+", "HER2_2+", "score3"; nothing else is.
    """
    match = _CLASS_NAME.fullmatch(name.strip())
    return None if match is None else HER2Score(int(match[1] or 0))


def read_layout(source: Path, group_pattern: str | None = None) -> Layout:
    """List the labelled patches of a folder, or of a CSV table.

    Groups (patient, slide, core) come from the table, from truth.csv beside the class folders, or
    from `group_pattern` for patches which have none there.

    Args:
        source: folder, or a .csv file with the columns file, label and, if known, group and part.
        group_pattern: regular expression with one capture group, searched in the file's name; with
            a "/" in it, in the path below `source`.

    Raises:
        DatasetError: nothing is there, or a name, label, line or pattern is not understood; the
            message names it.
    """
    try:
        if source.is_file() and source.suffix.lower() == ".csv":
            root, contents = source.parent, Contents("table", *_table(source))
        elif source.is_dir():
            root, contents = source, _folder(source)
        else:
            raise DatasetError(f"There is no folder {source}.")
    except OSError as error:
        where = error.filename or source
        raise DatasetError(f"{where} could not be read: {error.strerror}.") from error
    kind, files, left_out = contents
    if not files:
        why = " ".join(left_out_lines(left_out, root))
        raise DatasetError(f"{source} holds no pictures ({format_names()}). {why}".rstrip())
    tables = [one.path for one in left_out if one.path.name.casefold() == TRUTH_FILE]
    left_out = [one for one in left_out if one.path not in tables]
    files = with_truth(files, tables)
    remarks = left_out_lines(left_out, root)
    if kind != "table" and not tables:
        remarks += _other_tables(left_out)
    unnamed = [shown(file.path, root) for file in files if not file.group]
    if tables and unnamed:
        remarks.append(f"{len(unnamed)} patches have no group in {TRUTH_FILE}: {some(unnamed)}.")
    files = _grouped(files, root, group_pattern)
    return Layout(tuple(files), _statement(kind, files), tuple(remarks), tuple(left_out))


def _other_tables(left_out: Sequence[LeftOut]) -> list[str]:
    """A sentence where what looks like a table of groups has another name than it should."""
    named = [one.path.name for one in left_out if one.path.suffix.lower() == ".csv"]
    if not named:
        return []
    return [
        f"“{printable(named[0])}” was not read: a table of groups beside folders is called "
        f"{TRUTH_FILE}."
    ]


def _folder(folder: Path) -> Contents:
    bci = read_bci(folder)
    if bci is not None:
        return bci
    top = list_folder(folder)
    names = [path.name for path in top.folders]
    parts = {name: PARTS[name.lower()] for name in names if name.lower() in PARTS}
    if parts:
        _all_known(folder, [name for name in names if name not in parts], "parts (train, test)")
        if len(set(parts.values())) < len(parts):
            raise DatasetError(f"{folder} holds the same part twice: {', '.join(sorted(parts))}.")
        kind = "HER2-IHC-40x" if "train_data_patch" in parts else "train and test folders"
        files, left_out = [], [*top.left_out, *outside(top.pictures, "in no part")]
        for name in sorted(parts, key=lambda name: parts[name] != "train"):
            its = _class_folders(folder / name)
            files += [replace(file, part=parts[name]) for file in its.files]
            left_out += its.left_out
        return Contents(kind, files, left_out)
    tables = [
        one.path
        for one in top.left_out
        if one.path.suffix.lower() == ".csv"
        and one.path.is_file()
        and not one.path.name.startswith(".")
        and one.path.name.casefold() != TRUTH_FILE
    ]
    if not names and len(tables) == 1:
        files, unlabelled = _table(tables[0])
        there = {file.path.resolve() for file in files} | {one.path.resolve() for one in unlabelled}
        beside = [path for path in top.pictures if path.resolve() not in there]
        rest = [*unlabelled, *(one for one in top.left_out if one.path != tables[0])]
        return Contents("table", files, [*rest, *outside(beside, "not in the table")])
    return _class_folders(folder)


def _class_folders(folder: Path) -> Contents:
    top = list_folder(folder)
    names = [path.name for path in top.folders]
    _all_known(folder, [name for name in names if class_of(name) is None], "class folders")
    by_class: dict[HER2Score, str] = {}
    for name in names:
        score = class_of(name)
        if score is None:
            continue
        if score in by_class:
            raise DatasetError(
                f"{folder} holds class {score.label} twice: “{by_class[score]}” and “{name}”; "
                "put them together."
            )
        by_class[score] = name
    _apart(folder, list(by_class.values()))
    files, left_out = [], [*top.left_out, *outside(top.pictures, "in no class folder")]
    for score in sorted(by_class):
        inside = walk(folder / by_class[score])
        for path in inside.pictures:
            _one_class(path, folder, score)
        files += [LabelledFile(path, score, "") for path in inside.pictures]
        left_out += inside.left_out
    if not by_class:
        expected = ", ".join(score.folder for score in HER2Score)
        remarks = " ".join(left_out_lines(left_out, folder))
        raise DatasetError(
            f"{folder} holds no pictures; expected class folders {expected}. {remarks}".rstrip()
        )
    return Contents("one folder per class", files, left_out)


def _apart(folder: Path, names: Sequence[str]) -> None:
    """Refuse class folders that are links to one another, or to what holds them."""
    real = {name: (folder / name).resolve() for name in names}
    for name in names:
        holds = any(real[other].is_relative_to(real[name]) for other in names if other != name)
        if holds or folder.resolve().is_relative_to(real[name]):
            raise DatasetError(
                f"{folder / name} is a link to a folder that holds other classes; link each class "
                "to its own folder."
            )


def _one_class(path: Path, folder: Path, score: HER2Score) -> None:
    """Refuse a picture that lies in folders of two classes."""
    for name in path.relative_to(folder).parts[1:-1]:
        other = class_of(name)
        # a bare digit may number a slide
        if other not in (None, score) and not name.strip().isdigit():
            raise DatasetError(
                f"{path} lies in a folder of class {score.label} and in “{name}” below it; move it "
                "where it belongs, or rename the inner folder."
            )


def _all_known(folder: Path, unknown: Sequence[str], wanted: str) -> None:
    if unknown:
        raise DatasetError(
            f"{folder} holds the folder “{unknown[0]}”, which is none of the {wanted} this "
            "understands (class_0, 1+, HER2_2+, score3 ...); rename it or move it away."
        )


def _table(path: Path) -> tuple[list[LabelledFile], list[LeftOut]]:
    """The patches of a CSV table, and those whose label is empty."""
    files: list[LabelledFile] = []
    unlabelled: list[Path] = []
    seen: dict[Path, tuple[int, HER2Score]] = {}
    # only where a name is not that of a file as it stands
    names = cache(lambda: PictureNames(path.parent, walk(path.parent).pictures))
    for line in lines_of(path, labelled=True):
        cells = line.cells
        where = f"{path}, line {line.number}"
        label = cells.get("label", "")
        if not label:
            unlabelled.append(_picture_of(path, line, names))
            continue
        score = class_of(label)
        if score is None:
            raise DatasetError(f"{where}: “{label}” is not a HER2 score; use 0 to 3+.")
        image = _picture_of(path, line, names)
        number, before = seen.setdefault(image.resolve(), (line.number, score))
        if number != line.number:
            said = "" if before is score else f" as {before.label} and as {score.label}"
            raise DatasetError(f"{where}: “{cells['file']}” was listed in line {number} too{said}.")
        part = cells.get("part", "").lower()
        if part not in ("", "train", "validation", "test"):
            raise DatasetError(f"{where}: “{part}” is no part; use train, validation or test.")
        files.append(LabelledFile(image, score, cells.get("group", ""), part))  # type: ignore[arg-type]
    return files, outside(unlabelled, "without a label in the table")


def _picture_of(table: Path, line: Line, names: Callable[[], PictureNames]) -> Path:
    """The picture that a line names, as either system writes paths.

    Raises:
        DatasetError: there is none, or it may be several.
    """
    cell = line.cells["file"]
    where = f"{table}, line {line.number}"
    try:
        for written in (cell, cell.replace("\\", "/")):
            if written and (table.parent / written).is_file():
                return table.parent / written
    except OSError as error:
        # an open quotation mark takes the lines behind it into its cell, here a file's name
        raise unreadable_line(table, line.number, error.strerror) from error
    meant = names().meant(cell)
    if not meant:
        raise DatasetError(f"{where}: there is no file “{cell}”.")
    if len(meant) > 1:
        raise DatasetError(
            f"{where}: “{cell}” may mean several pictures; write the folder before the name."
        )
    return meant[0]


def _grouped(
    files: Sequence[LabelledFile], root: Path, group_pattern: str | None
) -> list[LabelledFile]:
    """Fill in missing groups by the pattern; one file without a match is an error, not a group."""
    if group_pattern is None:
        return list(files)
    try:
        pattern = re.compile(group_pattern)
    except re.error as error:
        raise DatasetError(f"The group pattern “{group_pattern}” is not valid: {error}.") from error
    if pattern.groups != 1:
        raise DatasetError(f"The group pattern “{group_pattern}” needs exactly one capture group.")

    def group(file: LabelledFile) -> str:
        if file.group:
            return file.group
        whole = "/" in group_pattern and file.path.is_relative_to(root)
        text = file.path.relative_to(root).as_posix() if whole else file.path.name
        match = pattern.search(text)
        if match is None or not match[1]:
            raise DatasetError(f"The group pattern “{group_pattern}” finds nothing in “{text}”.")
        return str(match[1])

    return [replace(file, group=group(file)) for file in files]


def _statement(kind: str, files: Sequence[LabelledFile]) -> str:
    parts = Counter(file.part for file in files if file.part)
    shown = ", ".join(f"{count} {part}" for part, count in parts.items())
    split = f"; its own split: {shown}" if parts else ""
    groups = {file.group for file in files} - {""}
    unknown = sum(not file.group for file in files)
    known = f"{len(groups)} groups" if groups else "no groups known"
    if groups and unknown:
        known += f", {unknown} patches without one"
    classes = class_counts(file.label for file in files)
    return f"{kind}: {len(files)} patches ({classes}){split}; {known}"
