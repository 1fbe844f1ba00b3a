"""A core uploaded on the Slides page: watched, its hottest region opened, reviewed and exported."""

import csv
import io
import json
from typing import Any

import pytest

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
    look_closely(page)
    choose(page, "3", "3+")
    page.get_by_placeholder("Comment").fill("the whole core")
    recorded = page.get_by_text("Your score of this slide: 3+")
    click_until(page, page.get_by_role("button", name="Save"), recorded)
    score = page.get_by_text("Own score").first
    # a select box has a button of that name, too
    regions = page.get_by_test_id("stBaseButton-secondary").filter(has_text="Open")
    click_until(page, regions.first, score)
    choose(page, "2", "2+")
    save(page, page.get_by_text("all reviewed").first)

    page.get_by_test_id("stSidebarNav").get_by_text("Slides").click()
    shapes = geojson(page)
    tiles = [one for one in shapes if one["properties"]["objectType"] == "tile"]
    drawn = {one["properties"]["metadata"]["of"]: one for one in shapes if one not in tiles}
    assert len(tiles) == 4
    for what, label, comment in (("slide", "3+", "the whole core"), ("region", "2+", "")):
        said = drawn[what]["properties"]
        assert said["classification"]["name"] == f"HER2 {label}"
        assert said["metadata"]["ANNOTATION_DESCRIPTION"] == comment
    assert drawn["slide"]["geometry"]["coordinates"][0][:3] == [[0, 0], [1600, 0], [1600, 1600]]

    rows = {row["slide_whole"]: row for row in exported(page)}
    assert {row["slide"] for row in rows.values()} == {"core.tif"}
    assert (rows["yes"]["own_score"], rows["yes"]["comment"]) == ("3+", "the whole core")
    assert (rows["yes"]["slide_x"], rows["yes"]["slide_size"]) == ("0", "1600")
    assert rows["no"]["own_score"] == "2+"
    corner = [float(rows["no"]["slide_x"]), float(rows["no"]["slide_y"])]
    assert corner == drawn["region"]["geometry"]["coordinates"][0][0]
    assert corner in [one["geometry"]["coordinates"][0][0] for one in tiles]
    assert float(rows["no"]["slide_um_per_pixel"]) == pytest.approx(0.25, rel=1e-3)


def geojson(page) -> list[dict[str, Any]]:
    """The features of the file for QuPath."""
    button = page.get_by_role("button", name="GeoJSON for QuPath")
    button.wait_for(timeout=600_000)
    settled(page)
    with page.expect_download(timeout=PATIENCE) as download:
        button.click()
    features: list[dict[str, Any]] = json.loads(download.value.path().read_bytes())["features"]
    return features


def exported(page) -> list[dict[str, str]]:
    """The rows of the log's CSV, with names."""
    page.get_by_test_id("stSidebarNav").get_by_text("Review log").click()
    export = page.get_by_text("Export these 2 entries")
    export.wait_for(timeout=PATIENCE)
    settled(page)
    export.click()
    page.get_by_text("Include original file names").click()
    settled(page)
    with page.expect_download(timeout=PATIENCE) as download:
        page.get_by_role("button", name="CSV").click()
    text = download.value.path().read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


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
