"""The table of a folder of real fields from elsewhere: what it must hold, read strictly."""

import csv
from dataclasses import dataclass
from pathlib import Path

from her2core.common.refusal import RefusalError
from her2core.scores import HER2Score

TABLE = "fields.csv"
COLUMNS = ("file", "source", "label", "label_fits_picture", "group")
_FITS = {"yes": True, "no": False, "": None}


class ExternalDataError(RefusalError, ValueError):
    """The folder cannot be measured; str(error) is one sentence."""


@dataclass(frozen=True)
class Field:
    """One picture of the table.

    Attributes:
        path: of the picture.
        source: where it is from; figures are given for each.
        label: its score, None where nobody gave one.
        fits: whether somebody who looked found the label plausible; None: nobody said.
        group: patient, slide or parent field; a field without one is a group of its own.
        mask: hand-drawn mask of stained membrane; None where there is none.
        um_per_pixel: None where it is not known.
    """

    path: Path
    source: str
    label: HER2Score | None
    fits: bool | None
    group: str
    mask: Path | None = None
    um_per_pixel: float | None = None


def read_fields(folder: Path) -> tuple[Field, ...]:
    """The fields that `folder`/fields.csv lists.

    Raises:
        ExternalDataError: the table is missing, lacks a column or is empty, or a row names a file
            that is not there, a file outside the folder, an unknown label or a bad scale.
    """
    table = folder / TABLE
    try:
        with table.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle, strict=True)
            absent = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if absent:
                raise ExternalDataError(f"{table} lacks the column {absent[0]}.")
            found = tuple(_field(folder, row, reader.line_num) for row in reader)
    except FileNotFoundError:
        raise ExternalDataError(f"There is no table {table}.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ExternalDataError(f"{table} cannot be read as CSV in UTF-8 ({error}).") from error
    if not found:
        raise ExternalDataError(f"{table} lists no picture.")
    twice = {field.path for field in found}
    if len(twice) != len(found):
        raise ExternalDataError(f"{table} names a picture twice.")
    return found


def _field(folder: Path, row: dict[str, str | None], line: int) -> Field:
    where = f"{folder / TABLE}, line {line}"
    values = {name: (row.get(name) or "").strip() for name in COLUMNS}
    for name in ("file", "source"):
        if not values[name]:
            raise ExternalDataError(f"{where}: the {name} is missing.")
    if values["label_fits_picture"] not in _FITS:
        raise ExternalDataError(
            f"{where}: label_fits_picture is “{values['label_fits_picture']}”; it may be yes, no "
            "or empty."
        )
    mask = (row.get("membrane_mask") or "").strip()
    return Field(
        path=_file(folder, values["file"], where),
        source=values["source"],
        label=_label(values["label"], where),
        fits=_FITS[values["label_fits_picture"]],
        group=values["group"],
        mask=_file(folder, mask, where) if mask else None,
        um_per_pixel=_scale((row.get("um_per_pixel") or "").strip(), where),
    )


def _file(folder: Path, name: str, where: str) -> Path:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ExternalDataError(f"{where}: “{name}” lies outside the folder.")
    if not path.is_file():
        raise ExternalDataError(f"{where}: there is no file “{name}”.")
    return path


def _label(text: str, where: str) -> HER2Score | None:
    if not text:
        return None
    try:
        return HER2Score.from_label(text)
    except ValueError:
        raise ExternalDataError(
            f"{where}: “{text}” is no score; it may be 0, 1+, 2+, 3+ or empty."
        ) from None


def _scale(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 100:
        raise ExternalDataError(f"{where}: “{text}” is no number of micrometres per pixel.")
    return value
