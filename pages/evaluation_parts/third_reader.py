"""The stain measurement beside the networks: how often it is right, and where it contradicts."""

from collections.abc import Sequence

import streamlit as st

from her2core.charts.words import far_patches, group_rows, third_reader_lines
from her2core.common.text import cell_text, markdown_text
from her2core.evaluation.report import PATCH_FOLDER, PatchRow
from pages.evaluation_parts.gallery import COLUMNS
from pages.evaluation_parts.sources import Shown


def draw(one: Shown) -> None:
    """The section of one report: of the rows which the filter lets through."""
    st.subheader(f"Third reader, without any network: {one.title}", divider=False, anchor=False)
    third = one.evaluation.third_reader
    if third is None:
        st.caption(
            "This report was made before the stain measurement took part; make it again to see it."
        )
        return
    for line in third_reader_lines(one.evaluation):
        st.markdown(markdown_text(line))
    groups = group_rows(third)
    if groups:
        st.dataframe(
            [{k: cell_text(str(v)) for k, v in row.items()} for row in groups],
            hide_index=True,
            alt="Each group's true score, its score by the cells of all its patches, and shares",
        )
    titles = {model.key: model.title for model in one.report.models}
    for difference in third.differences:
        apart = far_patches(one.report, difference)
        if not apart:
            continue
        title = markdown_text(titles.get(difference.key, difference.key))
        with st.expander(
            f"{title} and the stain measurement two grades or more apart ({difference.far})",
            icon=":material/priority_high:",
        ):
            _pictures(one, apart)


def _pictures(one: Shown, apart: Sequence[tuple[PatchRow, str]]) -> None:
    """Pictures where the report holds them; the others in words."""
    gallery = {entry.sha256 for entry in one.report.gallery}
    grid = st.grid(COLUMNS, min_column_width=130)
    lines = []
    for row, words in apart:
        path = one.folder / PATCH_FOLDER / f"{row.sha256}.png"
        if row.sha256 in gallery and path.is_file():
            with grid.cell():
                st.image(str(path), width="stretch", alt=words)
                st.caption(markdown_text(words))
        else:
            lines.append(
                {"Patch": cell_text(row.file), "Group": cell_text(row.group), "Said": words}
            )
    if lines:
        st.dataframe(lines, hide_index=True, alt="Patches far apart whose picture is not kept")
