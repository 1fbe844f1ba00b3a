"""A reviewer's network goes, or the server does: score and comment are there again."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from her2core.accounts.store import AccountStore
from her2core.reviews.records import ReviewFilter
from her2core.reviews.store import ReviewStore
from her2core.scores import HER2Score
from tests.browser.actions import (
    PATIENCE,
    choose,
    chosen,
    models_ready,
    save,
    settled,
    sign_in,
    sign_in_with_password,
)
from tests.browser.server import Server
from tests.browser.wire import Wire

pytestmark = [pytest.mark.browser]
PASSWORD = "brown rings round blue nuclei"
# for which Streamlit keeps the session of a browser that is away, unless told otherwise
STREAMLITS_OWN_LIMIT = 120


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    """What connects the page to the server."""
    made = Wire(server.port)
    yield made
    made.cut()


def database(server: Server) -> ReviewStore:
    return ReviewStore(f"sqlite:///{server.home / 'her2review.sqlite3'}")


def with_account(server: Server) -> None:
    store = database(server)
    AccountStore(store).add("Dr. Ada", "reviewer", password=PASSWORD)
    store.close()


def comment(page):
    return page.get_by_placeholder("Comment (free text, optional)")


def begin_answer(page) -> None:
    """Sample patches, a score and a comment; nothing is saved."""
    page.get_by_role("button", name="Try a sample").click()
    models_ready(page)
    choose(page, "2", "2+")
    choose(page, "l", "Low")
    comment(page).fill("half a sentence")
    comment(page).blur()
    settled(page)


def is_found(page, text: str) -> None:
    """The answer stands in the form as it was given."""
    chosen(page, "2+").wait_for(timeout=PATIENCE)
    chosen(page, "Low").wait_for(timeout=PATIENCE)
    assert comment(page).input_value() == text


def test_a_cut_of_more_than_two_minutes_costs_neither_answer_nor_sign_in(server, wire, page):
    with_account(server)
    page.goto(wire.url)
    sign_in_with_password(page, "Dr. Ada", PASSWORD)
    begin_answer(page)
    comment(page).press("End")
    comment(page).press_sequentially(", going on")  # the server has not heard of these words
    wire.cut()
    time.sleep(STREAMLITS_OWN_LIMIT + 15)
    assert comment(page).is_disabled()  # nothing can be typed that would not be heard
    wire.mend()
    page.get_by_text("CONNECTING").wait_for(state="hidden", timeout=PATIENCE)
    settled(page)
    page.get_by_role("button", name="Sign out").wait_for(timeout=PATIENCE)
    expect(comment(page)).to_be_enabled(timeout=PATIENCE)
    is_found(page, "half a sentence, going on")
    settled(page)  # the last words are sent once there is a server again
    save(page, page.get_by_text("Your review: 2+").or_(page.get_by_text("Saved: 2+")).first)
    store = database(server)
    (review,) = store.reviews(ReviewFilter())
    assert review.own_score is HER2Score.TWO_PLUS
    assert review.comment == "half a sentence, going on"
    signed_in = [entry for entry in AccountStore(store).audit() if entry.action == "signed in"]
    assert len(signed_in) == 1
    store.close()


def test_an_answer_outlives_a_server_that_was_killed_and_the_browser_too(server, page, browser):
    page.goto(server.url)
    page.get_by_role("button", name="Try a sample").wait_for()
    sign_in(page, "Dr. Ada")
    begin_answer(page)
    comment(page).press("End")
    comment(page).press_sequentially(" and more")  # the field is not left
    page.wait_for_timeout(5_000)
    settled(page)
    server.kill()
    server.start()
    page.get_by_text("CONNECTING").wait_for(state="hidden", timeout=PATIENCE)
    models_ready(page)
    is_found(page, "half a sentence and more")
    comment(page).blur()
    settled(page)

    # another browser, in which the same name is given
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    other = context.new_page()
    other.goto(server.url)
    models_ready(other)
    sign_in(other, "Dr. Ada")
    is_found(other, "half a sentence and more")
    save(other, other.get_by_text("Saved: 2+"))
    context.close()
    store = database(server)
    (review,) = store.reviews(ReviewFilter())
    assert (review.comment, review.confidence) == ("half a sentence and more", "low")
    store.close()


def test_after_a_restart_a_sign_in_is_needed_and_the_answer_is_there(server, page):
    with_account(server)
    page.goto(server.url)
    sign_in_with_password(page, "Dr. Ada", PASSWORD)
    begin_answer(page)
    server.kill()
    server.start()
    sign_in_with_password(page, "Dr. Ada", PASSWORD)
    models_ready(page)
    is_found(page, "half a sentence")
