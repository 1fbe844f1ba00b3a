"""Which browser asks: a random name in a signed cookie, and addresses signed for one session.

The cookie says nothing of a person. It ties a session of the server to the browser that opened it,
so that a session's id, which stands in upload addresses, opens nothing by itself.
"""

import hashlib
import hmac
import secrets
from pathlib import Path
from urllib.parse import parse_qs, urlencode

from her2core.common.files import new_file

_KEY_BYTES = 32
_NAME_BYTES = 16


def server_key(home: Path) -> bytes:
    """The installation's key for signatures, 32 bytes in HER2_HOME/browser.key, made at first use.

    Servers that share HER2_HOME share it.

    Raises:
        OSError: it can neither be read nor made.
        ValueError: the file does not hold a key.
    """
    path = home / "browser.key"
    try:
        with new_file(path) as handle:
            handle.write(secrets.token_bytes(_KEY_BYTES))
    except FileExistsError:
        pass
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise ValueError(f"{path} does not hold a key; remove it, and a new one is made.")
    return key


def cookie_name(key: bytes) -> str:
    """The cookie's name; one for each installation, as browsers share cookies between ports."""
    return f"her2_{_signature(key, 'cookie name')[:8]}"


def new_browser(key: bytes) -> str:
    """A cookie for a browser that was not here before: its random name, signed."""
    name = secrets.token_urlsafe(_NAME_BYTES)
    return f"{name}.{_signature(key, 'browser', name)}"


def browser_of(key: bytes, cookie: str | None) -> str | None:
    """The browser's name from its cookie; None where there is none, or it is not ours."""
    name, _, signature = (cookie or "").partition(".")
    good = name and _same(signature, _signature(key, "browser", name))
    return name if good else None


def signed_address(key: bytes, path: str, session: str, expires: float) -> str:
    """An address that this session may ask for until it expires.

    Args:
        key: of `server_key`.
        path: of the address, without a query.
        session: whose address it is; it does not stand in it.
        expires: seconds since 1970; fractions are cut.
    """
    until = str(int(expires))
    signature = _signature(key, "address", path, session, until)
    return f"{path}?{urlencode({'until': until, 'signature': signature})}"


def verify_address(key: bytes, path: str, query: str, session: str, now: float) -> bool:
    """Whether `signed_address` gave this address to this session, and it has not expired."""
    values = parse_qs(query)
    until, signature = (values.get(name, [""])[-1] for name in ("until", "signature"))
    good = _same(signature, _signature(key, "address", path, session, until))
    return good and now < int(until)


def _signature(key: bytes, *parts: str) -> str:
    # lengths between the parts: ("ab", "c") is not ("a", "bc")
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hmac.new(key, text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())
