"""The process in which files from outside are decoded; `bounded_decode` starts it.

    python -m her2core.preprocessing.decode_worker SOCKET

It imports little, so that it starts at once, and holds itself to a limit of memory and of processor
time. It is never told a file's name. Per file it gets one message on its socket with two
descriptors, the file and an empty one for the pixels, and answers with one message; both are JSON.
"""

from __future__ import annotations

import os
from functools import partial

from her2core.common.bounded_process import Answer, mapped, serve
from her2core.preprocessing.image_formats import UnreadableImageError, read_image_file


def _answer(request: Answer, descriptors: list[int]) -> Answer:
    """Decode the first file; its pixels are written to the second."""
    source, target = descriptors
    limits = request["max_pixels"], request["min_side"]
    try:
        with os.fdopen(source, "rb", closefd=False) as file:
            image = read_image_file(file, *limits, partial(mapped, target))
    except UnreadableImageError as error:
        # What a file does to the memory of its reader is not to be borne by the next one.
        tired = isinstance(error.__context__, MemoryError)
        return {"refused": str(error), "tired": tired}
    return {"shape": image.rgb.shape, "format": image.format, "notes": image.notes}


if __name__ == "__main__":
    serve(_answer)
