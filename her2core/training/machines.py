"""One machine or several: TensorFlow's own strategy, chosen from TF_CONFIG.

Keras 3's `Model.fit` cannot feed `tf.distribute.MultiWorkerMirroredStrategy` (keras-team/keras,
issue 20585: it tries to turn a PerReplica value into a tensor), but its layers and optimizers work
inside the strategy. So the training loop of this project is written out, and is the same under the
strategy of one machine and of several.
"""

import json
import os
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


def this_machine() -> Machines:
    """Machines as TF_CONFIG names them; this one alone where it is not set.

    Must come before anything else is done with TensorFlow where there are several.

    Raises:
        RecipeError: TF_CONFIG is set but names no worker of this cluster.
    """
    import tensorflow as tf

    text = os.environ.get("TF_CONFIG", "")
    if not text:
        return Machines(tf.distribute.get_strategy())
    try:
        config = json.loads(text)
        workers, number = config["cluster"]["worker"], int(config["task"]["index"])
        if config["task"]["type"] != "worker" or not 0 <= number < len(workers):
            raise ValueError("this task is none of the workers")
    except (ValueError, KeyError, TypeError) as error:
        raise RecipeError(
            "TF_CONFIG cannot be used; it must look like "
            '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}.'
        ) from error
    if len(workers) == 1:
        return Machines(tf.distribute.get_strategy())
    return Machines(tf.distribute.MultiWorkerMirroredStrategy(), number, len(workers))
