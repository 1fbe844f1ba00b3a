"""What commands say, and how they end: by a sentence, Ctrl+C within two seconds, no banner."""

import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from her2core.common.refusal import RefusalError
from her2core.common.text import interval_text
from her2core.models.bundles.card import ModelCard

FAILED, STOPPED = 1, 130
_GRACE_SECONDS = 0.7


def sentence_of(error: OSError) -> str:
    """What the system refused, in one sentence."""
    what = error.filename or "A file"
    return f"{what} could not be read or written: {error.strerror or error}."


def run_command(
    run: Callable[[], int],
    stopped: Callable[[], str],
    *,
    failed: int = FAILED,
    of_system: Callable[[OSError], str] = sentence_of,
    at_once: bool = True,
) -> int:
    """Run a command; what goes wrong is one sentence on standard error.

    Args:
        run: gives the exit status.
        stopped: what is said where the user stops it.
        failed: exit status of a refusal.
        of_system: what is said of an error of the system.
        at_once: Ctrl+C ends it within two seconds, whatever runs; False where processes that the
            command started must be ended first.

    Returns:
        The exit status; `STOPPED` where the user stopped it.
    """
    try:
        with ends_on_interrupt(stopped) if at_once else nullcontext():
            return run()
    except KeyboardInterrupt:
        print(stopped(), file=sys.stderr)
        return STOPPED
    except RefusalError as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(of_system(error), file=sys.stderr)
    return failed


@contextmanager
def ends_on_interrupt(last_words: Callable[[], str]) -> Iterator[None]:
    """Within the block Ctrl+C ends the process soon, with exit status 130.

    Python raises KeyboardInterrupt only when the native call under way returns, and a training
    step may take ten seconds. So a thread, which the signal wakes, ends the process where that
    takes too long. Files are put in place by a rename here: what is on disk is whole at any moment.

    Args:
        last_words: what to say then.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    read, write = os.pipe()
    os.set_blocking(write, False)
    interrupted = threading.Event()
    before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)

    def end() -> None:
        print(last_words(), file=sys.stderr, flush=True)
        sys.stdout.flush()
        # not by way of the interpreter's end, which waits for TensorFlow's threads
        os._exit(STOPPED)

    def watch() -> None:
        while number := os.read(read, 1):
            if number[0] == signal.SIGINT:
                interrupted.set()
                time.sleep(_GRACE_SECONDS)
                end()
        os.close(read)

    threading.Thread(target=watch, name="interrupt", daemon=True).start()
    try:
        yield
    except KeyboardInterrupt:
        if interrupted.wait(0.2):
            end()
        raise
    finally:
        signal.set_wakeup_fd(before)
        os.close(write)


def print_card(card: ModelCard, out: Path) -> None:
    """What a finished bundle says of itself, and where it is."""
    for metric in card.metrics:
        figure = interval_text(metric.value, metric.ci_low, metric.ci_high)
        print(f"{metric.name}, {metric.set}: {figure}, n = {metric.n}")
    print(f"{card.model_id} written to {out}")


def import_tensorflow() -> None:
    """Import TensorFlow, and find its devices, without the lines that it writes of its build.

    It writes them past Python, whatever TF_CPP_MIN_LOG_LEVEL says. Where the import fails they are
    shown.
    """
    with _quiet():
        import tensorflow as tf

        import her2core.models.bundles.bundle  # noqa: F401  sets the level first

        tf.config.list_physical_devices()


@contextmanager
def _quiet() -> Iterator[None]:
    sys.stderr.flush()
    plain = os.dup(2)
    with tempfile.TemporaryFile() as told:
        os.dup2(told.fileno(), 2)
        try:
            yield
        except BaseException:
            told.seek(0)
            os.write(plain, told.read())
            raise
        finally:
            os.dup2(plain, 2)
            os.close(plain)
