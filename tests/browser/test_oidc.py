"""Sign-in by an OpenID Connect provider, in a real browser against a real (small) provider."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from her2core.accounts.store import AccountStore
from her2core.reviews.store import ReviewStore
from tests.browser.actions import PATIENCE, click_until, until
from tests.browser.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider
from tests.browser.server import Server, free_port

pytestmark = [pytest.mark.browser]


@pytest.fixture
def provider() -> Iterator[Provider]:
    running = Provider()
    yield running
    running.stop()


@pytest.fixture
def oidc_server(
    tmp_path: Path, provider: Provider, bundles: Path | None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """A server which lets in whom the provider vouches for and who has an account."""
    server = Server(tmp_path / "home", bundles, port=free_port())
    server.home.mkdir()
    file = tmp_path / "secrets.toml"
    file.write_text(
        f"""[auth]
redirect_uri = "{server.url}/oauth2callback"
cookie_secret = "a cookie secret of more than thirty-two characters"
client_id = "{CLIENT_ID}"
client_secret = "{CLIENT_SECRET}"
server_metadata_url = "{provider.url}/.well-known/openid-configuration"
"""
    )
    monkeypatch.setenv("HER2_SECRETS", str(file))
    server.start()
    yield server
    server.kill()


def test_who_the_provider_vouches_for_gets_in_under_their_account(oidc_server, provider, page):
    store = ReviewStore(f"sqlite:///{oidc_server.home / 'her2review.sqlite3'}")
    accounts = AccountStore(store)
    accounts.add("Dr. Ada", "adjudicator", login="ada@hospital.example")
    provider.person = {"sub": "17", "email": "stranger@hospital.example", "email_verified": True}
    page.goto(oidc_server.url)
    button = page.get_by_role("button", name="Sign in")
    button.wait_for(timeout=PATIENCE)
    assert page.get_by_label("Password").count() == 0
    refused = page.get_by_text("have no account here")
    click_until(page, button, refused)

    # an address that is not verified may be anybody's
    provider.person = {"sub": "18", "email": "ada@hospital.example", "email_verified": False}
    leave = page.get_by_role("button", name="Use another account")
    click_until(page, leave, button)
    click_until(page, button, refused)

    provider.person = {"sub": "18", "email": "Ada@Hospital.example", "email_verified": True}
    click_until(page, leave, button)
    click_until(page, button, page.get_by_role("button", name="Sign out"))
    page.get_by_test_id("stSidebar").get_by_text("adjudicator").wait_for()
    signed_out = page.get_by_role("button", name="Sign in")
    until(page, page.get_by_role("button", name="Sign out").click, signed_out)
    told = [(entry.actor, entry.action) for entry in accounts.audit()]
    assert ("Dr. Ada", "signed in") in told
    assert ("Dr. Ada", "signed out") in told
    assert told.count(("unknown name", "sign-in failed")) >= 2
    store.close()
