"""What every reader of a file format gives back, and the sentences they share.

A reader gives an upright 8-bit sRGB picture with notes on what was changed, or refuses the file.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RGBArray = npt.NDArray[np.uint8]
# Makes the array the picture is written into, from its shape (H, W, 3).
Allocate = Callable[[tuple[int, int, int]], RGBArray]

# EXIF and TIFF orientation -> (quarter turns anticlockwise, then mirrored left to right)
_UPRIGHT = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False)} | {
    7: (1, True),
    8: (1, False),
}
TURNED = "The picture was turned upright as its EXIF orientation says."
SIXTEEN_BITS = "16 bits per channel were reduced to 8 over the full range."
ON_WHITE = "Transparent parts were laid on white, the colour of empty glass."
PRINT_COLOURS = "Converted from CMYK print colours; the stain colours may have shifted."


class UnreadableImageError(ValueError):
    """The image cannot be shown right; str(error) completes a sentence begun with its name."""


@dataclass(frozen=True)
class Picture:
    """An upright picture: `rgb` uint8 (H, W, 3), sRGB; `notes` on what was changed."""

    rgb: RGBArray
    notes: tuple[str, ...]


@dataclass(frozen=True)
class SizeLimits:
    """How large a picture may be, and how small: pixels in all, and pixels of its shorter side."""

    max_pixels: int
    min_side: int

    def check(self, width: int, height: int) -> None:
        """Refuse a size before anything of it is decoded.

        Raises:
            UnreadableImageError: too large or too small.
        """
        if width * height > self.max_pixels:
            raise self.too_large()
        if min(width, height) < self.min_side:
            raise UnreadableImageError(
                f"is only {width} x {height} pixels; upload a patch of at least "
                f"{self.min_side} x {self.min_side}."
            )

    def too_large(self) -> UnreadableImageError:
        """The refusal of a picture with too many pixels."""
        return UnreadableImageError(
            f"has more than {self.max_pixels / 1e6:,.6g} million pixels; upload a smaller region."
        )


def damaged(kind: str) -> UnreadableImageError:
    """The refusal of a file whose parts do not fit together."""
    return UnreadableImageError(
        f"is an incomplete or damaged {kind} or of an unusual kind; export it again as 8-bit RGB "
        "and upload that."
    )


def refused(reason: str) -> UnreadableImageError:
    """The refusal of a file that can be read only when it is exported in another way."""
    return UnreadableImageError(f"{reason}; export it as 8-bit RGB and upload that.")


def is_turned(orientation: int) -> bool:
    """Whether the orientation (1 to 8) is another than as stored."""
    return orientation in _UPRIGHT


def upright_and_stored(
    width: int, height: int, orientation: int, allocate: Allocate
) -> tuple[RGBArray, RGBArray]:
    """The upright picture, still empty, and the same memory seen as the file stores it.

    What is written into the second one stands upright in the first, and no turned copy is needed.

    Args:
        width: as stored.
        height: as stored.
        orientation: EXIF orientation; anything but 2 to 8 means as stored.
        allocate: makes the memory.

    Returns:
        uint8 (H, W, 3) upright, and a view of it, uint8 (height, width, 3).
    """
    turns, mirrored = _UPRIGHT.get(orientation, (0, False))
    upright = allocate((width, height, 3) if turns % 2 else (height, width, 3))
    return upright, np.rot90(upright[:, ::-1] if mirrored else upright, -turns)
