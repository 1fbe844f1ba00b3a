"""HER2 Review: the ASGI application. `make run`, `streamlit run app.py` and uvicorn start it.

The services are made before the server answers, and it does not start where anybody could come in
or the database cannot be opened. Around Streamlit stands a guard, see her2core.serving.guard.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from her2core.serving import headers, logs, start
from her2core.serving.guard import Guard
from her2core.serving.visits import visits
from pages.shell import protocol
from pages.viewer import routes

logs.take_over()
_log = logging.getLogger("her2core.app")
_INDEX = Path(st.__file__).parent / "static" / "index.html"


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """The services live as long as the server."""
    try:
        await asyncio.to_thread(start.begin, st.get_option("server.address"))
    except start.RefusedError as refused:
        _log.error("The server does not start: %s", refused)
        raise
    _log.info("HER2 Review has started")
    yield


app = st.App(
    Path(__file__).parent / "pages" / "main.py",
    routes=routes.ROUTES,
    lifespan=lifespan,
    middleware=[
        Middleware(
            Guard,
            wire=protocol,
            visits=visits,
            key=start.signing_key,
            headers=headers.fixed(headers.inline_hashes(_INDEX)),
            metrics=start.metrics_open,
        )
    ],
)
