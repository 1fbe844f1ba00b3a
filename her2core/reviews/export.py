"""The review log as CSV, XLSX and JSON.

Names and comments are hostile text: in a table file no cell is ever a formula. CSV disarms such
text with apostrophes. XLSX stores it as text, and what XML cannot hold as Excel's own escapes
(a vertical tab as _x000B_). JSON is lossless.
"""

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from xlsxwriter import Workbook

from her2core import __version__
from her2core.common.csv_table import csv_table
from her2core.common.text import encodable, spreadsheet_text
from her2core.models.verdict import Verdict
from her2core.reviews.answer import values_of
from her2core.reviews.columns import Column, ExportOptions, Value, columns_of, utc_iso
from her2core.reviews.records import Review
from her2core.scores import RESEARCH_NOTICE
from her2core.stain.cells import Pattern
from her2core.stain.reading import StainReading

JSON_SCHEMA_VERSION = 2
_XLSX_MAX_TEXT = 32_767
# Two texts like Excel's escapes that share an underscore: XlsxWriter escapes the first only.
_LINKED_ESCAPES = re.compile("(?<=_x[0-9A-Fa-f]{4}_)(?=x[0-9A-Fa-f]{4}_)")
_DEFAULT_OPTIONS = ExportOptions()


def to_csv(reviews: Sequence[Review], options: ExportOptions = _DEFAULT_OPTIONS) -> bytes:
    """The log as CSV, see csv_table.

    What a spreadsheet would take for a formula, in a text or at its start, gets an apostrophe.
    """
    columns = columns_of(reviews)
    head = [column.name for column in columns]
    return csv_table([head, *_cells(columns, reviews, options)])


def to_xlsx(reviews: Sequence[Review], options: ExportOptions = _DEFAULT_OPTIONS) -> bytes:
    """The log as an Excel workbook; a second sheet tells what each column means.

    Text stays text: no cell is a formula, and none becomes one when it is edited.
    """
    columns = columns_of(reviews)
    output = io.BytesIO()
    # in memory: nothing stays on disk of an export that was cut off
    book = Workbook(output, {"in_memory": True})
    head = [column.name for column in columns]
    sheet = _sheet(book, "Reviews", [head, *_cells(columns, reviews, options)], bold_rows=1)
    sheet.freeze_panes(1, 1)
    for number, column in enumerate(columns):
        sheet.set_column(number, number, column.width or max(12, len(column.name) + 2))
    sheet.autofilter(0, 0, len(reviews), len(columns) - 1)

    meanings = [(column.name, column.description) for column in columns]
    about = _sheet(
        book, "Columns", [(RESEARCH_NOTICE,), ("Column", "Meaning"), *meanings], bold_rows=2
    )
    about.set_column(0, 0, 28)
    about.set_column(1, 1, 100)
    book.close()
    return output.getvalue()


def to_json(reviews: Sequence[Review], options: ExportOptions = _DEFAULT_OPTIONS) -> bytes:
    """The log as JSON (ASCII): every fact of every review, probabilities and text exact."""
    document = {
        "schema_version": JSON_SCHEMA_VERSION,
        "application": "HER2 Review",
        "version": __version__,
        "notice": RESEARCH_NOTICE,
        "file_names_included": options.include_names,
        "reviews": [_as_json(review, options) for review in reviews],
    }
    return json.dumps(document, indent=2, allow_nan=False).encode("ascii")


def _cells(
    columns: Sequence[Column], reviews: Sequence[Review], options: ExportOptions
) -> Iterator[list[str | int | float | None]]:
    """A row for each review, as people read it: yes and no."""
    for review in reviews:
        yield [_spelled(column.value(review, options)) for column in columns]


def _spelled(value: Value) -> str | int | float | None:
    return ("yes" if value else "no") if isinstance(value, bool) else value


def _sheet(book: Any, title: str, rows: Iterable[Sequence[Any]], bold_rows: int) -> Any:
    """A new sheet with these rows; text is written as text, whatever it begins with."""
    page = book.add_worksheet(title)

    @cache
    def look(wrapped: bool, quoted: bool) -> Any:
        wrap = {"text_wrap": True, "valign": "top"} if wrapped else {}
        # the prefix keeps it text also when someone edits the cell
        return book.add_format({"quote_prefix": quoted, **wrap}) if wrapped or quoted else None

    def write(_page: Any, row: int, column: int, text: str, _look: Any) -> int:
        if not text:
            return 0
        # XML readers turn every line break into a line feed; doing it here keeps what is written
        unbroken = text.replace("\r\n", "\n").replace("\r", "\n")
        kept = _kept_as_text(unbroken)[:_XLSX_MAX_TEXT]
        style = look("\n" in kept, spreadsheet_text(kept) != kept)
        return int(page.write_string(row, column, kept, style))

    page.add_write_handler(str, write)
    bold = book.add_format({"bold": True})
    for number, row in enumerate(rows):
        if number < bold_rows:
            page.set_row(number, None, bold)
        page.write_row(number, 0, row)
    return page


def _kept_as_text(text: str) -> str:
    """The text without what XlsxWriter would take for markup or for one of Excel's escapes.

    It escapes control characters and texts like "_x000B_" itself; a blank keeps the two cases apart
    that it cannot.
    """
    text = _LINKED_ESCAPES.sub(" ", encodable(text))
    return f"{text} " if text.startswith("<r>") and text.endswith("</r>") else text


def _as_json(review: Review, options: ExportOptions) -> dict[str, Any]:
    return {
        "id": review.id,
        "recorded_at": utc_iso(review),
        "reviewer": review.reviewer,
        "patch": {
            "sha256": review.patch.sha256,
            "file_name": review.patch.name if options.include_names else None,
            "width": review.patch.width,
            "height": review.patch.height,
            "received_at": review.patch.received_at.isoformat(),
            "warnings": [_without_name(text, review, options) for text in review.patch.warnings],
            "origin": _origin_json(review, options),
            "case": review.patch.case if options.include_names and review.patch.case else None,
            "given_label": None if review.patch.label is None else review.patch.label.key,
        },
        "square": {"x": review.square.x, "y": review.square.y, "size": review.square.size},
        "verdicts": [_verdict_json(verdict, review) for verdict in review.verdicts],
        "stain": None if review.stain is None else _stain_json(review.stain),
        **{**values_of(review), "own_score": review.own_score.key},
        "seconds": review.seconds,
        "blind": review.blind,
        "supersedes": review.supersedes,
        "superseded_by": review.superseded_by,
        "previous_hash": review.previous_hash,
        "entry_hash": review.entry_hash,
    }


def _origin_json(review: Review, options: ExportOptions) -> dict[str, Any] | None:
    origin = review.patch.origin
    if origin is None:
        return None
    return {**asdict(origin), "slide": origin.slide if options.include_names else None}


def _verdict_json(verdict: Verdict, review: Review) -> dict[str, Any]:
    return {
        **asdict(verdict),
        "score": verdict.score.key,
        "backend": verdict.backend or None,
        "agrees": review.agrees.get(verdict.architecture),
    }


def _stain_json(reading: StainReading) -> dict[str, Any]:
    names = [pattern.name.lower() for pattern in Pattern]
    facts, shares = asdict(reading), reading.shares
    del facts["counts"]
    return {
        **facts,
        "score": None if reading.score is None else reading.score.key,
        "cells": dict(zip(names, reading.counts, strict=True)),
        "shares": None if shares is None else dict(zip(names, shares, strict=True)),
    }


def _without_name(text: str, review: Review, options: ExportOptions) -> str:
    if options.include_names or not review.patch.name:
        return text
    return text.replace(review.patch.name, "(file name left out)")


@dataclass(frozen=True)
class ExportFormat:
    """One format of the exported log: its name for people, the file's ending and media type."""

    title: str
    ending: str
    media_type: str
    make: Callable[[Sequence[Review], ExportOptions], bytes]


# a further format is a function and an entry here: the Review log and the archive offer it
FORMATS = (
    ExportFormat("CSV", "csv", "text/csv", to_csv),
    ExportFormat(
        "Excel",
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        to_xlsx,
    ),
    ExportFormat("JSON", "json", "application/json", to_json),
)
