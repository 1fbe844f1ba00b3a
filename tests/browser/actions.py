"""What a reviewer does on the pages, each step waited for as a person would."""

from __future__ import annotations

import re


def sign_in(page, name: str) -> None:
    """Give the reviewer's name; the field lets go of the keyboard by itself."""
    field = page.get_by_test_id("stSidebar").get_by_role("combobox")
    unfold = page.get_by_test_id("stExpandSidebarButton")
    # on a narrow screen the sidebar is folded away: either the field or that button comes up
    while not field.is_visible():
        if unfold.is_visible():
            unfold.click()
        page.wait_for_timeout(200)
    field.click()
    field.fill(name)
    field.press("Enter")
    page.get_by_test_id("stSidebar").get_by_label("Clear value").or_(
        page.get_by_test_id("stSidebar").get_by_text(name)
    ).first.wait_for()


def models_ready(page) -> None:
    """Wait until both networks read; a busy machine takes its time."""
    page.get_by_text("CNN and DenseNet121 ready").wait_for(timeout=600_000)


def settled(page) -> None:
    """Wait until the server has nothing more to draw."""
    page.wait_for_timeout(150)
    page.wait_for_function(
        "() => !document.querySelector('[data-testid=\"stStatusWidget\"]')"
        " && !document.querySelector('[data-test-script-state=\"running\"]')"
    )


def press(page, key: str) -> None:
    page.keyboard.press(key)
    settled(page)


def chosen(page, label: str):
    """The button of an answer that is chosen: it carries the primary look."""
    return page.get_by_test_id("stBaseButton-primary").filter(has_text=label)


def place(page, text: str) -> None:
    """Wait until the header says where in the worklist we are."""
    page.get_by_text(re.compile(rf"^{re.escape(text)}")).first.wait_for()
