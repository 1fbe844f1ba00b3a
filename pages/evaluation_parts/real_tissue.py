"""How right the readers are on real breast tissue, source by source."""

import streamlit as st

from her2core.charts.external_table import readme_lines
from her2core.charts.headline import source_plots
from her2core.common.interval_level import LEVEL_TEXT
from her2core.common.text import markdown_text
from her2core.serving.services import Services
from pages.evaluation_parts import figures
from pages.shell import charts


def draw(here: Services) -> None:
    """How right the readers are on real breast tissue, source by source: before anything else."""
    results = charts.external(here.settings.external_file)
    if results is None:
        return
    st.markdown("##### On real breast tissue that no network was trained on")
    for column, plot in zip(st.columns(2), source_plots(results), strict=True):
        with column:
            figures.chart(f"external-{plot.title}", "", plot)
    in_use = {card.model_id for card in here.workbench.cards().values()}
    others = bool(in_use) and not in_use <= set(results["models"])
    st.caption(
        "Of the fields that got a score, source by source; a hollow marker is of fewer than all, "
        f"of so many as stand at its left. Lines are {LEVEL_TEXT} intervals with whole patients, "
        "slides or fields resampled. Read by "
        f"{markdown_text(', '.join(results['models']))}."
        + (" **Other models are in use now.**" if others else "")
    )
    with st.expander("All figures on real breast tissue"):
        st.markdown("\n".join(readme_lines(results)))
        st.caption("*Unfamiliar* is the share called unlike what the network knows.")
