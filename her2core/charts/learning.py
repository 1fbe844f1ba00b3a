"""The learning curve of a fit to own patches."""

from collections.abc import Sequence

from her2core.charts.plots import LinePlot, Series
from her2core.charts.words import figure_text
from her2core.training.learning_curve import CurvePoint


def learning_plot(curve: Sequence[CurvePoint]) -> LinePlot:
    """How right a fitted bundle is, by how many patches it learnt from."""
    sizes = tuple(point.patches for point in curve)
    exact = tuple(point.exact for point in curve)
    return LinePlot(
        "",
        "Patches learnt from",
        "Exact score",
        (
            Series(
                "on slides left out",
                0,
                sizes,
                tuple(0.0 if one.value is None else one.value for one in exact),
                exact,
                points=True,
                texts=tuple(figure_text(one) for one in exact),
            ),
        ),
        x_range=(0.0, max(sizes)),
    )
