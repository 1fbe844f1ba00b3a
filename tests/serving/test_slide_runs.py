"""Slides read by several processes: kills, stops and numbers of workers change no byte."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor
from pathlib import Path

import pytest

from her2core.serving import slide_runs
from her2core.serving.slide_runs import SlideJob, options_of, read_slides
from her2core.serving.worker_processes import WorkerProcesses
from her2core.settings import PROJECT_ROOT, load_settings
from tests import slide_samples
from tests.conftest import real_cores
from training.slide_inputs import workers_of


class _StoppedError(Exception):
    pass


@pytest.fixture
def job(tmp_path, monkeypatch) -> SlideJob:
    """A small slide of four regions, each a task of its own."""
    if not (real_cores() / "cores").is_dir():
        pytest.skip("no real cores")
    monkeypatch.setattr(slide_runs, "TASK_REGIONS", 1)
    monkeypatch.setenv("HER2_HOME", str(tmp_path / "home"))
    part = slide_samples.core_part(real_cores(), "a1f1510c", 2000, 2000, 800)
    return SlideJob(slide_samples.write_tiff(tmp_path / "part.tif", part))


def read(job: SlideJob, pool: Executor | None, kept: Path, **more: object) -> bytes:
    options = options_of(load_settings(), ("cnn",), 100.0, None)
    (outcome,) = read_slides([job], options, pool, 2, kept, **more)  # type: ignore[arg-type]
    assert outcome.reading is not None, outcome.message
    assert len(outcome.reading.regions) == 4
    (file,) = kept.iterdir()  # what was kept of its parts is gone
    return file.read_bytes()


def test_kills_stops_and_workers_change_no_byte(job, tmp_path):
    killed: list[int] = []

    def kill_one(*_: object) -> None:
        if not killed and pool.pids:
            killed.append(pool.pids[0])
            os.kill(killed[0], signal.SIGKILL)

    def stop(progress: slide_runs.Progress) -> None:
        if len(progress.reading.regions) >= 2:
            raise _StoppedError

    with WorkerProcesses(2) as pool:
        first = read(job, pool, tmp_path / "killed", watch=kill_one)
        assert killed
        with pytest.raises(_StoppedError):
            read(job, pool, tmp_path / "stopped", watch=stop)
        begun = list((tmp_path / "stopped").glob("*/part-*.json"))
        assert len(begun) >= 2
        rest: list[int] = []
        again = read(
            job,
            pool,
            tmp_path / "stopped",
            watch=lambda progress: rest.append(len(progress.reading.regions)),
        )
    # the first word is of what was there already
    assert rest[0] >= 2
    assert first == again
    # finished: no worker is needed any more
    assert read(job, None, tmp_path / "killed") == first


def test_a_dask_cluster_writes_the_same(job, tmp_path):
    distributed = pytest.importorskip("distributed")
    with WorkerProcesses(1) as pool:
        here = read(job, pool, tmp_path / "here")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=None, local_directory=tmp_path
        ) as cluster,
        workers_of(cluster.scheduler_address, None) as (executor, workers),
    ):
        assert workers == 1
        assert read(job, executor, tmp_path / "there") == here


_PARENT = """
import time
from her2core.serving.worker_processes import WorkerProcesses
pool = WorkerProcesses(1)
pool.submit(time.sleep, 300)
while not pool.pids:
    time.sleep(0.05)
print(*pool.pids, flush=True)
time.sleep(300)
"""


def test_a_worker_ends_in_the_middle_of_a_task_when_its_server_is_killed():
    command = [sys.executable, "-c", _PARENT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT_ROOT) as parent:
        assert parent.stdout is not None
        worker = Path(f"/proc/{int(parent.stdout.readline())}")
        assert worker.exists()
        parent.kill()
    deadline = time.monotonic() + 60
    while worker.exists() and "zombie" not in (worker / "status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
