"""Plotly figures of verdicts and of heat-map scales; looks: `her2core.charts.theme`.

Models are told apart by colour, by hatching and by name.
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from her2core.charts.theme import label_text, lay_out, theme_of
from her2core.common.palette import MODELS, OTHER_MODEL
from her2core.common.text import percent
from her2core.models.verdict import Verdict
from her2core.scores import CLASS_LABELS, HER2Score
from her2core.xai.explanation import Method

_LEGEND_ENDS: dict[bool, dict[float, str]] = {
    False: {0.0: "0", 0.5: "speaks for the class", 1.0: "most"},
    True: {-1.0: "against", 0.0: "0", 1.0: "for"},
}


_NAMES = {"cnn": "CNN", "densenet121": "DenseNet121"}
_HATCHES = {"cnn": "", "densenet121": "/"}


def model_name(architecture: str) -> str:
    """How an architecture is written for people, e.g. "DenseNet121"."""
    return _NAMES.get(architecture, architecture)


def probability_figure(verdicts: Sequence[Verdict], *, dark: bool = False) -> go.Figure:
    """Class probabilities of all verdicts on one axis, grouped by score.

    Args:
        verdicts: one per model; a model's most probable score is printed in bold.
        dark: for a dark ground.

    Returns:
        A figure 240 pixels high; one bar trace per verdict.
    """
    figure = go.Figure()
    for verdict in verdicts:
        name = label_text(model_name(verdict.architecture))
        colour = MODELS.get(verdict.architecture, OTHER_MODEL).on(dark)
        texts = [
            f"<b>{label_text(percent(p))}</b>"
            if HER2Score(i) == verdict.score
            else label_text(percent(p))
            for i, p in enumerate(verdict.probabilities)
        ]
        figure.add_bar(
            x=list(CLASS_LABELS),
            y=[100 * p for p in verdict.probabilities],
            name=name,
            text=texts,
            textposition="outside",
            cliponaxis=False,
            marker={
                "color": colour,
                "line": {"color": colour, "width": 1},
                "pattern": {
                    "shape": _HATCHES.get(verdict.architecture, "x"),
                    "fillmode": "overlay",
                    "fgcolor": theme_of(dark).hatch,
                    "size": 7,
                    "solidity": 0.3,
                },
            },
            hovertemplate=name + ": %{y:.1f} % for %{x}<extra></extra>",
        )
    lay_out(figure, dark, height=240)
    figure.update_layout(
        # labels of one size, small enough to stand beside each other on a narrow screen
        uniformtext={"mode": "show", "minsize": 8},
        barmode="group",
        bargap=0.25,
        bargroupgap=0.06,
        margin={"l": 8, "r": 8, "t": 30, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1.2, "yanchor": "top", "itemclick": False},
        showlegend=True,
    )
    figure.update_xaxes(
        title_text="HER2 score",
        type="category",
        categoryarray=list(CLASS_LABELS),
        range=[-0.5, 3.5],
        showgrid=False,
    )
    figure.update_yaxes(
        title_text="Probability",
        range=[0, 124],
        tickvals=[0, 25, 50, 75, 100],
        ticktext=["0 %", "25 %", "50 %", "75 %", "100 %"],
    )
    return figure


def legend_figure(method: Method, *, dark: bool = False) -> go.Figure:
    """The colour bar of a heat map, from its least to its greatest value.

    Args:
        method: the method whose maps of one class are shown.
        dark: for a dark ground.

    Returns:
        A figure 46 pixels high.
    """
    from her2core.xai.overlay import colour_stops  # brings opencv: not for the other figures

    stops = colour_stops(method)
    low, high = stops[0].value, stops[-1].value
    steps = [low + (high - low) * i / 200 for i in range(201)]
    figure = go.Figure(
        go.Heatmap(
            z=[steps],
            x=steps,
            y=[""],
            colorscale=[[(stop.value - low) / (high - low), f"rgb{stop.rgb}"] for stop in stops],
            zmin=low,
            zmax=high,
            showscale=False,
            hoverinfo="skip",
        )
    )
    lay_out(figure, dark, height=46)
    figure.update_layout(margin={"l": 48, "r": 48, "t": 4, "b": 26})
    ends = _LEGEND_ENDS[low < 0]
    figure.update_xaxes(
        range=[low, high],
        tickvals=list(ends),
        ticktext=list(ends.values()),
        showgrid=False,
        automargin=False,
    )
    figure.update_yaxes(visible=False)
    return figure
