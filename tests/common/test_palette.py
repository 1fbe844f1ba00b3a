"""Colours stand in one file, and what they share with Streamlit's own theme is the same there."""

from __future__ import annotations

import re
import tomllib

from her2core.common import palette
from her2core.settings import PROJECT_ROOT

_HEX = re.compile(r"#[0-9a-fA-F]{6}\b")
_THREE = re.compile(r"\(\d{1,3}, \d{1,3}, \d{2,3}\)")
_DRAWING = tuple(PROJECT_ROOT / "her2core" / name for name in ("charts", "xai", "stain"))


def test_no_other_file_holds_a_colour():
    """Python files; the style sheets of pages take their colours from Streamlit's theme."""
    files = [path for part in ("her2core", "pages") for path in (PROJECT_ROOT / part).rglob("*.py")]
    assert len(files) > 100
    for path in files:
        if path.name != "palette.py":
            text = path.read_text(encoding="utf-8")
            assert not _HEX.search(text), path
            if any(folder in path.parents for folder in _DRAWING):
                assert not _THREE.search(text), path


def test_plots_stand_on_the_ground_of_streamlit_s_theme():
    theme = tomllib.loads((PROJECT_ROOT / ".streamlit" / "config.toml").read_text("utf-8"))["theme"]
    assert theme["light"]["backgroundColor"] == palette.GROUND.light
    assert theme["dark"]["backgroundColor"] == palette.GROUND.dark
    assert palette.rgb_of(theme["light"]["primaryColor"]) == palette.FRAME_EDGE
