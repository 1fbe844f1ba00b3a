"""A server and a browser for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser.server import CHROMIUM, CHROMIUM_ARGS, ROOT, Server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A journey that ran out of time is walked again, twice at most, on a fresh server.

    Two busy processors can hold a browser up for a minute. What does not work fails three times;
    anything but running out of time fails at once.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=2, only_rerun=["Timeout"]))
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """The shipped model bundles, or small stand-ins with seeded weights where there are none."""
    from tests.browser.bundles import usable_bundles

    return usable_bundles(tmp_path_factory.mktemp("bundles"))


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory, bundles: Path | None) -> Iterator[Server]:
    """A running server with an empty workspace: a journey can be walked again from nothing."""
    running = Server(tmp_path_factory.mktemp("server") / "home", bundles)
    running.home.mkdir()
    running.start()
    try:
        yield running
    finally:
        running.kill()


@pytest.fixture(scope="module")
def browser():
    """Debian's chromium under Playwright, whose event loop is not left running for other tests."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        running = play.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_ARGS)
        yield running
        running.close()


@pytest.fixture
def page(browser, request):
    """A fresh page of 1440 x 900; any uncaught script error fails the test.

    So does any request to another host: nothing is loaded from outside.

    How it looked at the end is kept in build/browser, to find out why one failed.
    """
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    opened = context.new_page()
    opened.set_default_timeout(120_000)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    outside: list[str] = []
    opened.on("request", lambda request: outside.extend(_elsewhere(request.url)))
    yield opened
    opened.screenshot(path=ROOT / "build" / "browser" / f"{request.node.name}.png")
    context.close()
    assert not errors, errors
    assert not outside, outside


def _elsewhere(url: str) -> list[str]:
    """The address where it is not one of this machine, or of something the page holds itself."""
    parts = urlsplit(url)
    here = parts.scheme in ("data", "blob") or parts.hostname in ("127.0.0.1", "localhost")
    return [] if here else [url]
