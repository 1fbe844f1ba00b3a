"""Passwords: Argon2id with 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet).

One check takes some hundredths of a second, so that a flood of them cannot stop the readings.
"""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from her2core.accounts.records import AccountError

SHORTEST = 12
# Argon2 takes any length; beyond this a "password" is an attempt to keep the processor busy.
LONGEST = 256
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def hashed(password: str) -> str:
    """The password as it is stored, with its salt and parameters.

    Raises:
        AccountError: it is shorter than 12 or longer than 256 characters, or only one character
            over and over. Length is what counts (NIST SP 800-63B); no digits or signs are asked
            for.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise AccountError(
            f"A password has {SHORTEST} to {LONGEST} characters; a few words in a row do well."
        )
    if len(set(password)) < 4:
        raise AccountError("This password is too easy to guess; take a few words in a row.")
    return _hasher.hash(password)


def matches(stored: str | None, password: str) -> bool:
    """Whether this is the password. Takes as long when there is none to compare with."""
    try:
        fits = _hasher.verify(stored or _nobodys(), password[: LONGEST + 1])
    except (Argon2Error, InvalidHashError, UnicodeEncodeError):
        return False
    return fits and stored is not None


def is_outdated(stored: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(stored)


@cache
def _nobodys() -> str:
    return _hasher.hash("nobody has this password")
