"""The server's log: one JSON object a line on standard error, without patients' data.

Messages of this project name patches by the first digits of their sha256 only. What libraries and
tracebacks add is cut to type, file and line: the text of an exception may quote a file's name.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import TextIO

LOGGERS = ("her2core", "pages", "training", "__main__")
# Their handlers stay; what they write is cut and shaped like the rest.
FOREIGN = ("streamlit", "uvicorn", "alembic", "sqlalchemy")
_MARK = "her2_json"


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time (UTC), level, logger, message, and error if any."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = told(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


def told(error: BaseException) -> list[str]:
    """An error and what caused it: type and place of each, innermost last, without any text."""
    parts = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        frames = traceback.extract_tb(current.__traceback__)
        place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        via = [frame for frame in frames if "site-packages" not in frame.filename]
        if via and via[-1] is not frames[-1]:
            place += f", called from {via[-1].filename}:{via[-1].lineno}"
        parts.append(f"{type(current).__name__}{place}")
        current = current.__cause__ or current.__context__
    return parts


def configure(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Write this project's log to the stream as JSON lines, and shape what its libraries write.

    Calling it again changes the level.

    Args:
        level: least severity, e.g. "INFO".
        stream: standard error by default.
    """
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.propagate = False
        for handler in [h for h in logger.handlers if getattr(h, _MARK, False)]:
            logger.removeHandler(handler)
        handler = logging.StreamHandler(stream or sys.stderr)
        handler.setFormatter(JsonLines())
        setattr(handler, _MARK, True)
        logger.addHandler(handler)
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] in FOREIGN:
            for theirs in logging.getLogger(name).handlers:
                theirs.setFormatter(JsonLines())
