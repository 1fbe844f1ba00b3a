"""What is done with a slide where it is read: in a worker process, or anywhere on a cluster.

Tasks and results are plain data, so that they travel. Networks are loaded once in a process and
must be those that were asked for: a bundle is verified by its checksums when it is loaded, and its
id, which covers its whole card, is compared.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from her2core.models.bundles.card import BundleError
from her2core.models.bundles.registry import chosen
from her2core.models.verdict import Verdict
from her2core.preprocessing.glass import Colour
from her2core.preprocessing.patches import Patch
from her2core.serving.loaded_model import LoadedModel
from her2core.settings import load_settings
from her2core.slides.geojson import Area
from her2core.slides.plan import Plan, plan_slide
from her2core.slides.reading import read_regions
from her2core.slides.readings import RegionReading
from her2core.slides.regions import Region
from her2core.slides.slide import Slide, SlideError, SlideFacts
from her2core.stain.thresholds import StainThresholds

_lock = threading.Lock()
_opened = threading.local()
_models: dict[tuple[str, str], LoadedModel] = {}


@dataclass(frozen=True)
class SlideOptions:
    """How slides are read.

    Attributes:
        models: (architecture, model id) of each network.
        side_um: side of a region.
        um_per_pixel: scale of all slides where it is known better than by their files.
        thresholds: of the stain measurement.
    """

    models: tuple[tuple[str, str], ...]
    side_um: float
    um_per_pixel: float | None
    thresholds: StainThresholds


@dataclass(frozen=True)
class Planned:
    """A slide's facts and what is to be read of it."""

    facts: SlideFacts
    plan: Plan


def plan(path: str, options: SlideOptions, areas: Sequence[Area]) -> Planned | str:
    """What is to be read of a slide, or the sentence that says why nothing is."""
    try:
        with Slide(Path(path)) as slide:
            found = plan_slide(
                slide,
                options.side_um,
                options.um_per_pixel,
                areas,
                options.thresholds.coarsest_um_per_pixel,
            )
            return Planned(slide.facts, found)
    except SlideError as error:
        return str(error)


def read(
    path: str,
    options: SlideOptions,
    glass: Colour | None,
    um_per_pixel: float,
    regions: Sequence[Region],
) -> tuple[RegionReading, ...] | str:
    """The readings of some regions of a slide, or the sentence that says why there are none."""
    try:
        models = [_model(architecture, model_id) for architecture, model_id in options.models]

        def networks(patches: Sequence[Patch]) -> list[tuple[Verdict, ...]]:
            columns = [
                model.read_many([(patch.key, model.inputs(patch)) for patch in patches])
                for model in models
            ]
            return [tuple(one.verdict for one in row) for row in zip(*columns, strict=True)]

        slide = _slide(Path(path))
        return read_regions(slide, regions, glass, um_per_pixel, networks, options.thresholds)
    except (SlideError, BundleError) as error:
        return str(error)


def _slide(path: Path) -> Slide:
    """The slide, open since this thread's last task where that was one of the same file.

    Raises:
        SlideError: it cannot be opened.
    """
    try:
        modified = path.stat().st_mtime_ns
    except OSError:
        modified = 0
    kept: tuple[Path, int, Slide] | None = getattr(_opened, "slide", None)
    if kept is not None and kept[:2] == (path, modified) and kept[2].is_open:
        return kept[2]
    if kept is not None:
        kept[2].close()
    slide = Slide(path)
    _opened.slide = (path, modified, slide)
    return slide


def _model(architecture: str, model_id: str) -> LoadedModel:
    """The network, loaded once in this process.

    Raises:
        BundleError: it is not here, damaged, or another one.
    """
    with _lock:
        known = _models.get((architecture, model_id))
        if known is None:
            settings = load_settings()
            folder = chosen(settings).get(architecture)
            if folder is None:
                raise BundleError(f"A worker has no bundle of {architecture}; set HER2_BUNDLES.")
            known = LoadedModel(folder, settings)
            if known.model_id != model_id:
                raise BundleError(
                    f"A worker has {known.model_id} in use instead of {model_id}; give all "
                    "machines the same bundles."
                )
            _models[architecture, model_id] = known
        return known
