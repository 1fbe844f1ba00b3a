"""Ctrl+C that ends a command within two seconds, and TensorFlow without its banner."""

import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STOPPED = 130
_GRACE_SECONDS = 0.7


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
