"""The server's guard before a real browser: pages work under the policy, nothing is framed."""

from __future__ import annotations

import http.server
import threading
from pathlib import Path

import pytest

from tests.browser.actions import PATIENCE, settled, sign_in

pytestmark = [pytest.mark.browser]


def test_every_page_works_under_the_policy_and_none_can_be_framed(server, page, tmp_path: Path):
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    page.goto(server.url)
    sign_in(page, "Dr. Ada")
    page.get_by_text("Try a sample").first.wait_for(timeout=PATIENCE)
    page.get_by_text("Try a sample").first.click()
    page.get_by_text("Own score").first.wait_for(timeout=600_000)
    settled(page)
    # A settled page may still be fetching a picture; one that is refused never gets a width.
    page.wait_for_function(
        "() => document.images.length && [...document.images].every((one) => one.naturalWidth)",
        timeout=PATIENCE,
    )
    for link in ("Worklist", "Review log", "Evaluation", "Models"):
        page.get_by_test_id("stSidebarNav").get_by_text(link, exact=True).click()
        page.get_by_role("heading", name=link).first.wait_for(timeout=PATIENCE)
        settled(page)
        if link == "Evaluation":
            page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=PATIENCE)
    assert said == []

    (tmp_path / "index.html").write_text(f'<iframe src="{server.url}"></iframe>')
    handler = type(
        "Quiet",
        (http.server.SimpleHTTPRequestHandler,),
        {
            "__init__": lambda self, *a: http.server.SimpleHTTPRequestHandler.__init__(
                self, *a, directory=str(tmp_path)
            ),
            "log_message": lambda *_: None,
        },
    )
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as elsewhere:
        threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
        page.goto(f"http://localhost:{elsewhere.server_port}/")
        page.wait_for_timeout(3000)
        assert any("frame-ancestors" in line for line in said)
        assert page.frames[1].get_by_text("HER2").count() == 0
        elsewhere.shutdown()
