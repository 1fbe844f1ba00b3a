"""Files from outside are decoded elsewhere: same pixels, and nothing a file does harms the rest."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from her2core.common import bounded_process
from her2core.preprocessing.bounded_decode import DecoderPool, decode_bounded
from her2core.preprocessing.image_formats import DecodedImage, UnreadableImageError, read_image
from her2core.preprocessing.patches import PatchError, decode
from her2core.settings import PROJECT_ROOT, UploadLimits
from tests import hostile

LIMITS = UploadLimits()
GOOD = hostile.as_png(hostile.brown_patch())


@pytest.fixture
def pool() -> Iterator[DecoderPool]:
    made = DecoderPool(max_seconds=10, max_mib=1024, workers=1)
    yield made
    made.close()


def read(pool: DecoderPool, data: bytes = GOOD) -> DecodedImage:
    return pool.read(data, LIMITS.max_pixels, LIMITS.min_side)


def waiting(pool: DecoderPool) -> list[int]:
    """Ids of the processes that wait for the next file."""
    return [worker.pid for worker in pool._idle]


def big_png(side: int) -> bytes:
    """A large picture in a small file."""
    return hostile.encoded(Image.new("RGB", (side, side), (200, 170, 140)), "PNG")


def test_the_same_bytes_give_the_same_patch_on_both_ways(brown_patch_png):
    here, elsewhere = (way(GOOD, "a.png", LIMITS) for way in (decode, decode_bounded))
    assert here == elsewhere
    assert np.array_equal(here.rgb, elsewhere.rgb)
    assert here.notes == elsewhere.notes
    assert elsewhere.rgb.flags.writeable is False


def test_one_process_reads_many_files(pool):
    read(pool)
    first = waiting(pool)
    for _ in range(5):
        read(pool)
    assert waiting(pool) == first
    assert len(first) == 1


def test_a_hanging_process_is_ended_and_the_next_file_is_read(pool, monkeypatch):
    read(pool)
    (stuck,) = waiting(pool)
    os.kill(stuck, signal.SIGSTOP)
    with monkeypatch.context() as hasty:
        hasty.setattr(bounded_process, "PATIENCE", 0.02)
        with pytest.raises(UnreadableImageError, match="takes longer than 10 seconds"):
            read(pool)
    assert read(pool).rgb.shape == (80, 96, 3)
    assert stuck not in waiting(pool)
    assert not Path(f"/proc/{stuck}").exists()


def test_a_small_file_that_takes_endless_work_is_refused_and_the_next_is_read():
    bomb = hostile.jpeg_of_many_scans(4000, 4000, 20_000)
    assert len(bomb) < 2_500_000
    hasty = DecoderPool(max_seconds=1, max_mib=1024)
    with pytest.raises(UnreadableImageError, match="takes longer than 1 seconds"):
        read(hasty, bomb)
    assert read(hasty).rgb.shape == (80, 96, 3)
    hasty.close()


def test_a_file_that_needs_too_much_memory_is_refused_and_the_next_is_read():
    poor = DecoderPool(max_seconds=10, max_mib=192)
    with pytest.raises(UnreadableImageError, match="needs more memory than there is for one file"):
        read(poor, big_png(5000))
    assert waiting(poor) == [], "a process short of memory is not used again"
    assert read(poor).rgb.shape == (80, 96, 3)
    poor.close()


def test_a_process_that_dies_over_a_file_costs_that_file_only(pool):
    read(pool)
    (victim,) = waiting(pool)
    os.kill(victim, signal.SIGSTOP)
    killer = threading.Timer(0.3, os.kill, (victim, signal.SIGKILL))
    killer.start()
    with pytest.raises(UnreadableImageError, match="within the limits of memory and time"):
        read(pool)
    killer.join()
    assert read(pool).rgb.shape == (80, 96, 3)


def test_a_process_that_died_while_it_waited_is_replaced_unnoticed(pool):
    read(pool)
    (victim,) = waiting(pool)
    os.kill(victim, signal.SIGKILL)
    os.waitid(os.P_PID, victim, os.WEXITED | os.WNOWAIT)
    assert read(pool).rgb.shape == (80, 96, 3)


def test_files_of_several_sessions_share_the_processes():
    pool = DecoderPool(max_seconds=10, max_mib=1024, workers=2)
    pictures = [np.full((64, 64, 3), level, np.uint8) for level in range(16)]
    seen: list[bool] = []

    def session(picture: np.ndarray) -> None:
        seen.append(np.array_equal(read(pool, hostile.as_png(picture)).rgb, picture))

    threads = [threading.Thread(target=session, args=(picture,)) for picture in pictures]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 16
    assert len(waiting(pool)) <= 2
    pool.close()


def test_the_largest_picture_allowed_stays_below_the_memory_limit(pool):
    side = 10_000
    image = read(pool, big_png(side))
    assert image.rgb.shape == (side, side, 3)
    assert tuple(image.rgb[-1, -1]) == (200, 170, 140)
    (worker,) = waiting(pool)
    assert hostile.peak_mib(worker) < 1024


def test_the_largest_tiff_in_one_packed_strip_stays_below_the_memory_limit(pool):
    side = 10_000
    white = np.broadcast_to(np.uint8(243), (side, side, 3))
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        white,
        photometric="rgb",
        compression="zlib",
        compressionargs={"level": 1},
        rowsperstrip=side,
    )
    assert read(pool, file.getvalue()).rgb.min() == 243
    (worker,) = waiting(pool)
    assert hostile.peak_mib(worker) < 1024


def test_no_process_outlives_the_one_that_started_it():
    program = (
        "from her2core.preprocessing.bounded_decode import DecoderPool\n"
        "import sys\n"
        "pool = DecoderPool(10, 1024)\n"
        "pool.read(sys.stdin.buffer.read(), 10**8, 32)\n"
        "print(pool._idle[0].pid, flush=True)\n"
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=GOOD, capture_output=True, cwd=PROJECT_ROOT
    )
    orphan = int(done.stdout)
    for _ in range(200):
        if not Path(f"/proc/{orphan}").exists() or hostile.is_zombie(orphan):
            return
        threading.Event().wait(0.05)
    pytest.fail("the decoding process is still there")


def test_the_worker_imports_no_more_than_it_needs():
    program = "import sys, her2core.preprocessing.decode_worker; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=PROJECT_ROOT
    ).stdout.split()
    assert "PIL.Image" in loaded
    assert not {"tensorflow", "streamlit", "cv2", "scipy", "sqlalchemy"} & set(loaded)
    assert not {"tifffile", "imagecodecs"} & set(loaded), "no other file waits for these"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"shape": [2, 2], "format": "PNG", "notes": []},
        {"shape": [10**6, 10**6, 3], "format": "PNG", "notes": []},
        {"shape": [-64, -64, 3], "format": "PNG", "notes": []},
        {"shape": [64, 64, 3], "format": "EXE", "notes": []},
        {"shape": [64, 64, 3], "format": "PNG", "notes": []},
    ],
)
def test_an_answer_that_makes_no_sense_is_not_believed(pool, monkeypatch, answer):
    read(pool)
    monkeypatch.setattr(type(pool._idle[0]), "ask", lambda *_: answer)
    with pytest.raises(UnreadableImageError, match="could not be opened"):
        read(pool)


def test_the_sentence_names_the_file(brown_patch_png):
    tight = UploadLimits(max_mib=192)
    with pytest.raises(PatchError, match=r"^“core 7\.png” needs more memory .*\.$"):
        decode_bounded(big_png(5000), "core 7.png", tight)
    assert np.array_equal(
        decode_bounded(GOOD, "core 8.png", tight).rgb, read_image(GOOD, 10**8, 32).rgb
    )
