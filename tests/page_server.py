"""What tests of pages share: a server's services put together, the pages led to them, the text."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from her2core.preprocessing.image_store import ImageStore
from her2core.reviews.store import ReviewStore
from her2core.serving.reading_queue import ReadingQueue
from her2core.serving.services import Services
from her2core.serving.workbench import Workbench
from her2core.settings import Settings
from pages.shell import gate, ui


def services_of(settings: Settings, workbench: Workbench) -> Services:
    """The services of a server with an empty workspace; whoever asks closes the store."""
    store, images = ReviewStore(settings.database_url), ImageStore(settings.image_dir)
    return Services(settings, workbench, store, images, ReadingQueue(workbench, images, store))


def serve(monkeypatch: pytest.MonkeyPatch, made: Services) -> Services:
    """Let the pages find these services."""
    st.cache_resource.clear()
    st.cache_data.clear()
    gate._shut_cookies.clear()
    monkeypatch.setattr(ui, "services", lambda: made)
    return made


def scene_of(app: AppTest) -> dict[str, Any]:
    """What the page's image viewer was given to show."""
    scenes = [json.loads(one.proto.json) for one in app.get("bidi_component") if one.proto.json]
    return next(scene for scene in scenes if "layers" in scene)


def cards_of(app: AppTest) -> list[dict[str, Any]]:
    """The pictures that the worklist's gallery was given to show."""
    shown = [json.loads(one.proto.json) for one in app.get("bidi_component") if one.proto.json]
    cards: list[dict[str, Any]] = next(data["cards"] for data in shown if "cards" in data)
    return cards


def layer_titles(app: AppTest) -> list[str]:
    """The layers that can be shown over the image."""
    return [layer["title"] for layer in scene_of(app)["layers"]]


def cards_say(app: AppTest) -> list[str]:
    """The score on each verdict's card, also where it is to be disregarded."""
    disregarded = r"\*\*Disregard\*\*.*said (.+): see"
    scores = (re.search(disregarded, each.value, re.DOTALL) for each in app.markdown)
    return [title.value for title in app.title] or [found[1] for found in scores if found]


def text_of(app: AppTest) -> str:
    """All that is said on the page, the sidebar included."""
    parts: list[str] = []
    for kind in ("title", "markdown", "caption", "info", "warning", "error", "success", "toast"):
        parts += [str(element.value) for element in getattr(app, kind)]
    return "\n".join(parts)
