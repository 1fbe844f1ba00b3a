"""From reviewed patches to an adapted bundle in use, in a real browser with the shipped CNN."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from her2core.accounts.store import AccountStore
from her2core.preprocessing.image_store import ImageStore
from her2core.reviews.records import PatchRecord, ReviewDraft
from her2core.reviews.store import ReviewStore
from her2core.scores import HER2Score
from tests.browser.actions import click_until, models_ready, settled
from tests.browser.server import Server
from tests.review_samples import verdict
from tests.training.test_adapt import brown_patch

pytestmark = [pytest.mark.browser]


def reviewed(server: Server) -> None:
    """Forty patches of ten slides in the log of the running server, with their pictures."""
    store = ReviewStore(f"sqlite:///{server.home / 'her2review.sqlite3'}")
    images = ImageStore(server.home / "patches")
    for number in range(40):
        patch, verdicts = brown_patch(number), (verdict("cnn", 3),)
        images.put(patch)
        height, width = patch.rgb.shape[:2]
        when = datetime(2026, 3, 1, tzinfo=UTC)
        store.add_patch(PatchRecord(patch.sha256, patch.name, width, height, when))
        store.record_verdicts(patch.sha256, patch.square, verdicts)
        store.save_review(
            ReviewDraft(
                patch_sha256=patch.sha256,
                square=patch.square,
                reviewer="Dr. Ada Example",
                verdicts=verdicts,
                agrees={"cnn": number % 4 == 3},
                own_score=HER2Score(number % 4),
                confidence="high",
            )
        )
    store.close()


def test_reviews_become_a_bundle_in_use(server, page):
    reviewed(server)
    page.goto(server.url)
    models_ready(page)
    fit = page.get_by_role("button", name="Fit and compare")
    click_until(page, page.get_by_role("link", name="Learning", exact=True), fit)
    page.get_by_text("40 reviewed patches count: 10 of 0").wait_for()
    page.get_by_role("textbox", name="Which part of a file's name").fill(r"^(S\d+)_")
    page.keyboard.press("Tab")
    use = page.get_by_role("button", name=re.compile("^.*Write and use"))
    click_until(page, fit, page.get_by_text("Fitting CNN").or_(use).first)

    # before and after are shown, and nothing has changed yet
    use.wait_for(timeout=600_000)
    page.get_by_text("Each of 40 patches (10 slides or cases)").wait_for()
    page.get_by_text("Right only before").wait_for()
    assert not (server.home / "bundles" / "cnn-adapted").exists()

    settled(page)
    click_until(page, use, page.get_by_text("is in use now").first)
    page.get_by_text("to 40 own patches of 10 slides or cases").wait_for()
    back = page.get_by_role("button", name=re.compile("^.*Take back"))
    assert (server.home / "bundles" / "cnn-adapted" / "card.json").is_file()
    store = ReviewStore(f"sqlite:///{server.home / 'her2review.sqlite3'}")
    actions = [entry.action for entry in AccountStore(store).audit(20)]
    store.close()
    assert {"model adapted", "model chosen"} <= set(actions)

    settled(page)
    click_until(page, back, page.get_by_text("it has learnt nothing here").first)
