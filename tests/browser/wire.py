"""The network between a browser and a server, which a test can cut and mend."""

from __future__ import annotations

import contextlib
import socket
import threading

from tests.browser.server import free_port


class Wire:
    """Passes bytes between a port of its own and the server's, until it is cut."""

    def __init__(self, target: int) -> None:
        """A wire to the server at this port of this machine, mended."""
        self.port = free_port()
        self._target = target
        self._ends: list[socket.socket] = []
        self._listening: socket.socket | None = None
        self.mend()

    @property
    def url(self) -> str:
        """Address of the first page, through this wire."""
        return f"http://127.0.0.1:{self.port}"

    def mend(self) -> None:
        """Pass bytes again, at the same port."""
        self._listening = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def cut(self) -> None:
        """Nothing goes through any more: open connections end, new ones are refused."""
        ends, self._ends = [*self._ends, self._listening], []
        for end in ends:
            if end is not None:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = listening.accept()
                try:
                    there = socket.create_connection(("127.0.0.1", self._target))
                except OSError:  # the server is away
                    here.close()
                    continue
                self._ends += [here, there]
                for one, other in ((here, there), (there, here)):
                    threading.Thread(target=_pass, args=(one, other), daemon=True).start()


def _pass(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    for end in (one, other):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
