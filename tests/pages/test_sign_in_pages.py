"""The door of the pages: nothing before sign-in, nothing after its end, roles on every page."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from her2core.accounts.store import AccountStore
from her2core.reviews.store import ReviewStore
from her2core.serving.intake import take_in
from her2core.serving.services import Services
from her2core.serving.workbench import Workbench
from her2core.settings import PROJECT_ROOT, Settings, SignInSettings
from pages.shell import ui
from tests.page_server import serve, services_of, text_of

ROOT = PROJECT_ROOT
PASSWORD = "brown rings round blue nuclei"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """A server without any model, with two accounts."""
    settings = Settings(tmp_path, f"sqlite:///{tmp_path / 'reviews.sqlite3'}", ())
    workbench = Workbench(settings)
    workbench.wait()
    made = serve(monkeypatch, services_of(settings, workbench))
    accounts = AccountStore(made.store)
    accounts.add("Dr. Ada", "reviewer", password=PASSWORD)
    accounts.add("Dr. Root", "administrator", password=PASSWORD)
    yield made
    made.store.close()


@pytest.fixture
def app(here: Services, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    return AppTest.from_file(str(ROOT / "pages" / "main.py"), default_timeout=60)


def sign_in(app: AppTest, name: str = "Dr. Ada", password: str = PASSWORD) -> AppTest:
    app.text_input[0].set_value(name)
    app.text_input[1].set_value(password)
    next(button for button in app.button if button.label == "Sign in").click()
    return app.run()


def with_sign_in(here: Services, monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    sign_in = replace(SignInSettings(), **changes)  # type: ignore[arg-type]
    made = replace(here, settings=replace(here.settings, sign_in=sign_in))
    monkeypatch.setattr(ui, "services", lambda: made)


def test_before_sign_in_there_is_a_form_and_nothing_else(app, here, brown_patch_png):
    take_in(brown_patch_png, "Jane Doe.png", here.images, here.store, here.settings.limits)
    app.run()
    assert [field.label for field in app.text_input] == ["Name", "Password"]
    assert "Jane" not in text_of(app)
    assert not app.sidebar.children
    sign_in(app, password="blue rings round brown nuclei")
    assert "Name or password is wrong" in app.error[0].value
    assert "Jane" not in text_of(app)
    sign_in(app)
    assert not app.exception
    assert "Jane" in text_of(app)
    assert "Dr\\. Ada" in "".join(str(element.value) for element in app.sidebar.markdown)


def test_no_address_leads_past_the_door(app, here, brown_patch_png):
    # the first address asked for after the server has started
    take_in(brown_patch_png, "Jane Doe.png", here.images, here.store, here.settings.limits)
    app.switch_page("worklist.py").run()
    assert [field.label for field in app.text_input] == ["Name", "Password"]
    assert not app.dataframe
    # and the page's own file, which no server runs by itself, shows nothing either
    direct = AppTest.from_file(str(ROOT / "pages" / "worklist.py"), default_timeout=60).run()
    assert not direct.title
    assert not direct.dataframe


def test_an_idle_session_ends_and_keeps_the_answer_that_was_begun(app, here, brown_patch_png):
    take_in(brown_patch_png, "p.png", here.images, here.store, here.settings.limits)
    sign_in(app.run())
    next(button for button in app.button if button.label == "2+").click()
    app.run()
    (draft,) = app.session_state["drafts"].values()
    draft.opened = time.monotonic() - 33 * 60
    app.session_state["last_click"] = time.monotonic() - 31 * 60
    app.run()
    assert "signed out after 30 idle minutes" in app.info[0].value
    assert "p.png" not in text_of(app)
    # the patch was looked at for the two minutes before, not while nobody was there
    assert draft.seconds == pytest.approx(120, abs=20)
    sign_in(app)
    chosen = next(button for button in app.button if button.label == "2+")
    assert chosen.proto.type == "primary"
    assert [entry.action for entry in AccountStore(here.store).audit(3)] == [
        "signed in",
        "signed out",
        "signed in",
    ]


def test_who_signs_in_after_another_finds_nothing_of_theirs(app, here, brown_patch_png):
    take_in(brown_patch_png, "p.png", here.images, here.store, here.settings.limits)
    sign_in(app.run())
    app.session_state["log_text-0"] = "Jane"
    next(button for button in app.button if button.label == "Sign out").click()
    app.run()
    sign_in(app, "Dr. Root")
    assert "log_text-0" not in app.session_state
    assert not any(name == "Dr. Ada" for name, _ in app.session_state["drafts"])


def test_a_disabled_account_is_out_with_the_next_click(app, here):
    sign_in(app.run())
    AccountStore(here.store).set_disabled("Dr. Ada", True)
    app.run()
    assert [field.label for field in app.text_input] == ["Name", "Password"]


def test_a_name_typed_elsewhere_is_nobody_once_there_are_accounts(app):
    app.session_state["reviewer"] = "Dr. Root"
    app.run()
    assert [field.label for field in app.text_input] == ["Name", "Password"]


@pytest.mark.parametrize("address", ["0.0.0.0", None])
def test_an_open_door_to_the_network_shows_nothing(tmp_path, here, monkeypatch, app, address):
    empty = replace(here, store=ReviewStore(f"sqlite:///{tmp_path / 'empty.sqlite3'}"))
    monkeypatch.setattr(ui, "services", lambda: empty)
    asked = st.get_option
    monkeypatch.setattr(
        st, "get_option", lambda key: address if key == "server.address" else asked(key)
    )
    app.run()
    assert "without sign" in app.error[0].value
    assert not app.button
    with_sign_in(empty, monkeypatch, allow_open=True)
    app.run()
    assert not app.error
    assert app.button
    empty.store.close()


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"Host": "localhost:8501", "X-Forwarded-Proto": "https"}, "through a proxy"),
        ({"Host": "evil.example:8501", "Origin": "http://evil.example:8501"}, "as localhost"),
    ],
)
def test_an_open_door_shows_nothing_to_a_proxy_or_another_name(
    tmp_path, here, monkeypatch, app, headers, says
):
    empty = replace(here, store=ReviewStore(f"sqlite:///{tmp_path / 'empty.sqlite3'}"))
    monkeypatch.setattr(ui, "services", lambda: empty)
    sent = {"Host": "localhost:8501", "Origin": "http://localhost:8501"}
    monkeypatch.setattr(type(st.context), "headers", property(lambda _: sent))
    app.run()
    assert not app.error
    sent = headers
    app.run()
    assert says in app.error[0].value
    assert not app.button
    with_sign_in(empty, monkeypatch, allow_open=True)
    app.run()
    assert not app.error
    # where people sign in the proxy is the hospital's own
    monkeypatch.setattr(ui, "services", lambda: here)
    app.run()
    assert not app.error
    assert [field.label for field in app.text_input] == ["Name", "Password"]
    empty.store.close()


def test_oidc_goes_before_accounts_and_says_what_is_missing(here, app, monkeypatch):
    with_sign_in(here, monkeypatch, oidc=True)
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "authlib" else found(name)
    )
    app.run()
    assert "requirements-oidc.txt" in app.error[0].value
    assert not app.text_input


class Vouched(dict[str, object]):
    """Stands for st.user: what the provider says of somebody whose cookie is in the browser."""

    is_logged_in = True


@pytest.fixture
def by_provider(here: Services, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Dr. Bo is known to the provider; how often the browser was sent there to sign out."""
    with_sign_in(here, monkeypatch, oidc=True)
    AccountStore(here.store).add("Dr. Bo", "reviewer", login="bo@hospital.example")
    found, sent = importlib.util.find_spec, []
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: name if name in ("authlib", "httpx") else found(name),
    )
    monkeypatch.setattr(st, "user", Vouched(email="bo@hospital.example", sub="7", iat=900))
    monkeypatch.setattr(st, "logout", lambda: sent.append("signed out"))
    return sent


def test_an_idle_end_by_oidc_leads_through_the_provider_and_keeps_the_answer(
    app, here, brown_patch_png, by_provider, monkeypatch
):
    take_in(brown_patch_png, "p.png", here.images, here.store, here.settings.limits)
    app.run()
    next(button for button in app.button if button.label == "2+").click()
    next(toggle for toggle in app.toggle if toggle.label == "Blind mode").set_value(True)
    app.run()
    app.session_state["last_click"] = time.monotonic() - 31 * 60
    app.run()
    assert "signed out after 30 idle minutes" in app.info[0].value
    for _ in range(2):  # the cookie that is there lets nobody in
        assert [button.label for button in app.button] == ["Sign in"]
        assert "p.png" not in text_of(app)
        app.run()
    asked = [html.value for html in app.get("html") if "--her2-answer-begun: 1" in html.value]
    assert not asked, "the browser would ask before it goes to sign in"
    assert by_provider == [], "the browser is led away with the patch in sight"
    reloaded = AppTest.from_file(str(ROOT / "pages" / "main.py"), default_timeout=60).run()
    assert [button.label for button in reloaded.button] == ["Sign in"]

    monkeypatch.setattr(st, "user", Vouched(email="bo@hospital.example", sub="7", iat=1800))
    back = AppTest.from_file(str(ROOT / "pages" / "main.py"), default_timeout=60).run()
    assert not back.exception
    assert next(b for b in back.button if b.label == "2+").proto.type == "primary"
    assert next(toggle for toggle in back.toggle if toggle.label == "Blind mode").value
    next(button for button in back.button if button.label == "Sign out").click()
    back.run()
    assert by_provider == ["signed out"]


def test_a_disabled_account_is_out_by_oidc_too(app, here, by_provider, monkeypatch):
    app.run()
    assert "Sign out" in [button.label for button in app.button]
    AccountStore(here.store).set_disabled("Dr. Bo", True)
    app.run()
    assert [button.label for button in app.button] == ["Sign in"]
    monkeypatch.setattr(st, "user", Vouched(email="bo@hospital.example", sub="7", iat=1800))
    app.run()
    assert not app.exception
    assert "no account here" in app.error[0].value
    assert "Use another account" in [button.label for button in app.button]
    assert by_provider == []


def test_only_an_administrator_gives_patches_out(app, here, brown_patch_png):
    take_in(brown_patch_png, "p.png", here.images, here.store, here.settings.limits)
    sign_in(app.run())
    app.switch_page("worklist.py").run()
    assert not app.exception
    assert not any(button.label == "Give out" for button in app.button)
    next(button for button in app.button if button.label == "Sign out").click()
    app.run()
    sign_in(app, "Dr. Root")
    app.switch_page("worklist.py").run()
    assert not app.exception
    app.multiselect(key="assign-readers-all").set_value(["Dr. Ada", "Dr. Root"]).run()
    next(button for button in app.button if button.label == "Give out").click()
    app.run()
    assert not app.exception
    assert "0 of 1 read" in "".join(str(bar.proto.text) for bar in app.get("progress"))
