"""Whether the maps of a model tell the truth, as measured by the fidelity benchmark."""

import streamlit as st

from her2core.charts.fidelity import curves_figure
from her2core.common.interval_level import LEVEL_TEXT
from her2core.common.text import markdown_text
from her2core.serving.services import Services
from her2core.xai.fidelity_report import (
    BASELINES,
    Convergence,
    FidelityReport,
    Measured,
    MethodFidelity,
    checked_maps,
)
from pages.shell import charts, ui

_HOW_MEASURED = (
    "Plain gradient and random order are there to compare with. *Deletion, insertion*: area under "
    "the probability of the verdict while the pixels a map marks are blurred away, or put back "
    "into the blurred patch; a good map lowers the one and raises the other (Petsiuk 2018). "
    "*Random weights*: rank correlation with the map of the same network before any training, to "
    "be near 0 (Adebayo 2018). *Shift, JPEG*: rank correlation with the map of the patch moved by "
    "3 and 5 pixels, and compressed. *Pointing*: how often the hottest pixel lies on a stained "
    "membrane; *mass*: share of the heat there, also in multiples of chance. Intervals are "
    f"{LEVEL_TEXT} "
    "bootstrap intervals over patches, which are synthetic: on tissue nobody knows which pixel is "
    "right."
)


def draw(here: Services, model_id: str, *, key: str) -> None:
    """A folded section with the figures of one bundle, or the line that there are none."""
    report = checked_maps(here.settings)
    fidelity = report.of(model_id)
    if fidelity is None:
        st.caption(
            ":material/help: Heat maps: not checked for this bundle. "
            "`python -m training.check_maps --bundle FOLDER` checks them."
        )
        return
    own = [one for one in fidelity.methods if one.method not in BASELINES]
    passed = sum(all(check.passed for check in one.checks) for one in own)
    with st.expander(
        f"Do its heat maps tell the truth? {passed} of {len(own)} methods pass every check",
        icon=":material/fact_check:",
    ):
        st.dataframe(
            [_row(one) for one in fidelity.methods],
            hide_index=True,
            key=f"fidelity-{key}",
            alt="Fidelity of the heat maps, by method",
        )
        for one in own:
            for check in one.checks:
                if not check.passed:
                    st.markdown(
                        f":orange[:material/warning:] **{one.title}**, {check.name.lower()}: "
                        f"{check.failing}."
                    )
        figure = curves_figure(fidelity, dark=ui.is_dark())
        charts.show(
            figure,
            f"curves-{key}",
            "Deletion and insertion curves by method",
            saved_as=f"fidelity-{model_id}",
        )
        if fidelity.convergence is not None:
            st.markdown(_converges(fidelity.convergence))
        st.caption(_HOW_MEASURED)
        st.caption(_measured_on(report))


def _row(one: MethodFidelity) -> dict[str, str]:
    """One method as a line of the table."""
    failed = [check.name for check in one.checks if not check.passed]
    verdict = "fails: " + ", ".join(failed).lower() if failed else "passes"
    return {
        "Method": one.title,
        "Checks": "to compare with" if one.method in BASELINES else verdict,
        "Deletion": _figure(one.figures.get("deletion")),
        "Insertion": _figure(one.figures.get("insertion")),
        "Gain over random": _figure(one.figures.get("gain_over_random"), interval=True),
        "Random weights": _figure(one.figures.get("randomised")),
        "Shift": _figure(one.figures.get("shift")),
        "JPEG": _figure(one.figures.get("jpeg")),
        "Pointing": _figure(one.figures.get("pointing")),
        "Mass": _figure(one.figures.get("mass")),
        "Mass, times chance": _figure(one.figures.get("mass_over_area"), interval=True),
    }


def _figure(one: Measured | None, *, interval: bool = False) -> str:
    if one is None:
        return "–"
    shown = f"{one.value:.2f}"
    return f"{shown} ({one.low:.2f} to {one.high:.2f})" if interval else shown


def _converges(shap: Convergence) -> str:
    steps = zip(shap.samples, shap.correlation, strict=True)
    correlations = ", ".join(f"{samples} samples {value:.2f}" for samples, value in steps)
    return (
        f"**SHAP by number of samples**, rank correlation with {shap.reference:,} others "
        f"(n = {shap.n}): {correlations}."
    )


def _measured_on(report: FidelityReport) -> str:
    return f"Measured on {markdown_text(report.patches)}, {markdown_text(report.date)}."
