"""Signatures, limits and headers of the server's guard, each by itself."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from her2core.serving import browsers, headers, start
from her2core.serving.guard import Guard
from her2core.serving.visits import Allowance, Limits, TooManyError, Visits

KEY, OTHER = b"k" * 32, b"o" * 32


# signatures --------------------------------------------------------------------------------------


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path):
    keys: list[bytes] = []
    barrier = threading.Barrier(8)

    def make() -> None:
        barrier.wait()
        keys.append(browsers.server_key(tmp_path))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1
    assert (tmp_path / "browser.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["browser.key"]
    (tmp_path / "browser.key").write_bytes(b"short")
    with pytest.raises(ValueError, match="does not hold a key"):
        browsers.server_key(tmp_path)


def test_a_browser_is_known_by_its_own_cookie_alone():
    cookie = browsers.new_browser(KEY)
    assert browsers.browser_of(KEY, cookie) == cookie.split(".")[0]
    assert browsers.browser_of(OTHER, cookie) is None
    assert browsers.new_browser(KEY) != cookie
    assert browsers.cookie_name(KEY) != browsers.cookie_name(OTHER)


@given(st.one_of(st.none(), st.text(), st.text().map(lambda name: f"{name}.{'0' * 64}")))
def test_nothing_else_is_a_cookie(text):
    assert browsers.browser_of(KEY, text) is None


addresses = st.text(min_size=1).map(lambda text: f"/{text}".replace("?", ""))


@given(addresses, st.text(), st.integers(0, 2**40))
def test_an_address_is_good_for_its_session_until_it_expires(path, session, until):
    query = browsers.signed_address(KEY, path, session, until).removeprefix(f"{path}?")
    assert browsers.verify_address(KEY, path, query, session, until - 0.5)
    assert not browsers.verify_address(KEY, path, query, session, until)
    assert not browsers.verify_address(KEY, path, query, f"{session}x", 0)
    assert not browsers.verify_address(KEY, f"{path}x", query, session, 0)
    assert not browsers.verify_address(OTHER, path, query, session, 0)
    later = query.replace(f"until={until}", f"until={until + 1}")
    assert not browsers.verify_address(KEY, path, later, session, 0)


@given(st.text())
def test_any_other_query_is_refused(query):
    assert not browsers.verify_address(KEY, "/image", query, "a", 0)


# visits ------------------------------------------------------------------------------------------


def test_a_visit_is_taken_up_by_its_browser_alone_and_forgotten_where_nobody_was_let_in():
    visits = Visits()
    first = visits.open("a", "10.0.0.1", None)
    visits.bind(first, "s")
    for browser in ("b", None):
        assert visits.open(browser, "10.0.0.1", "s") is not first
    assert visits.open("a", "10.0.0.1", "s") is first
    assert not visits.close(first)  # the connection before goes; the new one stays
    assert visits.close(first)
    assert visits.open("a", "10.0.0.1", "s") is not first
    known = visits.open("a", "10.0.0.1", None)
    visits.bind(known, "t")
    visits.admit(known.token, True)
    assert not visits.close(known)
    assert visits.open("a", "10.0.0.1", "t") is known


def test_files_and_pictures_are_for_who_was_let_in():
    visits = Visits()
    visit = visits.open("a", "10.0.0.1", None)
    visits.bind(visit, "s")
    assert not visits.may_send("a", "s")
    assert not visits.sessions("a")
    visits.admit("of nobody", True)
    assert not visits.sessions("a")
    visits.admit(visit.token, True)
    assert visits.may_send("a", "s")
    assert visits.sessions("a") == ["s"]
    for browser in ("b", None):
        assert not visits.may_send(browser, "s")
        assert not visits.sessions(browser)
    assert not visits.may_send("a", "other")
    visits.admit(visit.token, False)  # signed out, or idle too long
    assert not visits.may_send("a", "s")
    assert not visits.sessions("a")


def test_who_has_no_cookie_takes_nothing_up_and_sees_nothing():
    visits = Visits()
    visit = visits.open(None, "10.0.0.1", None)
    visits.bind(visit, "s")
    visits.admit(visit.token, True)
    assert not visits.may_send(None, "s")
    assert not visits.sessions(None)
    assert visits.open(None, "10.0.0.1", "s") is not visit
    assert visits.close(visit)


def test_strangers_of_one_address_leave_room_for_others_and_members_do_not_count():
    visits = Visits(Limits(connections=9, strangers=4, strangers_each=2))
    members = [visits.open("m", "10.0.0.1", None) for _ in range(2)]
    with pytest.raises(TooManyError):
        visits.open("m", "10.0.0.1", None)
    for member in members:
        visits.admit(member.token, True)
    for address in ("10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.3"):
        visits.open(None, address, None)
    with pytest.raises(TooManyError):
        visits.open(None, "10.0.0.4", None)


def test_one_session_opened_over_and_over_counts_each_time():
    visits = Visits(Limits(connections=3))
    visit = visits.open("a", "10.0.0.1", None)
    visits.bind(visit, "s")
    visits.admit(visit.token, True)
    for _ in range(2):
        assert visits.open("a", "10.0.0.1", "s") is visit
    with pytest.raises(TooManyError):
        visits.open("a", "10.0.0.1", "s")


def test_connections_that_come_and_go_are_slowed_for_their_address_alone():
    visits = Visits(Limits(opened_burst=5, opened_each_second=1e-9))
    for _ in range(5):
        visits.close(visits.open(None, "10.0.0.1", None))
    with pytest.raises(TooManyError):
        visits.open(None, "10.0.0.1", None)
    visits.open(None, "10.0.0.2", None)


def test_what_is_over_the_allowance_waits_its_turn():
    allowance = Allowance(burst=3, each_second=0.001)
    assert [allowance.wait() for _ in range(3)] == [0, 0, 0]
    assert 900 < allowance.wait() <= 1000
    assert 1900 < allowance.wait() <= 2000
    fresh = Allowance(burst=1, each_second=0.001)
    assert [fresh.take() for _ in range(3)] == [True, False, False]
    assert fresh.wait() <= 1000  # what was refused costs nothing


# headers -----------------------------------------------------------------------------------------


def test_headers_of_ours_replace_others_and_cookies_become_secure():
    always = headers.fixed(["'sha256-x'"])
    given = [
        (b"X-Frame-Options", b"ALLOWALL"),
        (b"cache-control", b"public"),
        (b"set-cookie", b"secure=1; Path=/"),
        (b"Set-Cookie", b"b=1; secure"),
    ]
    out = headers.dressed(given, always, secure=True, private=True, cookie="c=2")
    assert [value for name, value in out if name.lower() == b"x-frame-options"] == [b"DENY"]
    assert [value for name, value in out if name == b"cache-control"] == [b"no-store"]
    assert [value for name, value in out if name.lower() == b"set-cookie"] == [
        b"secure=1; Path=/; Secure",
        b"b=1; secure",
        b"c=2; Path=/; HttpOnly; SameSite=Lax; Secure",
    ]
    plain = headers.dressed(given, always, secure=False, private=False, cookie=None)
    assert (b"cache-control", b"public") in plain
    assert (b"set-cookie", b"secure=1; Path=/") in plain


def test_the_inline_scripts_of_a_page_are_allowed_by_what_they_are(tmp_path):
    page = tmp_path / "index.html"
    page.write_text('<script src="a.js"></script><script>alert(1)</script>')
    assert headers.inline_hashes(page) == ("'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='",)


@pytest.mark.parametrize("base", ["", "/her2"])
@pytest.mark.parametrize("root", ["", "/apps"])
def test_a_picture_is_given_to_the_session_it_was_signed_for_until_it_expires(base, root):
    visits = Visits()
    for browser, session in (("ada", "s"), ("ada", "t"), ("ben", "u"), ("cy", "v")):
        visit = visits.open(browser, "10.0.0.1", None)
        visits.bind(visit, session)
        visits.admit(visit.token, browser != "cy")
    path, now = "/pictures/" + "a" * 64 + "/image", time.time()
    seen: list[str] = []

    async def inner(scope, _receive, send):
        seen.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    def ask(name: str, address: str) -> tuple[int, bytes | None]:
        answers: list[dict[str, object]] = []

        async def send(message):
            answers.append(message)

        wire = SimpleNamespace(base_path=lambda: base)
        own = Guard(
            inner,
            wire=wire,  # type: ignore[arg-type]
            visits=visits,
            key=lambda: KEY,
            headers=[],
            metrics=lambda: False,
        )
        cookie = f"{name}.{browsers._signature(KEY, 'browser', name)}"
        asked, _, query = address.partition("?")
        scope = {
            "type": "http",
            "path": f"{root}{base}{asked}",
            "root_path": root,
            "query_string": query.encode(),
            "headers": [(b"cookie", f"{browsers.cookie_name(KEY)}={cookie}".encode())],
        }
        asyncio.run(own(scope, None, send))  # type: ignore[arg-type]
        said = dict(answers[0]["headers"])  # type: ignore[call-overload]
        return int(answers[0]["status"]), said.get(b"cache-control")  # type: ignore[call-overload]

    def signed(session: str, key: bytes = KEY, seconds: float = 60, asked: str = path) -> str:
        return browsers.signed_address(key, asked, session, now + seconds)

    assert ask("ada", signed("s")) == (200, b"no-store")
    assert seen == [root + path]  # the route lies at the top, wherever the application does
    assert ask("ada", signed("t")) == (200, b"no-store")
    tiles = "/pictures/slides/" + "a" * 16 + "/tiles"
    tile = signed("s", asked=tiles).replace("tiles?", "tiles/3/0/12?")
    assert ask("ada", tile) == (200, b"no-store")  # one signature opens all tiles of a slide
    refused = {
        "another's tile": ask("ben", tile),
        "a tile of another slide": ask("ada", tile.replace("a" * 16, "b" * 16)),
        "regions beside the tiles": ask("ada", tile.replace("tiles/3/0/12", "regions/grade/9")),
        "another reader": ask("ben", signed("s")),
        "somebody who was not let in": ask("cy", signed("v")),
        "a stranger": ask("dan", signed("s")),
        "expired": ask("ada", signed("s", seconds=-1)),
        "another key": ask("ada", signed("s", OTHER)),
        "unsigned": ask("ada", path),
        "another picture": ask("ada", signed("s").replace("image", "1-1-64/cells")),
        "a longer time": ask("ada", re.sub("until=.", "until=9", signed("s"))),
        "no number": ask("ada", f"{path}?until=x&signature={'0' * 64}"),
    }
    assert set(refused.values()) == {(403, b"no-store")}, refused
    assert len(seen) == 3


@pytest.mark.parametrize("base", ["", "/her2"])
@pytest.mark.parametrize("root", ["", "/apps"])
def test_wherever_the_application_lies_its_closed_addresses_are_closed(base, root):
    async def ask(path: str) -> int:
        answers: list[dict[str, object]] = []

        async def inner(_scope, _receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})

        async def send(message):
            answers.append(message)

        wire = SimpleNamespace(base_path=lambda: base)
        own = Guard(
            inner,
            wire=wire,  # type: ignore[arg-type]
            visits=Visits(),
            key=lambda: KEY,
            headers=[],
            metrics=lambda: False,
        )
        scope = {"type": "http", "path": f"{root}{base}{path}", "root_path": root, "headers": []}
        await own(scope, None, send)  # type: ignore[arg-type]
        return int(answers[0]["status"])  # type: ignore[call-overload]

    asked = {
        "/": 200,
        "/worklist": 200,
        "/_stcore/health": 200,
        "/_stcore/metrics": 404,
        "/_stcore": 404,
        "/_stcore/upload_file/a/b": 403,
        "/media/a.png": 403,
        "/media/": 403,
        "/pictures/a/image": 403,
        "/pictures": 403,
        "/viewer/viewer.js": 200,
        "/viewer/colours.css": 200,
    }
    assert {path: asyncio.run(ask(path)) for path in asked} == asked


# starting ----------------------------------------------------------------------------------------


def test_the_application_does_not_start_where_nobody_minds_the_door(tmp_path, monkeypatch):
    monkeypatch.setenv("HER2_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HER2_ALLOW_OPEN", raising=False)
    for address in (None, "0.0.0.0", "192.0.2.1"):
        with pytest.raises(start.RefusedError, match="without sign-in") as refused:
            start.check(address)
        assert refused.value.status == 1
