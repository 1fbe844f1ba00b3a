"""The worklist as pictures, by keyboard: chosen ones are given out, others reviewed in a row."""

from __future__ import annotations

import io
from functools import partial

import pytest
from PIL import Image

from her2core.accounts.store import AccountStore
from her2core.people.assignments import Assignments
from her2core.reviews.store import ReviewStore
from tests.browser.actions import (
    at_place,
    click_until,
    press_until,
    settled,
    sign_in_with_password,
    until,
    upload,
)
from tests.tiny_bundles import noise

pytestmark = [pytest.mark.browser]

PASSWORD = "brown rings round blue nuclei"


def names(page) -> list[str]:
    return page.locator(".her2-name").all_inner_texts()


def test_two_are_given_out_and_the_others_reviewed_one_after_another(server, page):
    store = ReviewStore(f"sqlite:///{server.home / 'her2review.sqlite3'}")
    accounts = AccountStore(store)
    accounts.add("Dr. Root", "administrator", password=PASSWORD)
    accounts.add("Dr. Ada", "reviewer", password=PASSWORD)
    files: list[dict[str, object]] = [
        {"name": f"p{number}.png", "mimeType": "image/png", "buffer": png(number)}
        for number in range(5)
    ]
    page.goto(server.url)
    sign_in_with_password(page, "Dr. Root", PASSWORD)
    upload(page, files, "1 of 5")
    cards = page.locator(".her2-card")
    gallery = page.get_by_role("radio", name="Gallery")
    click_until(page, page.get_by_role("link", name="Worklist"), gallery)
    click_until(page, gallery, cards.first)
    assert names(page) == [f"p{number}.png" for number in range(5)]

    cards.first.focus()
    for number, move in ((1, "Home"), (2, "End")):
        page.keyboard.press(move)
        page.keyboard.press("Space")
        page.get_by_text(f"{number} chosen").wait_for()
    pictures = page.locator(".her2-thumbnail")
    assert pictures.evaluate_all("all => all.every((one) => one.naturalWidth > 0)")
    readers = page.get_by_role("combobox", name="Readers").last
    click_until(page, page.get_by_text("Give these to readers"), readers)
    single = page.get_by_role("radio", name="One reader").last
    until(page, single.click, page.get_by_role("radio", name="One reader", checked=True).last)
    taken = page.get_by_test_id("stMultiSelect").last.get_by_text("Dr. Ada", exact=True)
    until(page, partial(choose_reader, readers, "Dr. Ada"), taken)
    page.get_by_test_id("stPopoverBody").get_by_text("How").click()  # the list of names closes
    done = page.get_by_text("2 patches given to Dr. Ada.")
    click_until(page, page.get_by_role("button", name="Give out").last, done)
    settled(page)
    assert names(page) == ["p1.png", "p2.png", "p3.png"]
    assert {kind for _, kind in given(store)} == {"single"}

    cards.first.focus()
    page.keyboard.press("Control+a")
    page.get_by_text("3 chosen").wait_for()
    cards.nth(1).get_by_title("Choose (space)").click()
    page.get_by_text("2 chosen").wait_for()
    click_until(page, page.get_by_role("button", name="Review these"), at_place(page, "1 of 2"))
    press_until(page, "ArrowRight", at_place(page, "2 of 2"))
    page.get_by_text("p3.png").first.wait_for()
    click_until(page, page.get_by_role("button", name="All patches"), at_place(page, "3 of 3"))

    # a link keeps the view and the filter; a part of it that is none is said
    page.goto(f"{server.url}/worklist?view=gallery&text=p2&gap=9")
    sign_in_with_password(page, "Dr. Root", PASSWORD)
    page.get_by_text("in the address is no filter").wait_for()
    cards.first.wait_for()
    assert names(page) == ["p2.png"]
    cards.first.focus()
    press_until(page, "Enter", at_place(page, "2 of 3"))
    store.close()


def png(number: int) -> bytes:
    """A patch of its own pixels."""
    buffer = io.BytesIO()
    Image.fromarray(noise(1, number)[0]).save(buffer, "PNG")
    return buffer.getvalue()


def choose_reader(readers, name: str) -> None:
    readers.fill(name)
    readers.press("Enter")


def given(store: ReviewStore) -> set[tuple[str, str]]:
    plan = Assignments(store).plan()
    return {
        (patch.sha256, kind)
        for patch in store.patches()
        if (kind := plan.kind(patch.sha256, "Dr. Ada")) is not None
    }
