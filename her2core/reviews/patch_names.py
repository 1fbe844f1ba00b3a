"""Names of patches as people are shown them: two files of one name are told apart."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType

from her2core.common.text import printable

_SHORTEST = 6
# characters of a name; an index takes no longer keys
_COMPARED = 300


def distinct_names(
    names: Mapping[str, str], namesakes: Mapping[str, int] = MappingProxyType({})
) -> dict[str, str]:
    """Each patch's name; behind one that several patches bear, the start of the patch's sha256.

    Names count as the same where a reader could take them for each other at a glance: however they
    are capitalised, spaced or composed of Unicode.

    Args:
        names: sha256 -> name of the file.
        namesakes: look of a name -> how many patches bear it, where there are more of them than
            are named here.

    Returns:
        sha256 -> name on one line; to be made inert for its place, as the name alone would be.
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for sha256, name in names.items():
        alike[look(name)].append(sha256)
    shown = {sha256: printable(name) for sha256, name in names.items()}
    for key, patches in alike.items():
        if max(len(patches), namesakes.get(key, 0)) > 1:
            length = _telling(patches)
            for sha256 in patches:
                shown[sha256] = f"{shown[sha256]} ({sha256[:length]})".strip()
    return shown


def look(name: str) -> str:
    """The same for names that a reader could take for each other."""
    return "".join(unicodedata.normalize("NFKC", printable(name)).casefold().split())[:_COMPARED]


def _telling(patches: list[str]) -> int:
    """How many characters of the sha256 tell these patches apart."""
    length = _SHORTEST
    while len({sha256[:length] for sha256 in patches}) < len(patches):
        length += 1
    return length
