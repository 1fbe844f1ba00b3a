"""The networks, each described once as plain data, without any framework.

Open `cnn` or `densenet121` for a network's layers, `description` for what a layer may be and what
follows from the layers (shapes, weights, parameters), `keras_model` for the keras model made of
them; `backends.openvino_graph` makes OpenVINO's. A further network is one file and one entry here.
"""

from types import MappingProxyType

from her2core.models.architectures.cnn import CNN
from her2core.models.architectures.densenet121 import DENSENET121

ARCHITECTURES = MappingProxyType({network.name: network for network in (CNN, DENSENET121)})


def model_name(architecture: str) -> str:
    """How people write an architecture, e.g. "DenseNet121"; its name where it is not known here."""
    known = ARCHITECTURES.get(architecture)
    return architecture if known is None else known.title
