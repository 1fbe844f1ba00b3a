"""Charts on pages, and the file with the external benchmark that some of them show."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from her2core.charts.external_table import read_external
from her2core.common.palette import GROUND
from pages.shell import ui


def show(figure: go.Figure, key: str, alt: str, *, saved_as: str = "") -> None:
    """Draw a figure that was made for the theme on the screen.

    Args:
        figure: drawn for `ui.is_dark()`; it gets the page's own ground, so that it is legible when
            it is saved, or when the system turns dark.
        key: of the element.
        alt: what it shows, for who cannot see it.
        saved_as: name of the PNG that its one button saves; "" for no button.
    """
    config: dict[str, object] = {"displayModeBar": False}
    if saved_as:
        config = {
            "displaylogo": False,
            "displayModeBar": True,
            "modeBarButtons": [["toImage"]],
            "toImageButtonOptions": {"format": "png", "scale": 2, "filename": saved_as},
        }
    figure.update_layout(paper_bgcolor=GROUND.on(ui.is_dark()))
    st.plotly_chart(figure, theme=None, key=key, config=config, alt=alt)


@st.cache_data(show_spinner=False)
def external(path: Path) -> Mapping[str, Any] | None:
    """What `benchmarks.external` measured; read once."""
    return read_external(path)
