"""Who is at this browser: kept for one session of the server, and forgotten when idle.

The name in here is the only source of a reviewer's name; a page never takes one from elsewhere.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict

import streamlit as st

from her2core.accounts.door import is_loopback
from her2core.accounts.records import Identity
from her2core.accounts.store import AccountStore
from her2core.people.access import Desk
from her2core.reviews.store import ReviewStore, StoreError
from her2core.reviews.unsaved import Place
from her2core.serving import start
from her2core.serving.browsers import signed_address
from her2core.serving.visits import HEADER, visits
from pages.shell import drafts, protocol

# What a person finds again who signs in anew in the same session. Blind mode too: whoever reads
# blind must not be shown verdicts because a while has passed.
_KEPT = ("drafts", "seen", "last_patch", "order", "blind")
# An address is good for this long at least, and for twice as long at most.
_SIGNED_SECONDS = 300
_log = logging.getLogger(__name__)


def identity() -> Identity:
    """Who is here; where nobody signs in, the name that was typed, or an empty one."""
    person: Identity | None = st.session_state.get("person")
    if person is not None:
        return person
    return Identity(str(st.session_state.get("reviewer") or "").strip(), "reviewer", "open")


def owner() -> str:
    """Whose uploads are meant; where nobody signs in, everybody's."""
    person = identity()
    return "" if person.way == "open" else person.name


def desk(store: ReviewStore) -> Desk:
    """The review store as this person may use it."""
    return Desk(store, identity())


def admit(known: bool) -> None:
    """Note that whoever is here may see pages, or may not; the server's guard goes by it, too."""
    st.session_state["admitted"] = known
    visits.admit(st.context.headers.get(HEADER, ""), known)


def address() -> str | None:
    """Address that the browser's connection comes from; None where no server told it."""
    return visits.address(st.context.headers.get(HEADER, ""))


def elsewhere() -> str:
    """`address`, empty for this machine: there it tells nobody from anybody."""
    client = address()
    return "" if client is None or is_loopback(client) else client


def signed(path: str) -> str:
    """The address, for this session and some minutes, of a picture (her2core.serving.pictures).

    The same for all of these minutes, so that a page drawn anew asks for nothing anew.
    """
    session = visits.session(st.context.headers.get(HEADER, ""))
    if session is None:  # no server stands before the pages: the address opens nothing
        return path
    until = (time.time() // _SIGNED_SECONDS + 2) * _SIGNED_SECONDS
    return protocol.base_path() + signed_address(start.signing_key(), path, session, until)


def admitted() -> bool:
    """Whether this session has come through main.py and its gate."""
    return bool(st.session_state.get("admitted"))


def begin(person: Identity, accounts: AccountStore) -> None:
    """This person has signed in; what another one left in this browser is gone."""
    if st.session_state.get("last_person") not in (None, person.name):
        _forget_all(())
    st.session_state["person"] = person
    st.session_state["last_person"] = person.name
    place = accounts.reviews.unsaved.take_place(person.name)
    for key, value in asdict(place).items() if place is not None else ():
        if value and not st.session_state.get(key):
            st.session_state[key] = value
    touch()


def end(accounts: AccountStore, why: str, *, put_by: bool = False) -> None:
    """Sign out: nothing of this person is shown any more; what they began waits for their return.

    Args:
        accounts: where it is noted.
        why: for the audit.
        put_by: they come back in another session, so where they were is kept outside of this, as
            what they had begun is anyway (pages/review_parts/draft.py).
    """
    person: Identity | None = st.session_state.get("person")
    if person is not None:
        accounts.note(person.name, "signed out", why)
    drafts.stop_clocks()
    if put_by and person is not None:
        state = st.session_state
        place = Place(state.get("last_patch"), state.get("order"), bool(state.get("blind")))
        try:
            accounts.reviews.unsaved.keep_place(person.name, place)
        except StoreError:
            _log.exception("Where somebody was could not be kept")
    _forget_all((*_KEPT, "last_person"))


def touch() -> None:
    """The person has done something: the time to the end of the session starts anew."""
    st.session_state["last_click"] = time.monotonic()


def idle_seconds() -> float:
    """Seconds since the person last did something; 0 before the first click."""
    now = time.monotonic()
    return now - float(st.session_state.get("last_click") or now)


def _forget_all(kept: tuple[str, ...]) -> None:
    for key in [str(key) for key in st.session_state if key not in kept]:
        del st.session_state[key]
