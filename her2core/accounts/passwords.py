"""Passwords: Argon2id with 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet).

One check takes some hundredths of a second, so that a flood of them cannot stop the readings.
"""

import re
from collections.abc import Iterable
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from her2core.accounts.records import AccountError

SHORTEST = 12
# Argon2 takes any length; beyond this a "password" is an attempt to keep the processor busy.
LONGEST = 256
# As many guesses as five tries in a quarter of an hour never come to; zxcvbn estimates how many a
# password takes from lists of common passwords and words, names, dates, keyboard walks, repeats.
_FEWEST_GUESSES = 10**8
# zxcvbn looks at no more, and a pattern has shown by then
_LOOKED_AT = 72
# what stands on the screen, the door sign or the calendar, beside the person's own name
_WORDS = (
    "her2", "her2review", "review", "workstation", "pathology", "pathologist", "pathologie",
    "histology", "hospital", "krankenhaus", "klinikum", "klinik", "institut", "institute",
    "breast", "cancer", "breastcancer", "brustkrebs", "tumour", "tumor", "patch", "worklist",
    "administrator", "adjudicator", "reviewer", "doctor", "passwort", "kennwort", "password",
    "spring", "summer", "autumn", "winter", "frühling", "fruehling", "sommer", "herbst",
    "january", "february", "april", "august", "september", "october", "november", "december",
    "januar", "februar", "oktober", "dezember",
)  # fmt: skip
_LETTERS = str.maketrans("@4310$57", "aaeiosst")
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def hashed(password: str, name: str = "") -> str:
    """The password as it is stored, with its salt and parameters.

    Args:
        password: what the person is going to type.
        name: whose it is; a password made of it is refused.

    Raises:
        AccountError: it is shorter than 12 or longer than 256 characters, or easy to guess: a
            common password, also with digits behind it or letters swapped for signs, a word of
            this product, the person's name, a walk over the keyboard, one thing over and over.
            Length is what counts (NIST SP 800-63B); no digits or signs are asked for.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise AccountError(
            f"A password has {SHORTEST} to {LONGEST} characters; a few words in a row do well."
        )
    if _is_easy(password, name):
        raise AccountError("This password is too easy to guess; take a few words in a row.")
    return _hasher.hash(password)


def _is_easy(password: str, name: str) -> bool:
    # here only: its lists of words would be read at every start
    from zxcvbn import zxcvbn  # type: ignore[import-untyped]

    parts = [part for part in re.split(r"[\W_]+", name.casefold()) if len(part) > 2]
    known = {"".join(parts), "".join(reversed(parts)), *parts, *_WORDS} - {""}
    guesses = zxcvbn(
        password[:_LOOKED_AT], user_inputs=[name.casefold(), *known], max_length=_LOOKED_AT
    )["guesses"]
    plain = password.casefold()
    return guesses < _FEWEST_GUESSES or any(
        _is_little(_without(text, known)) for text in (plain, plain.translate(_LETTERS))
    )


def _without(text: str, words: Iterable[str]) -> str:
    """What is left without these words, years and all but letters and digits."""
    text = re.sub(r"[\W_]+", "", text)
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "")
    return re.sub(r"(19|20)\d\d", "", text)


def _is_little(text: str) -> bool:
    """Whether there is hardly more in it than a short thing, or one thing over and over."""
    return len(set(text)) < 4 or any(
        text == (text[:size] * len(text))[: len(text)] for size in range(1, len(text) // 2 + 1)
    )


def rehashed(password: str) -> str:
    """A password known to be right, with today's parameters."""
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
