"""A small client of Streamlit's protocol: what a browser sends, and what somebody else might."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

PATIENCE = 60.0


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    cookies: tuple[str, ...]
    body: bytes


@dataclass
class Client:
    """A browser: its cookies, and requests with them.

    Attributes:
        url: of the server.
        cookies: name -> value.
    """

    url: str
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(
        self,
        path: str,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """One request; the cookies that come with the answer are kept."""
        parts = urlsplit(self.url)
        line = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
        line.request(method, path, body, self._headers() | (headers or {}))
        got = line.getresponse()
        cookies = tuple(value for name, value in got.getheaders() if name == "set-cookie")
        said = {name.lower(): value for name, value in got.getheaders()}
        answer = Answer(got.status, said, cookies, got.read())
        line.close()
        for cookie in cookies:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def open_page(self) -> Client:
        """Load the page as a browser does, cookies and all."""
        self.ask("/")
        self.ask("/_stcore/health")
        return self

    def connect(self, session: str = "", **more: str) -> Line:
        """Open the websocket; names a session to take up where one is given.

        Args:
            session: its id.
            more: further headers, with underscores for hyphens.
        """
        protocols = ["streamlit", self.cookies.get("_streamlit_xsrf", "PLACEHOLDER")]
        headers = {name.replace("_", "-"): value for name, value in more.items()}
        cookie = self._headers()
        address = f"{self.url.replace('http', 'ws', 1)}/_stcore/stream"
        wanted = [*protocols, session] if session else protocols
        return Line(
            connect(
                address,
                subprotocols=cast("Any", wanted),
                additional_headers={**cookie, **headers},
                max_size=cast("Any", None),
                origin=cast("Any", self.url),
                open_timeout=PATIENCE,
                legacy=True,
            )
        )

    def _headers(self) -> dict[str, str]:
        said = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": said} if said else {}


@dataclass
class Line:
    """One websocket connection."""

    socket: ClientConnection
    session: str = ""

    def send(self, fill: Callable[[BackMsg], Any]) -> None:
        """Send one message, as `fill` makes it."""
        message = BackMsg()
        fill(message)
        self.socket.send(message.SerializeToString())

    def run(self, seconds: float = PATIENCE) -> list[ForwardMsg]:
        """Ask for a run of the page; all that comes until it has finished."""
        self.send(lambda message: setattr(message.rerun_script, "query_string", ""))
        return self.until_finished(seconds)

    def until_finished(self, seconds: float = PATIENCE) -> list[ForwardMsg]:
        """All that comes until a run has finished.

        Raises:
            TimeoutError: it does not finish in time.
        """
        deadline = time.monotonic() + seconds
        came = []
        while True:
            data = self.socket.recv(timeout=max(0.0, deadline - time.monotonic()))
            message = ForwardMsg()
            message.ParseFromString(data if isinstance(data, bytes) else data.encode())
            came.append(message)
            self.session = message.new_session.initialize.session_id or self.session
            if message.WhichOneof("type") == "script_finished":
                return came

    def ended(self, seconds: float = PATIENCE) -> int | None:
        """The code with which the server ends the connection; None where it does not in time."""
        deadline = time.monotonic() + seconds
        try:
            while True:
                self.socket.recv(timeout=max(0.0, deadline - time.monotonic()))
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006
        except TimeoutError:
            return None

    def close(self) -> None:
        """Leave."""
        self.socket.close()


def texts(messages: list[ForwardMsg]) -> str:
    """All that the messages draw, to look for words in."""
    return "\n".join(str(message.delta) for message in messages)


def widgets(messages: list[ForwardMsg]) -> dict[str, str]:
    """Label -> id of the fields and buttons which the messages draw."""
    drawn = {}
    for message in messages:
        element = message.delta.new_element
        kind = element.WhichOneof("type")
        if kind in ("text_input", "button"):
            one = getattr(element, kind)
            drawn[one.label] = one.id
    return drawn


def sign_in(line: Line, name: str, password: str, query: str = "") -> list[ForwardMsg]:
    """Fill in the form as a browser does, at an address with this query; what is drawn then."""
    drawn = widgets(line.run())

    def fill(message: BackMsg) -> None:
        message.rerun_script.query_string = query
        states = message.rerun_script.widget_states.widgets
        for label, value in (("Name", name), ("Password", password)):
            state = states.add()
            state.id, state.string_value = drawn[label], value
        pressed = states.add()
        pressed.id, pressed.trigger_value = drawn["Sign in"], True

    line.send(fill)
    came = line.until_finished()
    while "Sign out" not in widgets(came):  # signing in runs the page once more
        came = line.until_finished()
    return came
