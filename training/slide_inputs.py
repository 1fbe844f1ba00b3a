"""What `training.score_slides` reads: slides of a folder, their annotations; and who reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path

from her2core.common.parallel import cores
from her2core.common.refusal import RefusalError
from her2core.preprocessing.patches import safe_name
from her2core.serving.worker_processes import WorkerProcesses
from her2core.slides.geojson import MOST_BYTES, AnnotationError, Area, read_areas
from her2core.slides.slide import Slide, SlideError

# an annotation file is named like its slide, with or without the slide's own ending
_ANNOTATIONS = (".geojson", ".json")


def written_names(slides: Sequence[Path], root: Path) -> dict[Path, str]:
    """What the files of each slide are called, without ending where that tells slides apart."""
    flat = {path: "_".join(path.relative_to(root).parts) for path in slides}
    plain = {path: safe_name(name[: -len(path.suffix) or None]) for path, name in flat.items()}
    often = Counter(plain.values())
    names = {p: plain[p] if often[plain[p]] == 1 else safe_name(flat[p]) for p in slides}
    seen: Counter[str] = Counter()
    for path, name in names.items():
        seen[name] += 1
        if seen[name] > 1:
            names[path] = f"{name} ({seen[name]})"
    return names


def areas_of(path: Path, folder: Path | None) -> tuple[Area, ...]:
    """The annotations of a slide; without a folder none, so that all of it is read.

    Raises:
        SlideError: the slide has none there, or they or the slide cannot be read.
    """
    if folder is None:
        return ()
    names = [f"{stem}{ending}" for stem in (path.stem, path.name) for ending in _ANNOTATIONS]
    file = next((folder / name for name in names if (folder / name).is_file()), None)
    if file is None:
        raise SlideError(
            f"“{safe_name(path.name)}” has no annotations; put “{safe_name(path.stem)}.geojson” "
            "into the folder, or leave --annotations out."
        )
    try:
        with file.open("rb") as handle:
            data = handle.read(MOST_BYTES + 1)
        with Slide(path) as slide:
            return read_areas(data, slide.facts.width, slide.facts.height)
    except AnnotationError as error:
        raise SlideError(f"“{safe_name(file.name)}” {error}") from None
    except OSError as error:
        raise SlideError(f"“{safe_name(file.name)}” cannot be opened ({error.strerror}).") from None


@contextmanager
def workers_of(scheduler: str | None, wanted: int | None) -> Iterator[tuple[Executor, int]]:
    """Who reads: processes of this machine, or a Dask cluster; and how many there are.

    Raises:
        RefusalError: there is no such cluster, or Dask is not installed.
    """
    if scheduler is None:
        workers = wanted or cores()
        with WorkerProcesses(workers) as pool:
            try:
                yield pool, workers
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return
    try:
        from distributed import Client
    except ImportError:
        raise RefusalError(
            "A Dask cluster needs Dask here, too: pip install -r requirements-cluster.txt."
        ) from None
    try:
        client = Client(scheduler, timeout="20s")
    except (OSError, ValueError, TimeoutError):
        raise RefusalError(f"No Dask scheduler answers at “{scheduler}”.") from None
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise RefusalError(f"The Dask cluster at “{scheduler}” has no worker yet.")
        yield client.get_executor(pure=False, retries=2), wanted or threads
