"""The worst errors and the largest disagreements of a report, each opening in the Review page."""

from collections.abc import Collection
from pathlib import Path

import streamlit as st

from her2core.charts.words import gallery_line
from her2core.common.text import markdown_text
from her2core.evaluation.gallery import GalleryEntry
from her2core.evaluation.report import PATCH_FOLDER, Report
from her2core.serving.intake import take_in
from her2core.serving.services import Services
from pages.review_parts import navigation
from pages.shell import exposure

COLUMNS = 6
KINDS = {"error": "Worst errors", "disagreement": "Largest disagreements of the models"}


def draw(
    here: Services, report: Report, folder: Path, selected: Collection[str], *, whole: bool
) -> None:
    """The gallery.

    Args:
        here: the services, for opening a patch.
        report: whose gallery.
        folder: of the report; pictures lie below it.
        selected: sha256 of the patches the filter lets through.
        whole: no patch is left out, as one is that is still to be read blind.
    """
    entries = [entry for entry in report.gallery if entry.sha256 in selected]
    st.subheader(
        f"Patches worth a look: {markdown_text(report.title)}", divider=False, anchor=False
    )
    if not whole:
        st.caption(
            ":material/visibility_off: These patches were chosen among all, those that you are "
            "still to read blind included, so none is shown."
        )
        return
    if not entries:
        st.caption(
            "The report holds no picture: it was made with `--gallery 0`, for patches that may "
            "not be passed on."
            if not report.gallery
            else "No patch of the gallery fits these filters."
        )
        return
    for kind, words in KINDS.items():
        mine = [entry for entry in entries if entry.kind == kind]
        if mine:
            st.markdown(f"**{words}**")
        for start in range(0, len(mine), COLUMNS):
            row = mine[start : start + COLUMNS]
            for number, (column, entry) in enumerate(zip(st.columns(COLUMNS), row, strict=False)):
                with column:
                    _entry(here, report, folder, entry, f"{folder.name}-{kind}-{start + number}")


def _entry(here: Services, report: Report, folder: Path, entry: GalleryEntry, key: str) -> None:
    line = gallery_line(report, entry)
    path = folder / PATCH_FOLDER / f"{entry.sha256}.png"
    known = here.store.patch(entry.sha256) is not None
    if path.is_file():
        st.image(str(path), width="stretch", alt=line)
    st.caption(markdown_text(line))
    if st.button(
        "Review",
        icon=":material/biotech:",
        key=f"gallery_{key}",
        disabled=not (known or path.is_file()),
        help="Open this patch on the Review page.",
    ):
        _open(here, report, path, entry, known)


def _open(here: Services, report: Report, path: Path, entry: GalleryEntry, known: bool) -> None:
    """To the Review page; a patch not yet in the workspace is taken in as if uploaded."""
    sha256 = entry.sha256
    if not known:
        name = next((row.file for row in report.rows if row.sha256 == entry.sha256), path.name)
        try:
            data = path.read_bytes()
        except OSError:
            st.warning("The picture of this patch is not there any more.")
            return
        # The copy is a PNG, whatever the original was.
        taken = take_in(
            data, f"{Path(name).stem}.png", here.images, here.store, here.settings.limits
        )
        if taken.sha256 is None:
            st.warning(markdown_text(taken.message))
            return
        if taken.outcome == "new":
            here.queue.add(taken.sha256, taken.name)
        sha256 = taken.sha256
    # the copy that was taken in is a file of its own; its verdicts were on the screen, too
    exposure.mark(here, [sha256])
    navigation.to_review(sha256)
