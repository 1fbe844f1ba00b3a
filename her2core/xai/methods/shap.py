"""SHAP (Lundberg and Lee, NeurIPS 2017) as one of the methods; `xai.shap_values` computes it.

Two files, because computing needs TensorFlow and offering must not.
"""

from her2core.xai.methods.method import MapMethod

SHAP = MapMethod(
    name="shap",
    title="SHAP",
    about="single pixels, for and against, compared with stored patches",
    signed=True,
    pixelwise=True,
    recorded=True,
)
