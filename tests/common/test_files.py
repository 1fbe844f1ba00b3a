"""A file is there whole or not at all; what a killed process left goes at the next start."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from her2core.common import files
from her2core.common.files import new_file, remove_unfinished, replaced_file, write_atomically
from her2core.preprocessing.image_store import ImageStore
from her2core.preprocessing.patches import PatchError, decode
from her2core.settings import PROJECT_ROOT
from tests import hostile

ROOT = PROJECT_ROOT
HALF = """
import os, signal, sys
from pathlib import Path
from her2core.common.files import replaced_file
with replaced_file(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_swept_and_what_is_being_written_is_not(tmp_path):
    target = tmp_path / "a.png"
    target.write_bytes(b"before")
    subprocess.run([sys.executable, "-c", HALF, str(target)], cwd=ROOT, check=False, timeout=60)
    (left,) = set(tmp_path.iterdir()) - {target}
    assert left.read_bytes() == b"half"
    assert target.read_bytes() == b"before"
    with replaced_file(tmp_path / "b.png") as file:
        file.write(b"whole")
        assert remove_unfinished(tmp_path) == 1
        assert not left.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "b.png"}


def test_files_of_another_machine_are_swept_after_a_day(tmp_path):
    old, new = (tmp_path / f".x.png.00000000-1-{number}.part" for number in (1, 2))
    for file in (old, new):
        file.write_bytes(b"half")
    os.utime(old, (time.time() - 90_000,) * 2)
    assert remove_unfinished(tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == [new.name]


def test_opening_the_image_store_sweeps_it(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = tmp_path / f".{'a' * 64}.png.{files._HOST}-{dead.pid}-1.part"
    left.write_bytes(b"half")
    ImageStore(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_writing_leaves_what_stood_there(tmp_path):
    target = tmp_path / "a"
    write_atomically(target, b"before")
    with pytest.raises(ZeroDivisionError), replaced_file(target) as file:  # noqa: PT012
        file.write(b"half")
        raise ZeroDivisionError
    assert target.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_new_file_overwrites_nothing_even_what_comes_meanwhile(tmp_path):
    target = tmp_path / "a"
    with pytest.raises(FileExistsError), new_file(target) as file:  # noqa: PT012
        file.write(b"mine")
        target.write_bytes(b"yours")
    assert target.read_bytes() == b"yours"
    with pytest.raises(FileExistsError), new_file(target):
        raise AssertionError("never reached")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@contextmanager
def no_room():
    """No file of this process may grow beyond 4 KiB: the kernel refuses the write itself.

    For the one write that is tested: what pytest prints may go to a file, too.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_an_image_that_does_not_fit_on_the_disk_is_one_sentence_and_leaves_nothing(
    tmp_path, limits
):
    store = ImageStore(tmp_path)
    patch = decode(hostile.as_png(hostile.brown_patch()), "core 7.png", limits)
    with pytest.raises(PatchError, match="could not be kept") as refusal, no_room():
        store.put(patch)
    assert isinstance(refusal.value.__cause__, OSError)
    assert refusal.value.__cause__.errno in (errno.EFBIG, errno.ENOSPC)
    assert list(tmp_path.iterdir()) == []
