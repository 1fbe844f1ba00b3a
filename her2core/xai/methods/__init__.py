"""The heat-map methods, one small file each, and their registry.

A further class-activation method is one file and one name in METHODS: the page's choice, labels,
sentences, drawing and the fidelity benchmark follow from its `MapMethod`.
"""

from types import MappingProxyType

from her2core.xai.methods.grad_cam import GRAD_CAM
from her2core.xai.methods.grad_cam_plus_plus import GRAD_CAM_PLUS_PLUS
from her2core.xai.methods.hires_cam import HIRES_CAM
from her2core.xai.methods.layer_cam import LAYER_CAM
from her2core.xai.methods.method import MapMethod
from her2core.xai.methods.shap import SHAP

_ALL = (GRAD_CAM, GRAD_CAM_PLUS_PLUS, HIRES_CAM, LAYER_CAM, SHAP)

METHODS = MappingProxyType({method.name: method for method in _ALL})
CLASS_ACTIVATION = tuple(one.name for one in _ALL if one.from_features is not None)
RECORDED = tuple(one.name for one in _ALL if one.recorded)

__all__ = ["CLASS_ACTIVATION", "METHODS", "RECORDED", "MapMethod"]
