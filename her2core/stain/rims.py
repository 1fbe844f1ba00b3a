"""The rim of each cell: where its membrane runs, or would run if it were stained.

Around every nucleus the picture is unrolled (32 directions, half a micrometre per step outwards)
and the best closed path is found by dynamic programming: it follows brown lines, keeps out of the
nucleus, within a few micrometres of it and on its own side of the border to the neighbours, and
does not jump. Where no line is, the border half-way to the neighbours, a few micrometres out at
most, stands in for it. One path per cell says at once where the cell ends, how much of the rim is
stained and how densely.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np
import numpy.typing as npt

from her2core.stain.density import FloatImage
from her2core.stain.nuclei import WORKING_UM, Nuclei

DIRECTIONS = 32
_STEP_UM = 0.5
# how far from its nucleus' border a membrane is looked for
REACH_UM = 8.0
# where a membrane is supposed as long as none is visible
_SUPPOSED_UM = 3.5
_OVER_THE_BORDER_UM = 3.0
_MOST_RADIUS_UM = 17.0
_LARGEST_JUMP = 3

# weights of the path's cost, in units of "one direction on a clear line"
_HALF_LINE = 0.05
_PLATEAU = 0.15
_FAR = 0.02
_BEYOND = 0.15
_JUMP = 0.08
_CROSSED = 0.9
_FORBIDDEN = 10.0


@dataclass(frozen=True)
class Rims:
    """The rims of n cells in `DIRECTIONS` equal angles, all float32.

    Attributes:
        outlines: (n, 32, 2), x and y in working pixels.
        line: (n, 32), how far a brown line stands out on the rim.
        dab: (n, 32), DAB optical density on the rim.
        flanks: (n, 32, 2), DAB optical density 1.5 µm inside and 1.5 µm outside of it.
        texture: (n,), how far brown lines stand out in the cell's own cytoplasm, 1.5 to 3 µm
            inside the rim; 0 where the nucleus fills the cell.
        cytoplasm: (n,), mean DAB optical density at the same places, as far as they lie in the
            image; not a number where there are none.
    """

    outlines: FloatImage
    line: FloatImage
    dab: FloatImage
    flanks: FloatImage
    texture: FloatImage
    cytoplasm: FloatImage


def joined(parts: Sequence[Rims]) -> Rims:
    """All rims of several."""
    names = [each.name for each in fields(Rims)]
    return Rims(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def find_rims(nuclei: Nuclei, lines: FloatImage, dab: FloatImage) -> Rims:
    """Trace the rim of every nucleus' cell.

    Args:
        nuclei: n nuclei; larger numbers in their labels are other nuclei, whose rims are not asked
            for.
        lines: float32 (H, W) from `membranes.membrane_lines`.
        dab: float32 (H, W) DAB optical density.
    """
    count = len(nuclei)
    if count == 0:
        empty = np.zeros((0, DIRECTIONS), np.float32)
        return Rims(
            np.zeros((0, DIRECTIONS, 2), np.float32),
            empty,
            empty,
            np.zeros((0, DIRECTIONS, 2), np.float32),
            empty[:, 0],
            empty[:, 0],
        )
    angles = np.arange(DIRECTIONS) * (2 * np.pi / DIRECTIONS)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    radii = np.arange(1, int(_MOST_RADIUS_UM / _STEP_UM) + 1, dtype=np.float32) * _STEP_UM
    steps = radii / WORKING_UM
    # (n, directions, radii)
    x = nuclei.centres[:, 0, None, None] + directions[None, :, 0, None] * steps
    y = nuclei.centres[:, 1, None, None] + directions[None, :, 1, None] * steps
    line = _sample(lines, x, y)
    own = np.arange(1, count + 1, dtype=np.int32)[:, None, None]
    nucleus = _sample_labels(nuclei.labels, x, y)
    owner = _sample_labels(_territories(nuclei.labels), x, y)
    edge = _last_true(nucleus == own)
    border = _first_true(owner != own)
    brown = _sample(dab, x, y)
    chosen = _best_paths(_costs(line, brown, nucleus, own, edge, border, radii))
    return _along(chosen, x, y, line, brown, edge, dab.shape)


def in_image(x: FloatImage, y: FloatImage, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Which of the points lie in an image of this shape (H, W)."""
    return np.asarray((x >= 0) & (y >= 0) & (x <= shape[1] - 1) & (y <= shape[0] - 1))


def _territories(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """The number of the nucleus nearest to each pixel."""
    outside = (labels == 0).astype(np.uint8)
    _, source = cv2.distanceTransformWithLabels(
        outside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    number_of = np.zeros(int(source.max()) + 1, np.int32)
    inside = outside == 0
    number_of[source[inside]] = labels[inside]
    return number_of[source]


def _costs(
    line: FloatImage,
    dab: FloatImage,
    nucleus: npt.NDArray[np.int32],
    own: npt.NDArray[np.int32],
    edge: npt.NDArray[np.int64],
    border: npt.NDArray[np.int64],
    radii: FloatImage,
) -> FloatImage:
    """Cost (n, directions, radii) of a rim running through each sample."""
    membrane = line / (line + _HALF_LINE + _PLATEAU * dab)
    index = np.arange(len(radii))
    edge_um = edge * _STEP_UM
    border_um = (border + 0.5) * _STEP_UM
    supposed = np.minimum(edge_um + _SUPPOSED_UM, border_um)[..., None]
    cost = -membrane + _FAR * np.abs(radii - supposed)
    # a membrane that has been crossed was the cell's own; its width of about 1 µm does not count
    strong = np.maximum(membrane - 0.45, 0)
    crossed = np.cumsum(strong, axis=2)
    crossed = np.concatenate([np.zeros_like(crossed[..., :2]), crossed[..., :-2]], axis=2)
    cost += _CROSSED * crossed
    too_near = index < edge[..., None] - 1
    too_far = radii > (edge_um + REACH_UM)[..., None]
    over = radii - border_um[..., None]
    cost += _BEYOND * np.maximum(over, 0)
    beyond = over > _OVER_THE_BORDER_UM
    other = (nucleus != own) & (nucleus > 0)
    cost += _FORBIDDEN * (too_near | too_far | beyond | other)
    return np.asarray(cost, dtype=np.float32)


def _best_paths(cost: FloatImage) -> npt.NDArray[np.int64]:
    """Radius index (n, directions) of the cheapest nearly closed path of each cell.

    The circle is walked one and a half times, so that the part in the middle has forgotten where
    the walk began; what is left of a step at the seam is at most a few indices.
    """
    count, directions, radii = cost.shape
    lead = directions // 4
    order = np.arange(-lead, directions + lead) % directions
    total = cost[:, order[0]]
    moves = np.empty((len(order), count, radii), np.int8)
    for at, direction in enumerate(order[1:], start=1):
        best, move = total, np.zeros((count, radii), np.int8)
        for jump in range(-_LARGEST_JUMP, _LARGEST_JUMP + 1):
            if jump == 0:
                continue
            shifted = np.full_like(total, np.inf)
            if jump > 0:
                shifted[:, jump:] = total[:, :-jump]
            else:
                shifted[:, :jump] = total[:, -jump:]
            shifted += np.float32(_JUMP * abs(jump))
            better = shifted < best
            best = np.where(better, shifted, best)
            move[better] = -jump
        total = best + cost[:, direction]
        moves[at] = move
    path = np.empty((count, len(order)), np.int64)
    path[:, -1] = np.argmin(total, axis=1)
    rows = np.arange(count)
    for at in range(len(order) - 1, 0, -1):
        path[:, at - 1] = path[:, at] + moves[at, rows, path[:, at]]
    return path[:, lead : lead + directions]


def _along(
    chosen: npt.NDArray[np.int64],
    x: FloatImage,
    y: FloatImage,
    line: FloatImage,
    brown: FloatImage,
    edge: npt.NDArray[np.int64],
    shape: tuple[int, ...],
) -> Rims:
    """Read what lies on the chosen paths, half a micrometre to either side included."""
    last = line.shape[2] - 1
    here = chosen[..., None]
    beside = np.clip(here + np.array([-1, 0, 1]), 0, last)
    flanks = np.take_along_axis(brown, np.clip(here + np.array([-3, 3]), 0, last), 2)
    inner = here - np.arange(3, 7)
    cytoplasm = inner >= edge[..., None]
    inner = np.maximum(inner, 0)
    inner_line = np.take_along_axis(line, inner, 2) * cytoplasm
    samples = np.maximum(cytoplasm.sum(axis=(1, 2)), 1)
    counted = cytoplasm & in_image(
        np.take_along_axis(x, inner, 2), np.take_along_axis(y, inner, 2), shape
    )
    inner_brown = (np.take_along_axis(brown, inner, 2) * counted).sum(axis=(1, 2))
    count = counted.sum(axis=(1, 2))
    outlines = np.concatenate(
        [np.take_along_axis(x, here, 2), np.take_along_axis(y, here, 2)], axis=2
    )
    return Rims(
        outlines.astype(np.float32),
        np.take_along_axis(line, beside, 2).max(axis=2),
        np.take_along_axis(brown, beside, 2).max(axis=2),
        flanks,
        (inner_line.sum(axis=(1, 2)) / samples).astype(np.float32),
        np.where(count > 0, inner_brown / np.maximum(count, 1), np.nan).astype(np.float32),
    )


def _sample(image: FloatImage, x: FloatImage, y: FloatImage) -> FloatImage:
    """Bilinear samples; what lies outside the image is 0."""
    flat = (x.reshape(len(x), -1), y.reshape(len(y), -1))
    values = cv2.remap(image, *flat, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(values.reshape(x.shape), dtype=np.float32)


def _sample_labels(
    labels: npt.NDArray[np.int32], x: FloatImage, y: FloatImage
) -> npt.NDArray[np.int32]:
    """Nearest labels; outside the image those of its border."""
    height, width = labels.shape
    column = np.clip(np.rint(x), 0, width - 1).astype(np.int32)
    row = np.clip(np.rint(y), 0, height - 1).astype(np.int32)
    return np.asarray(labels[row, column])


def _last_true(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Number of steps up to and with the last true one, 0 where none is."""
    length = mask.shape[-1]
    back = np.argmax(mask[..., ::-1], axis=-1)
    return np.asarray(np.where(mask.any(axis=-1), length - back, 0))


def _first_true(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Index of the first true step, the length where none is."""
    first = np.argmax(mask, axis=-1)
    return np.asarray(np.where(mask.any(axis=-1), first, mask.shape[-1]))
