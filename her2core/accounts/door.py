"""How people get in: OIDC where configured, else accounts, else nobody but this machine's user.

Pure functions; serve.py asks before the server listens, the pages ask again at each run.
"""

from __future__ import annotations

import ipaddress

from her2core.accounts.records import SignInWay


class OpenDoorError(RuntimeError):
    """Anybody on the network could come in; str(error) says what to do."""


def is_loopback(address: str | None) -> bool:
    """Whether only this machine can reach the address; None means all addresses."""
    if not address:
        return False
    if address == "localhost":
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
