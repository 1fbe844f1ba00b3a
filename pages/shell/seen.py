"""Which verdicts this reviewer has seen, and recording that they are about to see some."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import streamlit as st

from her2core.reviews.records import Review, ReviewFilter
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


def known(here: Services, current: Sequence[Review], more: Sequence[Review] = ()) -> frozenset[str]:
    """The patches of these entries that a blind reader knows: reviewed by them, or shown before.

    Args:
        here: the services.
        current: all current entries that this person may see.
        more: further entries, those that were corrected since among them.

    Raises:
        StoreError: the database cannot be asked.
    """
    name = ui.reviewer()
    own = {review.patch.sha256 for review in current if review.reviewer == name}
    others = {review.patch.sha256 for review in (*current, *more)} - own
    return among(here, others) | own


def known_of(here: Services, keys: Iterable[str]) -> frozenset[str]:
    """Those of the patches that a blind reader knows: reviewed by them, or shown before.

    Raises:
        StoreError: the database cannot be asked.
    """
    asked = frozenset(keys)
    mine, _ = session.desk(here.store).reviews(ReviewFilter(reviewers=(ui.reviewer(),)))
    own = asked.intersection(review.patch.sha256 for review in mine)
    return own | among(here, asked - own)


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
