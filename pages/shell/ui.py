"""What all pages share: the server's one set of services, who is reviewing, how things are worded.

TensorFlow is never imported here: the workbench imports it in its own thread, so that the first
page is drawn before it is loaded.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Collection
from typing import Literal, NoReturn, ParamSpec, TypeVar

import streamlit as st

from her2core.common.text import markdown_text
from her2core.models.architectures import model_name
from her2core.people.worklist import MOST_COUNTED, Worklist
from her2core.preprocessing.patches import Patch
from her2core.reviews.store import StoreError
from her2core.reviews.worklist import Order
from her2core.reviews.worklist_filter import EVERYTHING, WorklistFilter
from her2core.scores import RESEARCH_NOTICE, HER2Score
from her2core.serving.services import Services, services
from pages.shell import chrome, drafts, session

ORDERS = {"arrival": "Arrival", "doubt": "Doubt", "name": "Name"}

REVIEW_PAGE = "review.py"
WORKLIST_PAGE = "worklist.py"
SLIDES_PAGE = "slides.py"
REVIEW_LOG_PAGE = "review_log.py"
EVALUATION_PAGE = "evaluation.py"
MODELS_PAGE = "models.py"
LEARNING_PAGE = "learning.py"

Arguments = ParamSpec("Arguments")
Target = TypeVar("Target")
IconPosition = Literal["left", "right"]
_log = logging.getLogger(__name__)


def services_or_stop() -> Services:
    """The services for a page, or one calm sentence and the end of this page.

    A session that has not come through main.py and its gate gets none. The clocks of answers stand
    still from here on, until the Review page brings a patch to the front.
    """
    if not session.admitted():
        st.stop()
    drafts.stop_clocks()
    return started_or_stop()


def started_or_stop() -> Services:
    """The services, for main.py, or one calm sentence and the end of this page."""
    try:
        return services()
    except ValueError as error:
        problem = markdown_text(str(error))
    except StoreError as error:
        _log.exception("The review store could not be opened")
        problem = markdown_text(str(error))
    except Exception:
        _log.exception("The services could not be started")
        problem = (
            "The review store cannot be opened. Check that its disk is there, is not full and may "
            "be written to (setting HER2_HOME), or that the database of DATABASE_URL answers."
        )
    return calm_stop(problem)


def calm_stop(problem: str) -> NoReturn:
    """One sentence (Markdown) on what is wrong, a way to try again, and the end of the page."""
    st.error(problem, icon=":material/error:")
    if st.button("Try again", icon=":material/refresh:", key="try-again"):
        st.rerun()
    st.stop()


def calm(body: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """A fragment's body that says in one sentence when the store does not answer.

    What a fragment raises never reaches main.py: it would be shown as an error of the program.
    """

    @functools.wraps(body)
    def calmed(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            body(*args, **kwargs)
        except StoreError as error:
            _log.exception("The review store failed")
            st.error(markdown_text(str(error)), icon=":material/error:")

    return calmed


@st.cache_resource(max_entries=6, show_spinner=False)
def load_patch(sha256: str, name: str) -> Patch:
    """The stored image with its largest centred square; the last few stay in memory.

    Raises:
        PatchError: the image is not in the store any more, or damaged.
    """
    return services().images.load(sha256, name)


def reviewer() -> str:
    """Name of who is reviewing; empty until given."""
    return session.identity().name


def blind_mode() -> bool:
    """Whether verdicts stay hidden until the own score is saved."""
    return bool(st.session_state.get("blind", False))


def order() -> Order:
    """The order of the worklist, chosen on its page and kept for stepping through patches."""
    chosen: Order = st.session_state.get("order") or "arrival"
    return chosen


def worklist(here: Services, wanted: WorklistFilter = EVERYTHING) -> Worklist:
    """The patches of who is here, in the order chosen."""
    models = here.workbench.state().model_ids
    desk = session.desk(here.store)
    return desk.ordered(models, order(), blind=blind_mode(), wanted=wanted)


def keep_in_address(name: str, value: str) -> None:
    """Let the address say it, for a reload or a link; nothing for an empty one."""
    if value and st.query_params.get(name) != value:
        st.query_params[name] = value
    elif not value and name in st.query_params:
        del st.query_params[name]


def remembered(key: str, known: Collection[str], usual: str) -> None:
    """Keep a choice of the session in the address, too; to be called before its control is drawn.

    What the session knows goes before the address, which a link or the back button may bring along
    from earlier.

    Args:
        key: of the control, and in the address.
        known: what can be chosen.
        usual: what is meant where the address says nothing.
    """
    asked = st.query_params.get(key, "")
    chosen = st.session_state.setdefault(key, asked if asked in known else usual)
    keep_in_address(key, "" if chosen == usual else str(chosen))


def turn_buttons(
    labels: tuple[str, str],
    there: tuple[bool, bool],
    turn: Callable[[Target], None],
    to: tuple[Target, Target],
    shortcuts: tuple[str | None, str | None] = (None, None),
) -> None:
    """Two buttons that lead back and on through a list.

    Args:
        labels: of both.
        there: whether there is anything in that direction.
        turn: called with where the button leads.
        to: where both lead.
        shortcuts: their keys.
    """
    icons = (":material/chevron_left:", ":material/chevron_right:")
    sides: tuple[IconPosition, IconPosition] = ("left", "right")
    for label, icon, side, possible, target, shortcut in zip(
        labels, icons, sides, there, to, shortcuts, strict=True
    ):
        st.button(
            label,
            icon=icon,
            icon_position=side,
            shortcut=shortcut,
            disabled=not possible,
            on_click=turn,
            args=(target,),
        )


def place_text(place: int) -> str:
    """The place of a patch in a worklist, from 1; far down only that it is far down."""
    return f"{place:,}" if place <= MOST_COUNTED else f"over {MOST_COUNTED:,}"


def is_dark() -> bool:
    """Whether the browser shows the dark theme."""
    return st.context.theme.type == "dark"


def score_text(score: HER2Score) -> str:
    """A score with its status word, e.g. "2+ · equivocal"."""
    return f"{score.label} · {score.status}"


def sidebar(here: Services) -> None:
    """Who is reviewing, blind mode, the state of the models and the permanent notice."""
    with st.sidebar:
        if session.identity().way == "open":
            _ask_name(here)
        _blind_switch()
        remembered("order", ORDERS, "arrival")
        st.divider()
        _models_state(here)
        st.caption(f":material/science: {RESEARCH_NOTICE}")


def _blind_switch() -> None:
    """Blind mode. The address keeps it, too (see `remembered`)."""
    st.session_state.setdefault("blind", st.query_params.get("blind") == "1")
    st.toggle(
        "Blind mode",
        key="blind",
        persist_state="session",
        help="Verdicts, chart and overlays stay hidden until your own score is saved. "
        "The record says that the review was blind. What was shown to you before counts as "
        "seen, on whatever day and server.",
    )
    keep_in_address("blind", "1" if blind_mode() else "")


def _ask_name(here: Services) -> None:
    """Who is reviewing. The browser keeps the name until it is closed: a reload finds it again.

    An address would carry it to whom it is sent.
    """
    names = here.store.reviewers()
    st.session_state.setdefault("reviewer", chrome.remembered_name())
    current = reviewer()
    options = sorted({*names, *([current] if current else [])}, key=str.casefold)
    st.selectbox(
        "Reviewer",
        options,
        index=None,
        key="reviewer",
        placeholder="Type your name",
        accept_new_options=True,
        persist_state="session",
        help="Your reviews are recorded under this name. Type a new one or choose yours.",
    )
    chrome.remember_name(reviewer())


def _models_state(here: Services) -> None:
    """The state of the models, looked at every second until there is nothing to wait for."""
    state = here.workbench.state()
    busy = not state.finished or here.queue.state().waiting > 0
    st.session_state["models_ready_at_draw"] = state.finished
    st.fragment(_draw_models_state, run_every=1.0 if busy else None)(here)


def _draw_models_state(here: Services) -> None:
    state = here.workbench.state()
    if state.finished and not st.session_state.get("models_ready_at_draw", True):
        # The page beside this fragment waits for verdicts: draw it again, once.
        st.rerun(scope="app")
    if not state.finished:
        st.markdown(":gray[:material/hourglass_top: Models are loading…]")
        return
    for message in state.failures:
        st.warning(markdown_text(message), icon=":material/warning:")
    if state.ready:
        titles = " and ".join(model_name(name) for name in state.ready)
        st.markdown(f":green[:material/check_circle:] {titles} ready")
    reading = here.queue.state()
    if reading.waiting:
        total = reading.waiting + reading.done
        st.progress(reading.done / total, f"Reading patches: {reading.done} of {total}")
