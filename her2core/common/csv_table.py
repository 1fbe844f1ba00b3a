"""Tables as CSV of which no cell is ever computed by a spreadsheet, whatever separates its cells.

Spreadsheets of many countries take the semicolon for the separator and would cut a text in two: so
the text is disarmed behind every separator in it, too (her2core.common.text.spreadsheet_text).
"""

from collections.abc import Iterable, Sequence

from her2core.common.text import encodable, spreadsheet_text

Cell = str | int | float | None


def csv_table(rows: Iterable[Sequence[Cell]]) -> bytes:
    """The rows as CSV: RFC 4180, UTF-8 with a byte order mark so that Excel reads it as such.

    Text stands in quotes; what is missing, or empty text, is an empty cell.
    """
    lines = [",".join(map(_written, row)) for row in rows]
    return encodable("".join(f"{line}\r\n" for line in lines)).encode("utf-8-sig")


def _written(cell: Cell) -> str:
    if cell is None or cell == "":
        return ""
    if isinstance(cell, str):
        return '"' + spreadsheet_text(cell).replace('"', '""') + '"'
    return str(cell)
