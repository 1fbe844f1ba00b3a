"""A slide with its regions as a plotly figure: zoom, what each region says, and a click chooses."""

import base64
import io

import plotly.graph_objects as go
from PIL import Image

from her2core.charts.slide_map import Kind, disagreement, map_layer
from her2core.charts.theme import label_text, theme_of
from her2core.charts.verdicts import model_name
from her2core.common.text import percent
from her2core.slides.readings import RegionReading, SlideReading

_HEIGHT = 640


def slide_figure(
    reading: SlideReading, overview: bytes, kind: Kind | None, dark: bool
) -> go.Figure:
    """The slide, one of its maps over it, and a point to click on in every region.

    Args:
        reading: of the slide, perhaps not finished.
        overview: the whole slide as JPEG.
        kind: which map; None: none.
        dark: the page is dark.

    Returns:
        A figure whose points carry the numbers of the regions as customdata.
    """
    width, height = reading.facts.width, reading.facts.height
    figure = go.Figure()
    figure.add_layout_image(
        source=_laid_over(reading, overview, kind),
        x=0,
        y=0,
        sizex=width,
        sizey=height,
        xref="x",
        yref="y",
        sizing="stretch",
        layer="below",
    )
    regions = [one.region for one in reading.regions]
    figure.add_scatter(
        x=[region.x + region.size / 2 for region in regions],
        y=[region.y + region.size / 2 for region in regions],
        mode="markers",
        marker={"symbol": "square", "size": 12, "opacity": 0},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        customdata=list(range(len(regions))),
        text=[_words(one) for one in reading.regions],
        hovertemplate="%{text}<extra></extra>",
    )
    clear = "rgba(0,0,0,0)"
    figure.update_layout(
        template="none",
        height=_HEIGHT,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        paper_bgcolor=clear,
        plot_bgcolor=clear,
        font={"color": theme_of(dark).text},
        dragmode="pan",
        clickmode="event+select",
        hovermode="closest",
        showlegend=False,
    )
    figure.update_xaxes(range=[0, width], visible=False, constrain="domain")
    figure.update_yaxes(
        range=[height, 0], visible=False, scaleanchor="x", scaleratio=1, constrain="domain"
    )
    return figure


def _laid_over(reading: SlideReading, overview: bytes, kind: Kind | None) -> str:
    """The overview with its map as one picture, as an address that holds it."""
    if kind is not None:
        with Image.open(io.BytesIO(overview)) as opened:
            slide = opened.convert("RGBA")
        layer = Image.fromarray(map_layer(reading, kind, slide.size))
        stream = io.BytesIO()
        Image.alpha_composite(slide, layer).convert("RGB").save(stream, "JPEG", quality=88)
        overview = stream.getvalue()
    return f"data:image/jpeg;base64,{base64.b64encode(overview).decode()}"


def _words(one: RegionReading) -> str:
    """What every reader says of a region."""
    lines = [
        f"{model_name(verdict.architecture)} {verdict.score.label} ({percent(verdict.confidence)})"
        for verdict in one.verdicts
    ]
    lines.append(f"Stain measurement {one.stain.verdict}, {one.stain.cells} cells")
    if disagreement(one) > 1:
        lines.append("The readers are far apart")
    if one.not_assessable is not None or one.left_out is not None:
        lines.append("Not assessable")
    if one.region.core:
        lines.insert(0, f"Core {one.region.core}")
    return "<br>".join(label_text(line) for line in lines)
