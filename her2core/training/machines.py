"""One machine or several, one GPU or several: TensorFlow's own strategy, from TF_CONFIG and GPUs.

Keras 3's `Model.fit` cannot feed `tf.distribute.MultiWorkerMirroredStrategy` (keras-team/keras,
issue 20585: it tries to turn a PerReplica value into a tensor), but its layers and optimizers work
inside the strategy. So the training loop of this project is written out, and is the same under the
strategy of one machine and of several.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from her2core.training.data.batches import Slice
from her2core.training.recipe import RecipeError


@dataclass(frozen=True)
class Machines:
    """The machines that train together, seen from this one.

    Attributes:
        strategy: a tf.distribute.Strategy.
        number: of this machine, from 0.
        count: how many there are.
    """

    strategy: Any
    number: int = 0
    count: int = 1

    def rows(self, batch: int) -> Slice:
        """Which slices of a batch are prepared here, one for each replica.

        Raises:
            RecipeError: the batch cannot be divided evenly.
        """
        replicas = int(self.strategy.num_replicas_in_sync)
        if batch % replicas:
            raise RecipeError(f"batch must be a multiple of {replicas}, the number of replicas.")
        local = replicas // self.count
        return Slice(self.number * local, (self.number + 1) * local, replicas)

    def sums(self, values: Any) -> Any:
        """Element-wise sum over machines of a float64 vector that each machine holds once."""
        import numpy as np
        import tensorflow as tf

        if self.count == 1:
            return np.asarray(values, np.float64)
        replicas = self.strategy.num_replicas_in_sync // self.count
        part = tf.constant(np.asarray(values, np.float64) / replicas)
        each = self.strategy.run(tf.identity, args=(part,))
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, each, axis=None).numpy()


def one_machine(gpus: Sequence[str]) -> Machines:
    """This machine alone: mirrored over its GPUs where there are several."""
    import tensorflow as tf

    if len(gpus) < 2:
        return Machines(tf.distribute.get_strategy())
    return Machines(tf.distribute.MirroredStrategy(list(gpus)))


def device_in_words() -> str:
    """What this machine trains on."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return f"the processor, {os.cpu_count()} cores"
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    names = ", ".join(str(its.get("device_name", "unknown")) for its in details)
    return f"{len(gpus)} GPU{'s' if len(gpus) > 1 else ''} ({names})"


def this_machine() -> Machines:
    """Machines as TF_CONFIG names them; this one alone where it is not set.

    Must come before anything else is done with TensorFlow where there are several.

    Raises:
        RecipeError: TF_CONFIG is set but names no worker of this cluster.
    """
    import tensorflow as tf

    workers, number = _cluster(os.environ.get("TF_CONFIG", ""))
    if workers < 2:
        return one_machine([device.name for device in tf.config.list_logical_devices("GPU")])
    return Machines(tf.distribute.MultiWorkerMirroredStrategy(), number, workers)


def _cluster(text: str) -> tuple[int, int]:
    """How many workers TF_CONFIG names, and the number of this one; no text names none."""
    if not text:
        return 0, 0
    try:
        config = json.loads(text)
        workers, number = len(config["cluster"]["worker"]), int(config["task"]["index"])
        if config["task"]["type"] != "worker" or not 0 <= number < workers:
            raise ValueError("this task is none of the workers")
    except (ValueError, KeyError, TypeError) as error:
        raise RecipeError(
            "TF_CONFIG cannot be used; it must look like "
            '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}.'
        ) from error
    return workers, number
