"""Foreign text does nothing where it is written: not in a spreadsheet, not in Markdown."""

from __future__ import annotations

import html
import re
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from her2core.common.text import interval_text, markdown_text, printable, spreadsheet_text
from tests import hostile

JOINER = "\N{WORD JOINER}"
# What Streamlit's Markdown acts on, more often than chance would draw it.
MARKDOWN = st.text(alphabet="<>&*_`~$\\:@[]()!#|-+=.{}/\"' \nwhtpsaXY12;", max_size=60)
ANY_TEXT = st.text(max_size=80) | MARKDOWN | st.sampled_from(hostile.HOSTILE_NAMES)


def as_shown(markdown: str) -> str:
    """The text a CommonMark reader sees; fails where anything but one plain paragraph is made."""
    rendered = MarkdownIt("commonmark").render(markdown)
    if not rendered:
        return ""
    paragraph = re.fullmatch(r"<p>([^<>]*)</p>\n", rendered)
    assert paragraph, rendered
    return html.unescape(paragraph[1]).replace(JOINER, "")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_text_like_a_formula_gets_an_apostrophe(start):
    assert spreadsheet_text(f"{start}cmd|'/c calc'!A1") == f"'{start}cmd|'/c calc'!A1"
    assert spreadsheet_text(f"  {start}1") == f"'  {start}1"
    assert spreadsheet_text("\x0c\u2003=1") == "'\x0c\u2003'=1"


@pytest.mark.parametrize("sign", "=+-@＝")
@pytest.mark.parametrize(
    "unseen",
    [char for char in map(chr, range(0x110000)) if category(char) in ("Cc", "Zs", "Zl", "Zp")]
    + list("\u200b\u200e\u202e\u2060\ufeff\u00ad\u061c\u180e\u115f\u3164\u2800\ufe0f\U000e0020"),
)
def test_nothing_unseen_hides_a_formula(unseen, sign):
    for before, text in (("", unseen), ("weak;", unseen), ("a,", f" {unseen} {unseen}")):
        safe = spreadsheet_text(f"{before}{text}{sign}1")
        assert re.search(rf"'[^'a-z0-9]*{re.escape(sign)}1$", safe), safe
        assert spreadsheet_text(safe) == safe


@pytest.mark.parametrize(
    "text", ["", "clear 3+", "1+", "it's = 2+", "<b>", "'=1", "a;b\n1+", "3+, 2+"]
)
def test_other_text_is_left_alone(text):
    assert spreadsheet_text(text) == text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("weak;=1+1;x", "weak;'=1+1;x"),
        ("note\n=1+1;y", "note\n'=1+1;y"),
        ("a,  @b", "a,  '@b"),
        ('a;"=1', "a;\"'=1"),
        ("a\t＝1\r\n-2", "a\t'＝1\r\n'-2"),
        ("=1;=2", "'=1;'=2"),
    ],
)
def test_a_formula_behind_what_may_separate_cells_gets_one_too(text, safe):
    assert spreadsheet_text(text) == safe


@given(ANY_TEXT)
def test_no_text_begins_a_formula_and_nothing_is_lost(text):
    safe = spreadsheet_text(text)
    assert not safe.strip().startswith(tuple("=+-@＝＋－＠"))
    assert safe.replace("'", "") == text.replace("'", "")
    assert not re.search('[;,\t\r\n][\\s"]*[=+@＝＋－＠-]', safe)
    assert spreadsheet_text(safe) == safe


@given(ANY_TEXT)
def test_markdown_shows_the_text_letter_by_letter(text):
    assert as_shown(markdown_text(text)) == printable(text)


@given(ANY_TEXT)
def test_no_pattern_that_streamlit_finds_after_parsing_is_left(text):
    parsed = re.sub(r"\\(.)", r"\1", markdown_text(text))
    assert not re.search(r":[\w+/-]", parsed), "an emoji, icon or colour code"
    assert not re.search(r"https?://|www\.|\w@\w", parsed, re.IGNORECASE), "a link"
    assert not re.search(r"<-|->|--|>=|<=|~=", parsed), "an arrow"


@pytest.mark.parametrize("text", ["    code", "\tcode", "a\n\n# b", "a  \nb", "- a\n- b"])
def test_line_structure_cannot_be_made(text):
    assert "\n" not in markdown_text(text)
    assert not markdown_text(text).startswith((" ", "\t"))


@given(ANY_TEXT)
def test_printable_text_is_one_plain_line(text):
    line = printable(text)
    assert line == "" or line.isprintable()
    assert line == line.strip()
    assert printable(line) == line


def test_a_figure_without_an_interval_claims_none():
    assert interval_text(0.9, 0.85, 0.95) == "0.900 (0.850 to 0.950)"
    assert interval_text(0.9, None, None) == "0.900"
