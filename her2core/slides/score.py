"""The score of a slide or core by each reader, and what decided it.

A network scores a slide by the share of assessable regions in each grade: the highest grade that
enough of them reach (`scores.highest_reached`), as a pathologist scores a tumour by the share of
cells. The stain measurement applies the ASCO/CAP rule itself to the tumour-like cells of
all regions together. The score of the slide is the middle one of the readers' scores. A region is
as wide as a patch that is scored by itself, so that one is enough for a network's score; that they
are few is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from her2core.scores import HER2Score, highest_reached
from her2core.slides.readings import OTHER_STAIN, RegionReading, SlideReading
from her2core.stain.reading import PREFIX, StainReading, pooled_score
from her2core.stain.report import FOREIGN_COLOURS
from her2core.stain.thresholds import StainThresholds

# a core of 0.6 mm has about six regions of 200 µm
_FEW_REGIONS = 3
_FAR_APART = 2
HOTTEST = 6
# from this share on the whole slide is called so
_MOSTLY = 0.5
_OTHER = "Not assessable: the colours are not those of HER2 in brown DAB."


@dataclass(frozen=True)
class ReaderScore:
    """What one reader says.

    Attributes:
        reader: architecture of the network, or "stain".
        score: None where it cannot be told.
        shares: of assessable regions (networks) or tumour-like cells (stain) by grade or pattern,
            together 1; None without any.
        n: of these regions or cells.
        h_score: of the cells, [0, 300]; None for the networks.
        reason: why there is no score, one sentence.
    """

    reader: str
    score: HER2Score | None
    shares: tuple[float, float, float, float] | None
    n: int
    h_score: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class SlideScore:
    """The scores of a slide, or of one core of a microarray.

    Attributes:
        core: name of the core, empty for a slide.
        readers: networks in their order, then the stain measurement.
        regions: that were read; `assessable` of them count for the networks.
        unfamiliar: share of the regions that are unlike what a network knows; None without any.
        hottest: the regions that weigh most, the hottest first.
        remarks: sentences on what puts the scores in doubt.
    """

    core: str
    readers: tuple[ReaderScore, ...]
    regions: int
    assessable: int
    unfamiliar: float | None
    hottest: tuple[RegionReading, ...]
    remarks: tuple[str, ...]

    @property
    def score(self) -> HER2Score | None:
        """The middle one of the readers' scores, of two the lower; None without any."""
        scores = sorted(one.score for one in self.readers if one.score is not None)
        return scores[(len(scores) - 1) // 2] if scores else None

    @property
    def is_assessable(self) -> bool:
        """Whether any reader gives a score."""
        return any(one.score is not None for one in self.readers)


def score_slide(
    reading: SlideReading, readers: Sequence[str], thresholds: StainThresholds
) -> tuple[SlideScore, ...]:
    """The score of the slide, or of each core of a microarray in the order of rows and columns.

    Args:
        reading: what was read.
        readers: architectures of the networks.
        thresholds: of the stain measurement.
    """
    names = reading.cores or ("",)
    return tuple(
        score_regions(
            name, [one for one in reading.regions if one.region.core == name], readers, thresholds
        )
        for name in names
    )


def score_regions(
    core: str,
    regions: Sequence[RegionReading],
    readers: Sequence[str],
    thresholds: StainThresholds,
) -> SlideScore:
    """The scores of these regions together."""
    used = [one for one in regions if one.left_out is None]
    counted = [one for one in used if one.is_assessable]
    strange = sum(one.is_unfamiliar for one in used) / len(used) if used else None
    codes = Counter(code for one in used for code in set(one.findings))
    other = sum(codes[code] for code in OTHER_STAIN)
    remarks = []
    scores = (*(_network(reader, counted) for reader in readers), _stain(used, thresholds))
    if used and other > _MOSTLY * len(used):
        remarks.append(_OTHER)
        scores = tuple(replace(one, score=None, reason=_OTHER) for one in scores)
    if 0 < len(counted) < _FEW_REGIONS:
        few = "One region holds" if len(counted) == 1 else f"{len(counted)} regions hold"
        remarks.append(f"{few} enough tumour for a score of the networks: little to go by.")
    said = [one.score for one in scores if one.score is not None]
    if said and max(said) - min(said) >= _FAR_APART:
        remarks.append("The readers are two grades or more apart; look at the hottest regions.")
    if strange is not None and strange > _MOSTLY:
        remarks.append(
            "Most regions are unlike what the networks know; make sure that it is HER2 in brown "
            "DAB, and do not rely on the scores."
        )
    hottest = sorted(counted, key=lambda one: -one.mean_grade)[:HOTTEST]
    return SlideScore(
        core,
        scores,
        len(regions),
        len(counted),
        strange,
        tuple(hottest),
        tuple(remarks),
    )


def _network(reader: str, regions: Sequence[RegionReading]) -> ReaderScore:
    grades = [
        verdict.score
        for one in regions
        for verdict in one.verdicts
        if verdict.architecture == reader
    ]
    count = len(grades)
    shares = None
    if count:
        zero, one_plus, two_plus, three_plus = (grades.count(score) / count for score in HER2Score)
        shares = (zero, one_plus, two_plus, three_plus)
    if not count:
        reason = "Not assessable: no region with enough tumour for a score."
        return ReaderScore(reader, None, None, 0, None, reason)
    return ReaderScore(reader, highest_reached(grades), shares, count)


def _stain(regions: Sequence[RegionReading], thresholds: StainThresholds) -> ReaderScore:
    readings = [one.stain for one in regions if one.stain.reason != FOREIGN_COLOURS]
    score, _, counts = pooled_score([one.counts for one in readings], thresholds)
    whole = StainReading("", counts, score, None)
    reason = None
    if score is None:
        reason = (
            f"Too few cells: {whole.cells or 'no'} tumour-like cells found, "
            f"{thresholds.least_cells} are needed for a score."
        )
    return ReaderScore(PREFIX, score, whole.shares, whole.cells, whole.h_score, reason)
