"""The door: nothing is drawn before whoever is there has signed in, where sign-in is needed."""

import importlib.util
import logging
from dataclasses import dataclass
from typing import NoReturn

import streamlit as st

from her2core.accounts.door import (
    OpenDoorError,
    oidc_claims,
    require_own_machine,
    way_in,
)
from her2core.accounts.records import SignInError, SignInWay
from her2core.accounts.store import AccountStore
from her2core.common.text import markdown_text
from her2core.reviews.store import StoreError
from her2core.scores import RESEARCH_NOTICE
from her2core.serving.services import Services
from pages.shell import drafts, session, ui

_log = logging.getLogger(__name__)
_WATCH_SECONDS = 30.0
_OIDC_PACKAGES = ("authlib", "httpx")
# Sign-ins by the provider whose session here was ended: a reload does not bring them back.
_shut_cookies: set[tuple[str, ...]] = set()


@dataclass(frozen=True)
class Entry:
    """How the person at this browser stands to the door.

    Attributes:
        way: how people get in here; None where nobody may, for the reason in `refusal`.
        known: the person may go on.
        refusal: one sentence, empty where somebody may get in.
    """

    way: SignInWay | None
    known: bool = False
    refusal: str = ""


def look_or_stop(here: Services) -> Entry:
    """Whether the person is known; nothing is drawn, unless the database does not answer."""
    try:
        entry = _look(here)
        session.admit(entry.known)
        return entry
    except StoreError as error:
        _log.exception("The review store failed")
        ui.calm_stop(markdown_text(str(error)))


def ask(here: Services, entry: Entry) -> NoReturn:
    """Ask who it is, or say why nobody may come in; ends the page here."""
    accounts = AccountStore(here.store)
    settings = here.settings.sign_in
    with st.columns([1, 1.1, 1])[1]:
        st.space("large")
        st.title("HER2 Review", anchor=False)
        if message := st.session_state.pop("signed_out", None):
            st.info(message, icon=":material/lock_clock:")
        if entry.way is None:
            _log.error("Nothing is shown: anybody could come in")
            st.error(markdown_text(entry.refusal), icon=":material/lock_open:")
        elif entry.way == "oidc":
            _ask_provider(accounts, settings.oidc_role)
        else:
            _ask_password(accounts)
        st.caption(f":material/science: {RESEARCH_NOTICE}")
    st.stop()


def sign_out_button(here: Services) -> None:
    """Who is signed in, and the way out; nothing where nobody signs in."""
    person = session.identity()
    if person.way == "open":
        return
    with st.sidebar, st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{markdown_text(person.name)}**  \n:gray[{person.role}]", width="stretch")
        st.button(
            "Sign out",
            icon=":material/logout:",
            key="sign-out",
            on_click=_sign_out,
            args=(AccountStore(here.store),),
        )
    st.fragment(_watch, run_every=_WATCH_SECONDS)(here.settings.sign_in.idle_minutes)


def _look(here: Services) -> Entry:
    accounts = AccountStore(here.store)
    settings = here.settings.sign_in
    try:
        way = way_in(
            oidc=settings.oidc,
            accounts=accounts.exist(),
            address=st.get_option("server.address"),
            allow_open=settings.allow_open,
        )
        if way == "open" and not settings.allow_open:
            require_own_machine(st.context.headers, session.address())
    except OpenDoorError as error:
        return Entry(None, refusal=str(error))
    if way != "open":
        return Entry(way, known=_still_here(accounts, settings.idle_minutes))
    st.session_state.pop("person", None)
    return Entry("open", known=True)


def _still_here(accounts: AccountStore, idle_minutes: int) -> bool:
    """Whether somebody is signed in, not idle too long, and still has an account."""
    person = session.identity()
    if person.way == "open":
        return False
    idle = session.idle_seconds()
    if idle > 60 * idle_minutes:
        drafts.stop_clocks(idle)
        _shut(accounts, "idle")
        st.session_state["signed_out"] = (
            f"You were signed out after {idle_minutes} idle minutes. "
            "Answers that you had begun are kept for you."
        )
        return False
    now = accounts.current(person)
    if now is None:
        _shut(accounts, "account disabled")
        return False
    st.session_state["person"] = now
    session.touch()
    return True


def _ask_password(accounts: AccountStore) -> None:
    with st.form("sign-in", border=False):
        name = st.text_input("Name", max_chars=80, autocomplete="username")
        password = st.text_input("Password", type="password", autocomplete="current-password")
        asked = st.form_submit_button("Sign in", type="primary", width="stretch")
    if not asked:
        return
    try:
        session.begin(accounts.sign_in(name, password, session.elsewhere()), accounts)
    except SignInError as error:
        st.error(markdown_text(str(error)), icon=":material/lock:")
        return
    st.rerun()


def _ask_provider(accounts: AccountStore, default_role: str | None) -> None:
    if not all(importlib.util.find_spec(package) for package in _OIDC_PACKAGES):
        _log.error("OIDC sign-in is configured, but its packages are not installed")
        st.error(
            "Sign-in by OIDC is configured, but a package for it is missing: install it with "
            "`pip install -r requirements-oidc.txt` and start the server again.",
            icon=":material/extension_off:",
        )
        return
    if not st.user.is_logged_in or _cookie() in _shut_cookies:
        st.button("Sign in", type="primary", width="stretch", on_click=st.login)
        return
    try:
        person = accounts.sign_in_oidc(oidc_claims(st.user), default_role=default_role)
        session.begin(person, accounts)
    except SignInError as error:
        st.error(markdown_text(str(error)), icon=":material/lock:")
        st.button("Use another account", on_click=st.logout)
        return
    st.rerun()


def _sign_out(accounts: AccountStore) -> None:
    by_provider = session.identity().way == "oidc"
    session.end(accounts, "by themselves")
    if by_provider:
        st.logout()


def _shut(accounts: AccountStore, why: str) -> None:
    """End the session of somebody who did not ask for it.

    The browser is not led to the provider to sign out: it would ask first because of the answer
    begun, with the patch in sight. The cookie it holds opens no session any more; signing in anew,
    through the provider, makes another one, in a new session that finds the answers put by.
    """
    by_provider = session.identity().way == "oidc"
    session.end(accounts, why, put_by=by_provider)
    if not by_provider:
        return
    if not st.user.get("iat"):  # every provider has to say when it signed somebody in
        st.logout()
    _shut_cookies.add(_cookie())


def _cookie() -> tuple[str, ...]:
    """Which sign-in at the provider this browser holds: whose, and made when."""
    return (*oidc_claims(st.user), str(st.user.get("iat") or ""))


def _watch(idle_minutes: int) -> None:
    """Empties an idle screen by itself; looking at the clock is not counted as doing something."""
    if session.idle_seconds() > 60 * idle_minutes:
        st.rerun(scope="app")
