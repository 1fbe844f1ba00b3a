"""The worst errors and the largest disagreements of a report, each opening in the Review page."""

from pathlib import Path

import streamlit as st

from her2core.charts.words import gallery_line
from her2core.common.text import markdown_text
from her2core.evaluation.gallery import GalleryEntry
from her2core.evaluation.report import PATCH_FOLDER, Report
from her2core.serving.services import Services
from pages.evaluation_parts.sources import Shown
from pages.review_parts import navigation
from pages.shell import exposure

COLUMNS = 6
KINDS = {"error": "Worst errors", "disagreement": "Largest disagreements of the models"}


def draw(here: Services, one: Shown) -> None:
    """The gallery: of the patches that the filter lets through."""
    selected = {row.sha256 for row in one.rows}
    entries = [entry for entry in one.report.gallery if entry.sha256 in selected]
    st.subheader(f"Patches worth a look: {one.title}", divider=False, anchor=False)
    if not one.whole:
        st.caption(
            ":material/visibility_off: These patches were chosen among all, those that you are "
            "still to read blind included, so none is shown."
        )
        return
    if not entries:
        st.caption(
            "The report holds no picture: it was made with `--gallery 0`, for patches that may "
            "not be passed on."
            if not one.report.gallery
            else "No patch of the gallery fits these filters."
        )
        return
    for kind, words in KINDS.items():
        mine = [entry for entry in entries if entry.kind == kind]
        if not mine:
            continue
        st.markdown(f"**{words}**")
        grid = st.grid(COLUMNS, min_column_width=130)
        for number, entry in enumerate(mine):
            with grid.cell():
                _entry(here, one, entry, f"gallery_{one.folder.name}-{kind}-{number}")


def _entry(here: Services, one: Shown, entry: GalleryEntry, key: str) -> None:
    line = gallery_line(one.report, entry)
    path = one.folder / PATCH_FOLDER / f"{entry.sha256}.png"
    known = here.store.patch(entry.sha256) is not None
    if path.is_file():
        st.image(str(path), width="stretch", alt=line)
    st.caption(markdown_text(line))
    if st.button(
        "Review",
        icon=":material/biotech:",
        key=key,
        disabled=not (known or path.is_file()),
        help="Open this patch on the Review page.",
    ):
        _open(here, one.report, path, entry.sha256, known)


def _open(here: Services, report: Report, path: Path, sha256: str, known: bool) -> None:
    """To the Review page; a patch not yet in the workspace is taken in as if uploaded."""
    if not known:
        name = next((row.file for row in report.rows if row.sha256 == sha256), path.name)
        try:
            data = path.read_bytes()
        except OSError:
            st.warning("The picture of this patch is not there any more.")
            return
        # The copy is a PNG, whatever the original was.
        taken = here.take_in(data, f"{Path(name).stem}.png")
        if taken.sha256 is None:
            st.warning(markdown_text(taken.message))
            return
        sha256 = taken.sha256
    # the copy that was taken in is a file of its own; its verdicts were on the screen, too
    exposure.mark(here, [sha256])
    navigation.to_review(sha256)
