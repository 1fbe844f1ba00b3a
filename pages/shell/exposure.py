"""Which verdicts this reviewer has seen, and recording that they are about to see some."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import streamlit as st

from her2core.people.review_log import ReviewLog
from her2core.reviews.log_columns import LogColumns
from her2core.serving.services import Services
from pages.shell import session, ui


def among(here: Services, keys: Iterable[str]) -> frozenset[str]:
    """Those whose verdicts were shown before: no longer to be read blind, whatever the switch says.

    The database knows it of this reviewer, the session of whatever name was chosen in it then.

    Raises:
        StoreError: the database cannot be asked.
    """
    asked = frozenset(keys)
    return session.desk(here.store).seen(asked) | (asked & _seen_here())


def known_of(here: Services, keys: Iterable[str]) -> frozenset[str]:
    """Those of the patches that a blind reader knows: reviewed by them, or shown before.

    Raises:
        StoreError: the database cannot be asked.
    """
    asked = frozenset(keys)
    return session.desk(here.store).known(asked) | (asked & _seen_here())


def log(here: Services) -> ReviewLog:
    """The log as this person may see it now."""
    return session.desk(here.store).log(blind=ui.blind_mode(), seen=_seen_here())


def figures(here: Services) -> tuple[LogColumns, int]:
    """The entries that figures may tell of, and how many are kept from a blind reader.

    That they are shown is recorded first: nobody reads their patches blind any more.

    Raises:
        StoreError: as for `mark`.
    """
    desk = session.desk(here.store)
    entries, withheld = log(here).columns()
    if ui.blind_mode():
        # what is in them is known to this reader but for what they reviewed and never saw
        mark(here, desk.reviewed_unseen())
    elif len(entries):
        desk.note_figures(int(entries.ids[-1]), insist=False)
    return entries, withheld


def mark(here: Services, keys: Iterable[str]) -> None:
    """Record that the verdicts of these patches are shown; call it before anything is drawn.

    Who does not read blind is shown them even where the database takes no changes just now.

    Raises:
        StoreError: it takes none, and this reviewer reads blind.
    """
    marker(here, insist=ui.blind_mode())(keys)


def marker(here: Services, *, insist: bool) -> Callable[[Iterable[str]], None]:
    """What mark does, for a download: it is made when nothing of this session is at hand.

    Args:
        here: the services.
        insist: whether nothing may be handed out that is not recorded.
    """
    mine, desk = _seen_here(), session.desk(here.store)

    def marked(keys: Iterable[str]) -> None:
        keys = frozenset(keys)
        desk.note_shown(keys, insist=insist)
        mine.update(keys)

    return marked


def _seen_here() -> set[str]:
    seen: set[str] = st.session_state.setdefault("seen", set())
    return seen
