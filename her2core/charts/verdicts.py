"""Plotly figures of verdicts; looks: `her2core.charts.theme`.

Models are told apart by colour, by hatching and by name.
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from her2core.charts.theme import label_text, lay_out, theme_of
from her2core.common.palette import MODELS
from her2core.common.text import percent
from her2core.models.architectures import ARCHITECTURES, model_name
from her2core.models.verdict import Verdict
from her2core.scores import CLASS_LABELS, HER2Score

_HATCHES = ("", "/", "x", ".")
_PLACES = {name: place for place, name in enumerate(ARCHITECTURES)}


def _bare_percent(share: float) -> str:
    """Without the sign, which the axis has: two stand beside each other on a narrow screen."""
    return label_text(percent(share).removesuffix(" %"))


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
        place = _PLACES.get(verdict.architecture, len(_PLACES))
        colour = MODELS[place % len(MODELS)].on(dark)
        texts = [
            f"<b>{_bare_percent(p)}</b>" if HER2Score(i) == verdict.score else _bare_percent(p)
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
                    "shape": _HATCHES[place % len(_HATCHES)],
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
        legend={"y": 1.2},
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
