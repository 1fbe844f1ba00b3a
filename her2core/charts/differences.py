"""Stacked bars of agreement: how far apart two readers are, and whose score a decision was."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from her2core.charts.theme import label_text, lay_out, readable_on
from her2core.common.palette import DECIDED, DIFFERENCES, rgb_of
from her2core.common.text import percent
from her2core.evaluation.adjudicated import Decided
from her2core.evaluation.agreement import Confusion

_ROW, _AROUND = 44, 86


def differences_figure(titled: Mapping[str, Confusion], *, dark: bool = False) -> go.Figure:
    """How many grades the first reader of each comparison is below or above the second.

    Args:
        titled: name of the comparison -> counts, rows of the first reader.
        dark: for a dark ground.
    """
    return _stacked(
        {
            title: [
                _counted(table, -3, -2),
                _counted(table, -1, -1),
                _counted(table, 0, 0),
                _counted(table, 1, 1),
                _counted(table, 2, 3),
            ]
            for title, table in titled.items()
        },
        (
            "two or more lower",
            "one grade lower",
            "same score",
            "one grade higher",
            "two or more higher",
        ),
        DIFFERENCES,
        dark,
    )


def decided_figure(titled: Mapping[str, Decided], *, dark: bool = False) -> go.Figure:
    """Of the answers that an adjudicator decided on: who had the adjudicator's score."""
    return _stacked(
        {
            title: [found.both, found.reviewer, found.model, found.neither]
            for title, found in titled.items()
        },
        ("both", "reviewer", "network", "neither"),
        DECIDED,
        dark,
    )


def _counted(table: Confusion, least: int, most: int) -> int:
    """Pairs whose first score is that many grades above the second."""
    return sum(
        count
        for i, row in enumerate(table)
        for j, count in enumerate(row)
        if least <= i - j <= most
    )


def _stacked(
    rows: Mapping[str, Sequence[int]], names: Sequence[str], colours: Sequence[str], dark: bool
) -> go.Figure:
    """One bar to a row, each divided by shares; every part says its share and count."""
    figure = go.Figure()
    labels = [f"{label_text(title)} (n = {sum(counts)})" for title, counts in rows.items()]
    for part, (name, colour) in enumerate(zip(names, colours, strict=True)):
        counts = [row[part] for row in rows.values()]
        shares = [count / (sum(row) or 1) for count, row in zip(counts, rows.values(), strict=True)]
        figure.add_bar(
            y=labels,
            x=shares,
            orientation="h",
            name=name,
            marker={"color": colour, "line": {"width": 0}},
            text=[percent(share) if share >= 0.06 else "" for share in shares],
            textposition="inside",
            insidetextanchor="middle",
            textfont={"color": readable_on(rgb_of(colour))},
            textangle=0,
            customdata=counts,
            hovertemplate="%{y}: " + name + ", %{customdata}<extra></extra>",
        )
    lay_out(figure, dark, height=_ROW * len(rows) + _AROUND)
    figure.update_layout(
        barmode="stack",
        bargap=0.3,
        margin={"r": 44, "t": 8},
        legend={"y": -0.02, "traceorder": "normal"},
        showlegend=True,
    )
    figure.update_xaxes(range=[0, 1], visible=False)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure
