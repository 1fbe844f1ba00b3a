"""The study's custom CNN: four convolutional blocks, one hidden layer, softmax over the scores.

Conv 32/64/128/256 (3 x 3, valid, ReLU), each with 2 x 2 max-pooling; Flatten (36,864); Dense 512;
dropout; softmax over 4 classes: 19,265,348 parameters. The last feature map is (12, 12, 256).
"""

from her2core.models.architectures import description as layers
from her2core.models.architectures.description import FEATURES, HIDDEN, LOGITS, Network


def _block(number: int, filters: int, pool: str) -> tuple[layers.Conv, layers.MaxPool]:
    return layers.Conv(f"conv{number}", filters, 3, bias=True, relu=True), layers.MaxPool(pool)


CNN = Network(
    name="cnn",
    title="CNN",
    layers=(
        *_block(1, 32, "pool1"),
        *_block(2, 64, "pool2"),
        *_block(3, 128, "pool3"),
        *_block(4, 256, FEATURES),
        layers.Flatten("flatten"),
        layers.Dense(HIDDEN, 512, relu=True),
        layers.Dropout("dropout"),
        layers.Dense(LOGITS, 4),
        layers.Softmax(),
    ),
    # With two blocks in float32 instead of three, probabilities of one patch in 200 moved by 1e-3.
    float32_until="pool3",
    float32_from=FEATURES,
    gradient_batch=25,
)
