"""The cost of scoring against the number of patches, drawn as SVG: both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.scoring import Cost

_WIDTH, _HEIGHT = 720, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 24, 52, 64
_INK, _GRID, _POINT = "#24292f", "#d0d7de", "#8250df"


def drawn(costs: Sequence[Cost], machine: str) -> str:
    """The picture.

    Args:
        costs: at least two, in rising order of patches.
        machine: what it was measured on, written below.

    Raises:
        ValueError: fewer than two.
    """
    if len(costs) < 2:
        raise ValueError("A line needs at least two points.")
    last = costs[-1]
    each = last.seconds / last.patches
    right = math.ceil(math.log10(last.patches))
    seconds = [cost.seconds for cost in costs] + [each]
    low, high = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)))

    def place(patches: float, time: float) -> tuple[float, float]:
        across = math.log10(patches) / right
        up = (math.log10(time) - low) / (high - low)
        return (
            _LEFT + across * (_WIDTH - _LEFT - _RIGHT),
            _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM),
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="13" fill="{_INK}">',
        f"<title>Seconds to score 1 to {last.patches:,} patches with both networks</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="28" font-size="16">Scoring a folder: {1000 * each:.0f} ms for each '
        f"of {last.patches:,} patches, by both networks</text>",
    ]
    for power in range(right + 1):
        x, y = place(10**power, 10**low)
        top = place(1, 10**high)[1]
        parts.append(_line((x, y), (x, top), _GRID))
        label = f"{10**power:,}"
        parts.append(f'<text x="{x:.1f}" y="{y + 20:.1f}" text-anchor="middle">{label}</text>')
    for power in range(low, high + 1):
        x, y = place(1, 10**power)
        parts.append(_line((x, y), (place(10**right, 1)[0], y), _GRID))
        label = f"{10**power:,} s" if power >= 0 else f"{10**power:.{-power}f} s"
        parts.append(f'<text x="{x - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    parts.append(_line(place(1, each), place(last.patches, last.seconds), _INK, dashed=True))
    for cost in costs:
        x, y = place(cost.patches, cost.seconds)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{_POINT}"/>')
    parts.append(
        f'<text x="{_LEFT}" y="{_HEIGHT - 24}">patches (dots: measured in one run; dashed: '
        "exactly proportional)</text>"
    )
    parts.append(
        f'<text x="{_LEFT}" y="{_HEIGHT - 8}" font-size="10" fill="#57606a">{_escaped(machine)}'
        "</text></svg>"
    )
    return "\n".join(parts) + "\n"


def _line(
    start: tuple[float, float], end: tuple[float, float], colour: str, dashed: bool = False
) -> str:
    dashes = ' stroke-dasharray="6 4"' if dashed else ""
    (x1, y1), (x2, y2) = start, end
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{dashes}/>'
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
