"""Pictures for the screen: the image in a size a screen can show, and the frame of the square.

Pixels in, PNG bytes out; PNG because JPEG would add its own texture to faint membranes.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from her2core.common.palette import FRAME, FRAME_EDGE
from her2core.preprocessing.patches import Patch

Pixels = npt.NDArray[np.uint8]


def enlarged(rgb: Pixels, longest: int = 1400, shortest: int = 0) -> Pixels:
    """The image in the size in which a screen shows it.

    Args:
        rgb: uint8 (H, W, 3).
        longest: pixels of the longer side at most; larger images are reduced by area.
        shortest: pixels of the shorter side at least, up to `longest`; smaller images are enlarged
            smoothly so that a 64-pixel patch is not shown as blocks.

    Returns:
        uint8 (H', W', 3); the image itself where nothing is to be done.
    """
    height, width = rgb.shape[:2]
    scale = max(1.0, shortest / min(height, width))
    scale = min(scale, longest / max(height, width))
    if scale == 1.0:
        return rgb
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(rgb, size, interpolation=how), dtype=np.uint8)


def png(rgb: Pixels, longest: int = 1400, shortest: int = 0) -> bytes:
    """Encode for the screen, in the size `enlarged` gives; a PNG without metadata."""
    shown = enlarged(rgb, longest, shortest)
    done, buffer = cv2.imencode(
        ".png", cv2.cvtColor(shown, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 3]
    )
    if not done:
        raise ValueError("The picture could not be encoded.")
    return bytes(buffer)


def framed(patch: Patch, longest: int = 1400) -> bytes:
    """The whole image with the square framed and the rest veiled, as PNG.

    Args:
        patch: any patch; one whose square is the whole image comes without a frame.
        longest: pixels of the longer side at most.
    """
    square = patch.square
    if square.size == patch.width == patch.height:
        return png(patch.rgb, longest, shortest=448)
    scale = min(1.0, longest / max(patch.width, patch.height))
    size = (max(1, round(patch.width * scale)), max(1, round(patch.height * scale)))
    small = cv2.resize(patch.rgb, size, interpolation=cv2.INTER_AREA)
    left, top = round(square.x * scale), round(square.y * scale)
    right = min(size[0], round((square.x + square.size) * scale))
    bottom = min(size[1], round((square.y + square.size) * scale))
    shown = (small * np.float32(0.45) + np.float32(255 * 0.55 * 0.8)).astype(np.uint8)
    shown[top:bottom, left:right] = small[top:bottom, left:right]
    thick = max(2, max(size) // 300)
    corner, opposite = (left, top), (right - 1, bottom - 1)
    cv2.rectangle(shown, corner, opposite, FRAME, 2 * thick)
    cv2.rectangle(shown, corner, opposite, FRAME_EDGE, thick)
    return png(shown, longest, shortest=448)
