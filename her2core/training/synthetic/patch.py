"""One synthetic patch: tissue, cells, staining and camera put together, with its truth."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from her2core.scores import HER2Score
from her2core.training.synthetic import cells as cell_plane
from her2core.training.synthetic import optics, tissue
from her2core.training.synthetic.noise import Field, smooth_noise
from her2core.training.synthetic.staining import MembraneStain, StainTruth, draw_staining

# DAB optical density from which a membrane stands out, and the least share of the picture it takes
VISIBLE_DENSITY = 0.08
LEAST_VISIBLE = 0.025


@dataclass(frozen=True)
class GeneratorConfig:
    """What varies between patches.

    Attributes:
        size: side of the picture in pixels.
        field_um: the side of the field in µm is drawn log-uniformly from this range.
        cell_um: range of mean tumour cell diameters in µm.
        variety: how far cameras and stains stray from the fitted scanner; 1 is the training range.
        stroma_only: share of class-0 patches without any tumour cell.
        breast: draw also what is usual in breast and fools a reader: fat, filled ducts, sheets of
            lymphocytes, broad membranes, and much cytoplasmic brown in 0 and 1+.
    """

    size: int = 224
    field_um: tuple[float, float] = (50.0, 300.0)
    cell_um: tuple[float, float] = (9.0, 19.0)
    variety: float = 1.0
    stroma_only: float = 0.25
    breast: bool = True


@dataclass(frozen=True)
class SyntheticPatch:
    """A picture and what is true of it.

    Attributes:
        rgb: uint8 (size, size, 3).
        score: the class, equal to `truth.score`.
        truth: shares of the tumour cells by membrane staining.
        field_um: side of the field in µm.
        membrane: boolean (size, size), true on visibly stained membrane.
        centres: float64 (n, 2), x and y of the tumour cells' centres in pixels; the last bending of
            the section moves them by about a micrometre, some lie just outside.
        staining: how each of these n cells was stained.
    """

    rgb: npt.NDArray[np.uint8]
    score: HER2Score
    truth: StainTruth
    field_um: float
    membrane: npt.NDArray[np.bool_]
    centres: npt.NDArray[np.float64]
    staining: MembraneStain


def make_patch(
    score: HER2Score,
    rng: np.random.Generator,
    config: GeneratorConfig | None = None,
) -> SyntheticPatch:
    """Make one patch of class `score`; the same generator state gives the same bytes.

    A layout with too few visible tumour cells is drawn anew, and so is a picture of a stained class
    whose membranes nobody could see: a label that cannot be read off the picture is noise.
    """
    config = config or GeneratorConfig()
    stroma_only = score is HER2Score.ZERO and rng.random() < config.stroma_only
    while True:
        field_um = float(np.exp(rng.uniform(*np.log(config.field_um))))
        # membranes are about 1 µm wide: draw finer than that, then let the camera average
        side = config.size * (2 if field_um < 0.55 * 2 * config.size else 3)
        mpp = field_um / side
        layout = tissue.lay_out_tissue(
            rng, side, mpp, tumour_wanted=not stroma_only, breast=config.breast
        )
        tumour_cells = _tumour_cells(rng, config, field_um, mpp, layout)
        if not stroma_only and len(tumour_cells.centres) < 8:
            continue
        patch = _paint(score, rng, config, field_um, mpp, layout, tumour_cells)
        if score is HER2Score.ZERO or patch.membrane.mean() >= LEAST_VISIBLE:
            return patch


def _tumour_cells(
    rng: np.random.Generator,
    config: GeneratorConfig,
    field_um: float,
    mpp: float,
    layout: tissue.Layout,
) -> cell_plane.Cells:
    """Cells whose centre lies in the field, on tumour and not on glass."""
    found = cell_plane.lay_out_cells(rng, field_um, float(rng.uniform(*config.cell_um)))
    side = layout.tumour.shape[0]
    at = np.floor(found.centres / mpp).astype(int)
    visible = np.all((at >= 0) & (at < side), axis=1)
    clipped = np.clip(at, 0, side - 1)
    grows = (
        layout.tumour[clipped[:, 1], clipped[:, 0]] & ~layout.glass[clipped[:, 1], clipped[:, 0]]
    )
    # cells whose centre lies just outside are kept too: their rims reach into the field
    margin = np.all((at > -0.1 * side) & (at < 1.1 * side), axis=1)
    kept = found.keep(grows & margin)
    inside = int((grows & visible).sum())
    return kept if inside >= 8 else found.keep(np.zeros(len(grows), bool))


def _paint(
    score: HER2Score,
    rng: np.random.Generator,
    config: GeneratorConfig,
    field_um: float,
    mpp: float,
    layout: tissue.Layout,
    cells: cell_plane.Cells,
) -> SyntheticPatch:
    side = layout.tumour.shape[0]
    stain = draw_staining(score, _clustering(rng, cells, side, mpp), rng)
    # half the time as pale as the fitted scanner's slides, else the whole range of laboratories
    pale = rng.random() < 0.5 or config.variety == 0
    nucleus_density = float(np.exp(rng.uniform(*np.log((0.08, 0.26) if pale else (0.12, 0.50)))))
    count = len(cells.centres)

    tumour_area = cell_plane.fill(cells.outlines, np.ones(count, np.float32), side, mpp)
    tumour = tumour_area > 0
    stroma_h, stroma_g = tissue.draw_stroma(rng, side, mpp, nucleus_density, breast=config.breast)
    outside = (~tumour & ~layout.glass).astype(np.float32)
    haematoxylin = stroma_h * outside
    ground = stroma_g * outside
    if pale:
        haematoxylin = np.float32(0.8) * haematoxylin + np.float32(0.25) * ground
        ground *= np.float32(0.35)

    level = rng.uniform(0.02, 0.08) if pale else rng.uniform(0.05, 0.15)
    cytoplasm = level * np.exp(rng.normal(0, 0.12, count))
    granular = np.clip(
        1 + 0.2 * smooth_noise(rng, side, 1.0 / mpp) + 0.2 * smooth_noise(rng, side, 30 / mpp),
        0.3,
        2.0,
    )
    body = cell_plane.fill(cells.outlines, cytoplasm.astype(np.float32), side, mpp) * granular
    blue_share = np.float32(rng.uniform(0.5, 0.9) if pale else rng.uniform(0.2, 0.6))
    haematoxylin += blue_share * body
    ground += (1 - blue_share) * body
    nuclei = cell_plane.draw_nuclei(
        cells.nuclei,
        (nucleus_density * np.exp(rng.normal(0, 0.22, count))).astype(np.float32),
        side,
        mpp,
        rng,
        vesicular=float(rng.beta(2.0, 1.2)),
    )
    haematoxylin = np.maximum(haematoxylin, nuclei)
    for duct in layout.ducts:
        benign_h, benign_g = tissue.draw_duct(rng, duct, side, mpp, nucleus_density, level)
        haematoxylin = np.where(duct.wall, benign_h, haematoxylin)
        ground = np.where(duct.wall, benign_g, ground)
    if rng.random() < 0.4:
        ground += tissue.draw_red_cells(rng, side, mpp, ~tumour)

    membranes = _membranes(rng, cells, stain, side, mpp, config.breast)
    dab = membranes + _cytoplasmic_brown(
        rng, config.breast and score <= HER2Score.ONE_PLUS, cells, stain, side, mpp, nuclei
    )
    # dense chromogen hides the counterstain beneath it, as unmixing real slides shows
    haematoxylin = haematoxylin * np.exp(-np.float32(4.0) * dab)
    ground = ground * np.exp(-np.float32(1.5) * dab)
    extra_dab, extra_ground = tissue.draw_confusers(rng, side, mpp, layout, tumour)
    densities = optics.Densities(haematoxylin, dab + extra_dab, ground + extra_ground)
    softened = _soften(densities, 0.25 / mpp)
    wobble = _wobble(rng, side, mpp)
    softened = optics.Densities(*(wobble(layer) for layer in vars(softened).values()))
    camera = optics.draw_camera(rng, config.variety)
    visible = cv2.resize(
        wobble(membranes), (config.size, config.size), interpolation=cv2.INTER_AREA
    )
    return SyntheticPatch(
        rgb=optics.expose(softened, camera, config.size, rng),
        score=score,
        truth=stain.truth(),
        field_um=field_um,
        membrane=visible > VISIBLE_DENSITY,
        centres=cells.centres * (config.size / field_um),
        staining=stain,
    )


def _clustering(
    rng: np.random.Generator, cells: cell_plane.Cells, side: int, mpp: float
) -> npt.NDArray[np.float32]:
    field = smooth_noise(rng, side, rng.uniform(25, 80) / mpp)
    at = np.clip((cells.centres / mpp).astype(int), 0, side - 1)
    return np.asarray(field[at[:, 1], at[:, 0]], dtype=np.float32)


def _membranes(
    rng: np.random.Generator,
    cells: cell_plane.Cells,
    stain: MembraneStain,
    side: int,
    mpp: float,
    breast: bool,
) -> Field:
    """Membrane DAB with the beads, thin stretches and blur of a real chromogen."""
    broad = breast and rng.random() < 0.25
    width = float(rng.uniform(1.1, 1.9) if broad else rng.uniform(0.5, 1.15))
    sharp = cell_plane.draw_membranes(cells, stain, side, mpp, width, rng)
    if rng.random() < 0.6:
        # a section is thicker than a membrane: one that leans shows as a fainter, shifted double
        lean = _wobble(rng, side, mpp)(sharp) * np.float32(rng.uniform(0.2, 0.7))
        sharp = np.maximum(sharp, cv2.GaussianBlur(lean, (0, 0), max(0.5, 0.5 / mpp)))
    uneven = 1 + rng.uniform(0.1, 0.4) * smooth_noise(rng, side, 1.6 / mpp)
    uneven = uneven + rng.uniform(0.0, 0.25) * smooth_noise(rng, side, 6 / mpp)
    blurred = cv2.GaussianBlur(
        sharp * np.clip(uneven, 0.35, 1.8), (0, 0), max(0.5, rng.uniform(0.18, 0.45) / mpp)
    )
    return np.asarray(blurred, dtype=np.float32)


def _cytoplasmic_brown(
    rng: np.random.Generator,
    often: bool,
    cells: cell_plane.Cells,
    stain: MembraneStain,
    side: int,
    mpp: float,
    nuclei: Field,
) -> Field:
    """Brown inside the cells: what accompanies strong membranes, and what stands without any."""
    count = len(cells.centres)
    level = stain.density * rng.uniform(0.0, 0.32)
    if rng.random() < (0.5 if often else 0.25):
        # cytoplasmic staining without membranes fools readers, in every class
        most = 0.32 if often and rng.random() < 0.5 else 0.14
        level = level + rng.uniform(0.02, most) * np.exp(rng.normal(0, 0.3, count))
        # where a membrane is stained it still stands out, or no reader could score it
        least = (0.8 if often else 0.45) * stain.density
        level = np.where(stain.density > 0, np.minimum(level, least), level)
    brown = cell_plane.fill(cells.outlines, level.astype(np.float32), side, mpp)
    grain = 1 + rng.uniform(0.1, 0.7) * smooth_noise(rng, side, rng.uniform(0.8, 2.5) / mpp)
    spared = 1 - rng.uniform(0.3, 0.9) * (nuclei > 0)
    soft = cv2.GaussianBlur(brown, (0, 0), 0.8 / mpp)
    return np.asarray(soft * np.clip(grain, 0.1, 2.5) * spared, dtype=np.float32)


def _wobble(rng: np.random.Generator, side: int, mpp: float) -> Callable[[Field], Field]:
    """Draw one irregular bending of the whole section; no membrane is as smooth as a polygon."""
    yy, xx = np.mgrid[0:side, 0:side].astype(np.float32)
    shifts = [
        np.float32(rng.uniform(0.15, 0.55) / mpp)
        * smooth_noise(rng, side, rng.uniform(2.5, 5) / mpp)
        + np.float32(rng.uniform(0.0, 1.2) / mpp) * smooth_noise(rng, side, 14 / mpp)
        for _ in range(2)
    ]

    def bend(layer: Field) -> Field:
        moved = cv2.remap(
            layer, xx + shifts[0], yy + shifts[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
        return np.asarray(moved, dtype=np.float32)

    return bend


def _soften(densities: optics.Densities, sigma: float) -> optics.Densities:
    """The section is some µm thick: nothing in it is sharper than about a quarter of a µm."""
    if sigma < 0.3:
        return densities
    return replace(
        densities,
        haematoxylin=cv2.GaussianBlur(densities.haematoxylin, (0, 0), sigma),
        ground=cv2.GaussianBlur(densities.ground, (0, 0), sigma),
    )
