"""The image, large, with the heat maps of both models and the stain measurement over it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass

import streamlit as st

from her2core.common.text import markdown_text, percent
from her2core.models.architectures import model_name
from her2core.models.reading_grid import PartRead, place_of
from her2core.models.verdict import Verdict
from her2core.preprocessing import screen
from her2core.preprocessing.patches import Patch, Square
from her2core.scores import HER2Score
from her2core.serving.services import Services
from her2core.stain.thresholds import StainThresholds
from her2core.xai.explanation import Explanation
from her2core.xai.fidelity_report import FidelityReport, checked_maps
from her2core.xai.methods import CLASS_ACTIVATION, METHODS
from her2core.xai.progress import Progress
from her2core.xai.whereabouts import Parts, find_parts, in_words, whereabouts
from pages.review_parts import map_choices
from pages.review_parts.draft import draft_of
from pages.review_parts.map_choices import MapQuestion
from pages.viewer import layers
from pages.viewer.component import SMALLEST_SQUARE, PartLabel, show

_log = logging.getLogger(__name__)
# what stands under a map's title at most: two remarks, reading
_LINES = 4
_STEP = 8  # pixels, of the square's numbers
# The tissue parts are looked for in a field of at most so many pixels a side.
_LARGEST_MEASURED = 1500


@dataclass(frozen=True)
class _Asked:
    """A map that is being computed, or is there."""

    future: Future[Explanation]
    progress: Progress


@st.fragment
def draw(
    here: Services,
    patch: Patch,
    verdicts: Sequence[Verdict],
    *,
    hidden: bool,
    stain: bool,
    movable: bool,
) -> None:
    """The image with its controls; a fragment, so that an overlay redraws this half alone.

    Args:
        here: the services.
        patch: the patch in front, with the square the verdicts are for.
        verdicts: for that square; empty while there is none.
        hidden: blind mode: no layer may give the verdicts away.
        stain: whether what the stain measurement finds now is what the page tells of it.
        movable: the square can still be moved.
    """
    shown = verdicts and not hidden
    question = map_choices.ask(verdicts) if shown else None
    asked = _requested(here, patch, question) if question is not None else {}
    maps = {name: _made(one) for name, one in asked.items()}
    over = [
        layer
        for side, (name, explanation) in enumerate(maps.items())
        if explanation is not None
        for layer in layers.of_map(patch, name, explanation, _title(explanation), side)
    ]
    moved = show(
        "viewer",
        patch,
        [*over, *(layers.of_stain(patch) if shown and stain else ())],
        [model_name(name) for name in list(maps)[:2]] if len(maps) > 1 else (),
        _parts_read(here, patch, verdicts) if shown else (),
        movable=movable,
    )
    if moved is not None and moved != patch.square:
        draft_of(patch.sha256).square = moved
        st.rerun()
    if question is not None and question.remark:
        st.caption(question.remark)
    if maps:
        _captions(here, patch, verdicts, asked, maps)


def square_controls(patch: Patch) -> None:
    """The square that the models see, in numbers; the verdicts follow it."""
    token = draft_of(patch.sha256).token
    whole = min(patch.width, patch.height)
    if whole <= SMALLEST_SQUARE and patch.width == patch.height:
        return
    not_square = patch.width != patch.height
    label = "Not square: the models see the framed part" if not_square else "Part the models see"
    square = patch.square
    numbers = {
        "Side (px)": (square.size, min(SMALLEST_SQUARE, whole), whole),
        "From left (px)": (square.x, 0, patch.width - square.size),
        "From top (px)": (square.y, 0, patch.height - square.size),
    }
    keys = [f"{name}-{token}" for name in numbers]
    with st.expander(label, icon=":material/crop:"):
        columns = st.columns(len(numbers), gap="medium")
        for column, key, (name, (value, low, high)) in zip(
            columns, keys, numbers.items(), strict=True
        ):
            st.session_state[key] = value  # also where it was moved on the image
            column.number_input(
                name,
                low,
                high,
                step=_STEP,
                key=key,
                disabled=low == high,
                on_change=_typed,
                args=(patch, keys),
            )


def _typed(patch: Patch, keys: Sequence[str]) -> None:
    """Take a number that was typed; with another side the middle stays where it was."""
    size, x, y = (int(st.session_state[key]) for key in keys)
    moved = (patch.square.size - size) // 2
    square = Square(x + moved, y + moved, size)
    draft_of(patch.sha256).square = square.within(patch.width, patch.height, SMALLEST_SQUARE)


def _parts_read(here: Services, patch: Patch, verdicts: Sequence[Verdict]) -> Sequence[PartLabel]:
    """The parts in which the square was read, with what the models of the verdicts say of each."""
    read = here.workbench.parts(patch)
    by_square: dict[Square, list[tuple[str, PartRead]]] = {}
    for verdict in verdicts:
        for part in read.get(verdict.model_id, ()):
            by_square.setdefault(part.square, []).append((model_name(verdict.architecture), part))
    return [_part_label(square, patch.square, parts) for square, parts in by_square.items()]


def _part_label(square: Square, whole: Square, parts: Sequence[tuple[str, PartRead]]) -> PartLabel:
    """Of one part, with what each model says of it."""
    lines = [f"The {place_of(square, whole)} part"]
    for name, part in parts:
        shares = ", ".join(
            f"{score.label}: {percent(share)}"
            for score, share in zip(HER2Score, part.probabilities, strict=True)
        )
        lines.append(f"{name} {shares}{' – its verdict' if part.decides else ''}")
    scores = (f"{name} {part.score.label}" for name, part in parts)
    return PartLabel(square, "\n".join(scores), lines, any(part.decides for _, part in parts))


def _captions(
    here: Services,
    patch: Patch,
    verdicts: Sequence[Verdict],
    asked: Mapping[str, _Asked],
    maps: Mapping[str, Explanation | None],
) -> None:
    """Below the image, a column for each map: what it is and shows, or how far it is."""
    given = {verdict.model_id for verdict in verdicts}
    checked = checked_maps(here.settings)
    for column, (name, explanation) in zip(
        st.columns(len(maps), gap="small"), maps.items(), strict=True
    ):
        with column:
            if explanation is None:
                _missing(asked[name], name)
                # takes away at once what an earlier map has left below
                for _ in range(_LINES - 1):
                    st.empty()
                continue
            title = f"{model_name(name)}, {_title(explanation)}"
            st.caption(f"**{title}**{_where(here, patch, explanation)}")
            if explanation.part is not None:
                place = place_of(explanation.part, patch.square)
                st.caption(f"It is of the {place} part, whose reading is the verdict.")
            if explanation.model_id not in given:
                st.caption(
                    "This map is of the model in use now; the verdict was given by an earlier one."
                )
            _reading(name, explanation, checked)


def _title(explanation: Explanation) -> str:
    """E.g. "Grad-CAM for 2+" or "Grad-CAM for 2+, not 3+"."""
    title = f"{METHODS[explanation.method].title} for {explanation.target.label}"
    return title if explanation.against is None else f"{title}, not {explanation.against.label}"


def _reading(name: str, explanation: Explanation, checked: FidelityReport) -> None:
    """Whether the map failed a check, what it shows and what it cannot show."""
    warning = checked.warning(explanation.model_id, explanation.method)
    if warning is not None:
        st.caption(f":orange[:material/warning:] {markdown_text(warning)}")
    st.caption(f"**{model_name(name)}.** {markdown_text(explanation.reading)}")


def _where(here: Services, patch: Patch, explanation: Explanation) -> str:
    """Which tissue holds the heat, measured without the network, as a second line."""
    part = patch if explanation.part is None else patch.with_square(explanation.part)
    heat = whereabouts(explanation, _tissue(part.key, here.settings.stain, part))
    if heat is None:
        return ""
    words = in_words(heat, "patch" if explanation.part is None else "part")
    # in the narrow column no line may begin with the sign alone
    return "  \n" + markdown_text(words).replace(" \\%", "\N{NO-BREAK SPACE}%")


def _requested(here: Services, patch: Patch, question: MapQuestion) -> dict[str, _Asked]:
    """One map per model, computed in the background; maps nobody looks at any more are stopped."""
    method = question.method
    asked: dict[tuple[object, ...], _Asked] = st.session_state.get("maps", {})
    now: dict[tuple[object, ...], _Asked] = {}
    cards = here.workbench.cards()
    pool = here.quick_mapping if method in CLASS_ACTIVATION else here.mapping
    maps: dict[str, _Asked] = {}
    for name, (score, against) in question.classes.items():
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


def _made(asked: _Asked) -> Explanation | None:
    """The map; None where there is none yet, or none at all."""
    future = asked.future
    return future.result() if future.done() and not _failed(future) else None


def _failed(future: Future[Explanation]) -> bool:
    return future.done() and (future.cancelled() or future.exception() is not None)


def _missing(asked: _Asked, name: str) -> None:
    """How far a map is, or that it could not be computed."""
    title = f"the map of {model_name(name)}"
    if _failed(asked.future):
        _log.error("A map could not be computed", exc_info=asked.future.exception())
        st.warning(f"T{title[1:]} could not be computed. The verdict stands without it.")
        return
    st.fragment(_wait, run_every=0.7)(asked, title)


def _wait(asked: _Asked, title: str) -> None:
    """How far the map is; draws the page anew as soon as it is there."""
    if asked.future.done():
        st.rerun(scope="app")
    st.progress(asked.progress.share, f":gray[Computing {title}…]")


@st.cache_data(max_entries=64, show_spinner=False)
def _tissue(key: str, _thresholds: StainThresholds, _patch: Patch) -> Parts:
    rgb = screen.enlarged(_patch.field(), longest=_LARGEST_MEASURED)
    return find_parts(rgb, thresholds=_thresholds)
