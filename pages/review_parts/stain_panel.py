"""The third reader: what the stain measurement found, as a table and drawn on the image."""

from __future__ import annotations

import streamlit as st

from her2core import screen
from her2core.patches import Patch
from her2core.stain import MembraneReport, StainThresholds, draw_cells, legend, measure_membranes
from her2core.text import markdown_text

# larger fields take longer than a reviewer waits; they are measured on the command line
_LARGEST_SIDE = 3000
# benchmarks/stain.json: at 0.2 to 0.4 µm per pixel the goals are nearly met, at 0.2 to 1.3 not
_COARSE_UM = 0.5


def draw(patch: Patch, thresholds: StainThresholds) -> None:
    """The panel for the square in front. Never call it while verdicts are hidden."""
    if patch.square.size > _LARGEST_SIDE:
        st.caption(
            f"Stain measurement: choose a part of at most {_LARGEST_SIDE} pixels to have it "
            "measured."
        )
        return
    report = _measured(patch.key, thresholds, patch)
    title = f"Stain measurement (no network): **{markdown_text(report.verdict)}**"
    with st.expander(title, icon=":material/biotech:"):
        if report.reason:
            st.caption(markdown_text(report.reason))
        st.table(
            [
                {
                    "Membrane staining": name,
                    "Cells": count,
                    "Share": "–" if share is None else f"{share:.0%}",
                }
                for name, count, share in report.table()
            ]
        )
        st.caption(_in_words(report))
        if st.toggle("Draw the cells", key="stain-drawn", persist_state="session"):
            st.image(_drawn(patch.key, thresholds, patch), width="stretch", alt="Measured cells")
            st.caption(
                "  \n".join(f"`{colour}` {markdown_text(meaning)}" for colour, meaning in legend())
            )


def _in_words(report: MembraneReport) -> str:
    scale = {
        "given": "as given",
        "nuclei": "estimated from the nuclei",
        "assumed": "assumed",
    }[report.scale_source]
    parts = []
    if report.completeness and report.intensity:
        parts.append(
            f"Stained cells: {report.completeness.median:.0%} of the rim, "
            f"DAB density {report.intensity.median:.2f} (medians)."
        )
    parts.append(f"{report.total} tumour-like cells counted, {report.other_cells} left out.")
    parts.append(f"Scale {report.um_per_pixel:.2f} µm per pixel, {scale}.")
    parts.append(
        "ASCO/CAP 2018 rule on measured cells; round stroma cells may be among them, which draws "
        "faint staining towards 0."
    )
    if report.um_per_pixel > _COARSE_UM:
        parts.append("This image is coarse: single membranes are hardly resolved, trust it less.")
    return " ".join(parts)


@st.cache_data(max_entries=64, show_spinner="Measuring the stain…")
def _measured(key: str, _thresholds: StainThresholds, _patch: Patch) -> MembraneReport:
    return measure_membranes(_patch.field(), thresholds=_thresholds)


@st.cache_data(max_entries=64, show_spinner=False)
def _drawn(key: str, _thresholds: StainThresholds, _patch: Patch) -> bytes:
    picture = draw_cells(_patch.field(), _measured(key, _thresholds, _patch))
    return screen.png(picture, longest=900, shortest=448)
