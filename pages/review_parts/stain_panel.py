"""The third reader: what the stain measurement found, as a table."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from her2core.common.text import markdown_text, percent_text
from her2core.models.architectures import model_name
from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Patch
from her2core.reviews.records import Review
from her2core.reviews.worklist import FAR_APART, reader_gap
from her2core.serving.stain_service import StainReader
from her2core.stain.reading import StainReading
from her2core.stain.report import MembraneReport
from pages.review_parts.verdicts import compared

# benchmarks/stain.json: at 0.2 to 0.4 µm per pixel the goals are nearly met, at 0.2 to 1.3 not
_COARSE_UM = 0.5


def draw(
    reader: StainReader, patch: Patch, verdicts: Sequence[Verdict], review: Review | None
) -> None:
    """The panel for the square in front. Never call it while verdicts are hidden.

    Args:
        reader: the server's third reader.
        patch: the patch with its square.
        verdicts: of the models, for the same square.
        review: the recorded review that is shown, None while the patch is being reviewed.
    """
    kept = review.stain if review is not None else None
    reading = kept or reader.reading(patch)
    report = None
    if reading.cells and reading == reader.known(patch):
        report = reader.report(patch)
    _panel(verdicts, reading, _in_words(reading, report))


def recorded(review: Review) -> None:
    """What the log holds of the third reader."""
    reading = review.stain
    if reading is None:
        st.caption("No stain measurement was recorded with this review.")
        return
    words = f"{_in_words(reading, None)} Recorded then, by {markdown_text(reading.method)}."
    _panel(review.verdicts, reading, words.strip())


def compared_line(review: Review, *, same: str = "as you do") -> str:
    """The reviewer's score against the stain measurement, as one Markdown line."""
    reading = review.stain
    if reading is None:
        return ":gray[No stain measurement was recorded]"
    if reading.score is None:
        return ":gray[The stain measurement gave no score]"
    words = markdown_text(reading.verdict)
    return compared(review.own_score, "The stain measurement", reading.score, words, same=same)


def _panel(verdicts: Sequence[Verdict], reading: StainReading, words: str) -> None:
    _far_apart(verdicts, reading)
    title = f"Stain measurement (no network): **{markdown_text(reading.verdict)}**"
    if reading.reason:  # its first words, such as "too few cells"; all of it stands inside
        title = f"{title} – {markdown_text(reading.reason.split(':')[0].lower())}"
    with st.expander(title, icon=":material/biotech:"):
        _table(reading)
        if words:
            st.caption(words)


def _far_apart(verdicts: Sequence[Verdict], reading: StainReading) -> None:
    """A red line where the three readers contradict each other."""
    gap = reader_gap(verdicts, reading)
    if gap is None or gap < FAR_APART or reading.score is None:
        return
    scores = ", ".join(f"{model_name(v.architecture)} {v.score.label}" for v in verdicts)
    st.markdown(
        f":red-badge[:material/priority_high: Three readers, {gap} grades apart: {scores}, "
        f"stain {reading.score.label}]"
    )


def _table(reading: StainReading) -> None:
    """Why there is no score, and the cells where any were found."""
    if reading.reason:
        st.caption(markdown_text(reading.reason))
    if not reading.cells:
        return
    st.table(
        [
            {
                "Membrane staining": pattern,
                "Cells": cells,
                "Share": "–" if share is None else percent_text(share),
            }
            for pattern, cells, share in reading.table()
        ]
    )


def _in_words(reading: StainReading, report: MembraneReport | None) -> str:
    """What was measured; empty where no cell was found."""
    if not reading.cells:
        return ""
    parts = []
    if reading.completeness is not None and reading.intensity is not None:
        parts.append(
            f"Stained cells: {percent_text(reading.completeness)} of the rim, "
            f"DAB density {reading.intensity:.2f} (medians)."
        )
    left_out = "" if report is None else f", {report.other_cells} left out"
    parts.append(f"{reading.cells} tumour-like cells counted{left_out}.")
    if reading.um_per_pixel is not None:
        source = "" if report is None else f", {_SCALES[report.scale_source]}"
        parts.append(f"Scale {reading.um_per_pixel:.2f} µm per pixel{source}.")
    parts.append(
        "ASCO/CAP 2018 rule on measured cells; round stroma cells may be among them, which draws "
        "faint staining towards 0."
    )
    if reading.um_per_pixel is not None and reading.um_per_pixel > _COARSE_UM:
        parts.append("This image is coarse: single membranes are hardly resolved, trust it less.")
    return " ".join(parts)


_SCALES = {"given": "as given", "nuclei": "estimated from the nuclei", "assumed": "assumed"}
