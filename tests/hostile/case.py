"""One hostile file and what must come of it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.hostile.pictures import RGBArray


@dataclass(frozen=True)
class Case:
    """One file and what must come of it: the right picture, or one sentence.

    Attributes:
        name: the file's name.
        data: its bytes.
        refused: a word the sentence must hold; empty where the picture is accepted.
        noted: a word one of the patch's notes must hold; empty where no note may say anything,
            None where it does not matter.
        expected: the picture where it is accepted.
        tolerance: grey levels it may be off by (lossy formats).
    """

    name: str
    data: bytes
    refused: str = ""
    noted: str | None = ""
    expected: RGBArray | None = None
    tolerance: int = 0
