"""From uploaded bytes to a checked Patch, and from a Patch to the models' input.

This is the one place where model input is made: pages, batch scoring and the command line all call
`Patch.pixels`, so that the same bytes give the same verdict everywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import numpy.typing as npt

from her2core.common.text import printable
from her2core.preprocessing.glass import WhiteBalance, prepared
from her2core.preprocessing.image_formats import (
    EXTENSIONS,
    DecodedImage,
    UnreadableImageError,
    read_image,
)
from her2core.settings import UploadLimits

# (file's bytes, most pixels, shortest side) -> picture, or UnreadableImageError
Reader = Callable[[bytes, int, int], DecodedImage]

MODEL_SIDE = 224
MAX_NAME = 120
_MAX_EXTENSION = 10
# in the sentence on a file whose ending says another format than its content
_IN_FACT = " is in fact a "


class PatchError(ValueError):
    """A file cannot be used; str(error) is one sentence: its name, the reason, what to do."""


@dataclass(frozen=True)
class Square:
    """The square part of an image which the models see, in pixels of the oriented image."""

    x: int
    y: int
    size: int

    @classmethod
    def centred(cls, width: int, height: int) -> Square:
        """The largest centred square of an image."""
        size = min(width, height)
        return cls((width - size) // 2, (height - size) // 2, size)

    def within(self, width: int, height: int, least: int) -> Square:
        """The nearest square of an image that has at least so many pixels a side, where it can."""
        whole = min(width, height)
        size = min(max(self.size, least), whole)
        x, y = min(max(self.x, 0), width - size), min(max(self.y, 0), height - size)
        return Square(x, y, size)


@dataclass(frozen=True)
class Patch:
    """A decoded upload and the square of it which the models see.

    Two patches are equal when they come from the same bytes and show the same square.

    Attributes:
        name: what may be shown; see `safe_name`.
        sha256: of the uploaded bytes, 64 lower-case hex digits.
        rgb: uint8 (H, W, 3), upright, sRGB, read-only.
        square: the part the models see.
        notes: plain sentences on what was changed while decoding.
    """

    name: str
    sha256: str
    rgb: npt.NDArray[np.uint8] = field(repr=False, compare=False)
    square: Square
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Seal the pixels.

        Raises:
            ValueError: `rgb` is not uint8 (H, W, 3), or the square is not one of this image.
        """
        if self.rgb.dtype != np.uint8 or self.rgb.ndim != 3 or self.rgb.shape[2] != 3:
            raise ValueError("A patch holds uint8 pixels of shape (H, W, 3).")
        _check_square(self.square, self.width, self.height)
        sealed = self.rgb.view()
        sealed.setflags(write=False)
        object.__setattr__(self, "rgb", sealed)

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.rgb.shape[0])

    @property
    def key(self) -> str:
        """What verdicts and maps are cached by: the bytes and the square."""
        return f"{self.sha256}:{self.square.x},{self.square.y},{self.square.size}"

    def field(self) -> npt.NDArray[np.uint8]:
        """The square at its own resolution: uint8 (s, s, 3), a fresh copy."""
        top, left, size = self.square.y, self.square.x, self.square.size
        return self.rgb[top : top + size, left : left + size].copy()

    def pixels(self, white_balance: WhiteBalance | None = None) -> npt.NDArray[np.float32]:
        """A model's input: the square resized, float32 (224, 224, 3) in [0, 1].

        `white_balance` is what the model's card asks for.
        """
        size = self.square.size
        field = self.field()
        if size != MODEL_SIDE:
            how = cv2.INTER_AREA if size > MODEL_SIDE else cv2.INTER_CUBIC
            # Resized as uint8: cubic overshoot saturates, and a large square needs no float copy.
            field = cv2.resize(field, (MODEL_SIDE, MODEL_SIDE), interpolation=how)
        return prepared(field, white_balance).astype(np.float32) / np.float32(255)

    def with_square(self, square: Square) -> Patch:
        """The same image with another square.

        Raises:
            ValueError: the square leaves the image, or is smaller than 32 pixels and not the
                largest one the image has.
        """
        return replace(self, square=square)


def decode(data: bytes, name: str, limits: UploadLimits, reader: Reader = read_image) -> Patch:
    """Read an uploaded file: its main picture, upright, in sRGB, with its largest centred square.

    The same bytes always give the same pixels.

    Args:
        data: the file as uploaded.
        name: its name as uploaded; any text.
        limits: what is accepted.
        reader: decodes; `her2core.preprocessing.bounded_decode` has one for files from outside.

    Raises:
        PatchError: the file is empty, too large, of no format that is read, damaged or cut off, too
            many or too few pixels, or of a kind that cannot be shown right.
    """
    shown = safe_name(name)
    if not data:
        raise PatchError(f"“{shown}” is empty; copy or export the file again.")
    if len(data) > limits.max_bytes:
        raise PatchError(
            f"“{shown}” is larger than {limits.max_bytes / 2**20:,.6g} MiB; "
            "upload a smaller region."
        )
    try:
        image = reader(data, limits.max_pixels, limits.min_side)
    except UnreadableImageError as error:
        raise PatchError(f"“{shown}” {error}") from error
    height, width = image.rgb.shape[:2]
    notes = (*_extension_note(shown, image.format), *image.notes)
    square = Square.centred(width, height)
    return Patch(shown, hashlib.sha256(data).hexdigest(), image.rgb, square, notes)


def decode_file(path: Path, limits: UploadLimits) -> Patch:
    """The same for a file of this machine.

    Raises:
        PatchError: it cannot be opened, or see `decode`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        shown = safe_name(path.name)
        raise PatchError(f"“{shown}” cannot be opened ({error.strerror}).") from error
    return decode(data, path.name, limits)


def safe_name(name: str) -> str:
    """What of an uploaded file's name may be shown, logged and exported.

    The last part of the path, on one line, without control and bidirectional characters, at most
    120 characters with its extension kept, never empty. The rest stays as it is: escaping for
    HTML, Markdown or a spreadsheet is done where the name is written (`her2core.common.text`).
    """
    visible = printable(name.replace("\\", "/").rstrip("/").rpartition("/")[2])
    stem, dot, ending = visible.rpartition(".")
    if not dot or not 1 <= len(ending) <= _MAX_EXTENSION:
        stem, dot, ending = visible, "", ""
    stem = stem.strip(" .") or "unnamed"
    return stem[: MAX_NAME - len(dot + ending)].rstrip() + dot + ending


def _extension_note(name: str, actual: str) -> tuple[str, ...]:
    extension = PurePosixPath(name).suffix.lower()
    if not extension or EXTENSIONS.get(extension) == actual:
        return ()
    return (f"“{name}”{_IN_FACT}{actual}.",)


def is_remark(sentence: str) -> bool:
    """Whether a sentence kept with a patch tells of its file alone: nothing is wrong with it."""
    return _IN_FACT in sentence


def _check_square(square: Square, width: int, height: int) -> None:
    smallest = min(UploadLimits.min_side, width, height)
    inside = (
        square.x >= 0
        and square.y >= 0
        and square.x + square.size <= width
        and square.y + square.size <= height
    )
    if not inside or square.size < smallest:
        raise ValueError(
            f"The square must lie inside the {width} x {height} image and measure at least "
            f"{smallest} pixels."
        )
