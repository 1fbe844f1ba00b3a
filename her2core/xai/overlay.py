"""Heat maps drawn over the image, for the screen and for exported pictures. No tensorflow.

Colours stay apart for colour-blind eyes. What a map does not speak of stays transparent, and even
at full opacity the tissue shines through. Under red and blue the tissue turns grey: on brown
membranes and blue nuclei they would be taken for stain, or stain for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from her2core.common import palette
from her2core.common.text import percent
from her2core.models.architectures import model_name
from her2core.models.reading_grid import place_of
from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Square
from her2core.scores import CLASS_LABELS, RESEARCH_NOTICE
from her2core.xai.explanation import Explanation, Method, is_signed
from her2core.xai.methods import METHODS

Pixels = npt.NDArray[np.uint8]
_MOST_OPAQUE = 0.9
_STRIP_WIDTH = 448


@dataclass(frozen=True)
class ColourStop:
    """One colour of a map.

    Attributes:
        value: the heat it stands for, in [0, 1], or in [-1, 1] for signed maps.
        rgb: 0 to 255 each.
        cover: how much of the image it covers at full opacity, in [0, 0.9].
    """

    value: float
    rgb: tuple[int, int, int]
    cover: float


def colour_stops(method: Method, *, signed: bool | None = None) -> tuple[ColourStop, ...]:
    """The colours of a method's map, lowest heat first, for drawing its legend.

    Args:
        method: the method.
        signed: true for a contrast of two classes; None: as the method's maps of one class are.
    """
    return tuple(
        ColourStop(value, rgb, float(_cover(method, np.array([value], np.float32))[0]))
        for value, rgb in _scale(is_signed(method) if signed is None else signed)
    )


def draw_map(rgb: Pixels, square: Square, explanation: Explanation, opacity: float) -> Pixels:
    """Draw a heat map at its place in the square that was read: in the part it is of, framed.

    Args:
        rgb: uint8 (s, s, 3), the square, at any resolution.
        square: the square.
        explanation: its heat map, or that of one of its parts.
        opacity: as for `blend`.
    """
    part = explanation.part
    if part is None:
        return blend(rgb, explanation, opacity)
    scale = rgb.shape[0] / square.size
    left, top = round((part.x - square.x) * scale), round((part.y - square.y) * scale)
    right, bottom = left + round(part.size * scale), top + round(part.size * scale)
    drawn = np.ascontiguousarray(rgb).copy()
    drawn[top:bottom, left:right] = blend(rgb[top:bottom, left:right], explanation, opacity)
    thin = max(1, round(rgb.shape[0] / 300))
    corner, opposite = (left, top), (right - 1, bottom - 1)
    cv2.rectangle(drawn, corner, opposite, palette.FRAME, 3 * thin)
    cv2.rectangle(drawn, corner, opposite, palette.FRAME_EDGE, thin)
    return drawn


def blend(rgb: Pixels, explanation: Explanation, opacity: float) -> Pixels:
    """Draw a heat map over what it is of.

    Args:
        rgb: uint8 (H, W, 3), the square the model saw, at any resolution.
        explanation: its heat map.
        opacity: 0 (the image untouched) to 1; more is taken as 1, less as 0.

    Returns:
        uint8 (H, W, 3), a new array. Under a signed map the image is grey from opacity 0.5 on.
    """
    height, width = rgb.shape[:2]
    heat = _resized(explanation.heat, width, height)
    strength = min(max(float(opacity), 0.0), 1.0)
    cover = strength * _cover(explanation.method, heat)[..., None]
    ground = _greyed(rgb, min(1.0, 2.0 * strength)) if explanation.signed else rgb
    mixed = (1.0 - cover) * ground + cover * _colours(explanation.signed, heat)
    drawn: Pixels = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return drawn


def heat_picture(explanation: Explanation) -> Pixels:
    """The map alone: its colours, each as opaque as `blend` has it at opacity 1.

    Returns:
        uint8 (224, 224, 4), red, green, blue and opacity.
    """
    cover = 255 * _cover(explanation.method, explanation.heat)[..., None]
    layers = [_colours(explanation.signed, explanation.heat), cover]
    return np.rint(np.concatenate(layers, axis=-1)).astype(np.uint8)


def verdict_line(verdict: Verdict) -> str:
    """A verdict as one line, e.g. "CNN 2+ (equivocal); 0: 3 %, 1+: 12 %, 2+: 85 %, 3+: <1 %"."""
    shares = ", ".join(
        f"{label}: {percent(p)}"
        for label, p in zip(CLASS_LABELS, verdict.probabilities, strict=True)
    )
    score = verdict.score
    return f"{model_name(verdict.architecture)} {score.label} ({score.status}); {shares}"


def class_words(explanation: Explanation) -> str:
    """What is explained: "2+", or "2+ rather than 3+"."""
    against = explanation.against
    named = explanation.target.label
    return named if against is None else f"{named} rather than {against.label}"


def part_line(square: Square, explanation: Explanation) -> str:
    """Which part of the square that was read a map is of; empty where it is of all of it."""
    if explanation.part is None:
        return ""
    place = place_of(explanation.part, square)
    return f"Read in parts; the map is of the {place} one, whose reading is the verdict."


def map_line(explanation: Explanation) -> str:
    """What a map is, as one line, e.g. "Grad-CAM for 2+ · cnn-0123456789ab"."""
    title = METHODS[explanation.method].title
    return f"{title} for {class_words(explanation)} · {explanation.model_id}"


def annotate(
    rgb: Pixels, title: Sequence[str], verdicts: Sequence[str], warnings: Sequence[str] = ()
) -> Pixels:
    """Write a caption strip below an image: titles, verdicts, warnings and the research notice.

    Args:
        rgb: uint8 (H, W, 3).
        title: lines such as the patch's name and `map_line`; long ones are wrapped.
        verdicts: lines such as `verdict_line`.
        warnings: what is to be known before the map is believed, in the colour of the notice.

    Returns:
        uint8 (H + strip, W', 3) with the image unchanged at the top; W' is at least 448, a
        narrower image stands left on white.
    """
    height, width = rgb.shape[:2]
    full_width = max(width, _STRIP_WIDTH)
    size = max(13, full_width // 42)
    margin = size // 2
    font = ImageFont.load_default(size)
    room = full_width - 2 * margin
    lines = [
        (line, colour)
        for texts, colour in (
            (title, palette.CAPTION),
            (verdicts, palette.CAPTION),
            ([*warnings, RESEARCH_NOTICE], palette.CAPTION_WARNING),
        )
        for text in texts
        for line in _wrapped(text, font, room)
    ]
    step = round(size * 1.35)
    canvas = Image.new("RGB", (full_width, height + 2 * margin + step * len(lines)), "white")
    canvas.paste(Image.fromarray(np.ascontiguousarray(rgb)), (0, 0))
    draw = ImageDraw.Draw(canvas)
    for row, (line, colour) in enumerate(lines):
        draw.text((margin, height + margin + row * step), line, fill=colour, font=font)
    return np.asarray(canvas)


def _scale(signed: bool) -> tuple[tuple[float, palette.Colour], ...]:
    return palette.SIGNED_HEAT if signed else palette.HEAT


def _resized(heat: npt.NDArray[np.float32], width: int, height: int) -> npt.NDArray[np.float32]:
    shrinks = width < heat.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(heat, (width, height), interpolation=how), dtype=np.float32)


def _greyed(rgb: Pixels, share: float) -> npt.NDArray[np.float32]:
    """The image with its colours taken out by `share` and lightened a little."""
    lightness = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = (255.0 - 0.75 * (255.0 - lightness))[..., None]
    return np.asarray((1.0 - share) * rgb + share * grey, dtype=np.float32)


def _cover(method: Method, heat: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Share of the image covered at full opacity: nothing at zero heat, rising with its size."""
    size = np.clip(np.abs(heat), 0.0, 1.0)
    # Single pixels are small and faint: the root lifts them above the eye's threshold.
    shown = np.sqrt(size) if METHODS[method].pixelwise else size
    return (_MOST_OPAQUE * shown).astype(np.float32)


def _colours(signed: bool, heat: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    values, colours = zip(*_scale(signed), strict=True)
    table = np.array(colours, dtype=np.float32)
    channels = [np.interp(heat, values, table[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: int) -> list[str]:
    """The text in lines of at most `room` pixels, broken at blanks, else within a word."""
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        if font.getlength(joined) <= room:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        for character in word:
            if lines[-1] and font.getlength(lines[-1] + character) > room:
                lines.append("")
            lines[-1] += character
    return lines
