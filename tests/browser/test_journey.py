"""A reviewer's day in a real browser: upload, compare, look why, answer by keyboard, export.

Real patches, the real server, Debian's chromium. Nothing is replaced.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile
from pathlib import Path

import pytest

from her2core.reviews.records import ReviewFilter
from her2core.reviews.store import ReviewStore
from tests.browser.actions import (
    at_place,
    choose,
    chosen,
    click_until,
    models_ready,
    press,
    press_until,
    save,
    settled,
    sign_in,
    until,
)
from tests.browser.actions import upload as take_in
from tests.browser.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.real_images]

HOSTILE_NAMES = ("=cmd|'/c calc'!A1.jpg", "<img src=x onerror=alert(1)>.jpg")
HOSTILE_COMMENT = "=1+1 <script>alert(1)</script> [x](javascript:alert(1)) apical staining"

NARROW, WIDE = {"width": 1024, "height": 768}, {"width": 1440, "height": 900}
WHOLE = """(selector) => {
  const found = [...document.querySelectorAll(selector)];
  return found.length > 0 && found.every((e) => e.scrollWidth <= e.clientWidth);
}"""
ON_SCREEN = """(selector) => {
  const place = document.querySelector(selector).getBoundingClientRect();
  return place.top >= 0 && place.bottom <= innerHeight;
}"""
# contrast of the chart's text with the page of at least 4.5 (WCAG)
CHART_LEGIBLE = """() => {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map((c) => {
      const share = c / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const app = document.querySelector('[data-testid="stApp"]');
  const ground = luminance(getComputedStyle(app).backgroundColor);
  const texts = [...document.querySelectorAll(".st-key-probabilities svg text")];
  return texts.length > 8 && texts.every((text) => {
    const ink = luminance(getComputedStyle(text).fill);
    return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05) >= 4.5;
  });
}"""


def payloads(patches: list[Path]) -> list[dict[str, object]]:
    """Three real patches, two of them under hostile names, and a text called an image."""
    names = (patches[0].name, *HOSTILE_NAMES)
    good: list[dict[str, object]] = [
        {"name": name, "mimeType": "image/jpeg", "buffer": path.read_bytes()}
        for name, path in zip(names, patches, strict=False)
    ]
    return [*good, {"name": "notes.png", "mimeType": "image/png", "buffer": b"no image at all"}]


def upload(page, patches: list[Path]) -> None:
    """Take the patches in, from the empty page or through "Add patches"."""
    take_in(page, payloads(patches), "1 of 3")


def recorded(server: Server, reviewer: str):
    """One reviewer's entries, oldest first, read from the database of the running server."""
    store = ReviewStore(f"sqlite:///{server.home / 'her2review.sqlite3'}")
    try:
        wanted = ReviewFilter(reviewers=(reviewer,), include_superseded=True)
        return store.reviews(wanted)[::-1]
    finally:
        store.close()


def three_scores_apart(patches: list[Path]) -> list[Path]:
    return [patches[0], patches[len(patches) // 2], patches[-1]]


def test_from_upload_to_export(server, page, real_patches, tmp_path):
    alerts: list[str] = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    patches = three_scores_apart(real_patches)

    # 1. the first page is up and says what to do; upload
    page.goto(server.url)
    page.get_by_role("button", name="Try a sample").wait_for()
    page.get_by_text("Research use only").first.wait_for()
    upload(page, patches)
    page.get_by_text("1 file could not be used").wait_for()
    page.get_by_text("notes.png").first.wait_for()
    page.set_viewport_size(NARROW)
    page.wait_for_function(WHOLE, arg=".st-key-close-results .stMarkdownEllipsis")
    page.set_viewport_size(WIDE)
    page.locator(".st-key-close-results button").click()

    # 2. both verdicts side by side, on one chart
    models_ready(page)
    page.get_by_text(re.compile("The models (agree|differ)")).wait_for()
    assert page.locator('[class*="st-key-verdict-"]').count() == 2
    page.locator(".js-plotly-plot").wait_for()
    assert page.get_by_text("Research information.").count() == 1
    # the system turns dark while the patch is open, and nothing is drawn anew
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(CHART_LEGIBLE)
    page.emulate_media(color_scheme="light")
    page.wait_for_function(CHART_LEGIBLE)
    # on a narrow screen the answer stays in sight, whatever stands before it; on a low one, Save
    page.set_viewport_size(NARROW)
    page.wait_for_function(ON_SCREEN, arg=".st-key-answer")
    page.set_viewport_size(NARROW | {"height": 600})
    page.locator(".st-key-answer button").first.evaluate("b => b.scrollIntoView({block: 'end'})")
    page.wait_for_function(f"() => !({ON_SCREEN})('.st-key-answer')")
    page.wait_for_function(ON_SCREEN, arg=".st-key-save")
    page.set_viewport_size(WIDE)

    # 3. why: both methods, both models
    settled(page)
    for method in ("Grad-CAM", "SHAP"):
        cnn = page.get_by_role("img", name=f"CNN, {method} for").first
        click_until(page, page.get_by_role("radio", name=method), cnn)
        other = page.get_by_role("checkbox", name=re.compile(f"^DenseNet121, {method} for"))
        other.wait_for(timeout=120_000)
        other.check()
        page.get_by_role("img", name=f"DenseNet121, {method} for").first.wait_for()
    click_until(
        page,
        page.get_by_role("radio", name="No overlay"),
        page.get_by_role("radio", name="No overlay", checked=True),
    )
    other.wait_for(state="detached")
    page.get_by_role("img", name="The patch").wait_for()
    # a segment that was clicked lets go of the keyboard
    press_until(page, "ArrowRight", at_place(page, "2 of 3"))
    press_until(page, "ArrowLeft", at_place(page, "1 of 3"))

    # 4. answer by keyboard alone
    sign_in(page, "Dr. Ada")
    choose(page, "2", "2+")
    # a busy page may hand the closed name field the keyboard back: the keys still answer
    name = page.get_by_test_id("stSidebar").get_by_role("combobox")
    name.focus()
    press_until(page, "1", chosen(page, "1+"))
    name.focus()
    choose(page, "2", "2+")
    assert name.input_value() == "Dr. Ada"
    # who goes by Tab to a control presses that one with Enter, and does not save
    agree = page.locator('[class*="st-key-CNN-Agree"] button')
    disagreed = chosen(page, "Disagree").first

    def by_tab() -> None:
        agree.focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")

    until(page, by_tab, disagreed)
    settled(page)
    at_place(page, "1 of 3").wait_for()
    assert recorded(server, "Dr. Ada") == []
    press(page, "d")  # the other keys answer from there, too: this one takes the answer back
    disagreed.wait_for(state="hidden")
    page.locator("h1, [data-testid=stHeading]").first.click()  # a click elsewhere ends it
    choose(page, "a", "Agree")
    choose(page, "Shift+D", "Disagree")
    choose(page, "h", "High")
    assert chosen(page, "Disagree").count() == 1
    # on a narrow screen the scores stand in one row, and no warning is cut
    page.set_viewport_size(NARROW)
    page.wait_for_function("""() => new Set(
      [...document.querySelectorAll('[class*="st-key-Own-score-"]')].map((e) => e.offsetTop)
    ).size === 1""")
    badge = page.locator(".stMarkdownBadge").filter(has_text="The models").first
    badge.evaluate("(badge) => badge.append(' by 2 grades: CNN 0, DenseNet121 2+')")
    page.wait_for_function(WHOLE, arg=".stMarkdownBadge")
    page.set_viewport_size(WIDE)
    save(page, at_place(page, "2 of 3"))

    # keys are text while a comment is being written
    comment = page.get_by_placeholder("Comment")
    comment.click()
    page.keyboard.type(HOSTILE_COMMENT)
    assert chosen(page, "1+").count() == 0
    # typed and not left: the browser hands in text and click as one request, to run the form alone
    click_until(page, page.get_by_role("button", name="Next"), at_place(page, "3 of 3"))
    settled(page)
    assert page.get_by_placeholder("Comment").input_value() == ""
    # a key answers the patch that is shown, not the one before it
    choose(page, "0", "0")
    press_until(page, "ArrowLeft", at_place(page, "2 of 3"))
    settled(page)
    assert page.get_by_placeholder("Comment").input_value() == HOSTILE_COMMENT
    assert chosen(page, "0").count() == 0
    choose(page, "3", "3+")
    press_until(page, "ArrowRight", at_place(page, "3 of 3"))
    chosen(page, "0").wait_for()
    press_until(page, "ArrowLeft", at_place(page, "2 of 3"))
    settled(page)
    chosen(page, "3+").wait_for()

    # blind: this patch was seen, so it counts as not blind; the third is then reviewed so too
    save(page, at_place(page, "3 of 3"))

    # 5. the log has what was answered, and the export carries it with image and overlay
    first, second = recorded(server, "Dr. Ada")
    assert (int(first.own_score), dict(first.agrees)) == (
        2,
        {"cnn": True, "densenet121": False},
    )
    assert (int(second.own_score), second.comment) == (3, HOSTILE_COMMENT)
    export = page.get_by_text("Export these 2 entries")
    click_until(page, page.get_by_role("link", name="Review log"), export)
    # a filter that was cleared does not come back with the next click
    narrowed = page.get_by_text("No entry fits these filters.")
    filters = page.get_by_role("button", name="Filters")
    no_score = page.get_by_test_id("stPopoverBody").get_by_role("button", name="0", exact=True)
    click_until(page, filters, no_score)
    click_until(page, no_score, narrowed)
    page.keyboard.press("Escape")
    click_until(page, page.locator(".st-key-log_clear button"), export)
    page.get_by_text("Corrected entries too").click()
    settled(page)
    assert not narrowed.is_visible()
    prepare = page.get_by_role("button", name="Prepare ZIP")
    click_until(page, export, prepare)
    prepare.click()
    link = page.get_by_role("button", name=re.compile("Download ZIP"))
    link.wait_for(timeout=240_000)
    with page.expect_download() as download:
        link.click()
    archive = tmp_path / "export.zip"
    download.value.save_as(archive)
    check_archive(archive, patches)
    assert not alerts


def check_archive(archive: Path, patches: list[Path]) -> None:
    """The review, its image and its overlays are in the ZIP, whole and inert."""
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        names = opened.namelist()
        sha = hashlib.sha256(patches[0].read_bytes()).hexdigest()
        assert f"patches/{sha}.png" in names
        for entry in (1, 2):
            for model in ("cnn", "densenet121"):
                for method in ("grad_cam", "shap"):
                    overlay = opened.read(f"overlays/{entry}_{model}_{method}.png")
                    assert overlay.startswith(b"\x89PNG")
        table = next(name for name in names if name.endswith(".csv"))
        rows = list(csv.DictReader(io.StringIO(opened.read(table).decode("utf-8-sig"))))
        assert len(rows) == 2
        assert any(sha in row.values() for row in rows)
        assert not any(value and value[0] in "=+-@" for row in rows for value in row.values())
        manifest = next(name for name in names if "manifest" in name)
        assert "sha256" in json.dumps(json.loads(opened.read(manifest)))


def test_blind_mode_shows_nothing_before_the_own_score(server, page, real_patches):
    # on a page without verdicts, so that none is seen before the switch is on
    page.goto(f"{server.url}/models")
    settled(page)
    page.get_by_text("Blind mode").click()
    switched_on = page.locator('.st-key-blind :is(input:checked, [aria-checked="true"])')
    switched_on.first.wait_for(state="attached")
    settled(page)
    page.get_by_role("link", name="Review", exact=True).click()
    upload(page, three_scores_apart(real_patches))
    models_ready(page)
    page.get_by_text("the verdicts stay hidden").wait_for()
    assert page.locator('[class*="st-key-verdict-"]').count() == 0
    assert page.locator(".js-plotly-plot").count() == 0
    assert page.get_by_role("radio", name="Grad-CAM").count() == 0

    sign_in(page, "Dr. Blind")
    choose(page, "1", "1+")
    save(page, page.get_by_text("Your review: 1+"))
    page.get_by_text(re.compile("The models (agree|differ)")).wait_for()
    press_until(page, "Enter", at_place(page, "2 of 3"))
    settled(page)
    assert page.locator('[class*="st-key-verdict-"]').count() == 0
    (review,) = recorded(server, "Dr. Blind")
    assert review.blind
    assert set(review.agrees.values()) == {None}
    assert len(review.verdicts) == 2


def test_what_was_saved_is_there_after_the_server_was_killed(server, page, real_patches):
    page.goto(server.url)
    upload(page, three_scores_apart(real_patches))
    models_ready(page)
    sign_in(page, "Dr. Power Cut")
    page.get_by_text("Own score").wait_for()
    choose(page, "0", "0")
    # a reload would end what is typed and not sent yet: the browser asks first
    comment = page.get_by_placeholder("Comment (free text, optional)")
    comment.fill("typed")
    with page.expect_event("dialog") as asked:
        page.evaluate("setTimeout(() => location.reload(), 0)")
    asked.value.dismiss()
    assert asked.value.type == "beforeunload"
    comment.blur()
    save(page, at_place(page, "2 of 3"))
    server.kill()

    (review,) = recorded(server, "Dr. Power Cut")
    assert int(review.own_score) == 0
    server.start()
    page.goto(f"{server.url}/review_log")
    page.get_by_test_id("stDataFrame").wait_for()
