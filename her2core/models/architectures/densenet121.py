"""DenseNet121 (Huang et al., CVPR 2017) with a small dense head over the four HER2 scores.

Layers and names are those of keras.applications, whose ImageNet weights fit. One thing is the other
way round: between two dense blocks the map is averaged before its 1 x 1 convolution, not after,
which gives the same values for a quarter of the work. The last feature map is (7, 7, 1024).
"""

from __future__ import annotations

from collections.abc import Iterator

from her2core.models.architectures.description import (
    FEATURES,
    HIDDEN,
    LOGITS,
    AveragePool,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Dropout,
    GlobalAverage,
    Identity,
    Layer,
    MaxPool,
    Network,
    Relu,
    Scaling,
    Softmax,
)

_BLOCKS = (6, 12, 24, 16)
_GROWTH = 32
_BOTTLENECK = 128


def _layers() -> Iterator[Layer]:
    yield Scaling("imagenet_scaling", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    yield Conv("conv1_conv", 64, 7, stride=2, pad=3)
    yield from _normalised("conv1")
    yield MaxPool("pool1", size=3, stride=2, pad=1)
    before, channels = "pool1", 64
    for stage, blocks in enumerate(_BLOCKS, start=2):
        for block in range(1, blocks + 1):
            name = f"conv{stage}_block{block}"
            yield from _normalised(f"{name}_0")
            yield Conv(f"{name}_1_conv", _BOTTLENECK, 1)
            yield from _normalised(f"{name}_1")
            yield Conv(f"{name}_2_conv", _GROWTH, 3, pad=1)
            yield Concat(f"{name}_concat", before)
            before, channels = f"{name}_concat", channels + _GROWTH
        if stage <= len(_BLOCKS):
            channels //= 2
            yield from _normalised(f"pool{stage}")
            yield AveragePool(f"pool{stage}_pool")
            yield Conv(f"pool{stage}_conv", channels, 1)
            before = f"pool{stage}_conv"
    yield BatchNorm("bn")
    yield Relu("relu")
    yield Identity(FEATURES)
    yield GlobalAverage("pool")
    yield Dropout("dropout")
    yield Dense(HIDDEN, 256, relu=True)
    yield Dropout("dropout_hidden", share=0.5)
    yield Dense(LOGITS, 4)
    yield Softmax()


def _normalised(name: str) -> tuple[BatchNorm, Relu]:
    return BatchNorm(f"{name}_bn"), Relu(f"{name}_relu")


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
