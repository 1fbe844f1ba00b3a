"""The study's custom CNN: four convolutional blocks, one hidden layer, softmax over the scores."""

from __future__ import annotations

import keras

INPUT_SIZE = 224
FEATURE_LAYER = "features"
PARAMETERS = 19_265_348


def build_cnn(dropout: float = 0.5) -> keras.Model:
    """Build the CNN with fresh weights.

    Conv 32/64/128/256 (3x3, valid, ReLU), each with 2x2 max-pooling; Flatten (36,864); Dense 512;
    dropout; softmax over 4 classes: 19,265,348 parameters.

    Returns:
        Model from float32 (n, 224, 224, 3) in [0, 1] to float32 (n, 4) probabilities. Its layer
        "features" is the last feature map, (n, 12, 12, 256), used by Grad-CAM; "logits" gives
        the scores before softmax.
    """
    inputs = keras.Input((INPUT_SIZE, INPUT_SIZE, 3), name="patch")
    x = inputs
    for block, filters in enumerate((32, 64, 128, 256), start=1):
        x = keras.layers.Conv2D(filters, 3, activation="relu", name=f"conv{block}")(x)
        name = FEATURE_LAYER if block == 4 else f"pool{block}"
        x = keras.layers.MaxPooling2D(2, name=name)(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(512, activation="relu", name="hidden")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    logits = keras.layers.Dense(4, name="logits")(x)
    outputs = keras.layers.Softmax(dtype="float32", name="probabilities")(logits)
    return keras.Model(inputs, outputs, name="cnn")
