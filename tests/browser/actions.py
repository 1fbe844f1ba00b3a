"""What a reviewer does on the pages, each step waited for, and repeated, as a person would.

A key pressed while Streamlit draws the page anew is lost. So every step waits until the page is
idle, acts, looks whether it did what it should, and acts again if not.
"""

from __future__ import annotations

import re
import time

PATIENCE = 180_000  # ms; a busy machine takes its time, and nothing here measures it

IDLE = """() => !document.querySelector('[data-testid="stStatusWidget"]')
  && !document.querySelector('[data-test-script-state="running"]')"""


def sign_in(page, name: str) -> None:
    """Give the reviewer's name; the field lets go of the keyboard by itself."""
    field = page.get_by_test_id("stSidebar").get_by_role("combobox")
    unfold = page.get_by_test_id("stExpandSidebarButton")
    # on a narrow screen the sidebar is folded away: either the field or that button comes up
    while not field.is_visible():
        if unfold.is_visible():
            unfold.click()
        page.wait_for_timeout(200)
    given = page.get_by_test_id("stSidebar").get_by_label("Clear value")
    given = given.or_(page.get_by_test_id("stSidebar").get_by_text(name)).first

    def give() -> None:
        field.click()
        field.fill(name)
        field.press("Enter")

    until(page, give, given)
    settled(page)


def sign_in_with_password(page, name: str, password: str) -> None:
    """Fill in the form and wait for the sidebar of somebody who is signed in."""
    page.get_by_role("button", name="Sign in").wait_for(timeout=PATIENCE)

    def fill() -> None:
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Password", exact=True).fill(password)
        page.get_by_role("button", name="Sign in").click()

    until(page, fill, page.get_by_role("button", name="Sign out"))


def sign_out(page) -> None:
    """Leave; the form for the next person comes up."""
    button = page.get_by_role("button", name="Sign out")
    until(page, button.click, page.get_by_label("Password", exact=True))


def models_ready(page) -> None:
    """Wait until both networks read; a busy machine takes its time."""
    page.get_by_text("CNN and DenseNet121 ready").wait_for(timeout=600_000)


def settled(page) -> None:
    """Wait until the server has nothing to draw at two looks in a row."""
    for _ in range(2):
        page.wait_for_timeout(150)
        page.wait_for_function(IDLE, timeout=PATIENCE)


def until(page, act, arrived) -> None:
    """Act on an idle page until `arrived` is seen; acts again only where nothing came of it."""
    from playwright.sync_api import TimeoutError as NotSeenError

    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline:
        settled(page)
        if arrived.is_visible():
            return
        # what is acted on may have gone meanwhile, because the last act did come through
        try:
            act()
            settled(page)
            arrived.wait_for(timeout=2_500)
        except NotSeenError:
            continue
        return
    arrived.wait_for(timeout=PATIENCE)


def press(page, key: str) -> None:
    """Press a key once, on an idle page; for keys whose effect the test looks at itself."""
    settled(page)
    page.keyboard.press(key)
    settled(page)


def press_until(page, key: str, arrived) -> None:
    """Press a key, again if need be, until `arrived` is seen."""
    until(page, lambda: page.keyboard.press(key), arrived)


def choose(page, key: str, label: str, nth: int = 0) -> None:
    """Choose an answer by its key and wait until its button shows it, `nth` of this label."""
    # the form comes up when the models have read the patch
    page.get_by_text("Own score").first.wait_for(timeout=600_000)
    press_until(page, key, chosen(page, label).nth(nth))


def save(page, arrived) -> None:
    """Save with Enter and wait for what comes next."""
    press_until(page, "Enter", arrived)


def click_until(page, button, arrived) -> None:
    """Click, again if need be, until `arrived` is seen."""
    until(page, lambda: button.click(timeout=5_000), arrived)


def chosen(page, label: str):
    """The button of an answer that is chosen: it carries the primary look."""
    return page.get_by_test_id("stBaseButton-primary").filter(has_text=label)


def at_place(page, text: str):
    """What the header says about where in the worklist we are."""
    return page.get_by_text(re.compile(rf"^{re.escape(text)}")).first


def place(page, text: str) -> None:
    """Wait until the header says where in the worklist we are."""
    at_place(page, text).wait_for(timeout=PATIENCE)


def upload(page, files: list[dict[str, object]], expected: str) -> None:
    """Take files in, from the empty page or through "Add patches"; again if the page lost them."""
    first, further = page.get_by_text("Try a sample"), page.get_by_text("Add patches")
    first.or_(further).first.wait_for(timeout=PATIENCE)

    def drop() -> None:
        field = page.locator('input[type="file"]').first
        if not field.count():
            further.click()
            field.wait_for(state="attached")
        field.set_input_files(files)
        # decoding and checking them takes its time before the page says anything
        at_place(page, expected).wait_for(timeout=60_000)

    until(page, drop, at_place(page, expected))
