"""Foreign text (file names, comments) made inert for the place where it is going to be shown.

A name is data: it is kept as it came and disarmed only at the sink. Each sink has its own function
here, because what is harmless in a table cell may be a directive in Markdown, and vice versa.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

# What a formula begins with, ASCII or full width.
_SIGN = re.compile(r"[=+\-@＝＋－＠]")
# What ends a cell somewhere: separators, and every line break that some reader of tables knows.
_CELL_ENDS = frozenset(";,\t\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
# Seen as nothing or as a blank, though they are letters or symbols to Unicode.
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_ASCII_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
# Streamlit finds emoji codes, links and arrows in the text left after parsing, when backslashes are
# gone; an invisible word joiner inside the pattern is what keeps them from being found.
_BARE_PERCENT = re.compile(r"(\d)%")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_JOINER = "\N{WORD JOINER}"
_FOUND_AFTER_PARSING = re.compile(r"(?<=[:@<>~=-])|(?<=www)(?=\.)", re.IGNORECASE)


def printable(text: str) -> str:
    """The text on one line, without control, format, private, unassigned and surrogate characters.

    Bidirectional overrides are format characters. Runs of whitespace become one space; the result
    is in Unicode normal form C.
    """
    one_line = " ".join(text.split())
    kept = (char for char in one_line if char.isprintable())
    return unicodedata.normalize("NFC", " ".join("".join(kept).split()))


def percent_text(share: float, digits: int = 0) -> str:
    """A share in [0, 1] as it is written everywhere: "95 %"."""
    return f"{100 * share:.{digits}f} %"


def percent(share: float) -> str:
    """A probability in [0, 1] as whole per cent that never rounds a possibility away.

    0.004 is "<1 %" and 0.996 is ">99 %"; only exact 0 and 1 are "0 %" and "100 %".
    """
    if 0.0 < share < 0.01:
        return "<1 %"
    if 0.99 < share < 1.0:
        return ">99 %"
    return percent_text(share)


def spaced_percent(text: str) -> str:
    """A sentence kept from an earlier version, which wrote "95%", as it is written now."""
    return _BARE_PERCENT.sub(r"\1 %", text)


def encodable(text: str) -> str:
    """The text with every lone surrogate, for which UTF-8 has no bytes, shown as U+FFFD.

    Names of files and folders can hold them.
    """
    return _LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def spreadsheet_text(text: str) -> str:
    """The text as a spreadsheet shows it without ever computing it.

    Text which starts like a formula gets an apostrophe in front, also where blanks or invisible
    characters stand before the sign. So does what looks like a formula behind a semicolon, comma,
    tab or line break: there a spreadsheet with another separator begins a cell. All other text
    comes back unchanged, and so does text that already carries the apostrophes.
    """
    parts = []
    done = 0
    for sign in _SIGN.finditer(text):
        start = sign.start()
        while start > done and _unseen_before_a_sign(text[start - 1]):
            start -= 1
        if start > done and text[start - 1] in _CELL_ENDS:
            parts += [text[done : sign.start()], "'"]
            done = sign.start()
    parts.append(text[done:])
    return f"'{''.join(parts)}" if _starts_a_formula(text) else "".join(parts)


def _starts_a_formula(text: str) -> bool:
    for char in text:
        if _SIGN.match(char) or char in _CELL_ENDS - {";", ","}:
            return True
        if not _is_unseen(char):
            return False
    return False


def _unseen_before_a_sign(char: str) -> bool:
    # a quotation mark ends or begins a cell where the text was cut in two
    return char not in _CELL_ENDS and (char == '"' or _is_unseen(char))


def _is_unseen(char: str) -> bool:
    """Blank, invisible, or drawn over what stands before it."""
    return (
        char.isspace()
        or not char.isprintable()
        or char in _FILLERS
        or unicodedata.category(char) in ("Mn", "Me")
    )


def storable(text: str) -> bool:
    """Whether every database can hold it: PostgreSQL takes no NUL, UTF-8 no lone surrogate."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def cell_text(text: str) -> str:
    """The text for a cell of a table on a page: one line, inert wherever it may be copied to."""
    return spreadsheet_text(printable(text))


def markdown_text(text: str) -> str:
    """The text escaped so that st.markdown, labels and captions show it letter by letter.

    Inert: HTML, links and bare addresses, images, emphasis, headings, lists, tables, code, LaTeX
    between dollars, `:red[...]` directives, `:emoji:` and `:material/icon:` codes, arrows. Line
    breaks become spaces. The result carries backslashes and invisible word joiners: it is for
    Markdown only.
    """
    joined = _FOUND_AFTER_PARSING.sub(_JOINER, printable(text))
    return _ASCII_PUNCTUATION.sub(r"\\\1", joined)


def interval_text(value: float, low: float | None, high: float | None) -> str:
    """A figure with its interval, where it has one.

    >>> interval_text(0.9, 0.85, 0.95)
    '0.900 (0.850 to 0.950)'
    """
    ends = "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
    return f"{value:.3f}{ends}"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table, and an empty one."""
    ruled = [head, ["---"] * len(head), *rows]
    return [f"|{''.join(f' {markdown_cell(cell)} |' for cell in row)}" for row in ruled] + [""]


def markdown_cell(text: str) -> str:
    """Text that neither ends a table cell nor begins markup."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
