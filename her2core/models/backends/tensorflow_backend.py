"""TensorFlow as backend, what the others are held to: one compiled function, warmed up.

Calling a Keras model layer by layer costs several times the arithmetic; here pixels go in once and
probabilities come out together with the last feature map, from which Grad-CAM needs no second pass.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from her2core.models.architectures.description import FEATURES, HIDDEN, LOGITS
from her2core.models.backends.reader import Activations, Floats, Reader, check_pixels
from her2core.models.bundles.bundle import Bundle, as_keras
from her2core.models.bundles.bundle_files import BundleFiles
from her2core.models.head import Head
from her2core.models.temperature import keras_probabilities, probabilities

PIXELS = tf.TensorSpec((None, 224, 224, 3), tf.float32)
_BATCH = 16


def readers(files: BundleFiles, *, exact: bool) -> Iterator[Reader]:
    """See `her2core.models.backends.choose`; always float32."""
    del exact
    yield Classifier(as_keras(files))


class Classifier:
    """A bundle's network. Safe to use from several threads.

    Attributes:
        bundle: what was loaded.
        model_id: as in the card.
        scaled: keras.Model from pixels to temperature-scaled probabilities, as shown to people.
        head: the layers behind the last feature map, as plain weights.
        feature_shape: (h, w, c) of the last feature map.
    """

    def __init__(self, bundle: Bundle) -> None:
        """Compile and warm up; takes seconds."""
        model = bundle.model
        logits, features, hidden = (
            model.get_layer(name).output for name in (LOGITS, FEATURES, HIDDEN)
        )
        self.bundle = bundle
        self.model_id = bundle.card.model_id
        self.scaled = keras.Model(
            model.inputs[0], keras_probabilities(logits, bundle.card.temperature)
        )
        self.feature_shape: tuple[int, int, int] = tuple(features.shape[1:])
        self.head = Head.from_tensors(
            {weight.path: weight.numpy() for weight in model.weights}, self.feature_shape
        )
        reader = keras.Model(model.inputs[0], [logits, features, hidden])
        self._read = compiled(lambda x: reader(x, training=False), [PIXELS], model)
        self.read(np.zeros((1, 224, 224, 3), np.float32))

    @property
    def backend(self) -> str:
        """Name, version and precision."""
        return f"tensorflow {tf.__version__} float32"

    def read(self, pixels: Floats) -> Activations:
        """See `Reader.read`."""
        check_pixels(pixels)
        parts = [
            self._read(tf.constant(pixels[start : start + _BATCH]))
            for start in range(0, len(pixels), _BATCH)
        ]
        logits, features, hidden = (np.concatenate(column) for column in zip(*parts, strict=True))
        shown = probabilities(logits, self.bundle.card.temperature).astype(np.float32)
        return Activations(shown, features, hidden)


def compiled(
    function: Callable[..., Any], signature: list[tf.TensorSpec], model: keras.Model
) -> Callable[..., Any]:
    """One concrete graph of `function` for a fixed signature.

    Where the model has batch normalisation its weights become constants of the graph: TensorFlow
    then folds the normalisation into the convolutions, which saves about a fifth of the time.
    Weights changed later would count for nothing; a loaded bundle's never change.
    """
    graph = tf.function(function, input_signature=signature, autograph=False)
    concrete = graph.get_concrete_function()
    if not any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers):
        return lambda *tensors: concrete(*tensors)
    frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=False)
    structure = concrete.structured_outputs

    def run(*tensors: tf.Tensor) -> Any:
        return tf.nest.pack_sequence_as(structure, tf.nest.flatten(frozen(*tensors)))

    return run
