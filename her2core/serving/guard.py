"""Stands before all that this server answers: who may ask for what, and at what pace.

An ASGI application around Streamlit's. It gives each browser a signed cookie, hands a session to no
other browser than the one that opened it, lets files in and pictures out only where somebody was
let in, passes on only the messages that a page needs, and closes every address that none needs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

from her2core.serving.browsers import browser_of, cookie_name, new_browser, verify_address
from her2core.serving.headers import Headers, dressed
from her2core.serving.visits import HEADER, Allowance, TooManyError, Visit, Visits

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = logging.getLogger(__name__)
_PROTOCOL = b"sec-websocket-protocol"
# The rest of Streamlit's own addresses (metrics, agents, script checks) is nobody's business here.
_OPEN = ("health", "host-config", "stream", "bidi-components", "upload_file")
# The application's own, which lie at the top wherever Streamlit's lie.
_OWN = ("pictures", "viewer")
_FORBIDDEN, _TOO_LARGE, _GOING_AWAY, _LATER = 1008, 1009, 1001, 1013


class Wire(Protocol):
    """What the guard has to know of Streamlit's messages and sessions; see pages.shell.protocol."""

    def kind(self, data: bytes) -> str: ...
    def allowed(self, name: str) -> bool: ...
    def session_of(self, data: bytes) -> str | None: ...
    def end_session(self, session: str) -> None: ...
    def base_path(self) -> str: ...


@dataclass(frozen=True)
class Guard:
    """The ASGI application around `app`.

    Attributes:
        app: Streamlit's.
        wire: its messages.
        visits: who is connected.
        key: the installation's key for signatures; asked once the server has started.
        headers: of every answer.
        metrics: whether Streamlit's figures may be asked for.
    """

    app: Application
    wire: Wire
    visits: Visits
    key: Callable[[], bytes]
    headers: Headers
    metrics: Callable[[], bool]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one connection, or the life of the server."""
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._connect(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = self.key()
        browser = browser_of(key, _cookie(scope, cookie_name(key)))
        area, rest = self._place(scope)

        async def outgoing(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                greets = browser is None and (_is_page(given) or (area, rest[:1]) == _HEALTH)
                message["headers"] = dressed(
                    given,
                    self.headers,
                    secure=scope.get("scheme") == "https",
                    private=area in ("media", "pictures"),
                    cookie=f"{cookie_name(key)}={new_browser(key)}" if greets else None,
                )
            await send(message)

        refused = self._refusal(area, rest, browser, scope)
        if refused is None:
            if area in _OWN:
                root = scope.get("root_path", "").rstrip("/")
                scope = {**scope, "path": "/".join((root, area, *rest))}
            await self.app(scope, receive, outgoing)
            return
        status, sentence = refused
        start = [(b"content-type", b"text/plain; charset=utf-8")]
        await outgoing({"type": "http.response.start", "status": status, "headers": start})
        await outgoing({"type": "http.response.body", "body": sentence.encode()})

    def _place(self, scope: Scope) -> tuple[str, list[str]]:
        """The first part of an address below the application's own, and the other parts."""
        path: str = scope["path"]
        # what the server itself was told to lie under is taken off, as Starlette does it
        for above in (scope.get("root_path", "").rstrip("/"), self.wire.base_path()):
            if path.startswith(f"{above}/"):
                path = path[len(above) :]
        area, *rest = path[1:].split("/")
        return area, rest

    def _refusal(
        self, area: str, rest: list[str], browser: str | None, scope: Scope
    ) -> tuple[int, str] | None:
        """Status and sentence where the answer is no."""
        if area in ("media", "pictures"):
            sessions = self.visits.sessions(browser)
            if not sessions:
                return 403, "Sign in at this browser to see pictures and files."
            if area == "media":
                return None
            path = _signed_part("/".join(("", area, *rest)))
            query = scope.get("query_string", b"").decode("latin-1")
            key, now = self.key(), time.time()
            if any(verify_address(key, path, query, session, now) for session in sessions):
                return None
            return 403, "This address is of another session or has expired; reload the page."
        if area != "_stcore":
            return None
        name = rest[0] if rest else ""
        if name not in _OPEN and not (name == "metrics" and self.metrics()):
            return 404, "Nothing is here."
        session = rest[1] if len(rest) > 1 else ""
        if name == "upload_file" and not self.visits.may_send(browser, session):
            return 403, "Sign in at this browser to send files."
        return None

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = self.key()
        browser = browser_of(key, _cookie(scope, cookie_name(key)))
        wanted = _wanted_session(scope)
        client = scope.get("client") or ("", 0)
        try:
            visit = self.visits.open(browser, str(client[0]), wanted)
        except TooManyError:
            _log.warning("A connection was refused: there are too many")
            await receive()
            await send({"type": "websocket.close", "code": _LATER})
            return
        if wanted is not None and visit.session != wanted:
            _log.info("A connection named a session that is not of its browser; it gets a new one")
            _drop_session(scope)
        _tell(scope, visit.token)
        line = _Line(self.wire, self.visits, visit, receive, send)
        try:
            await self.app(scope, line.receive, line.send)
        finally:
            if self.visits.close(visit) and visit.session is not None:
                self.wire.end_session(visit.session)


class _Line:
    """One connection: what passes in either direction."""

    def __init__(
        self, wire: Wire, visits: Visits, visit: Visit, receive: Receive, send: Send
    ) -> None:
        self._wire = wire
        self._visits = visits
        self._visit = visit
        self._receive = receive
        self._send = send
        self._session: str | None = None
        self._closed = False
        self._refused = 0
        limits = visits.limits
        self._pace = Allowance(limits.messages_burst, limits.messages_each_second)

    async def send(self, message: Message) -> None:
        """To the browser; the first message that names the session binds it."""
        if self._closed:
            return
        data = message.get("bytes")
        if self._session is None and message["type"] == "websocket.send" and data is not None:
            self._session = self._wire.session_of(data)
            if self._session is not None:
                self._visits.bind(self._visit, self._session)
        self._closed = message["type"] == "websocket.close"
        await self._send(message)

    async def receive(self) -> Message:
        """From the browser: the next message that may pass."""
        while True:
            try:
                message = await asyncio.wait_for(self._receive(), self._patience())
            except TimeoutError:
                if self._visit.admitted:  # meanwhile
                    continue
                return await self._end(_GOING_AWAY)
            if message["type"] != "websocket.receive":
                return message
            data = message.get("bytes")
            if data is None:
                return await self._end(_FORBIDDEN)
            if len(data) > self._largest():
                _log.warning("A message of %d bytes ended its connection", len(data))
                return await self._end(_TOO_LARGE)
            if wait := self._pace.wait(1.0 if self._visit.admitted else 4.0):
                await asyncio.sleep(wait)
            kind = self._wire.kind(data)
            if self._wire.allowed(kind):
                return message
            self._refused += 1
            if self._refused == 1:
                _log.warning("A message that no page sends was refused: %s", kind)
            if self._refused >= self._visits.limits.refused:
                return await self._end(_FORBIDDEN)

    def _patience(self) -> float | None:
        return None if self._visit.admitted else self._visits.limits.stranger_idle_seconds

    def _largest(self) -> int:
        limits = self._visits.limits
        return limits.member_bytes if self._visit.admitted else limits.stranger_bytes

    async def _end(self, code: int) -> Message:
        await self.send({"type": "websocket.close", "code": code})
        return {"type": "websocket.disconnect", "code": code}


_HEALTH = ("_stcore", ["health"])


def _signed_part(path: str) -> str:
    """What of a picture's address is signed: all, but for the tiles of a slide, which lie below."""
    slide, tiles, _ = path.partition("/tiles/")
    return f"{slide}/tiles" if tiles else path


def _is_page(headers: Headers) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/html")
        for name, value in headers
    )


def _cookie(scope: Scope, name: str) -> str | None:
    for header, value in scope["headers"]:
        if header == b"cookie":
            for part in value.decode("latin-1").split(";"):
                own, _, content = part.strip().partition("=")
                if own == name:
                    return str(content)
    return None


def _wanted_session(scope: Scope) -> str | None:
    """The session that a connection names, third of its subprotocols; Streamlit takes it so."""
    for name, value in scope["headers"]:
        if name == _PROTOCOL:
            parts = [part.strip() for part in value.decode("latin-1").split(",")]
            return parts[2] or None if len(parts) > 2 else None
    return None


def _drop_session(scope: Scope) -> None:
    def first_two(value: bytes) -> bytes:
        return b",".join(value.split(b",")[:2])

    scope["headers"] = [
        (name, first_two(value) if name == _PROTOCOL else value) for name, value in scope["headers"]
    ]


def _tell(scope: Scope, token: str) -> None:
    """Let the pages know which visit this is, whatever the client sent under that name."""
    own = HEADER.encode()
    kept = [(name, value) for name, value in scope["headers"] if name.lower() != own]
    scope["headers"] = [*kept, (own, token.encode())]
