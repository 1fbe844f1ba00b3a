"""What can be taken along of a report: its rows, its HTML page, its pictures."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from her2core.evaluation.report import PATCH_FOLDER, PatchRow, Report
from her2core.evaluation_view.page import report_html
from her2core.evaluation_view.words import rows_csv
from her2core.text import markdown_text


def draw(name: str, report: Report, rows: Sequence[PatchRow], folder: Path) -> None:
    """Buttons; what is large is made when its button is pressed.

    Args:
        name: of the report, for file names.
        report: whole, for the HTML page.
        rows: those shown now, for the table.
        folder: of the report; its PNG files are the stored pictures.
    """
    st.caption(
        f"**{markdown_text(report.title)}.** The rows are those shown now; page and pictures are "
        "of the whole report. The camera at the top of a plot saves it as it is shown. File names "
        "may identify patients."
    )
    stem = Path(name).name
    with st.container(horizontal=True):
        st.download_button(
            "Rows (CSV)",
            partial(rows_csv, rows, report.models),
            file_name=f"{stem}-rows.csv",
            mime="text/csv",
            icon=":material/table:",
            key=f"report_csv_{name}",
            on_click="ignore",
        )
        st.download_button(
            "Whole report (HTML)",
            partial(_page, report, folder),
            file_name=f"{stem}.html",
            mime="text/html",
            icon=":material/html:",
            key=f"report_html_{name}",
            on_click="ignore",
        )
        pictures = sorted(folder.glob("*.png"))
        if pictures:
            st.download_button(
                "Pictures (PNG)",
                partial(_zipped, pictures),
                file_name=f"{stem}-pictures.zip",
                mime="application/zip",
                icon=":material/image:",
                key=f"report_png_{name}",
                on_click="ignore",
            )


def _page(report: Report, folder: Path) -> bytes:
    return report_html(report, folder / PATCH_FOLDER).encode()


def _zipped(pictures: Sequence[Path]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path in pictures:
            archive.write(path, path.name)
    return stream.getvalue()
