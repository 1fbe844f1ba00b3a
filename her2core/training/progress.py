"""How far long work is: a bar on a terminal, a line now and then in a log."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 30.0
_LINE = "{desc}: {n_fmt}/{total_fmt} {unit}, {remaining} left{postfix}"
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} {unit}, {remaining} left{postfix}"


class OnProgress(Protocol):
    """Hears how much of the work is done, and what else is worth a word."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """`done` never falls."""


@contextmanager
def progress_bar(what: str, unit: str) -> Iterator[OnProgress]:
    """Show on standard error how far work is, and how long it will still take.

    Args:
        what: the work, e.g. "epoch 1/50".
        unit: what is counted, e.g. "patches".
    """
    started = last = time.monotonic()
    with tqdm(
        desc=what, unit=unit, bar_format=_BAR, disable=None, leave=False, dynamic_ncols=True,
        delay=1e-6,  # nothing before the total is known
    ) as bar:  # fmt: skip

        def on_progress(done: int, total: int, note: str = "") -> None:
            nonlocal last
            if not bar.disable:
                bar.total = total
                bar.set_postfix_str(note, refresh=False)
                bar.update(done - bar.n)
                return
            now = time.monotonic()
            if now - last >= _SECONDS_BETWEEN_LINES and done < total:
                last = now
                line = tqdm.format_meter(
                    done, total, now - started, prefix=what, unit=unit, postfix=note,
                    bar_format=_LINE,
                )  # fmt: skip
                print(line, file=sys.stderr, flush=True)

        yield on_progress
