"""A core uploaded on the Slides page: watched, its hottest region opened, reviewed and exported."""

import csv
import io
import json

import pytest

from her2core.reviews.columns import ExportOptions
from her2core.reviews.export import to_csv
from her2core.reviews.store import ReviewStore
from tests import slide_samples
from tests.browser.actions import (
    PATIENCE,
    choose,
    click_until,
    models_ready,
    save,
    settled,
    sign_in,
)
from tests.browser.server import Server
from tests.conftest import real_cores

pytestmark = [pytest.mark.browser, pytest.mark.real_images]


def test_from_a_slide_to_a_review_that_knows_its_place(server: Server, page, tmp_path):
    if not (real_cores() / "cores").is_dir():
        pytest.skip("no real cores")
    part = slide_samples.core_part(real_cores(), "0123a214", 1500, 1000, 1600)
    slide = slide_samples.write_tiff(tmp_path / "core.tif", part)
    page.goto(server.url)
    sign_in(page, "Dr. Slide")
    models_ready(page)
    page.get_by_test_id("stSidebarNav").get_by_text("Slides").click()
    page.get_by_text("Upload a whole slide").wait_for(timeout=120_000)
    page.locator('input[type="file"]').set_input_files(slide)
    page.get_by_role("button", name="Stop").wait_for(timeout=120_000)
    page.get_by_text("Hottest regions").wait_for(timeout=600_000)
    page.get_by_role("button", name="GeoJSON for QuPath").wait_for(timeout=600_000)
    with page.expect_download() as download:
        page.get_by_role("button", name="GeoJSON for QuPath").click()
    shapes = json.loads(download.value.path().read_bytes())["features"]
    assert len(shapes) == 4
    look_closely(page)
    score = page.get_by_text("Own score").first
    # a select box has a button of that name, too
    regions = page.get_by_test_id("stBaseButton-secondary").filter(has_text="Open")
    click_until(page, regions.first, score)
    choose(page, "2", "2+")
    save(page, page.get_by_text("all reviewed").first)
    store = ReviewStore(f"sqlite:///{server.home / 'her2review.sqlite3'}")
    data = to_csv(store.reviews(), ExportOptions(include_names=True))
    store.close()
    (row,) = csv.DictReader(io.StringIO(data.decode("utf-8-sig")))
    assert row["slide"] == "core.tif"
    assert row["own_score"] == "2+"
    corners = {tuple(one["geometry"]["coordinates"][0][0]) for one in shapes}
    assert (float(row["slide_x"]), float(row["slide_y"])) in corners
    assert float(row["slide_um_per_pixel"]) == pytest.approx(0.25, rel=1e-3)


def look_closely(page) -> None:
    """Zoom on the slide, choose another map, fade it, and read what is said of a region."""
    pane = page.locator(".her2-pane")
    tiles = page.locator(".leaflet-tile-loaded")
    tiles.first.wait_for(timeout=PATIENCE)
    assert not page.locator(".her2-mini").is_visible()
    pane.focus()
    for _ in range(4):
        page.keyboard.press("+")
    page.locator(".her2-mini").wait_for(timeout=PATIENCE)
    page.get_by_text("µm").last.wait_for()
    settled(page)
    page.get_by_role("radio", name="Stain measurement").click()
    page.get_by_text("Regions: Stain measurement").wait_for(timeout=PATIENCE)
    slider = page.get_by_label("Opacity of Regions: Stain measurement")
    slider.fill("20")
    cover = page.locator(".leaflet-regions-pane")
    page.wait_for_function("(one) => one.style.opacity === '0.2'", arg=cover.element_handle())
    pane.hover()
    page.get_by_role("tooltip").get_by_text("Stain measurement").wait_for(timeout=PATIENCE)
    page.keyboard.press("Tab")
