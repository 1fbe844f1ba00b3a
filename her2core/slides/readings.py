"""What the readers said of each region, and how it is kept: one JSON file a slide."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TypeVar

from her2core.common.strict_json import ShapeError, read_text
from her2core.models.verdict import Verdict
from her2core.preprocessing.glass import Colour
from her2core.preprocessing.quality.findings import EOSIN, GREY, NOT_IHC
from her2core.slides.regions import Region
from her2core.slides.slide import SlideFacts
from her2core.stain.reading import StainReading

# codes of findings with which a region is no HER2 in brown DAB
OTHER_STAIN = frozenset({EOSIN.code, NOT_IHC.code, GREY.code})


@dataclass(frozen=True)
class RegionReading:
    """One region as it was read.

    Attributes:
        region: where it lies.
        verdicts: of the networks.
        stain: of the stain measurement.
        left_out: why nothing in it counts: pen, blur, no tissue (codes of
            `preprocessing.quality`); None where it counts.
        not_assessable: why the networks' verdicts do not count, one sentence; None where they do.
        findings: codes of what else the quality checks found.
    """

    region: Region
    verdicts: tuple[Verdict, ...]
    stain: StainReading
    left_out: str | None = None
    not_assessable: str | None = None
    findings: tuple[str, ...] = ()

    @property
    def is_assessable(self) -> bool:
        """Whether the networks' verdicts count."""
        other = not OTHER_STAIN.isdisjoint(self.findings)
        return self.left_out is None and self.not_assessable is None and not other

    @property
    def is_unfamiliar(self) -> bool:
        """Whether the input is unlike what a network knows."""
        return any(verdict.unfamiliar for verdict in self.verdicts)

    @property
    def mean_grade(self) -> float:
        """Expected grade, 0 to 3, over the networks; 0 without any."""
        return sum(map(expected_grade, self.verdicts)) / max(1, len(self.verdicts))


@dataclass(frozen=True)
class SlideReading:
    """Everything that was read of one slide.

    Attributes:
        name: of its file.
        facts: what the file says of itself.
        um_per_pixel: the scale that was used.
        scale_source: "given", "file" or "nuclei".
        glass: colour of unstained glass by which regions were balanced; None where there is none.
        tissue_mm2: area of tissue.
        notes: sentences on what a person should know.
        cores: names of the cores of a microarray, row by row; empty elsewhere.
        regions: what was read, in the order of the grid.
    """

    name: str
    facts: SlideFacts
    um_per_pixel: float
    scale_source: str
    glass: Colour | None
    tissue_mm2: float
    notes: tuple[str, ...]
    cores: tuple[str, ...]
    regions: tuple[RegionReading, ...]

    @property
    def tissue_read(self) -> float | None:
        """Share of the tissue that lies in the regions; None without any.

        Squares of little tissue are left out, and at a slide's edges no whole one may fit.
        """
        if not self.tissue_mm2:
            return None
        sides = ((one.region, one.region.size * self.um_per_pixel) for one in self.regions)
        return min(1.0, sum(one.tissue * side**2 for one, side in sides) / 1e6 / self.tissue_mm2)


@dataclass(frozen=True)
class Part:
    """The regions of one task, as they are kept until the slide is finished."""

    regions: tuple[RegionReading, ...]


Kept = TypeVar("Kept", SlideReading, Part)


def expected_grade(verdict: Verdict) -> float:
    """Mean of the grades 0 to 3 under the verdict's probabilities."""
    return sum(grade * chance for grade, chance in enumerate(verdict.probabilities))


def to_json(kept: SlideReading | Part) -> bytes:
    """As text for a file; the same readings give the same bytes."""
    return json.dumps(asdict(kept), separators=(",", ":"), ensure_ascii=False).encode()


def from_json(kind: type[Kept], data: bytes) -> Kept | None:
    """What `to_json` wrote of this kind; None where it is anything else."""
    try:
        return read_text(kind, data.decode(), "what was read", "the file")
    except (ShapeError, UnicodeDecodeError):
        return None
