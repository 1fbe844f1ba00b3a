"""Every page, light and dark, at 1440x900 and 1024x768, into build/screenshots.

Run it with `make screenshots`. It uses the shipped synthetic samples; `--patches DIR` takes the
first images of a folder instead (never publish pictures of tissue you may not share).
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.actions import choose, press_until, save, settled, sign_in
from tests.browser.bundles import usable_bundles
from tests.browser.server import CHROMIUM, CHROMIUM_ARGS, ROOT, Server

SIZES = ((1440, 900), (1024, 768))
PATIENCE = 240_000
LABELS = {"0": "0", "1": "1+", "2": "2+", "3": "3+"}


def main() -> None:
    """Start a server, seed it, take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "screenshots")
    parser.add_argument("--patches", type=Path, help="folder of images to use for the pictures")
    parser.add_argument("--themes", default="light,dark")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        server = Server(home, usable_bundles(Path(folder) / "bundles"))
        server.start()
        try:
            with sync_playwright() as play:
                browser = play.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_ARGS)
                shoot_empty(browser, server.url, arguments.out)
                seed(browser, server.url, arguments.patches)
                for theme in arguments.themes.split(","):
                    for size in SIZES:
                        shoot_all(browser, server.url, arguments.out, theme, size)
                browser.close()
        finally:
            server.kill()


def opened(browser: Browser, theme: str, size: tuple[int, int]) -> Page:
    """A fresh session."""
    width, height = size
    page = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
    ).new_page()
    page.set_default_timeout(PATIENCE)
    return page


def still(page: Page) -> None:
    """Nothing is running."""
    settled(page)
    page.wait_for_timeout(500)


def become(page: Page, name: str) -> None:
    """Another reviewer sits down: by the cross beside it a new name is known to be there."""
    former = page.get_by_test_id("stSidebar").get_by_label("Clear value")
    if former.is_visible():
        former.click()
        former.wait_for(state="hidden")
    sign_in(page, name)


def shoot_empty(browser: Browser, url: str, out: Path) -> None:
    """The first page a new installation shows."""
    for theme in ("light", "dark"):
        page = opened(browser, theme, SIZES[0])
        page.goto(url)
        page.get_by_role("button", name="Try a sample").wait_for()
        still(page)
        page.screenshot(path=out / f"empty-{theme}-1440.png")
        page.context.close()


def seed(browser: Browser, url: str, patches: Path | None) -> None:
    """Patches, and a few reviews by two reviewers."""
    page = opened(browser, "light", SIZES[0])
    page.goto(url)
    if patches is None:
        page.get_by_role("button", name="Try a sample").click()
    else:
        files = sorted(p for p in patches.iterdir() if p.suffix in (".png", ".jpg", ".tif"))
        step = max(1, len(files) // 12)
        page.locator('input[type="file"]').first.set_input_files(files[::step][:12])
    page.get_by_text(re.compile(r"^1 of ")).wait_for()
    page.get_by_text("CNN and DenseNet121 ready").wait_for()
    for name, keys in (("Dr. Ada", "213021"), ("Dr. Ben", "3")):
        become(page, name)
        for key in keys:
            page.get_by_text("Own score").wait_for()
            still(page)
            choose(page, key, LABELS[key])
            choose(page, "a", "Agree")
            save(page, page.get_by_text(f"Saved: {LABELS[key]}"))
    page.context.close()


def shoot_all(browser: Browser, url: str, out: Path, theme: str, size: tuple[int, int]) -> None:
    """All pages in one theme and size."""
    page = opened(browser, theme, size)

    def shoot(name: str) -> None:
        still(page)
        page.mouse.move(size[0] // 2, 4)
        page.screenshot(path=out / f"{name}-{theme}-{size[0]}.png")

    page.goto(url)
    page.get_by_text("CNN and DenseNet121 ready").wait_for(state="attached")
    sign_in(page, "Dr. Ada")
    # her first patch is reviewed already; Enter goes on to the next that is not
    page.get_by_text("Your review:").wait_for()
    press_until(page, "Enter", page.get_by_text("Own score"))
    shoot("review")
    page.get_by_role("radio", name="Grad-CAM").click()
    page.get_by_role("img", name="CNN, Grad-CAM").first.wait_for()
    shoot("review-grad-cam")
    page.get_by_role("radio", name="SHAP").click()
    page.get_by_role("checkbox", name=re.compile("^DenseNet121, SHAP")).wait_for()
    page.get_by_role("button", name="Both networks side by side").click()
    page.get_by_role("img", name="DenseNet121, SHAP").first.wait_for()
    shoot("review-shap")
    # a patch that both networks call 0 has no contrast with 0
    agreed_on_0 = page.get_by_text(re.compile(r"The models agree on 0$")).count() > 0
    other = page.get_by_role("radio", name="3+?" if agreed_on_0 else "0?", exact=True)
    other.click()
    page.get_by_role("checkbox", name=re.compile(", not ")).first.wait_for()
    shoot("review-contrast")
    other.click()
    page.get_by_role("radio", name="No overlay").click()
    page.get_by_role("button", name="Previous").click()
    page.get_by_text("Your review:").wait_for()
    shoot("review-recorded")
    for name in ("Worklist", "Review log", "Evaluation", "Models"):
        page.get_by_role("link", name=name, exact=True).click()
        page.get_by_role("heading", name=name, exact=True).wait_for()
        shoot(name.lower().replace(" ", "-"))
    become(page, "Dr. Cy")
    page.get_by_text("Blind mode").click()
    page.get_by_role("link", name="Review", exact=True).click()
    page.get_by_text("Own score").wait_for()
    shoot("review-blind")
    page.context.close()


if __name__ == "__main__":
    main()
