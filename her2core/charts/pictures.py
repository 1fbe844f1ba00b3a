"""The plots of a report as PNG, drawn with Pillow: no browser and no plotting library is needed.

Drawn at twice the size and reduced, which smooths lines that Pillow draws with hard edges.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFont

from her2core.charts.plots import IntervalPlot, LinePlot, Plot, TablePlot, figure_text, report_plots
from her2core.charts.verdicts import readable_on
from her2core.evaluation.report import Report
from her2core.scores import CLASS_LABELS

WIDTH = 1000
_SCALE = 2
_TEXT, _FAINT, _GRID = (40, 44, 54), (95, 100, 112), (222, 225, 230)
_COLOURS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (138, 106, 0), (170, 68, 153), (85, 85, 85))
_DASHES = ((), (14, 8), (4, 6), (14, 6, 4, 6), (24, 8), (24, 6, 4, 6))
_TOP, _BOTTOM, _ROW = 64, 70, 30
_EMPTY, _FULL = (240, 245, 250), (8, 69, 148)

Point = tuple[float, float]


def report_pictures(report: Report) -> Iterator[tuple[str, bytes]]:
    """File name and PNG of every plot of a report."""
    for name, plot in report_plots(report.evaluation.readers):
        yield f"{name}.png", picture(plot)


def picture(plot: Plot) -> bytes:
    """A plot as PNG on white, 1000 pixels wide."""
    if isinstance(plot, TablePlot):
        canvas = _table(plot)
    elif isinstance(plot, IntervalPlot):
        canvas = _intervals(plot)
    else:
        canvas = _lines(plot)
    stream = io.BytesIO()
    # few colours are in it, so a palette of 64 looks the same at a quarter of the size
    canvas.finished().quantize(64, dither=Image.Dither.NONE).save(stream, "PNG", optimize=True)
    return stream.getvalue()


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    # Pillow unpacks its own font anew at every call.
    return ImageFont.load_default(size)


class _Canvas:
    """A white picture with a title, drawn on in output pixels."""

    def __init__(self, height: int, title: str) -> None:
        self._image = Image.new("RGB", (WIDTH * _SCALE, height * _SCALE), "white")
        self._draw = ImageDraw.Draw(self._image)
        self.text((24, 30), title, size=20, anchor="lm")

    def finished(self) -> Image.Image:
        """The picture at its final size."""
        width, height = self._image.size
        return self._image.resize((width // _SCALE, height // _SCALE), Image.Resampling.LANCZOS)

    def text(
        self,
        at: Point,
        words: str,
        *,
        size: int = 16,
        anchor: str = "mm",
        fill: tuple[int, int, int] = _TEXT,
    ) -> None:
        """One line of text; too long ones are made smaller until they fit the picture."""
        room = WIDTH - 16 if anchor[0] == "m" else WIDTH - at[0] - 8 if anchor[0] == "l" else at[0]
        font = _font(size * _SCALE)
        while size > 9 and font.getlength(words) > room * _SCALE:
            size -= 1
            font = _font(size * _SCALE)
        self._draw.text(_scaled(at), words, fill=fill, font=font, anchor=anchor)

    def line(
        self,
        points: Sequence[Point],
        fill: tuple[int, int, int],
        width: float = 2,
        dash: Sequence[int] = (),
    ) -> None:
        """A line through the points, dashed by lengths of ink and gap in pixels."""
        for start, end in _dashed(points, dash) if dash else pairwise(points):
            self._draw.line(
                (*_scaled(start), *_scaled(end)), fill=fill, width=round(width * _SCALE)
            )

    def box(
        self,
        corner: Point,
        opposite: Point,
        *,
        fill: tuple[int, int, int] | None = None,
        outline: tuple[int, int, int] | None = None,
    ) -> None:
        """A rectangle."""
        ends = (*_scaled(corner), *_scaled(opposite))
        self._draw.rectangle(ends, fill=fill, outline=outline, width=_SCALE)

    def marker(self, at: Point, style: int, size: float = 5) -> None:
        """A marker whose shape, like its colour, goes with the style."""
        x, y = at
        fill = _COLOURS[style % len(_COLOURS)]
        if style % 3 == 0:
            self._draw.ellipse(
                (*_scaled((x - size, y - size)), *_scaled((x + size, y + size))), fill=fill
            )
        elif style % 3 == 1:
            self.box((x - size, y - size), (x + size, y + size), fill=fill)
        else:
            far = 1.4 * size
            corners = ((x, y - far), (x + far, y), (x, y + far), (x - far, y))
            self._draw.polygon([_scaled(corner) for corner in corners], fill=fill)


class _Axes:
    """A rectangle of the canvas with numeric axes."""

    def __init__(
        self,
        canvas: _Canvas,
        box: tuple[float, float, float, float],
        x_range: tuple[float, float],
        y_range: tuple[float, float],
    ) -> None:
        self._canvas, self._box = canvas, box
        self._x_range, self._y_range = x_range, y_range

    def at(self, x: float, y: float) -> Point:
        """Where a value lies, in pixels."""
        left, top, right, bottom = self._box
        low_x, high_x = self._x_range
        low_y, high_y = self._y_range
        return (
            left + (right - left) * (x - low_x) / (high_x - low_x),
            bottom - (bottom - top) * (y - low_y) / (high_y - low_y),
        )

    def frame(self, x_title: str, y_title: str, *, y_ticks: bool = True) -> None:
        """Grid, ticks and titles."""
        left, top, right, bottom = self._box
        for value in _ticks(self._x_range):
            x, _ = self.at(value, self._y_range[0])
            self._canvas.line([(x, top), (x, bottom)], _GRID, 1)
            self._canvas.text((x, bottom + 16), f"{value:g}", size=14, fill=_FAINT)
        for value in _ticks(self._y_range) if y_ticks else ():
            _, y = self.at(self._x_range[0], value)
            self._canvas.line([(left, y), (right, y)], _GRID, 1)
            self._canvas.text((left - 10, y), f"{value:g}", size=14, anchor="rm", fill=_FAINT)
        self._canvas.text(((left + right) / 2, bottom + 42), x_title)
        if y_title:
            self._canvas.text((left, top - 14), y_title, anchor="lm")


def _lines(plot: LinePlot) -> _Canvas:
    height = 560 + _ROW * len(plot.series)
    canvas = _Canvas(height, plot.title)
    axes = _Axes(canvas, (80, _TOP + 24, WIDTH - 40, 560 - _BOTTOM), plot.x_range, plot.y_range)
    axes.frame(plot.x_title, plot.y_title)
    if plot.diagonal:
        canvas.line([axes.at(0, 0), axes.at(1, 1)], _FAINT, 1, (4, 6))
    if plot.note:
        canvas.text((WIDTH / 2, 280), plot.note)
    for row, one in enumerate(plot.series):
        colour = _COLOURS[one.style % len(_COLOURS)]
        dash = _DASHES[one.style % len(_DASHES)]
        places = [axes.at(x, y) for x, y in zip(one.x, one.y, strict=True)]
        canvas.line(places, colour, 2.5, dash)
        for x, low, high in zip(one.x, one.low, one.high, strict=False):
            if low is not None and high is not None:
                floor = max(low, plot.y_range[0])
                canvas.line([axes.at(x, floor), axes.at(x, high)], colour, 1.5)
        for place in places if one.points else ():
            canvas.marker(place, one.style)
        y = 560 + _ROW * row
        canvas.line([(80, y), (130, y)], colour, 2.5, dash)
        if one.points:
            canvas.marker((105, y), one.style)
        canvas.text((142, y), one.name, anchor="lm")
    return canvas


def _intervals(plot: IntervalPlot) -> _Canvas:
    step = 24 * len(plot.readers) + 16
    bottom = _TOP + step * len(plot.labels)
    canvas = _Canvas(bottom + 60 + _ROW * len(plot.readers), plot.title)
    axes = _Axes(
        canvas, (400, _TOP, WIDTH - 250, bottom), plot.x_range, (len(plot.labels) - 0.5, -0.5)
    )
    axes.frame("", "", y_ticks=False)
    for i, (label, values) in enumerate(zip(plot.labels, plot.values, strict=True)):
        _, middle = axes.at(0, i)
        canvas.text((388, middle), label.replace("\n", ": "), anchor="rm")
        for r, value in enumerate(values):
            y = middle + 24 * (r - (len(values) - 1) / 2)
            words = figure_text(value) if value.value is not None else "not defined"
            canvas.text((WIDTH - 238, y), words, size=15, anchor="lm", fill=_FAINT)
            if value.value is None:
                continue
            x, _ = axes.at(value.value, i)
            if value.low is not None and value.high is not None:
                ends = [(axes.at(end, i)[0], y) for end in (value.low, value.high)]
                canvas.line(ends, _COLOURS[r % len(_COLOURS)], 2)
            canvas.marker((x, y), r)
    for r, reader in enumerate(plot.readers):
        y = bottom + 58 + _ROW * r
        canvas.marker((400, y), r)
        canvas.text((418, y), reader, anchor="lm")
    return canvas


def _table(plot: TablePlot) -> _Canvas:
    cell, left, top = 150, 200, _TOP + 8
    canvas = _Canvas(top + 4 * cell // 2 + 100, plot.title)
    for i, (counts, shares) in enumerate(zip(plot.counts, plot.shares, strict=True)):
        y = top + i * cell // 2
        canvas.text((left - 20, y + cell / 4), CLASS_LABELS[i], anchor="rm")
        canvas.text((left + (i + 0.5) * cell, top + 2 * cell + 22), CLASS_LABELS[i])
        for j, (count, share) in enumerate(zip(counts, shares, strict=True)):
            part = share or 0.0
            red, green, blue = (
                round(a + (b - a) * part) for a, b in zip(_EMPTY, _FULL, strict=True)
            )
            x = left + j * cell
            canvas.box((x + 2, y + 2), (x + cell - 2, y + cell // 2 - 2), fill=(red, green, blue))
            ink = (17, 17, 17) if readable_on((red, green, blue)) == "#111111" else (255, 255, 255)
            words = f"{count}  ({'–' if share is None else f'{100 * share:.0f} %'})"
            canvas.text((x + cell / 2, y + cell / 4), words, fill=ink)
    canvas.text((left + 2 * cell, top + 2 * cell + 54), f"called by {plot.x_title}")
    canvas.text((24, top + cell), plot.y_title, anchor="lm")
    return canvas


def _scaled(at: Point) -> Point:
    return at[0] * _SCALE, at[1] * _SCALE


def _ticks(ends: tuple[float, float]) -> list[float]:
    """Four to six round values within the ends, in either order."""
    low, high = sorted(ends)
    step = next(s for s in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if (high - low) / s <= 5.01)
    first = round(low / step + 0.49999)
    values = [round((first + i) * step, 6) for i in range(7)]
    return [value for value in values if value <= high + 1e-9]


def _dashed(points: Sequence[Point], dash: Sequence[int]) -> Iterator[tuple[Point, Point]]:
    """The inked pieces of a line; the pattern goes on round its corners."""
    index, left, ink = 0, float(dash[0]), True
    for (x0, y0), (x1, y1) in pairwise(points):
        length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
        done = 0.0
        while length - done > 1e-9:
            piece = min(left, length - done)
            if ink:
                a, b = done / length, (done + piece) / length
                yield (
                    (x0 + a * (x1 - x0), y0 + a * (y1 - y0)),
                    (x0 + b * (x1 - x0), y0 + b * (y1 - y0)),
                )
            done += piece
            left -= piece
            if left <= 1e-9:
                index = (index + 1) % len(dash)
                left, ink = float(dash[index]), not ink
