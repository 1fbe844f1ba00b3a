"""Reading many patches by all models at once, a few patches ahead of whoever takes the verdicts."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from her2core.common.parallel import chunks
from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Patch
from her2core.serving.loaded_model import LoadedModel, Reading

# Larger ones are not faster and keep more patches in memory (docs/decisions.md).
_BATCH = 8
_BATCHES_AHEAD = 2


def read_in_batches(
    models: Sequence[LoadedModel], patches: Iterable[Patch]
) -> Iterator[tuple[Verdict, ...]]:
    """The verdicts of many patches, in their order: of each, one from every model.

    Patches are taken from the iterable only as they are needed, and let go at once.
    """

    def submitted(chunk: list[Patch]) -> list[Future[list[Reading]]]:
        return [
            pool.submit(model.read_many, [(patch.key, model.inputs(patch)) for patch in chunk])
            for model in models
        ]

    # One thread for each model: while one still reads its last patches, the other goes on.
    with ThreadPoolExecutor(len(models)) as pool:
        on_the_way: deque[list[Future[list[Reading]]]] = deque()
        for chunk in chunks(patches, _BATCH):
            on_the_way.append(submitted(chunk))
            if len(on_the_way) > _BATCHES_AHEAD:
                yield from _by_patch(on_the_way.popleft())
        while on_the_way:
            yield from _by_patch(on_the_way.popleft())


def _by_patch(columns: list[Future[list[Reading]]]) -> Iterator[tuple[Verdict, ...]]:
    """The verdicts of each patch, from one list of readings for each model."""
    for readings in zip(*(column.result() for column in columns), strict=True):
        yield tuple(reading.verdict for reading in readings)
