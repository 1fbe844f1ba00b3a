"""The image, large; beside or below it the heat maps of both models, with legend and reading."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait

import numpy as np
import streamlit as st

from her2core import screen
from her2core.models.verdict import Verdict
from her2core.patches import Patch, Square
from her2core.scores import HER2Score
from her2core.text import markdown_text
from her2core.xai.explanation import Explanation, Method
from pages import ui
from pages.review_parts.draft import draft_of

_log = logging.getLogger(__name__)
_METHODS: dict[str, str] = {"none": "No overlay", "grad_cam": "Grad-CAM", "shap": "SHAP"}
_LEGENDS: dict[str, tuple[str, str]] = {
    "grad_cam": ("no weight", "most weight for the class"),
    "shap": ("against the class", "for the class"),
}
_SMALLEST_SQUARE = 64


@st.fragment
def draw(here: ui.Services, patch: Patch, verdicts: Sequence[Verdict], hidden: bool) -> None:
    """The image with its controls; a fragment, so that an overlay redraws this half alone.

    Args:
        here: the services.
        patch: the patch in front, with the square the verdicts are for.
        verdicts: for that square; empty while there is none.
        hidden: blind mode: no overlay may give the verdicts away.
    """
    method = "none"
    if verdicts and not hidden:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            method = st.segmented_control(
                "Overlay",
                list(_METHODS),
                default="none",
                required=True,
                format_func=_METHODS.__getitem__,
                key="overlay",
                persist_state="session",
                label_visibility="collapsed",
            )
            if method != "none":
                st.toggle("Original beside overlay", True, key="beside", persist_state="session")
    if method == "none":
        st.image(_whole(patch.key, patch), width="stretch", alt="The patch")
        return
    _maps(here, patch, verdicts, method)


def square_controls(patch: Patch) -> None:
    """Sliders that move the square which the models see. The verdicts follow it."""
    draft = draft_of(patch.sha256)
    square = patch.square
    whole = min(patch.width, patch.height)
    if whole <= _SMALLEST_SQUARE and patch.width == patch.height:
        return
    not_square = patch.width != patch.height
    label = "Not square: the models see the framed part" if not_square else "Part the models see"
    with st.expander(label, icon=":material/crop:"):
        columns = st.columns(3, gap="medium")
        size = square.size
        if whole > _SMALLEST_SQUARE:
            size = columns[0].slider(
                "Side (px)", _SMALLEST_SQUARE, whole, square.size, key=f"side-{draft.token}"
            )
        x = _position(columns[1], "From left (px)", patch.width - size, square.x, draft.token)
        y = _position(columns[2], "From top (px)", patch.height - size, square.y, draft.token)
        chosen = Square(x, y, size)
        if chosen != square:
            draft.square = chosen
            st.rerun()


def _position(column: object, label: str, room: int, value: int, token: str) -> int:
    if room <= 0:
        return 0
    # The end of the track moves with the side; its key does too, so that no value lies outside.
    return column.slider(label, 0, room, min(value, room), key=f"{label}-{room}-{token}")


def _maps(here: ui.Services, patch: Patch, verdicts: Sequence[Verdict], method: Method) -> None:
    """Original and controls above, one map per model below."""
    beside = st.session_state.get("beside", True)
    first, second = st.columns(2, gap="small")
    if beside:
        first.image(_field(patch.key, patch), width="stretch", alt="Original")
        first.caption("Original", text_alignment="center")
    with second if beside else first:
        target = st.segmented_control(
            "Class explained",
            ["verdict", *HER2Score],
            default="verdict",
            required=True,
            format_func=lambda c: "Each verdict" if c == "verdict" else c.label,
            key="target",
            persist_state="session",
        )
        opacity = st.slider(
            "Opacity of the map (%)", 0, 100, 55, 5, key="opacity", persist_state="session"
        )
    with second:
        _legend(method)
        readings = st.container(gap="xsmall")
    wanted = {
        verdict.architecture: verdict.score if target == "verdict" else HER2Score(target)
        for verdict in verdicts
    }
    given = {verdict.model_id for verdict in verdicts}
    maps = _requested(here, patch, method, wanted)
    for column, (name, future) in zip(
        st.columns(len(maps), gap="small"), maps.items(), strict=True
    ):
        title = f"{ui.model_title(name)}, {_METHODS[method]} for {wanted[name].label}"
        with column:
            explanation = _result(future, title)
            if explanation is None:
                continue
            picture = _blended(
                f"{patch.key}:{explanation.model_id}:{method}:{int(wanted[name])}:{opacity}",
                patch,
                explanation,
                opacity / 100,
            )
            st.image(picture, width="stretch", alt=title)
            st.caption(title, text_alignment="center")
            if explanation.model_id not in given:
                st.caption(
                    "This map is of the model in use now; the verdict was given by an earlier one.",
                    text_alignment="center",
                )
        readings.caption(f"**{ui.model_title(name)}.** {markdown_text(explanation.reading)}")
    waiting = [future for future in maps.values() if not future.done()]
    if waiting:
        st.fragment(_look_again, run_every=0.7)(waiting)


def _requested(
    here: ui.Services, patch: Patch, method: Method, wanted: Mapping[str, HER2Score]
) -> dict[str, Future[Explanation]]:
    """One map per model, computed in the background; maps nobody looks at any more are dropped."""
    asked: dict[tuple[object, ...], Future[Explanation]] = st.session_state.get("maps", {})
    now: dict[tuple[object, ...], Future[Explanation]] = {}
    cards = here.workbench.cards()
    maps: dict[str, Future[Explanation]] = {}
    for name, score in wanted.items():
        card = cards.get(name)
        key = (patch.key, name, method, score, card and card.model_id)
        future = asked.get(key) or here.mapping.submit(
            here.workbench.explain, patch, name, method, score
        )
        now[key] = maps[name] = future
    for key, future in asked.items():
        if key not in now:
            future.cancel()
    st.session_state["maps"] = now
    # What is kept or quick (Grad-CAM) is there before a spinner could be.
    wait(maps.values(), timeout=0.4)
    return maps


def _result(future: Future[Explanation], title: str) -> Explanation | None:
    if not future.done():
        st.markdown(f":gray[:material/hourglass_top: Computing {title}…]")
        return None
    try:
        return future.result()
    except Exception:
        _log.exception("A map could not be computed")
        st.warning(f"{title}: the map could not be computed. The verdict stands without it.")
        return None


def _look_again(futures: list[Future[Explanation]]) -> None:
    if any(future.done() for future in futures):
        st.rerun(scope="app")


@st.cache_data(max_entries=64, show_spinner=False)
def _whole(key: str, _patch: Patch) -> bytes:
    return screen.framed(_patch)


@st.cache_data(max_entries=64, show_spinner=False)
def _field(key: str, _patch: Patch) -> bytes:
    return screen.png(_patch.field(), longest=900, shortest=448)


@st.cache_data(max_entries=128, show_spinner=False)
def _blended(key: str, _patch: Patch, _explanation: Explanation, _opacity: float) -> bytes:
    from her2core.xai.overlay import blend

    return screen.png(blend(_patch.field(), _explanation, _opacity), longest=900, shortest=448)


def _legend(method: Method) -> None:
    """The colour scale, drawn by the same code as the maps, and what its ends mean."""
    low, high = _LEGENDS[method]
    st.image(_scale(method), width="stretch", alt=f"Colour scale from {low} to {high}")
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        st.caption(low, width="content")
        st.caption(high, width="content")


@st.cache_data(show_spinner=False)
def _scale(method: Method) -> bytes:
    from her2core.xai.overlay import blend

    ramp = np.linspace(-1.0 if method == "shap" else 0.0, 1.0, 224, dtype=np.float32)
    heat = np.broadcast_to(ramp, (224, 224)).copy()
    paper = np.full((224, 224, 3), 245, np.uint8)
    strip = blend(paper, Explanation(method, "legend", HER2Score.ZERO, heat, 1.0, ""), 1.0)
    return screen.png(strip[:10])
