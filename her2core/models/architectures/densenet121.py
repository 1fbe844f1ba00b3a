"""DenseNet121 (Huang et al., CVPR 2017) with a small dense head over the four HER2 scores.

Layers and names are those of keras.applications, whose ImageNet weights fit. One thing is the other
way round: between two dense blocks the map is averaged before its 1 x 1 convolution, not after,
which gives the same values for a quarter of the work. The last feature map is (7, 7, 1024).
"""

from collections.abc import Iterator

from her2core.models.architectures import description as layers
from her2core.models.architectures.description import FEATURES, HIDDEN, LOGITS, Layer, Network

_BLOCKS = (6, 12, 24, 16)
_GROWTH = 32
_BOTTLENECK = 128


def _layers() -> Iterator[Layer]:
    yield layers.Scaling("imagenet_scaling", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    yield layers.Conv("conv1_conv", 64, 7, stride=2, pad=3)
    yield from _normalised("conv1")
    yield layers.MaxPool("pool1", size=3, stride=2, pad=1)
    before, channels = "pool1", 64
    for stage, blocks in enumerate(_BLOCKS, start=2):
        for block in range(1, blocks + 1):
            name = f"conv{stage}_block{block}"
            yield from _normalised(f"{name}_0")
            yield layers.Conv(f"{name}_1_conv", _BOTTLENECK, 1)
            yield from _normalised(f"{name}_1")
            yield layers.Conv(f"{name}_2_conv", _GROWTH, 3, pad=1)
            yield layers.Concat(f"{name}_concat", before)
            before, channels = f"{name}_concat", channels + _GROWTH
        if stage <= len(_BLOCKS):
            channels //= 2
            yield from _normalised(f"pool{stage}")
            yield layers.AveragePool(f"pool{stage}_pool")
            yield layers.Conv(f"pool{stage}_conv", channels, 1)
            before = f"pool{stage}_conv"
    yield layers.BatchNorm("bn")
    yield layers.Relu("relu")
    yield layers.Identity(FEATURES)
    yield layers.GlobalAverage("pool")
    yield layers.Dropout("dropout")
    yield layers.Dense(HIDDEN, 256, relu=True)
    yield layers.Dropout("dropout_hidden", share=0.5)
    yield layers.Dense(LOGITS, 4)
    yield layers.Softmax()


def _normalised(name: str) -> tuple[layers.BatchNorm, layers.Relu]:
    return layers.BatchNorm(f"{name}_bn"), layers.Relu(f"{name}_relu")


DENSENET121 = Network(
    name="densenet121",
    title="DenseNet121",
    layers=tuple(_layers()),
    # The first dense block in float32: with a third of it only, probabilities of one patch in 200
    # moved by 1e-3.
    float32_until="conv2_block6_concat",
    float32_from="conv5_block16_concat",
    gradient_batch=10,  # keeps about 0.1 GB for each
    imagenet="DenseNet121",
)
