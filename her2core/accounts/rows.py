"""Account and audit rows: found by name, made into records, added to the caller's transaction."""

import hashlib
import ipaddress
import unicodedata
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from her2core.accounts.records import Account, AccountError, checked_role
from her2core.accounts.tables import AccountRow, AuditRow


def add_audit(session: Session, when: datetime, actor: str, action: str, detail: str) -> None:
    """Add an audit entry inside the caller's transaction."""
    session.add(
        AuditRow(happened_at=when, actor=(actor or "nobody")[:80], action=action, detail=detail)
    )


def account_of(row: AccountRow) -> Account:
    """The record of an account row, without its password's hash."""
    return Account(
        row.id,
        row.name,
        checked_role(row.role),
        row.login,
        row.password_hash is not None,
        row.disabled,
    )


def account_row(session: Session, name: str) -> AccountRow | None:
    """The row of an account, however its name is capitalised."""
    return session.scalar(select(AccountRow).where(AccountRow.name_key == name_key(name)))


def known_row(session: Session, name: str) -> AccountRow:
    """The row of an account that must be there.

    Raises:
        AccountError: it is not.
    """
    row = account_row(session, name)
    if row is None:
        raise AccountError(f"There is no account “{name}”.")
    return row


def name_key(name: str) -> str:
    """Names that look alike are one: compatibility forms folded, capitals and blanks ignored."""
    folded = unicodedata.normalize("NFKC", " ".join(name.split())).casefold()
    # lone surrogates cannot be stored, and no stored name has them
    return folded.encode("utf-8", "replace").decode()[:160]


def checked_login(text: str) -> str:
    """A login as it is stored and compared: without blanks around it, capitals folded.

    Raises:
        AccountError: it is empty, too long or holds what cannot be printed.
    """
    login = text.strip().casefold()
    if not login or len(login) > 255 or not login.isprintable():
        raise AccountError("The login at the OIDC provider is not valid.")
    return login


def key_hash(key: str) -> str:
    """SHA-256 of a name's key, hexadecimal: failed sign-ins are counted without naming anyone."""
    return hashlib.sha256(key.encode("utf-8")).hexdigest()


def address_hash(address: str) -> str:
    """SHA-256 of what counts as one address: IPv4 as it is, of IPv6 the network that is given out.

    Returns:
        Hexadecimal. Empty for this machine itself and for what is no address: behind a proxy whose
        word is not taken everybody comes from there, so that it tells nobody from anybody.
    """
    try:
        parsed = ipaddress.ip_address(address.strip().strip("[]").split("%")[0])
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    if parsed.is_loopback:
        return ""
    one = parsed if parsed.version == 4 else ipaddress.ip_network((parsed, 64), strict=False)
    return key_hash(str(one))
