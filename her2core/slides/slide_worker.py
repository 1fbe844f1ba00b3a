"""The process in which a slide is opened and read; `her2core.slides.slide` starts it.

    python -m her2core.slides.slide_worker SOCKET

One process reads one slide: the first request opens it, each further one asks for a part, whose
pixels go into the file that comes with the request.
"""

from __future__ import annotations

from pathlib import Path

import cv2

from her2core.common.bounded_process import Answer, mapped, serve
from her2core.preprocessing.image_formats import UnreadableImageError
from her2core.slides.files import SlideFile, damaged, open_file, read_part

_slide: SlideFile | None = None


def _answer(request: Answer, descriptors: list[int]) -> Answer:
    try:
        if "open" in request:
            return _open(Path(request["open"]))
        return _read(request, descriptors[0])
    except UnreadableImageError as error:
        return {"refused": str(error)}
    except MemoryError:
        return {"refused": "needs more memory than one slide may; export it as a pyramidal TIFF."}
    except FileNotFoundError:
        return {"refused": "is not there any more."}
    except OSError as error:
        return {"refused": f"cannot be opened ({error.strerror}); look at its permissions."}
    except Exception:  # decoders fail on hostile bytes in ways no list would cover
        return {"refused": str(damaged())}


def _open(path: Path) -> Answer:
    global _slide
    _slide = open_file(path)
    width, height = _slide.levels[0]
    return {
        "format": _slide.format,
        "width": width,
        "height": height,
        "levels": len(_slide.levels),
        "um_per_pixel": _slide.um_per_pixel,
        "notes": list(_slide.notes),
    }


def _read(request: Answer, target: int) -> Answer:
    x, y, width, height, wide, high = request["part"]
    if _slide is None:
        raise UnreadableImageError("was not opened.")
    read_part(_slide, x, y, width, height, (wide, high), mapped(target, (high, wide, 3)))
    return {}


if __name__ == "__main__":
    cv2.setNumThreads(1)
    serve(_answer)
