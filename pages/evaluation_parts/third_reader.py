"""The stain measurement beside the networks: how often it is right, and where it contradicts."""

from collections.abc import Collection, Sequence
from pathlib import Path

import streamlit as st

from her2core.charts.words import far_patches, group_rows, third_reader_lines
from her2core.common.text import cell_text, markdown_text
from her2core.evaluation.report import PATCH_FOLDER, Evaluation, PatchRow, Report

_COLUMNS = 6


def draw(report: Report, folder: Path, found: Evaluation) -> None:
    """The section of one report.

    Args:
        report: as this person may see it.
        folder: of the report; pictures of its gallery lie below it.
        found: figures of the rows which the filter lets through.
    """
    st.subheader(
        f"Third reader, without any network: {markdown_text(report.title)}",
        divider=False,
        anchor=False,
    )
    third = found.third_reader
    if third is None:
        st.caption(
            "This report was made before the stain measurement took part; make it again to see it."
        )
        return
    for line in third_reader_lines(found):
        st.markdown(markdown_text(line))
    groups = group_rows(third)
    if groups:
        st.dataframe(
            [{k: cell_text(str(v)) for k, v in row.items()} for row in groups],
            hide_index=True,
            alt="Each group's true score, its score by the cells of all its patches, and shares",
        )
    found_apart = [(one, far_patches(report, one)) for one in third.differences]
    for difference, apart in found_apart:
        if not apart:
            continue
        title = next((m.title for m in report.models if m.key == difference.key), difference.key)
        with st.expander(
            f"{markdown_text(title)} and the stain measurement two grades or more apart "
            f"({difference.far})",
            icon=":material/priority_high:",
        ):
            _pictures(folder, apart, {entry.sha256 for entry in report.gallery})


def _pictures(
    folder: Path, apart: Sequence[tuple[PatchRow, str]], gallery: Collection[str]
) -> None:
    """Pictures where the report holds them; the others in words."""
    lines = []
    drawn: list[tuple[Path, str]] = []
    for row, said in apart:
        path = folder / PATCH_FOLDER / f"{row.sha256}.png"
        if row.sha256 in gallery and path.is_file():
            drawn.append((path, said))
        else:
            lines.append(
                {"Patch": cell_text(row.file), "Group": cell_text(row.group), "Said": said}
            )
    for start in range(0, len(drawn), _COLUMNS):
        for column, (path, said) in zip(
            st.columns(_COLUMNS), drawn[start : start + _COLUMNS], strict=False
        ):
            column.image(str(path), width="stretch", alt=said)
            column.caption(markdown_text(said))
    if lines:
        st.dataframe(lines, hide_index=True, alt="Patches far apart whose picture is not kept")
