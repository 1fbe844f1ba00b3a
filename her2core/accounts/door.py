"""How people get in: OIDC where configured, else accounts, else nobody but this machine's user.

Pure functions; serve.py asks before the server listens, the pages ask again at each run.
"""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from her2core.accounts.records import SignInWay

# What a browser on this machine calls a server on this machine.
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
# A proxy says for whom it asks; whoever is alone on a machine has none in front.
_PROXY_HEADERS = (
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "forwarded",
    "via",
)
_WAYS_OUT = (
    "Create an account (python -m her2core.accounts add), configure OIDC, or set HER2_ALLOW_OPEN=1."
)


class OpenDoorError(RuntimeError):
    """Anybody on the network could come in; str(error) says what to do."""


def is_loopback(address: str | None) -> bool:
    """Whether only this machine can reach the address; None means all addresses."""
    if not address:
        return False
    if address.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def way_in(*, oidc: bool, accounts: bool, address: str | None, allow_open: bool) -> SignInWay:
    """How people sign in.

    Args:
        oidc: an OIDC provider is configured.
        accounts: at least one account exists, even a disabled one: disabling the last account
            must not open the door.
        address: what the server listens to; None for every address of the machine.
        allow_open: HER2_ALLOW_OPEN=1 was set.

    Raises:
        OpenDoorError: nobody would have to sign in, and others can reach the server.
    """
    if oidc:
        return "oidc"
    if accounts:
        return "account"
    if is_loopback(address) or allow_open:
        return "open"
    raise OpenDoorError(
        f"HER2 Review does not listen to {address or 'every address of this machine'} without "
        "sign-in: anybody on the network could read patches and write reviews. Create an account "
        "(python -m her2core.accounts add NAME --role administrator), configure OIDC, or set "
        "HER2_ALLOW_OPEN=1 if the network itself keeps others out."
    )


def require_own_machine(headers: Mapping[str, str], client: str | None = None) -> None:
    """Go on only if a browser of this machine asks this machine, as the open way takes for granted.

    A proxy on this machine passes on what others ask. And a page from elsewhere whose name is
    suddenly resolved to 127.0.0.1 may talk to the server like a page of its own, but its browser
    still sends that name as Host and Origin; no browser leaves them out.

    Args:
        headers: of the request.
        client: address it came from, None where it is not known. Where another program than
            serve.py listens (`uvicorn --host`), nothing else tells that others can ask.

    Raises:
        OpenDoorError: the request came from elsewhere or through a proxy, or names another host.
    """
    if client is not None and not is_loopback(client):
        raise OpenDoorError(
            "This page was asked for by another machine, and nobody has to sign in. " + _WAYS_OUT
        )
    said = {name.lower(): value for name, value in headers.items()}
    if any(said.get(name) for name in _PROXY_HEADERS):
        raise OpenDoorError(
            "This page came through a proxy, so others can reach it, and nobody has to sign in. "
            + _WAYS_OUT
        )
    asked = [f"//{said['host']}"] if "host" in said else []
    asked += [said["origin"]] if "origin" in said else []
    if not all(is_loopback(_host_name(address)) for address in asked):
        raise OpenDoorError(
            "This page was not asked for as localhost, so others may reach it, and nobody has to "
            "sign in. Open http://localhost at this server's port instead. " + _WAYS_OUT
        )


def oidc_claims(said: Mapping[str, object]) -> list[str]:
    """What an OIDC provider calls a person: the e-mail address and the subject, "" without one.

    An address which the provider says it has not verified is one that anybody may have typed
    there; it is left out. Some providers send that answer as text, some none at all.
    """
    verified = str(said.get("email_verified", True)).lower() == "true"
    return [str(said.get("email") or "") if verified else "", str(said.get("sub") or "")]


def _host_name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
