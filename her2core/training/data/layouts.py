"""Which labelled patches a folder or table holds: the layouts in which HER2 patches are passed on.

HER2-IHC-40x, BCI, one folder per class and a CSV table are told apart by what lies in the folder. A
name that is not understood is an error which repeats it: a guessed label would be learnt.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from her2core.scores import HER2Score
from her2core.training.data.datasets import IMAGE_SUFFIXES, TRUTH_FILE, DatasetError, LabelledFile, Part, truth_groups, unreadable_line

_PARTS: Mapping[str, Part] = {
    "train_data_patch": "train",
    "test_data_patch": "test",
    "train": "train",
    "val": "validation",
    "validation": "validation",
    "test": "test",
}
_CLASS_NAME = re.compile(
    r"(?:her2[ _-]+)?(?:(?:class|score|ihc|label|grade)[ _-]*)?(?:0|([123])(?: ?\+|[ _-]?plus)?)",
    re.IGNORECASE,
)
_BCI_NAME = re.compile(r"\d+_(train|test)_(0|[123]\+)", re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """What was recognised.

    Attributes:
        files: every patch, in a fixed order; `part` where the layout brings its own split.
        statement: one line for people: which layout, how many patches, classes and groups.
    """

    files: tuple[LabelledFile, ...]
    statement: str


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
    if source.is_file() and source.suffix.lower() == ".csv":
        root, kind, files = source.parent, "table", list(_table(source))
    elif source.is_dir():
        root = source
        kind, files = _folder(source)
    else:
        raise DatasetError(f"There is no folder {source}.")
    if not files:
        raise DatasetError(f"{source} holds no pictures (PNG, JPEG or TIFF).")
    files = _grouped(files, root, group_pattern)
    return Layout(tuple(files), _statement(kind, files))


def _folder(folder: Path) -> tuple[str, list[LabelledFile]]:
    names = {entry.name: entry for entry in _folders(folder)}
    ihc = names.get("IHC") or (folder if folder.name == "IHC" else None)
    if ihc is not None and any((ihc / part).is_dir() for part in ("train", "test")):
        images = [path for part in ("train", "test") for path in _images(ihc / part)]
        if images and all(_BCI_NAME.fullmatch(path.stem) for path in images):
            return "BCI", [_bci_file(path) for path in images]
        if not any(_folders(ihc / part) for part in ("train", "test")):
            odd = next((p for p in images if not _BCI_NAME.fullmatch(p.stem)), ihc)
            raise DatasetError(f"{odd} is not named like a BCI patch, e.g. 00001_train_2+.png.")
    parts = {name: _PARTS[name] for name in names if name in _PARTS}
    if parts:
        _all_known(folder, [name for name in names if name not in parts], "parts (train, test)")
        if len(set(parts.values())) < len(parts):
            raise DatasetError(f"{folder} holds the same part twice: {', '.join(sorted(parts))}.")
        kind = "HER2-IHC-40x" if "train_data_patch" in parts else "train and test folders"
        return kind, [
            replace(file, part=parts[name])
            for name in sorted(parts, key=lambda name: parts[name] != "train")
            for file in _class_folders(folder / name)
        ]
    tables = [path for path in sorted(folder.glob("*.csv")) if path.name != TRUTH_FILE]
    if not names and len(tables) == 1:
        return "table", list(_table(tables[0]))
    return "one folder per class", _class_folders(folder)


def _class_folders(folder: Path) -> list[LabelledFile]:
    names = [entry.name for entry in _folders(folder)]
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
    if not by_class:
        expected = ", ".join(score.folder for score in HER2Score)
        raise DatasetError(f"{folder} holds no pictures; expected class folders {expected}.")
    groups = truth_groups(folder / TRUTH_FILE)
    return [
        LabelledFile(path, score, groups.get(path.relative_to(folder).as_posix(), ""))
        for score in sorted(by_class)
        for path in _images(folder / by_class[score])
    ]


def _all_known(folder: Path, unknown: Sequence[str], wanted: str) -> None:
    if unknown:
        raise DatasetError(
            f"{folder} holds the folder “{unknown[0]}”, which is none of the {wanted} this "
            "understands (class_0, 1+, HER2_2+, score3 ...); rename it or move it away."
        )


def _bci_file(path: Path) -> LabelledFile:
    match = _BCI_NAME.fullmatch(path.stem)
    assert match is not None
    part: Part = "train" if path.parent.name == "train" else "test"
    if match[1].lower() != part:
        raise DatasetError(f"{path} lies in {part} but is named {match[1]}.")
    return LabelledFile(path, HER2Score.from_label(match[2]), "", part)


def _table(path: Path) -> Iterator[LabelledFile]:
    """Rows of a CSV table; comma or semicolon, with or without a byte-order mark."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"The table {path} cannot be read: {error}.") from error
    first = text.partition("\n")[0]
    delimiter = ";" if ";" in first else ","
    reader = csv.DictReader(text.splitlines(), delimiter=delimiter, strict=True)
    line = 1
    try:
        columns = _columns(path, reader)
        line = reader.line_num + 1
        for file in _table_rows(path, reader, columns):
            yield file
            line = reader.line_num + 1
    except csv.Error as error:
        raise unreadable_line(path, line, error) from error
    except OSError as error:
        # an open quotation mark takes the lines behind it into its cell, here a file's name
        raise unreadable_line(path, line, error.strerror) from error


def _columns(path: Path, reader: csv.DictReader[str]) -> dict[str, str]:
    columns = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    if not {"file", "label"} <= columns.keys():
        raise DatasetError(f"The table {path} needs the columns file and label (and group).")
    return columns


def _table_rows(
    path: Path, reader: csv.DictReader[str], columns: Mapping[str, str]
) -> Iterator[LabelledFile]:
    seen: dict[Path, tuple[int, HER2Score]] = {}
    for row in reader:
        cells = {name: (row.get(column) or "").strip() for name, column in columns.items()}
        where = f"{path}, line {reader.line_num}"
        score = class_of(cells["label"])
        if score is None:
            raise DatasetError(f"{where}: “{cells['label']}” is not a HER2 score; use 0 to 3+.")
        image = path.parent / cells["file"]
        if not cells["file"] or not image.is_file():
            raise DatasetError(f"{where}: there is no file “{cells['file']}”.")
        line, before = seen.setdefault(image, (reader.line_num, score))
        if line != reader.line_num:
            said = "" if before is score else f" as {before.label} and as {score.label}"
            raise DatasetError(f"{where}: “{cells['file']}” was listed in line {line} too{said}.")
        part = cells.get("part", "").lower()
        if part not in ("", "train", "validation", "test"):
            raise DatasetError(f"{where}: “{part}” is no part; use train, validation or test.")
        yield LabelledFile(image, score, cells.get("group", ""), part)  # type: ignore[arg-type]


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
    counts = Counter(file.label for file in files)
    classes = ", ".join(f"{counts[score]} of {score.label}" for score in HER2Score)
    parts = Counter(file.part for file in files if file.part)
    shown = ", ".join(f"{count} {part}" for part, count in parts.items())
    split = f"; its own split: {shown}" if parts else ""
    groups = {file.group for file in files} - {""}
    unknown = sum(not file.group for file in files)
    known = f"{len(groups)} groups" if groups else "no groups known"
    if groups and unknown:
        known += f", {unknown} patches without one"
    return f"{kind}: {len(files)} patches ({classes}){split}; {known}"


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [p for p in sorted(folder.iterdir()) if p.is_dir() and not p.name.startswith(".")]


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in IMAGE_SUFFIXES
        and path.is_file()
        and not path.name.startswith(".")
    ]
