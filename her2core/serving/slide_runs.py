"""Reading many slides by many workers: planned, cut into tasks, kept as it goes on.

What is finished lies in a folder under a key of the file and of all that decides its readings, so
that a slide read before is not read again and a half-read one goes on where it was. How many
workers there are, and which of them die, changes nothing in it: tasks and their order are fixed.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from her2core.common.files import write_atomically
from her2core.common.parallel import chunks
from her2core.models import assessable
from her2core.models.bundles.card import BundleError
from her2core.models.bundles.registry import chosen as chosen_bundles
from her2core.models.bundles.registry import find_bundles
from her2core.preprocessing.patches import safe_name
from her2core.serving import slide_tasks
from her2core.serving.slide_tasks import Planned, SlideOptions
from her2core.settings import Settings
from her2core.slides.geojson import Area
from her2core.slides.readings import (
    Part,
    RegionReading,
    SlideReading,
    from_json,
    to_json,
)
from her2core.stain.reading import method_id

# a few seconds of work, so that little is lost with a worker
TASK_REGIONS = 16
_AHEAD = 2
# counted up whenever tissue, regions or what counts in them is found otherwise than before
_METHOD = 2
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SlideJob:
    """A slide to be read: its file, and annotations that say where (none: everywhere)."""

    path: Path
    areas: tuple[Area, ...] = ()


@dataclass(frozen=True)
class Progress:
    """How far a slide is: what is read of it so far, and how many regions it will have."""

    path: Path
    reading: SlideReading
    total: int


@dataclass(frozen=True)
class Outcome:
    """What became of a slide: its reading, or one sentence on why there is none."""

    path: Path
    reading: SlideReading | None
    message: str = ""


@dataclass
class _Run:
    """A slide on its way."""

    job: SlideJob
    folder: Path
    planned: Planned | None = None
    parts: dict[int, tuple[RegionReading, ...]] = field(default_factory=dict)
    tasks: int = 0


def options_of(
    settings: Settings, architectures: Sequence[str], side_um: float, um_per_pixel: float | None
) -> SlideOptions:
    """The networks in use and how slides are read with them.

    Raises:
        BundleError: one has no bundle that can be used.
    """
    folders = chosen_bundles(settings)
    cards = {entry.folder: entry.card for entry in find_bundles(settings)}
    models = []
    for name in architectures:
        card = cards.get(folders[name].resolve()) if name in folders else None
        if card is None:
            raise BundleError(f"No bundle of {name} can be used; see the Models page.")
        models.append((name, card.model_id))
    return SlideOptions(tuple(models), side_um, um_per_pixel, settings.stain)


def key_of(job: SlideJob, options: SlideOptions) -> str:
    """What a slide's readings are kept under.

    Raises:
        OSError: the file is not there.
    """
    facts = job.path.stat()
    decisive = (
        job.path.name,
        facts.st_size,
        facts.st_mtime_ns,
        _METHOD,
        assessable.NUMBERS,
        method_id(options.thresholds),
        asdict(options),
        [asdict(area) for area in job.areas],
    )
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:24]


def known_reading(job: SlideJob, options: SlideOptions, kept: Path) -> SlideReading | None:
    """The reading of a slide that was finished before."""
    try:
        return from_json(SlideReading, (kept / f"{key_of(job, options)}.json").read_bytes())
    except OSError:
        return None


def read_slides(
    jobs: Sequence[SlideJob],
    options: SlideOptions,
    pool: Executor,
    workers: int,
    kept: Path,
    watch: Callable[[Progress], None] = lambda _: None,
) -> Iterator[Outcome]:
    """Read slides; each is handed out as soon as it is finished, whatever becomes of the others.

    Args:
        jobs: the slides.
        options: how they are read.
        pool: whose workers read; `her2core.serving.worker_processes`, or a Dask client's executor.
        workers: how many there are.
        kept: folder of what is read.
        watch: told how far a slide is each time regions were read; what it raises ends the
            reading, and what is read stays.
    """
    waiting = iter(jobs)
    running: dict[Future[Any], tuple[_Run, int]] = {}
    queue: list[tuple[_Run, int]] = []

    def begun() -> Iterator[Outcome]:
        """Fill the workers; slides that need none are handed out."""
        while len(running) < workers * _AHEAD:
            if queue:
                run, number = queue.pop(0)
                running[_submitted(run, number, options, pool)] = (run, number)
                continue
            job = next(waiting, None)
            if job is None:
                return
            known = known_reading(job, options, kept)
            if known is not None:
                yield Outcome(job.path, known)
                continue
            try:
                run = _Run(job, kept / key_of(job, options))
            except OSError as error:
                shown = safe_name(job.path.name)
                yield Outcome(job.path, None, f"“{shown}” cannot be opened ({error.strerror}).")
                continue
            planning: Future[Any] = pool.submit(slide_tasks.plan, str(job.path), options, job.areas)
            running[planning] = (run, -1)

    try:
        yield from begun()
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                entry = running.pop(future, None)
                if entry is None:  # of a slide that just failed
                    continue
                run, number = entry
                result = _result(future, run)
                if isinstance(result, str):
                    # what else is read of this slide is of no use to it
                    queue[:] = [task for task in queue if task[0] is not run]
                    for other in [key for key, task in running.items() if task[0] is run]:
                        other.cancel()
                        running.pop(other)
                    yield Outcome(run.job.path, None, result)
                    continue
                if isinstance(result, Planned):
                    run.planned = result
                    queue += _tasks(run)
                else:
                    run.parts[number] = result
                    run.folder.mkdir(parents=True, exist_ok=True)
                    write_atomically(_part_file(run, number), to_json(Part(result)))
                assert run.planned is not None
                so_far = _read_so_far(run)
                watch(Progress(run.job.path, so_far, len(run.planned.plan.regions)))
                if len(run.parts) == run.tasks:
                    yield _finished(run, so_far)
            yield from begun()
    finally:
        for future in running:
            future.cancel()


def _tasks(run: _Run) -> list[tuple[_Run, int]]:
    """The tasks that are still to be done; parts of an earlier run are taken over."""
    assert run.planned is not None
    parts = list(chunks(run.planned.plan.regions, TASK_REGIONS))
    run.tasks = len(parts)
    for number, regions in enumerate(parts):
        try:
            part = from_json(Part, _part_file(run, number).read_bytes())
        except OSError:
            continue
        if part is not None and [one.region for one in part.regions] == regions:
            run.parts[number] = part.regions
    return [(run, number) for number in range(run.tasks) if number not in run.parts]


def _submitted(run: _Run, number: int, options: SlideOptions, pool: Executor) -> Future[Any]:
    assert run.planned is not None
    plan = run.planned.plan
    regions = plan.regions[number * TASK_REGIONS : (number + 1) * TASK_REGIONS]
    arguments = (str(run.job.path), options, plan.glass, plan.scale.um_per_pixel, regions)
    return pool.submit(slide_tasks.read, *arguments)


def _result(future: Future[Any], run: _Run) -> Planned | tuple[RegionReading, ...] | str:
    try:
        result = future.result()
    except Exception as error:  # of the worker: killed too often, out of memory, no such module
        _log.warning("A slide's task failed (%s)", type(error).__name__)
        shown = safe_name(run.job.path.name)
        return (
            f"“{shown}” could not be read, because its workers failed several times "
            f"({type(error).__name__}); look at their memory, then run it again."
        )
    if isinstance(result, Planned | str | tuple):
        return result
    raise TypeError("a worker gave no reading")


def _read_so_far(run: _Run) -> SlideReading:
    assert run.planned is not None
    facts, plan = run.planned.facts, run.planned.plan
    return SlideReading(
        safe_name(run.job.path.name),
        facts,
        plan.scale.um_per_pixel,
        plan.scale.source,
        plan.glass,
        round(plan.tissue_mm2, 3),
        plan.notes,
        plan.cores,
        tuple(one for number in sorted(run.parts) for one in run.parts[number]),
    )


def _finished(run: _Run, reading: SlideReading) -> Outcome:
    """Keep the whole reading in place of its parts."""
    run.folder.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(run.folder.with_suffix(".json"), to_json(reading))
    for number in range(run.tasks):
        _part_file(run, number).unlink(missing_ok=True)
    if run.folder.is_dir():
        run.folder.rmdir()
    return Outcome(run.job.path, reading)


def _part_file(run: _Run, number: int) -> Path:
    return run.folder / f"part-{number:05}.json"
