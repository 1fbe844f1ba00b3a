"""What can be taken along of a report: its rows, its HTML page, its pictures."""

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from her2core.accounts.records import Permission
from her2core.charts.report_page import report_html
from her2core.charts.words import rows_csv
from her2core.common.text import markdown_text
from her2core.evaluation.blinding import told_of
from her2core.evaluation.report import PATCH_FOLDER, PatchRow, Report
from her2core.evaluation.unnamed import unnamed, unnamed_rows
from her2core.people.access import Desk
from her2core.serving.services import Services
from pages.shell import exposure


def draw(
    here: Services,
    desk: Desk,
    name: str,
    report: Report,
    rows: Sequence[PatchRow],
    folder: Path,
    copies: Mapping[str, str],
    *,
    whole: bool,
) -> None:
    """Buttons; what is large is made when its button is pressed.

    Args:
        here: the services.
        desk: puts into the audit who took what along.
        name: of the report, for file names.
        report: as this person may see it, for the HTML page.
        rows: those shown now, for the table.
        folder: of the report; its PNG files are the stored pictures.
        copies: sha256 of the report's own picture of a patch -> sha256 of the patch.
        whole: no patch is left out; else the stored pictures, which count it, are not handed out.
    """
    if not desk.may(Permission.EXPORT):
        return
    st.caption(
        f"**{markdown_text(report.title)}.** The rows are those shown now; page and pictures are "
        "of the whole report. The camera at the top of a plot saves it as it is shown."
    )
    names = st.checkbox(
        "Include names of files and groups (they may identify patients)",
        key=f"report_names_{name}",
        help="Without them a patch is named by its sha256 alone, and groups are numbered.",
    )
    handed_rows = rows if names else unnamed_rows(rows, report)
    mark = exposure.marker(here, insist=True)  # without the audit there is no file either
    table, page, pictures = f"{Path(name).name}-rows.csv", f"{Path(name).name}.html", []
    if whole:
        pictures = sorted(folder.glob("*.png"))

    def handed_out(
        what: str, entries: int, told: Sequence[PatchRow], make: Callable[[], bytes]
    ) -> bytes:
        """The file, once the audit says who took it; what its figures rest on counts as seen."""
        desk.note_export(f"{what} of a report", entries)
        mark(told_of(told, copies))
        return make()

    with st.container(horizontal=True):
        st.download_button(
            "Rows (CSV)",
            partial(
                handed_out,
                "CSV",
                len(rows),
                rows,
                partial(rows_csv, handed_rows, report.models),
            ),
            file_name=table,
            mime="text/csv",
            icon=":material/table:",
            key=f"report_csv_{name}",
            on_click="ignore",
        )
        st.download_button(
            "Whole report (HTML)",
            partial(
                handed_out,
                "HTML",
                len(report.rows),
                report.rows,
                partial(_page, report, folder, names=names),
            ),
            file_name=page,
            mime="text/html",
            icon=":material/html:",
            key=f"report_html_{name}",
            on_click="ignore",
        )
        if pictures:
            st.download_button(
                "Pictures (PNG)",
                partial(
                    handed_out, "pictures", len(pictures), report.rows, partial(_zipped, pictures)
                ),
                file_name=f"{Path(name).name}-pictures.zip",
                mime="application/zip",
                icon=":material/image:",
                key=f"report_png_{name}",
                on_click="ignore",
            )


def _page(report: Report, folder: Path, *, names: bool) -> bytes:
    return report_html(report if names else unnamed(report), folder / PATCH_FOLDER).encode()


def _zipped(pictures: Sequence[Path]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path in pictures:
            archive.write(path, path.name)
    return stream.getvalue()
