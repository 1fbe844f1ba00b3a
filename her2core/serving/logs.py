"""The server's log: one JSON object a line on standard error, without patients' data.

Messages of this project name patches by the first digits of their sha256 only. What libraries and
tracebacks add is cut to type, file and line: the text of an exception may quote a file's name.
"""

import atexit
import faulthandler
import json
import logging
import os
import re
import sys
import threading
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO

LOGGERS = ("her2core", "pages", "training", "__main__")
# Their handlers stay; what they write is cut and shaped like the rest.
FOREIGN = ("streamlit", "uvicorn", "websockets", "alembic", "sqlalchemy")
_MARK = "her2_json"
_stream: TextIO | None = None
# The id of a session or of a file sent: whoever reads the log is not to have it.
_ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE)
_TRACEBACK = "Traceback (most recent call last):"


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time (UTC), level, logger, message, and error if any."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        # a traceback within a message quotes what its error says
        message = record.getMessage().partition(_TRACEBACK)[0].rstrip() or "An error ended it"
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _ID.sub("…", message),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = describe_error(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


class _ShapedLogger(logging.Logger):
    """A library's logger whose handlers write JSON, also those which it is given later."""

    def addHandler(self, hdlr: logging.Handler) -> None:  # noqa: N802
        hdlr.setFormatter(JsonLines())
        super().addHandler(hdlr)


def describe_error(error: BaseException) -> list[str]:
    """An error and what caused it: type and place of each, innermost last, without any text."""
    parts = []
    ids: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in ids:
        ids.add(id(current))
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
        stream: standard error by default, past the shaping of `take_over`.
    """
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.propagate = False
        _write_json(logger, stream)
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] in FOREIGN:
            for theirs in logging.getLogger(name).handlers:
                theirs.setFormatter(JsonLines())


def take_over() -> None:
    """Make all that this process writes to standard error JSON lines; further calls change nothing.

    For a server: other libraries' warnings, uncaught errors, and what native code writes past
    Python (TensorFlow tells of its build so, whatever it is asked) are shaped, too.
    """
    global _stream
    if _stream is None:
        _stream = _shaped_stderr()
    configure(stream=_stream)
    _write_json(logging.root, _stream)
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] in FOREIGN:
            logging.getLogger(name).__class__ = _ShapedLogger
    logging.setLoggerClass(_ShapedLogger)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _shaped_stderr() -> TextIO:
    """Lead standard error through a thread that shapes its lines; returns the way round it."""
    plain = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    faulthandler.enable(plain)  # a crash leaves no time for shaping
    read, write = os.pipe()
    os.dup2(write, 2)
    os.close(write)
    lines = os.fdopen(read, encoding="utf-8", errors="backslashreplace")
    thread = threading.Thread(target=_shape, args=(lines, plain), name="stderr", daemon=True)
    thread.start()

    def end() -> None:
        sys.stderr.flush()
        os.dup2(plain.fileno(), 2)
        thread.join(1.0)  # children may still hold the other end

    atexit.register(end)
    return plain


def _shape(lines: TextIO, plain: TextIO) -> None:
    for line in lines:
        if line.startswith('{"time"'):
            plain.write(line)
        elif text := line.rstrip():
            record = logging.LogRecord("stderr", logging.WARNING, "", 0, text, None, None)
            plain.write(JsonLines().format(record) + "\n")


def _write_json(logger: logging.Logger, stream: TextIO | None) -> None:
    for handler in [h for h in logger.handlers if getattr(h, _MARK, False)]:
        logger.removeHandler(handler)
    handler = logging.StreamHandler(stream or _stream or sys.stderr)
    handler.setFormatter(JsonLines())
    setattr(handler, _MARK, True)
    logger.addHandler(handler)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("her2core").critical("An error ended it", exc_info=(kind, error, trace))


def _uncaught_in_thread(hook: threading.ExceptHookArgs) -> None:
    if hook.exc_value is not None:
        _uncaught(hook.exc_type, hook.exc_value, hook.exc_traceback)
