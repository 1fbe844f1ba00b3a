"""The dashboard in a real browser: compare two reports, take the page along, open a patch."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from her2core.evaluation.report import PATCH_FOLDER, REPORT_FILE
from tests.browser.actions import at_place, click_until
from tests.browser.server import Server
from tests.report_samples import a_report, some_rows
from tests.tiny_bundles import noise

pytestmark = [pytest.mark.browser]


@pytest.fixture
def reports(server: Server) -> Iterator[Path]:
    """Two reports in the server's home, the first with pictures."""
    root = server.home / "reports"
    for name, title, seed in (("aaa-first", "First set", 1), ("bbb-second", "Second set", 2)):
        report = a_report(title, some_rows(10, seed=seed), n_boot=200, shown=2)
        (root / name / PATCH_FOLDER).mkdir(parents=True)
        (root / name / REPORT_FILE).write_text(report.to_json(), encoding="utf-8")
        for number, entry in enumerate(report.gallery):
            picture = Image.fromarray(noise(1, 10 * seed + number)[0])
            picture.save(root / name / PATCH_FOLDER / f"{entry.sha256}.png")
    yield root
    shutil.rmtree(root)


def test_two_reports_are_compared_downloaded_and_looked_into(
    server, page, browser, reports, tmp_path
):
    page.goto(server.url)
    link = page.get_by_role("link", name="Evaluation", exact=True)
    click_until(page, link, page.get_by_role("heading", name="First set", exact=True))
    second = page.get_by_role("option", name="Second set")
    click_until(page, page.get_by_role("combobox", name="Compare with"), second)
    click_until(page, second, page.get_by_role("heading", name="Second set", exact=True))
    page.get_by_text("What both read is compared above").wait_for()
    # three matrices, four figures and three curves of each report, and real tissue by source
    page.wait_for_function("() => document.querySelectorAll('.js-plotly-plot').length >= 16")
    behind = page.get_by_text("All figures, clinical cut-offs and calibration")
    click_until(page, behind, page.get_by_text("Clinical cut-offs", exact=True).first)
    page.wait_for_function("() => document.querySelectorAll('.js-plotly-plot').length >= 36")

    # a table can be searched, but its own download would go round the rules of exports
    page.get_by_test_id("stDataFrame").first.hover()
    page.get_by_role("button", name=re.compile("^Search")).first.wait_for()
    assert page.get_by_role("button", name=re.compile("^Fullscreen")).count()
    assert page.get_by_role("button", name=re.compile("Download as CSV")).count() == 0

    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("Whole report")).first.click()
    assert download.value.suggested_filename == "aaa-first.html"
    file = tmp_path / "report.html"
    download.value.save_as(file)

    # the page works by itself: no network, every plot drawn, no script error
    alone = browser.new_context(offline=True)
    opened = alone.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(file.as_uri())
    opened.wait_for_function(
        "() => document.querySelectorAll('.js-plotly-plot .main-svg').length >= 16"
    )
    assert opened.get_by_role("heading", name="First set").count() == 1
    assert not errors
    alone.close()

    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("Rows")).first.click()
    assert Path(download.value.path()).read_bytes().count(b"\n") == 41

    first = page.get_by_role("button", name="Review", exact=True).first
    click_until(page, first, at_place(page, "1 of 1"))
    # an invisible joiner may stand behind the dash, where the name is shown letter by letter
    page.get_by_text(re.compile(r"patch-\W*\d+\.\W*png")).first.wait_for()
