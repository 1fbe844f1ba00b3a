"""How often one may try to sign in: by account and by address, never by all of them together.

Whoever tries is told apart by account and address. Five failures of an account from one address
close that way for the window; twenty of an account from anywhere close it to every address from
which its owner never signed in; thirty from one address close that address to every account that
never signed in from there. So a stranger can neither try many passwords nor, from another address,
keep a person out who has been here before. Every function works in a transaction that holds the
write lock.
"""

from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from her2core.accounts.rows import address_hash, key_hash
from her2core.accounts.tables import AccountRow, KnownAddressRow, SignInFailureRow

WINDOW = timedelta(minutes=15)
FAILURES_PER_NAME_AND_ADDRESS = 5
FAILURES_PER_NAME = 20
FAILURES_PER_ADDRESS = 30
_Failure = SignInFailureRow


def begin_attempt(
    session: Session, now: datetime, key: str, address: str, account: AccountRow | None
) -> str | None:
    """Count an attempt, before its password is looked at: many at once count as many.

    Args:
        session: of the transaction.
        now: the time, UTC.
        key: of the name that was typed.
        address: whence; empty where it is not known.
        account: of that name, if there is one.

    Returns:
        None, or the sentence that refuses it because of too many failures of late; then nothing is
        counted. It is returned, not raised, so that the transaction is kept.
    """
    # a clock that went back must neither close a door for longer nor open it
    session.execute(update(_Failure).where(_Failure.failed_at > now).values(failed_at=now))
    session.execute(delete(_Failure).where(_Failure.failed_at < now - WINDOW))
    name, where = key_hash(key), address_hash(address)
    by_name, by_address = _Failure.name_hash == name, _Failure.address_hash == where
    closed = _closed_until(session, FAILURES_PER_NAME_AND_ADDRESS, by_name, by_address)
    if where and not _is_known(session, account, where):
        closed = closed or _closed_until(session, FAILURES_PER_NAME, by_name)
        if not _is_unlocked(account, now):
            closed = closed or _closed_until(session, FAILURES_PER_ADDRESS, by_address)
    if closed is not None:
        left = max(1, ceil((closed - now).total_seconds() / 60))
        minutes = "a minute" if left == 1 else f"{left} minutes"
        return f"Too many failed sign-ins; try again in {minutes}."
    session.add(_Failure(name_hash=name, address_hash=where, failed_at=now))
    return None


def forget_attempts(
    session: Session, now: datetime, key: str, address: str, account: AccountRow
) -> None:
    """After the right password: fresh attempts from this address, which is known from now on."""
    name, where = key_hash(key), address_hash(address)
    session.execute(
        delete(_Failure).where(_Failure.name_hash == name, _Failure.address_hash == where)
    )
    if where:
        session.merge(KnownAddressRow(account_id=account.id, address_hash=where, signed_in_at=now))


def unlock_account(session: Session, now: datetime, account: AccountRow) -> None:
    """Fresh attempts for an account from everywhere, from a closed address, too."""
    name = key_hash(account.name_key)
    session.execute(delete(_Failure).where(_Failure.name_hash == name))
    account.unlocked_at = now


def unlock_address(session: Session, address: str) -> bool:
    """Fresh attempts from an address; False where it is none by which people are told apart."""
    where = address_hash(address)
    session.execute(delete(_Failure).where(_Failure.address_hash == where))
    return bool(where)


def unlock_all(session: Session) -> None:
    """Fresh attempts for everybody."""
    session.execute(delete(_Failure))


def _closed_until(
    session: Session, allowed: int, *conditions: ColumnElement[bool]
) -> datetime | None:
    counted = select(func.count(), func.min(_Failure.failed_at)).where(*conditions)
    number, first = session.execute(counted).one()
    return first + WINDOW if number >= allowed else None


def _is_known(session: Session, account: AccountRow | None, where: str) -> bool:
    return account is not None and session.get(KnownAddressRow, (account.id, where)) is not None


def _is_unlocked(account: AccountRow | None, now: datetime) -> bool:
    """Whether an administrator let this account in anew within the window."""
    if account is None or account.unlocked_at is None:
        return False
    return abs(now - account.unlocked_at) < WINDOW
