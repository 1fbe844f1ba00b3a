"""Tumour cells as polygons: where they lie, their membranes and nuclei, drawn as stain densities.

Cells are the Voronoi regions of jittered seeds in an abstract plane, which a smooth map bends into
sheets, cords or glands; every shape is a polygon mapped point by point, so that cells around a
lumen become columnar by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from her2core.training.synthetic.noise import Field, smooth_noise
from her2core.training.synthetic.staining import MembraneStain

Points = npt.NDArray[np.float64]
PlaneMap = Callable[[Points], Points]

_OUTLINE = 36
_RING = 20
_SHIFT = 4


@dataclass(frozen=True)
class Cells:
    """Outlines of cells (n, 36, 2) and of nuclei (n, 20, 2), and centres (n, 2), in micrometres."""

    outlines: Points
    nuclei: Points
    centres: Points

    def keep(self, mask: npt.NDArray[np.bool_]) -> Cells:
        """Only the cells where `mask`, (n,), is true."""
        return Cells(self.outlines[mask], self.nuclei[mask], self.centres[mask])


def plane_map(rng: np.random.Generator, field_um: float, cell_um: float) -> tuple[PlaneMap, float]:
    """Draw the bending of the cell plane and the half-width in µm that it must cover.

    Returns:
        A function from cell-plane points (n, 2) in µm to field points (n, 2) in µm, and the
        half-width of the cell plane that covers the whole field.
    """
    angle = rng.uniform(0, 2 * np.pi)
    stretch = np.exp(rng.uniform(0.0, 0.75)) if rng.random() < 0.6 else 1.0
    wave_um = rng.uniform(30.0, 90.0)
    amplitude = rng.uniform(0.0, 0.10) * wave_um
    phase = rng.uniform(0, 2 * np.pi, 4)
    direction = rng.uniform(0, 2 * np.pi, 2)
    centre = field_um / 2
    around_gland = rng.random() < 0.3
    gland_centre = rng.uniform(-0.3, 1.3, 2) * field_um
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    half = field_um * 0.75 * max(stretch, 1.0) + 4 * cell_um

    def bend(points: Points) -> Points:
        x, y = points[:, 0] / np.sqrt(stretch), points[:, 1] * np.sqrt(stretch)
        plane = np.stack([x, y], axis=1)
        if around_gland:
            # columnar cells point at the gland's centre: turn with the angle seen from there
            radius = np.hypot(*(gland_centre - centre)) + cell_um
            theta = plane[:, 0] / max(radius, 2 * cell_um)
            # never through the gland's centre: cells would fold over each other
            ring = np.maximum(radius + plane[:, 1], 0.0)
            plane = np.stack([ring * np.cos(theta), ring * np.sin(theta)], axis=1)
            plane = plane @ rotation.T + gland_centre
            base = np.array([radius, 0.0]) @ rotation.T + gland_centre
            plane = plane - base + centre
        else:
            plane = plane @ rotation.T + centre
        wave = 2 * np.pi / wave_um
        dx = np.sin(wave * (plane @ [np.cos(direction[0]), np.sin(direction[0])]) + phase[0])
        dy = np.sin(wave * (plane @ [np.cos(direction[1]), np.sin(direction[1])]) + phase[1])
        return np.asarray(plane + amplitude * np.stack([dx, dy], axis=1))

    return bend, half


def lay_out_cells(rng: np.random.Generator, field_um: float, cell_um: float) -> Cells:
    """Fill the field (side `field_um`) and a margin with cells about `cell_um` across."""
    bend, half = plane_map(rng, field_um, cell_um)
    step = cell_um
    count = int(2 * half / step) + 1
    grid = (np.arange(count) - count / 2) * step
    gx, gy = np.meshgrid(grid, grid * 0.9)
    gx = gx + (np.arange(count) % 2)[:, None] * step / 2
    seeds = np.stack([gx.ravel(), gy.ravel()], axis=1)
    seeds += rng.normal(0, rng.uniform(0.10, 0.24) * step, seeds.shape)
    mapped = bend(seeds)
    margin = 2.5 * cell_um
    inside = np.all((mapped > -margin) & (mapped < field_um + margin), axis=1)
    inside &= _not_crowded(mapped, 0.55 * cell_um)
    middles = seeds[inside]
    count = len(middles)
    if count == 0:
        return Cells(np.empty((0, _OUTLINE, 2)), np.empty((0, _RING, 2)), np.empty((0, 2)))
    # mostly one shared border; now and then cells that have come apart
    shrink = rng.uniform(0.98, 1.04) if rng.random() < 0.8 else rng.uniform(0.80, 0.95)
    reach = _voronoi_reach(middles, seeds, 1.3 * step)
    reach = reach * shrink * rng.uniform(0.96, 1.02, (count, 1))
    angles = np.linspace(0, 2 * np.pi, _OUTLINE, endpoint=False)
    outlines = middles[:, None] + reach[..., None] * _directions(angles)
    nuclei = _nuclei(rng, middles, step * rng.uniform(0.36, 0.58))
    return Cells(
        bend(outlines.reshape(-1, 2)).reshape(outlines.shape),
        bend(nuclei.reshape(-1, 2)).reshape(nuclei.shape),
        bend(middles),
    )


def _directions(angles: Points) -> Points:
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def _voronoi_reach(middles: Points, seeds: Points, longest: float) -> Points:
    """Distance from each middle to its Voronoi border in `_OUTLINE` directions, corners rounded.

    The border in a direction is the nearest of the perpendicular bisectors to the neighbours, so
    that a handful of neighbours gives the outline without building the diagram.
    """
    angles = np.linspace(0, 2 * np.pi, _OUTLINE, endpoint=False)
    _, neighbours = cKDTree(seeds).query(middles, k=min(12, len(seeds)))
    apart = seeds[neighbours[:, 1:]] - middles[:, None]
    distance = np.linalg.norm(apart, axis=2)
    bearing = np.arctan2(apart[..., 1], apart[..., 0])
    cosine = np.cos(angles[None, :, None] - bearing[:, None, :])
    with np.errstate(divide="ignore"):
        border = np.where(cosine > 1e-3, distance[:, None, :] / 2 / cosine, np.inf)
    reach = np.minimum(border.min(axis=2), longest)
    return np.asarray(
        0.25 * np.roll(reach, 1, axis=1) + 0.5 * reach + 0.25 * np.roll(reach, -1, axis=1)
    )


def _nuclei(rng: np.random.Generator, middles: Points, diameter: float) -> Points:
    """Slightly lobed ellipses near the middles: outlines (n, _RING, 2)."""
    count = len(middles)
    ring = np.linspace(0, 2 * np.pi, _RING, endpoint=False)
    radius = 0.5 * diameter * np.exp(rng.normal(0, 0.12, (count, 1)))
    phase = rng.uniform(0, 6, (2, count, 1))
    wobble = 1 + 0.07 * np.sin(2 * ring + phase[0]) + 0.05 * np.sin(3 * ring + phase[1])
    x = radius * np.exp(rng.uniform(0, 0.3, (count, 1))) * np.cos(ring) * wobble
    y = radius * np.sin(ring) * wobble
    turn = rng.uniform(0, np.pi, (count, 1))
    turned = [x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)]
    offset = rng.normal(0, 0.16 * diameter, (count, 1, 2))
    return np.asarray(middles[:, None] + offset + np.stack(turned, axis=2))


def _not_crowded(centres: Points, least_um: float) -> npt.NDArray[np.bool_]:
    """True where the nearest other centre is at least `least_um` away: no cell is squeezed flat."""
    nearest = cKDTree(centres).query(centres, k=2)[0][:, 1]
    return np.asarray(nearest >= least_um)


def _pixels(points: Points, mpp: float) -> npt.NDArray[np.int32]:
    return np.round(points / mpp * (1 << _SHIFT)).astype(np.int32)


def fill(shapes: Points, values: npt.NDArray[np.float32], side: int, mpp: float) -> Field:
    """Fill polygons (n, k, 2) in µm with `values` (n,) on a (side, side) canvas of zeros."""
    canvas = np.zeros((side, side), np.float32)
    for shape, value in zip(_pixels(shapes, mpp), values, strict=True):
        cv2.fillPoly(canvas, [shape], float(value), cv2.LINE_8, _SHIFT)
    return canvas


def draw_membranes(
    cells: Cells,
    stain: MembraneStain,
    side: int,
    mpp: float,
    width_um: float,
    rng: np.random.Generator,
) -> Field:
    """DAB density of the membranes, (side, side), before blur; stronger cells lie on top."""
    canvas = np.zeros((side, side), np.float32)
    outlines = _pixels(cells.outlines, mpp)
    for index in np.argsort(stain.density):
        density = float(stain.density[index])
        if density <= 0:
            continue
        wanted = width_um * (1.25 if density > 0.9 else 1.0) / mpp * float(rng.uniform(0.8, 1.2))
        thickness = max(1, round(wanted))
        value = density * min(1.0, wanted / thickness)
        outline, complete = outlines[index], float(stain.completeness[index])
        if complete >= 0.97:
            cv2.polylines(canvas, [outline], True, value, thickness, cv2.LINE_8, _SHIFT)
            continue
        arcs = int(rng.integers(1, 4)) if complete < 0.8 else int(rng.integers(1, 3))
        starts = (rng.integers(0, _OUTLINE) + np.arange(arcs) * _OUTLINE // arcs) % _OUTLINE
        length = max(2, round(complete * _OUTLINE / arcs))
        for start in starts:
            part = outline[(start + np.arange(length + 1)) % _OUTLINE]
            cv2.polylines(canvas, [part], False, value, thickness, cv2.LINE_8, _SHIFT)
    return canvas


def draw_nuclei(
    nuclei: Points,
    density: npt.NDArray[np.float32],
    side: int,
    mpp: float,
    rng: np.random.Generator,
    *,
    vesicular: float,
) -> Field:
    """Haematoxylin density of nuclei, (side, side): filled, rimmed, with chromatin and nucleoli.

    `vesicular` in [0, 1]: 0 is evenly dark, 1 is a pale nucleus with a dark rim and nucleoli.
    """
    body = fill(nuclei, density * (1 - 0.45 * vesicular), side, mpp)
    outlines = _pixels(nuclei, mpp)
    rim = max(1, round(0.5 / mpp))
    for outline, value in zip(outlines, density, strict=True):
        cv2.polylines(body, [outline], True, float(value), rim, cv2.LINE_8, _SHIFT)
        if vesicular > 0.3 and rng.random() < 0.8:
            for _ in range(int(rng.integers(1, 3))):
                spot = outline.mean(axis=0) + rng.normal(0, 0.9, 2) / mpp * (1 << _SHIFT)
                radius = int(rng.uniform(0.5, 1.1) / mpp * (1 << _SHIFT))
                centre = (int(spot[0]), int(spot[1]))
                cv2.circle(body, centre, radius, float(value) * 1.25, -1, cv2.LINE_8, _SHIFT)
    chromatin = 1 + 0.22 * smooth_noise(rng, side, 0.9 / mpp)
    return np.asarray(body * np.clip(chromatin, 0.4, 1.7), dtype=np.float32)
