"""What can be taken along of a report: its rows, its HTML page, its pictures."""

import io
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from her2core.accounts.records import Permission
from her2core.charts.report_page import report_html
from her2core.charts.words import rows_csv
from her2core.evaluation.blinding import exposed_by
from her2core.evaluation.report import PATCH_FOLDER, PatchRow, Report
from her2core.evaluation.unnamed import unnamed, unnamed_rows
from her2core.serving.services import Services
from pages.evaluation_parts.sources import Shown
from pages.shell import exposure, session


def draw(here: Services, one: Shown) -> None:
    """Buttons, for who may export; what is large is made when its button is pressed."""
    desk = session.desk(here.store)
    if not desk.may(Permission.EXPORT):
        return
    report, name = one.report, one.source.name
    st.caption(
        f"**{one.title}.** The rows are those shown now; page and pictures are of the whole "
        "report. The camera at the top of a plot saves it as it is shown."
    )
    names = st.checkbox(
        "Include names of files and groups (they may identify patients)",
        key=f"report_names_{name}",
        help="Without them a patch is named by its sha256 alone, and groups are numbered.",
    )
    handed_rows = one.rows if names else unnamed_rows(one.rows, report)
    # the stored pictures count every patch: where one is left out, they are not handed out
    pictures = sorted(one.folder.glob("*.png")) if one.whole else []
    mark = exposure.marker(here, insist=True)  # without the audit there is no file either

    def handed_out(
        what: str, entries: int, basis: Sequence[PatchRow], make: Callable[[], bytes]
    ) -> bytes:
        """The file, once the audit says who took it; what its figures rest on counts as seen."""
        desk.note_export(f"{what} of a report", entries)
        mark(exposed_by(basis, one.source.copies))
        return make()

    def button(kind: str, label: str, ending: str, mime: str, data: Callable[[], bytes]) -> None:
        st.download_button(
            label,
            data,
            file_name=f"{Path(name).name}{ending}",
            mime=mime,
            icon=":material/download:",
            key=f"report_{kind}_{name}",
            on_click="ignore",
        )

    rows, whole, every = len(one.rows), len(report.rows), report.rows
    table = partial(rows_csv, handed_rows, report.models)
    page = partial(_page, report, one.folder, names=names)
    with st.container(horizontal=True):
        data = partial(handed_out, "CSV", rows, one.rows, table)
        button("csv", "Rows (CSV)", "-rows.csv", "text/csv", data)
        data = partial(handed_out, "HTML", whole, every, page)
        button("html", "Whole report (HTML)", ".html", "text/html", data)
        if pictures:
            data = partial(handed_out, "pictures", len(pictures), every, partial(_zip, pictures))
            button("png", "Pictures (PNG)", "-pictures.zip", "application/zip", data)


def _page(report: Report, folder: Path, *, names: bool) -> bytes:
    return report_html(report if names else unnamed(report), folder / PATCH_FOLDER).encode()


def _zip(pictures: Sequence[Path]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path in pictures:
            archive.write(path, path.name)
    return stream.getvalue()
