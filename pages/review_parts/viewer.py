"""The image, large; beside or below it the heat maps of both models, with legend and reading."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from her2core.common.text import markdown_text
from her2core.models.verdict import Verdict
from her2core.preprocessing import screen
from her2core.preprocessing.patches import Patch, Square
from her2core.scores import HER2Score
from her2core.serving.services import Services
from her2core.stain import StainThresholds
from her2core.xai.explanation import Explanation, Method, is_signed
from her2core.xai.fidelity_report import FidelityReport, read_report
from her2core.xai.methods import CLASS_ACTIVATION, METHODS
from her2core.xai.progress import Progress
from her2core.xai.whereabouts import Parts, find_parts, in_words, whereabouts
from pages.review_parts import map_choices
from pages.review_parts.draft import draft_of
from pages.review_parts.map_choices import Look, Style
from pages.shell import ui

_log = logging.getLogger(__name__)
_LEGENDS: dict[bool, tuple[str, str]] = {
    False: ("no weight", "most weight for the class"),
    True: ("against the class", "for the class"),
}
_CONTRAST_LEGEND = ("the other class", "the class explained")
# what stands under a title at most: image, caption, two remarks, reading
_LINES = 5
_SMALLEST_SQUARE = 64
# The tissue parts are looked for in a field of at most so many pixels a side.
_LARGEST_MEASURED = 1500


@dataclass(frozen=True)
class _Asked:
    """A map that is being computed, or is there."""

    future: Future[Explanation]
    progress: Progress


@st.fragment
def draw(here: Services, patch: Patch, verdicts: Sequence[Verdict], hidden: bool) -> None:
    """The image with its controls; a fragment, so that an overlay redraws this half alone.

    Args:
        here: the services.
        patch: the patch in front, with the square the verdicts are for.
        verdicts: for that square; empty while there is none.
        hidden: blind mode: no overlay may give the verdicts away.
    """
    method = map_choices.method_row() if verdicts and not hidden else None
    if method is None:
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
        # another side keeps the middle where it was
        moved = (square.size - size) // 2
        x = _position(
            columns[1], "From left (px)", patch.width - size, square.x + moved, draft.token
        )
        y = _position(
            columns[2], "From top (px)", patch.height - size, square.y + moved, draft.token
        )
        chosen = Square(x, y, size)
        if chosen != square:
            draft.square = chosen
            st.rerun()


def _position(column: DeltaGenerator, label: str, room: int, value: int, token: str) -> int:
    if room <= 0:
        return 0
    # The end of the track moves with the side; its key does too, so that no value lies outside.
    return int(
        column.slider(label, 0, room, min(max(0, value), room), key=f"{label}-{room}-{token}")
    )


def _maps(here: Services, patch: Patch, verdicts: Sequence[Verdict], method: Method) -> None:
    """Original and question above, one map per model side by side below."""
    look = map_choices.look()
    first, second = st.columns(2, gap="small")
    if look.beside:
        first.image(_field(patch.key, patch), width="stretch", alt="Original")
        first.caption("Original", text_alignment="center")
    with second if look.beside else first:
        wanted = map_choices.question(method, verdicts)
    contrasts = {(score, other) for score, other in wanted.values() if other is not None}
    with second, st.container(gap="xsmall"):
        _legend(method, look, contrasts)
    given = {verdict.model_id for verdict in verdicts}
    maps = _requested(here, patch, method, wanted)
    checked = read_report(here.settings.fidelity_file)
    for column, (name, asked) in zip(st.columns(len(maps), gap="small"), maps.items(), strict=True):
        title = _title(name, method, *wanted[name])
        with column:
            explanation = _result(asked, title)
            if explanation is None:
                # takes away at once what an earlier map has left below
                for _ in range(_LINES - 1):
                    st.empty()
                continue
            st.image(_drawn(patch, explanation, look), width="stretch", alt=title)
            st.caption(f"{title}{_where(here, patch, explanation)}", text_alignment="center")
            if explanation.model_id not in given:
                st.caption(
                    "This map is of the model in use now; the verdict was given by an earlier one.",
                    text_alignment="center",
                )
            _reading(name, explanation, checked)


def _title(name: str, method: Method, target: HER2Score, against: HER2Score | None) -> str:
    """E.g. "CNN, Grad-CAM for 2+" or "CNN, Grad-CAM for 2+, not 3+"."""
    said = f"{ui.model_title(name)}, {METHODS[method].title} for {target.label}"
    return said if against is None else f"{said}, not {against.label}"


def _reading(name: str, explanation: Explanation, checked: FidelityReport) -> None:
    """Whether the map failed a check, what it shows and what it cannot show."""
    warning = checked.warning(explanation.model_id, explanation.method)
    if warning is not None:
        st.caption(f":orange[:material/warning:] {markdown_text(warning)}")
    st.caption(f"**{ui.model_title(name)}.** {markdown_text(explanation.reading)}")


def _where(here: Services, patch: Patch, explanation: Explanation) -> str:
    """Which tissue holds the heat, measured without the network, as a second line."""
    found = whereabouts(explanation, _parts(patch.key, here.settings.stain, patch))
    if found is None:
        return ""
    # in the narrow column no line may begin with the sign alone
    return "  \n" + markdown_text(in_words(found)).replace(" \\%", "\N{NO-BREAK SPACE}%")


def _requested(
    here: Services,
    patch: Patch,
    method: Method,
    wanted: Mapping[str, tuple[HER2Score, HER2Score | None]],
) -> dict[str, _Asked]:
    """One map per model, computed in the background; maps nobody looks at any more are stopped."""
    asked: dict[tuple[object, ...], _Asked] = st.session_state.get("maps", {})
    now: dict[tuple[object, ...], _Asked] = {}
    cards = here.workbench.cards()
    pool = here.quick_mapping if method in CLASS_ACTIVATION else here.mapping
    maps: dict[str, _Asked] = {}
    for name, (score, against) in wanted.items():
        card = cards.get(name)
        key: tuple[object, ...] = (patch.key, name, method, score, against, card and card.model_id)
        if key not in asked:
            progress = Progress()
            future = pool.submit(
                here.workbench.explain, patch, name, method, score, against, progress
            )
            asked[key] = _Asked(future, progress)
        now[key] = maps[name] = asked[key]
    for key, one in asked.items():
        if key not in now:
            one.future.cancel()
            one.progress.stop()
    st.session_state["maps"] = now
    # What is kept or quick (class-activation maps) is there before a spinner could be.
    wait([one.future for one in maps.values()], timeout=0.4)
    return maps


def _result(asked: _Asked, title: str) -> Explanation | None:
    """The map; None where there is none yet, or none at all, which is then said."""
    if not asked.future.done():
        st.fragment(_wait, run_every=0.7)(asked, title)
        return None
    try:
        return asked.future.result()
    except Exception:
        _log.exception("A map could not be computed")
        st.warning(f"{title}: the map could not be computed. The verdict stands without it.")
        return None


def _wait(asked: _Asked, title: str) -> None:
    """How far the map is; draws the page anew as soon as it is there."""
    if asked.future.done():
        st.rerun(scope="app")
    st.progress(asked.progress.share, f":gray[Computing {title}…]")


@st.cache_data(max_entries=64, show_spinner=False)
def _whole(key: str, _patch: Patch) -> bytes:
    return screen.framed(_patch)


@st.cache_data(max_entries=64, show_spinner=False)
def _field(key: str, _patch: Patch) -> bytes:
    return screen.png(_patch.field(), longest=900, shortest=448)


def _drawn(patch: Patch, explanation: Explanation, look: Look) -> bytes:
    """The field with the map as the reviewer wants it drawn."""
    made = (explanation.model_id, explanation.method, explanation.target, explanation.against)
    return _picture(f"{patch.key}:{made}", look.style, look.opacity, patch, explanation)


@st.cache_data(max_entries=128, show_spinner=False)
def _picture(
    key: str, style: Style, opacity: int, _patch: Patch, _explanation: Explanation
) -> bytes:
    from her2core.xai.contours import draw_contours
    from her2core.xai.overlay import blend

    # Fine lines need a fine picture.
    rgb = screen.enlarged(_patch.field(), 900, 448 if style == "heat" else 900)
    if style != "contour":
        rgb = blend(rgb, _explanation, opacity / 100)
    if style != "heat":
        rgb = draw_contours(rgb, _explanation)
    return screen.png(rgb)


@st.cache_data(max_entries=64, show_spinner=False)
def _parts(key: str, _thresholds: StainThresholds, _patch: Patch) -> Parts:
    rgb = screen.enlarged(_patch.field(), longest=_LARGEST_MEASURED)
    return find_parts(rgb, thresholds=_thresholds)


def _legend(method: Method, look: Look, contrasts: set[tuple[HER2Score, HER2Score]]) -> None:
    """The colour scale, drawn by the same code as the maps, and what its ends mean.

    Args:
        method: of the maps.
        look: how they are drawn.
        contrasts: the class explained and the other one, of each map that contrasts two.
    """
    contrast = bool(contrasts)
    signed = is_signed(method) or contrast
    low, high = _CONTRAST_LEGEND if contrast else _LEGENDS[signed]
    if len(contrasts) == 1:
        ((explained, other),) = contrasts
        low, high = f"for {other.label}", f"for {explained.label}"
    if look.style == "contour":
        st.caption(
            f"Lines: 40 % and, thicker, 75 % of the most; {'red' if signed else 'yellow'}: {high}"
            + (f", blue: {low}" if signed else "")
        )
        return
    st.image(_scale(method, contrast), width="stretch", alt=f"Colour scale from {low} to {high}")
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        st.caption(low, width="content")
        st.caption(high, width="content")


@st.cache_data(show_spinner=False)
def _scale(method: Method, contrast: bool) -> bytes:
    from her2core.xai.overlay import blend

    against = HER2Score.THREE_PLUS if contrast else None
    low = -1.0 if is_signed(method, against) else 0.0
    heat = np.broadcast_to(np.linspace(low, 1.0, 224, dtype=np.float32), (224, 224)).copy()
    legend = Explanation(method, "legend", HER2Score.ZERO, heat, 1.0, "", against=against)
    strip = blend(np.full((224, 224, 3), 245, np.uint8), legend, 1.0)
    return screen.png(strip[:10])
