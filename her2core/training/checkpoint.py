"""What a stopped run needs to go on as if it had never stopped: one file, written at once.

Weights, optimizer and progress stand in one safetensors file that is put in place by a rename, so
that a kill at any moment leaves the state of one epoch's end, never of two. Random numbers need no
place in it: batches and dropout are seeded by epoch and step.
"""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from her2core.common.files import replaced_file
from her2core.common.refusal import RefusalError

_PROGRESS = "progress"
_DAMAGE = (SafetensorError, OSError, KeyError, TypeError, json.JSONDecodeError)


class CheckpointError(RefusalError, ValueError):
    """A checkpoint cannot be used; str(error) is one sentence."""


@dataclass(frozen=True)
class Progress:
    """How far a run is, at the end of an epoch.

    Attributes:
        epochs: finished epochs.
        best: lowest validation loss so far; infinite before the first.
        waited: epochs since then.
        history: one record per epoch: losses, accuracies, learning rate.
        start: validation loss of the weights that were started from, which are epoch 0; None where
            there were none to keep.
    """

    epochs: int = 0
    best: float = math.inf
    waited: int = 0
    history: tuple[dict[str, float], ...] = ()
    start: float | None = None

    def after(self, record: dict[str, float]) -> Progress:
        """Progress after one more epoch, whose record holds "val_loss"."""
        better = record["val_loss"] < self.best
        return replace(
            self,
            epochs=self.epochs + 1,
            best=record["val_loss"] if better else self.best,
            waited=0 if better else self.waited + 1,
            history=(*self.history, {"epoch": self.epochs, **record}),
        )

    @property
    def kept_start(self) -> bool:
        """Whether no epoch was better than the weights that were started from."""
        return self.start is not None and self.best >= self.start

    @property
    def improved(self) -> bool:
        """Whether the last epoch is the best so far."""
        return self.epochs > 0 and self.waited == 0

    def ended(self, epochs: int, patience: int) -> bool:
        """Whether all epochs are done, or none of the last `patience` brought a better loss."""
        return self.epochs >= epochs or self.waited >= patience


def _named(model: Any, optimizer: Any) -> dict[str, Any]:
    """The variables of both by the names under which they are stored."""
    return {f"weight/{weight.path}": weight for weight in model.weights} | {
        f"optimizer/{place:04d}": variable for place, variable in enumerate(optimizer.variables)
    }


def save_state(path: Path, model: Any, optimizer: Any, progress: Progress) -> None:
    """Write the state at the end of an epoch.

    Raises:
        OSError: the file cannot be written; the one before it stays.
    """
    variables = _named(model, optimizer)
    header: dict[str, Any] = {"__metadata__": {_PROGRESS: json.dumps(asdict(progress))}}
    end = 0
    for name, variable in variables.items():
        dtype = np.dtype(variable.dtype)
        start, end = end, end + math.prod(variable.shape) * dtype.itemsize
        header[name] = {
            "dtype": f"{dtype.kind.upper()}{8 * dtype.itemsize}",
            "shape": list(variable.shape),
            "data_offsets": [start, end],
        }
    told = json.dumps(header).encode()
    told += b" " * (-len(told) % 8)
    # one tensor after the other: the whole once more in memory would be the peak of a training
    with replaced_file(path, 0o666) as handle:
        handle.write(len(told).to_bytes(8, "little") + told)
        for variable in variables.values():
            handle.write(np.ascontiguousarray(variable.value.numpy()).data)


def load_state(path: Path, model: Any, optimizer: Any) -> Progress:
    """Put the state back into a model and a built optimizer of the same kind.

    Raises:
        CheckpointError: the file is damaged or belongs to another network.
    """
    try:
        with safe_open(path, "np") as file:
            progress = _progress(file)
            named = _named(model, optimizer)
            if set(file.keys()) != set(named):
                raise CheckpointError(f"The checkpoint {path} belongs to another network.")
            for name, variable in named.items():
                variable.assign(_fitting(file.get_tensor(name), variable, path))
    except _DAMAGE as error:
        raise _damaged(path) from error
    return progress


def read_progress(path: Path) -> Progress:
    """How far the run of a state is.

    Raises:
        CheckpointError: the file is damaged.
    """
    try:
        with safe_open(path, "np") as file:
            return _progress(file)
    except _DAMAGE as error:
        raise _damaged(path) from error


def _progress(file: Any) -> Progress:
    stored = json.loads(file.metadata()[_PROGRESS])
    return replace(Progress(**stored), history=tuple(stored["history"]))


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(
        f"The checkpoint {path} is damaged; delete the run folder and start again."
    )


def load_weights(model: Any, path: Path) -> None:
    """Put the weights of a keras file, e.g. a run's best.weights.h5, into a network.

    Raises:
        CheckpointError: the file is missing, damaged, of another kind or of another network.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}.")
    try:
        with warnings.catch_warnings():
            # before it raises, keras warns once for each layer that finds nothing
            warnings.simplefilter("ignore")
            model.load_weights(path)
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise CheckpointError(
            f"The weights {path} cannot be used: the file is unreadable, or belongs to another "
            "network; name the best.weights.h5 of a run of this one."
        ) from error


def _fitting(tensor: npt.NDArray[np.generic], variable: Any, path: Path) -> npt.NDArray[np.generic]:
    if tuple(tensor.shape) != tuple(variable.shape):
        raise CheckpointError(f"The checkpoint {path} belongs to another network.")
    return tensor
