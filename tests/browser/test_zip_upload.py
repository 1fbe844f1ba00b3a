"""A ZIP with a table is taken in while the page can be used, and its cases narrow the worklist."""

from __future__ import annotations

import io
import zipfile

import pytest

from tests.browser.actions import at_place, click_until, settled, sign_in, upload
from tests.browser.test_gallery import names, png

pytestmark = [pytest.mark.browser]

TABLE = "file;group;label\np1.png;M 17;2+\np2.png;M 18;7\nnowhere.png;M 19;0\n"


def packed() -> dict[str, object]:
    """Three patches, one of them where no archive may write, and a table."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, folder in ((1, "a/"), (2, "b/"), (3, "../")):
            archive.writestr(f"{folder}p{number}.png", png(number))
        archive.writestr("cases.csv", TABLE)
    return {"name": "all.zip", "mimeType": "application/zip", "buffer": buffer.getvalue()}


def test_a_zip_is_taken_in_its_table_names_cases_and_a_link_narrows_to_one(server, page):
    page.goto(server.url)
    upload(page, [packed()], "1 of 2")
    for said in (
        "2 patches taken in.",
        "has a path that leads outside and was left out",
        "“7” is no HER2 score from 0 to 3+",
        "1 of 3 lines of “cases.csv” name no patch that is here",
        "told slide, case or label of 2 patches",
    ):
        page.get_by_text(said).first.wait_for()
    sign_in(page, "Dr. Ada")
    page.goto(f"{server.url}/worklist?view=gallery&case=m 17")
    page.locator(".her2-card").first.wait_for()
    assert names(page) == ["p1.png"]
    assert page.get_by_text("Label 2+").count() == 1
    # the name given before the reload is there again, and so is the upload's box
    page.get_by_test_id("stSidebar").get_by_label("Clear value").wait_for()
    click_until(page, page.get_by_role("link", name="Review", exact=True), at_place(page, "1 of 2"))
    close = page.get_by_role("button", name="Close")
    close.wait_for()
    settled(page)
    close.click()
    close.wait_for(state="hidden")
    assert page.get_by_text("could not be used").count() == 0
