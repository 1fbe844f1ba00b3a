"""Pictures for the screen, in a size that a screen can show.

Pixels in, PNG bytes out; PNG because JPEG would add its own texture to faint membranes. Small
pictures by which a patch is found, not read, are JPEG.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

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


def thumbnail(rgb: Pixels, longest: int) -> bytes:
    """A small JPEG without metadata, its longer side so many pixels at most."""
    small = cv2.cvtColor(enlarged(rgb, longest), cv2.COLOR_RGB2BGR)
    done, buffer = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not done:
        raise ValueError("The picture could not be encoded.")
    return bytes(buffer)


def png(picture: Pixels) -> bytes:
    """A PNG without metadata of a uint8 (H, W, 3) picture, or (H, W, 4) with opacity."""
    order = cv2.COLOR_RGBA2BGRA if picture.shape[2] == 4 else cv2.COLOR_RGB2BGR
    quick = [cv2.IMWRITE_PNG_COMPRESSION, 3]
    done, buffer = cv2.imencode(".png", cv2.cvtColor(picture, order), quick)
    if not done:
        raise ValueError("The picture could not be encoded.")
    return bytes(buffer)
