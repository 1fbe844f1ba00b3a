"""Around the tumour cells: where tumour, stroma and glass lie, and what fools a reader."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from her2core.training.synthetic.breast import fat, filled_ducts
from her2core.training.synthetic.cells import fill
from her2core.training.synthetic.noise import Field, fibres, smooth_noise

Mask = npt.NDArray[np.bool_]
# how tumour grows, and how often
_GROWTHS = {"solid": 0.45, "nests": 0.25, "cords": 0.15, "islands": 0.15}
_BREAST_GROWTHS = {"solid": 0.36, "nests": 0.23, "cords": 0.15, "islands": 0.14, "ducts": 0.12}
_ELLIPSE = np.linspace(0, 2 * np.pi, 16, endpoint=False)


@dataclass(frozen=True)
class Duct:
    """A normal duct: lumen and two-layered wall, (side, side) masks; radius of the lumen in µm."""

    lumen: Mask
    wall: Mask
    radius: float


@dataclass(frozen=True)
class Layout:
    """Where tumour may grow and where glass shows; (side, side) boolean masks, the rest stroma."""

    tumour: Mask
    glass: Mask
    ducts: tuple[Duct, ...] = ()


def lay_out_tissue(
    rng: np.random.Generator, side: int, mpp: float, *, tumour_wanted: bool, breast: bool = True
) -> Layout:
    """Draw solid growth, nests, cords, lumens, an edge, or no tumour.

    `breast` adds fat and ducts filled by tumour.
    """
    nothing = np.zeros((side, side), dtype=bool)
    glass = nothing
    if rng.random() < 0.35:
        # lumens, vessels and tears
        gaps = smooth_noise(rng, side, rng.uniform(18, 45) / mpp)
        gaps = gaps + 0.15 * smooth_noise(rng, side, 6 / mpp)
        glass = gaps > rng.uniform(1.1, 2.0)
    if rng.random() < 0.18:
        # the edge of the tissue
        angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.45) * side
        yy, xx = np.mgrid[0:side, 0:side] - side / 2
        edge = np.cos(angle) * xx + np.sin(angle) * yy + smooth_noise(rng, side, 25 / mpp) * 4 / mpp
        glass = glass | (edge > offset)
    fatty = nothing
    if breast and rng.random() < (0.15 if tumour_wanted else 0.35):
        fatty, emptied = fat(rng, side, mpp)
        glass = glass | emptied
    if not tumour_wanted:
        return _with_duct(rng, Layout(nothing, glass), mpp, chance=0.35)
    growths = _BREAST_GROWTHS if breast else _GROWTHS
    kind = rng.choice(list(growths), p=list(growths.values()))
    if kind == "solid":
        tumour = ~nothing
    elif kind == "ducts":
        tumour, hollow = filled_ducts(rng, side, mpp)
        # a hollow duct shows glass, a dead middle shows as stroma without fibres would
        glass = (glass & ~tumour) | (hollow if rng.random() < 0.6 else nothing)
    elif kind == "cords":
        tumour = fibres(rng, side, rng.uniform(12, 25) / mpp, rng.uniform(0, np.pi)) > rng.uniform(
            -0.6, 0.3
        )
    else:
        period = rng.uniform(40, 90) if kind == "nests" else rng.uniform(25, 50)
        tumour = smooth_noise(rng, side, period / mpp) > rng.uniform(-0.9, 0.5)
    if kind != "solid" and rng.random() < 0.3:
        glass = glass | _retraction(rng, tumour, mpp)
    return _with_duct(rng, Layout(tumour & ~fatty, glass), mpp, chance=0.12)


def _retraction(rng: np.random.Generator, tumour: Mask, mpp: float) -> Mask:
    """Clefts where nests have shrunk away from the stroma: a halo of glass, here and there."""
    side = tumour.shape[0]
    reach = max(1, round(rng.uniform(1.5, 6.0) / mpp))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near = cv2.dilate(tumour.astype(np.uint8), kernel) > 0
    torn = smooth_noise(rng, side, 30 / mpp) > rng.uniform(-0.8, 0.6)
    return np.asarray(near & ~tumour & torn)


def _with_duct(rng: np.random.Generator, layout: Layout, mpp: float, chance: float) -> Layout:
    """Now and then a normal duct, which no tumour cell may cover and which does not count."""
    side = layout.tumour.shape[0]
    if rng.random() > chance:
        return layout
    field_um = side * mpp
    radius = float(rng.uniform(8.0, 30.0))
    centre = rng.uniform(0.0, field_um, 2)
    yy, xx = np.mgrid[0:side, 0:side].astype(np.float32)
    uneven = 1 + 0.12 * smooth_noise(rng, side, 25 / mpp)
    squeezed = np.hypot(xx * mpp - centre[0], (yy * mpp - centre[1]) * rng.uniform(0.7, 1.4))
    distance = squeezed * uneven
    lumen, area = distance < radius, distance < radius + 15.0
    duct = Duct(lumen, area & ~lumen, radius)
    return replace(
        layout,
        tumour=layout.tumour & ~area,
        glass=(layout.glass & ~area) | lumen,
        ducts=(*layout.ducts, duct),
    )


def draw_duct(
    rng: np.random.Generator,
    duct: Duct,
    side: int,
    mpp: float,
    nucleus_density: float,
    cytoplasm: float,
) -> tuple[Field, Field]:
    """Haematoxylin and ground densities of a normal duct's luminal and myoepithelial layers."""
    wall = duct.wall.astype(np.float32)
    from_lumen = cv2.distanceTransform((~duct.lumen).astype(np.uint8), cv2.DIST_L2, 5) * mpp
    haematoxylin = np.float32(0.3 * cytoplasm) * wall
    count = max(12, int(2 * np.pi * duct.radius / 4.5))
    for depth, long_um, short_um in ((6.0, (3.2, 4.4), (2.2, 3.0)), (12.5, (3.0, 5.0), (1.0, 1.6))):
        nuclei = _ellipses(rng, 8 * count, side * mpp, long_um, short_um, rng.uniform(0, np.pi, 1))
        at = np.clip((nuclei.mean(axis=1) / mpp).astype(int), 0, side - 1)
        there = np.abs(from_lumen[at[:, 1], at[:, 0]] - depth) < 1.5
        there &= duct.wall[at[:, 1], at[:, 0]]
        values = nucleus_density * np.exp(rng.normal(0.1, 0.15, int(there.sum())))
        drawn = fill(nuclei[there], values.astype(np.float32), side, mpp)
        haematoxylin = np.maximum(haematoxylin, drawn)
    ground = np.float32(0.8 * cytoplasm) * wall * (1 + 0.2 * smooth_noise(rng, side, 2 / mpp))
    return haematoxylin.astype(np.float32), ground.astype(np.float32)


def draw_stroma(
    rng: np.random.Generator,
    side: int,
    mpp: float,
    nucleus_density: float,
    *,
    breast: bool = True,
) -> tuple[Field, Field]:
    """Fibres with spindle nuclei and lymphocytes: haematoxylin and ground densities."""
    angle = rng.uniform(0, np.pi)
    texture = fibres(rng, side, rng.uniform(1.5, 4.0) / mpp, angle)
    coarse = smooth_noise(rng, side, rng.uniform(10, 40) / mpp)
    level = rng.uniform(0.03, 0.11)
    ground = level * np.clip(1 + 0.40 * texture + 0.30 * coarse, 0.05, 2.6)
    if rng.random() < 0.5:
        # loose stroma: strands with clear gaps between them
        gaps = smooth_noise(rng, side, rng.uniform(3, 8) / mpp) + 0.6 * texture
        ground = ground * np.clip(0.8 + 0.5 * gaps, 0.05, 1.6)
    ground = ground * np.clip(1 + 0.25 * smooth_noise(rng, side, 1.0 / mpp), 0.2, 2.0)
    field_um = side * mpp
    spindle_count = int(field_um**2 * rng.uniform(0.4, 2.2) / 1000)
    round_count = 0
    if rng.random() < 0.55:
        # now and then lymphocytes side by side, as in a follicle
        most = 18.0 if breast and rng.random() < 0.25 else 5.0
        round_count = int(field_um**2 * rng.uniform(0.2, most) / 1000)
    spindles = _ellipses(
        rng,
        spindle_count,
        field_um,
        (4.0, 8.5),
        (1.0, 2.4),
        angle + rng.normal(0, 0.25, spindle_count),
    )
    # lymphocytes lie in crowds: keep those on the bright side of a smooth field
    rounds = _ellipses(
        rng, round_count, field_um, (2.4, 3.4), (2.2, 3.2), rng.uniform(0, np.pi, round_count)
    )
    crowd = smooth_noise(rng, side, 50 / mpp)
    at = np.clip((rounds.mean(axis=1) / mpp).astype(int), 0, side - 1)
    rounds = rounds[crowd[at[:, 1], at[:, 0]] > -0.2]
    nuclei = np.concatenate([spindles, rounds])
    values = nucleus_density * np.exp(rng.normal(0.1, 0.25, len(nuclei)))
    haematoxylin = fill(nuclei, values.astype(np.float32), side, mpp)
    haematoxylin *= np.clip(1 + 0.2 * smooth_noise(rng, side, 1.0 / mpp), 0.5, 1.6)
    return (haematoxylin + 0.25 * ground).astype(np.float32), ground.astype(np.float32)


def _ellipses(
    rng: np.random.Generator,
    count: int,
    field_um: float,
    long_um: tuple[float, float],
    short_um: tuple[float, float],
    angles: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """`count` ellipse outlines (count, 16, 2) in µm with half-axes drawn from the ranges."""
    centres = rng.uniform(-5, field_um + 5, (count, 1, 2))
    a = rng.uniform(*long_um, (count, 1))
    b = rng.uniform(*short_um, (count, 1))
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    x, y = a * np.cos(_ELLIPSE), b * np.sin(_ELLIPSE)
    return np.asarray(centres + np.stack([x * cos - y * sin, x * sin + y * cos], axis=2))


def draw_red_cells(rng: np.random.Generator, side: int, mpp: float, within: Mask) -> Field:
    """Ground density of red blood cells: pale discs with a dark refractile rim, in clusters."""
    field_um = side * mpp
    count = int(field_um**2 * rng.uniform(0.5, 4.0) / 1000)
    shapes = _ellipses(rng, count, field_um, (2.6, 3.8), (1.6, 3.4), rng.uniform(0, np.pi, count))
    crowd = smooth_noise(rng, side, 35 / mpp)
    at = np.clip((shapes.mean(axis=1) / mpp).astype(int), 0, side - 1)
    near = (crowd[at[:, 1], at[:, 0]] > 0.6) & within[at[:, 1], at[:, 0]]
    shapes = shapes[near]
    body = fill(shapes, rng.uniform(0.05, 0.22, len(shapes)).astype(np.float32), side, mpp)
    inner = cv2.GaussianBlur(body, (0, 0), max(0.4, 0.5 / mpp))
    rim = np.abs(body - inner)
    return np.asarray(body + rng.uniform(1.0, 4.0) * rim, dtype=np.float32)


def draw_confusers(
    rng: np.random.Generator, side: int, mpp: float, layout: Layout, tumour: Mask
) -> tuple[Field, Field]:
    """Brown and dark that is no membrane: (DAB density, ground density), both (side, side).

    Pigment granules, staining of the tissue's edge and of necrotic tissue, a crush or fold band,
    and a faint even blush. None of it counts for the score.
    """
    dab = np.zeros((side, side), np.float32)
    ground = np.zeros((side, side), np.float32)
    if rng.random() < 0.12:
        # pigment and precipitate: sharp dark granules, in or beside the tissue
        count = int(rng.integers(3, 40))
        grains = _ellipses(
            rng, count, side * mpp, (0.4, 1.6), (0.4, 1.2), rng.uniform(0, np.pi, count)
        )
        grain = fill(grains, rng.uniform(0.4, 1.6, count).astype(np.float32), side, mpp)
        dab += grain * np.float32(rng.uniform(0.3, 1.0))
        ground += grain * np.float32(rng.uniform(0.0, 0.6))
    if rng.random() < 0.15 and layout.glass.any():
        # edge artefact: reagent pooled along the border of the tissue
        width = rng.uniform(2, 12) / mpp
        near_edge = cv2.GaussianBlur(layout.glass.astype(np.float32), (0, 0), width)
        dab += np.float32(rng.uniform(0.1, 0.6)) * near_edge * (~layout.glass)
    if rng.random() < 0.08:
        # necrosis: smudged, no membranes, some diffuse brown
        dead = smooth_noise(rng, side, 60 / mpp) > rng.uniform(0.9, 1.6)
        soft = cv2.GaussianBlur(dead.astype(np.float32), (0, 0), 3 / mpp)
        smear = np.clip(1 + 0.5 * smooth_noise(rng, side, 3 / mpp), 0, 2.5)
        dab += np.float32(rng.uniform(0.02, 0.18)) * soft * smear
        ground += np.float32(rng.uniform(0.02, 0.15)) * soft * smear
    if rng.random() < 0.07:
        # crush or fold: a dark band
        band = np.abs(fibres(rng, side, rng.uniform(20, 45) / mpp, rng.uniform(0, np.pi)))
        fold = np.clip(1 - band / rng.uniform(0.1, 0.3), 0, 1)
        ground += np.float32(rng.uniform(0.05, 0.25)) * fold * (~layout.glass)
    if rng.random() < 0.3:
        # unspecific blush over everything that is tissue
        blush = np.clip(1 + 0.6 * smooth_noise(rng, side, 40 / mpp), 0, 3)
        dab += np.float32(rng.uniform(0.0, 0.05)) * blush * (~layout.glass)
    if rng.random() < 0.15:
        # brown fibres of stroma
        strands = np.clip(fibres(rng, side, rng.uniform(1, 3) / mpp, rng.uniform(0, np.pi)), 0, 3)
        dab += np.float32(rng.uniform(0.01, 0.07)) * strands * (~tumour) * (~layout.glass)
    return dab, ground
