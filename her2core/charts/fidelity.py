"""Plotly figures of how faithful heat maps are. Looks: `her2core.charts.theme`."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from her2core.charts.theme import label_text, lay_out, style_of, theme_of
from her2core.common.palette import OTHER_METHOD
from her2core.xai.fidelity_report import ModelFidelity
from her2core.xai.methods import METHODS

_PLACES = {name: place for place, name in enumerate(METHODS)}


def curves_figure(model: ModelFidelity, *, dark: bool = False) -> go.Figure:
    """Deletion at the left, insertion at the right: one line per method in each.

    Args:
        model: the figures of one bundle.
        dark: for a dark ground.

    Returns:
        A figure 300 pixels high; shares and probabilities in per cent.
    """
    figure = make_subplots(
        cols=2,
        shared_yaxes=True,
        horizontal_spacing=0.06,
        subplot_titles=("Taken away, most important first", "Put back, most important first"),
    )
    for column, name in enumerate(("deletion", "insertion"), start=1):
        for method in model.methods:
            place = _PLACES.get(method.method)
            style = None if place is None else style_of(place)
            curve = method.deletion if name == "deletion" else method.insertion
            steps = max(1, len(curve) - 1)
            figure.add_scatter(
                x=[100 * i / steps for i in range(len(curve))],
                y=[100 * value for value in curve],
                mode="lines",
                name=label_text(method.title),
                legendgroup=method.method,
                showlegend=column == 1,
                line={
                    "color": (style.colour if style else OTHER_METHOD).on(dark),
                    "dash": style.dash if style else "dot",
                    "width": 2,
                },
                hovertemplate=label_text(method.title)
                + ": %{y:.0f} % at %{x:.0f} %<extra></extra>",
                row=1,
                col=column,
            )
    lay_out(figure, dark, height=300)
    figure.update_layout(legend={"y": -0.22})
    figure.update_annotations(font={"size": 13, "color": theme_of(dark).faint})
    figure.update_xaxes(title_text="Share of the pixels (%)", range=[0, 100])
    figure.update_yaxes(range=[0, 102])
    figure.update_yaxes(title_text="Probability of the verdict (%)", col=1)
    return figure
