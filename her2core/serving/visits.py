"""Who is connected to this server, what they may still cost, and which session is whose.

A visit is one session of the pages: it begins with a connection and may be taken up again by the
browser that began it. The pages say whether the person there was let in (`admit`).
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

# Told to the pages with each connection, and taken out of what a client sends under that name.
HEADER = "x-her2-visit"
# Whose connection just broke still gets the pictures and files of the page in sight.
LINGER_SECONDS = 120.0
_KEPT = 5000


class TooManyError(RuntimeError):
    """No further connection can be taken just now."""


@dataclass(frozen=True)
class Limits:
    """What connections may cost.

    Attributes:
        connections: at once, in all.
        strangers: of those, of people who were not let in yet.
        strangers_each: of those, from one address; a proxy must pass on whose.
        opened_burst: connections one address may open at once, and
        opened_each_second: how many more each second.
        stranger_bytes: largest message before sign-in, bytes.
        member_bytes: and after it.
        stranger_idle_seconds: who is not let in and says nothing is disconnected.
        messages_burst: messages one connection may send at once after sign-in, and
        messages_each_second: how many more each second; further ones wait. A fourth before.
        refused: so many forbidden messages end a connection.
    """

    connections: int = 500
    strangers: int = 150
    strangers_each: int = 50
    opened_burst: int = 100
    opened_each_second: float = 5.0
    stranger_bytes: int = 64 * 1024
    member_bytes: int = 4 * 1024 * 1024
    stranger_idle_seconds: float = 900.0
    messages_burst: int = 60
    messages_each_second: float = 12.0
    refused: int = 20


@dataclass
class Allowance:
    """So many at once, and so many more each second; `wait` says how long the next one waits."""

    burst: float
    each_second: float
    left: float = field(init=False)
    at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.left = self.burst

    def wait(self, cost: float = 1.0) -> float:
        """Take one; seconds until it may be used, 0 where at once."""
        now = time.monotonic()
        self.left = min(self.burst, self.left + (now - self.at) * self.each_second)
        self.at = now
        self.left -= cost
        return max(0.0, -self.left / self.each_second)

    def take(self) -> bool:
        """Take one if it may be used at once; otherwise nothing changes."""
        if self.wait() == 0.0:
            return True
        self.left += 1.0
        return False


@dataclass
class Visit:
    """One session of the pages.

    Attributes:
        browser: name of the browser that began it; None: one without cookies, which cannot take
            it up again.
        address: the client's.
        token: by which the pages name it.
        session: its id, once it is known.
        admitted: the person there was let in, and is still.
        lasting: it was let in at some time, so that it is kept for a new connection.
        connected: connections open just now; more than one while a new one takes over.
        ended: when the last connection was closed.
    """

    browser: str | None
    address: str
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    session: str | None = None
    admitted: bool = False
    lasting: bool = False
    connected: int = 1
    ended: float = 0.0


class Visits:
    """All visits of this process. Safe to use from several threads."""

    def __init__(self, limits: Limits | None = None) -> None:
        """Nobody is here yet."""
        self.limits = limits or Limits()
        self._lock = threading.Lock()
        self._open: dict[str, Visit] = {}
        self._by_session: OrderedDict[str, Visit] = OrderedDict()
        self._opened: OrderedDict[str, Allowance] = OrderedDict()

    def open(self, browser: str | None, address: str, session: str | None) -> Visit:
        """A new connection: of a visit that is taken up again, or of a new one.

        Args:
            browser: name of the browser, None without a cookie of ours.
            address: the client's.
            session: id of the session that it wants to take up; only its own browser gets it.

        Raises:
            TooManyError: a limit is reached.
        """
        with self._lock:
            self._require_room(address)
            visit = self._by_session.get(session or "")
            if visit is not None and browser is not None and visit.browser == browser:
                visit.connected += 1
                visit.address = address
            else:
                visit = Visit(browser, address)
            self._open[visit.token] = visit
            return visit

    def bind(self, visit: Visit, session: str) -> None:
        """Note which session the connection was given."""
        with self._lock:
            visit.session = session
            self._by_session[session] = visit
            self._by_session.move_to_end(session)
            while len(self._by_session) > _KEPT:
                self._by_session.popitem(last=False)

    def close(self, visit: Visit) -> bool:
        """A connection has ended; whether its session is to be forgotten now."""
        with self._lock:
            visit.connected -= 1
            if visit.connected:
                return False
            visit.ended = time.monotonic()
            self._open.pop(visit.token, None)
            keep = visit.lasting and visit.browser is not None
            if not keep and visit.session is not None:
                self._by_session.pop(visit.session, None)
            return not keep

    def admit(self, token: str, known: bool) -> None:
        """The pages say whether the person of this visit was let in."""
        with self._lock:
            visit = self._open.get(token)
            if visit is not None:
                visit.admitted = known
                visit.lasting = visit.lasting or known

    def address(self, token: str) -> str | None:
        """The client's address of this visit; None for a token that is not ours."""
        with self._lock:
            visit = self._open.get(token)
            return visit.address if visit is not None else None

    def may_send(self, browser: str | None, session: str) -> bool:
        """Whether this browser may send files to this session."""
        with self._lock:
            visit = self._by_session.get(session)
            if visit is None or browser is None or visit.browser != browser:
                return False
            return visit.admitted

    def session(self, token: str) -> str | None:
        """The session of this visit; None for a token that is not ours."""
        with self._lock:
            visit = self._open.get(token)
            return visit.session if visit is not None else None

    def sessions(self, browser: str | None) -> list[str]:
        """Those of people who were let in and sit at this browser, or did so a moment ago."""
        if browser is None:
            return []
        since = time.monotonic() - LINGER_SECONDS
        with self._lock:
            return [
                session
                for session, visit in reversed(self._by_session.items())
                if visit.browser == browser
                and visit.admitted
                and (visit.connected > 0 or visit.ended > since)
            ]

    def _require_room(self, address: str) -> None:
        opened = self._opened.setdefault(
            address, Allowance(self.limits.opened_burst, self.limits.opened_each_second)
        )
        self._opened.move_to_end(address)
        while len(self._opened) > _KEPT:
            self._opened.popitem(last=False)
        strangers = [visit for visit in self._open.values() if not visit.admitted]
        here = [visit for visit in strangers if visit.address == address]
        if (
            not opened.take()
            or _connections(self._open.values()) >= self.limits.connections
            or _connections(strangers) >= self.limits.strangers
            or _connections(here) >= self.limits.strangers_each
        ):
            raise TooManyError


def _connections(visits: Iterable[Visit]) -> int:
    return sum(visit.connected for visit in visits)


visits = Visits()
