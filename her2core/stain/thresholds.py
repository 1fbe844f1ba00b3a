"""Every number that decides what a measured cell, and then a patch, is called."""

from dataclasses import dataclass

from her2core.scores import RULE_SHARE


@dataclass(frozen=True)
class StainThresholds:
    """What counts as stained, complete, intense, and as enough.

    The rule's share is the guideline's (`her2core.scores`). The guideline describes staining in
    words ("faint, barely perceptible", "weak to moderate", "intense"), so the densities are this
    project's: chosen so that synthetic patches of known truth and eleven real cores from one
    scanner both come out right (`python -m benchmarks.stain`). Another stainer or scanner may need
    others.

    Attributes:
        line_density: least DAB optical density by which a line must stand out of its surroundings
            to be membrane. On patches of two unstained real cores 0.5 % of the cells at most have
            that much of a line round a quarter of their rim, of a 1+ core 18 %; at 0.045, the value
            before, a quarter of those faint rims was found.
        line_share: least part of the density on the rim that must be line. A membrane is mostly
            line; cytoplasmic brown is mostly plateau.
        clear_line: a rim whose lines stand out this far (DAB optical density) is membrane without
            further proof.
        membrane_odds: log odds from which fainter lines are believed to be membrane (belief.py).
            Chosen on other patches (seeds 9101 and 9202) among 0, -1, -1.6 and -2.2: above it more
            faint rims are missed, below it nearly twice as much brown without membrane passes.
        falls_off: share by which the density of a fainter line must fall within 1.5 µm on either
            side: the edge of a brown area is no membrane.
        tumour_odds: log odds from which a cell counts as tumour-like (tumour.py). A higher value
            errs less on cells, but leaves more patches with too few of them for a score.
        stained_completeness: least share of the rim that is stained in a stained cell; below it is
            also what an unstained cell borrows from a stained neighbour.
        complete: share of the rim from which staining is complete. Less than 1, because lumens,
            overlaps and tangentially cut membranes leave gaps in every circumferential ring.
        moderate_density, intense_density: DAB optical density (70th percentile over the stained
            rim) from which a complete membrane is weak to moderate, and intense.
        positive_share: the share of ASCO/CAP 2018 (Wolff et al., J Clin Oncol 36:2105), affirmed
            2023 (J Clin Oncol 41:3867); a pattern counts when *more* than this share shows it.
        noise_share: a share below it is measuring noise and decides nothing.
        foreign_share: an image whose absorption is explained less than this well by the two
            stains (noise, other stains, photographs) gets no score.
        least_cells: fewest cells with which a score is given. The guideline names no number for
            IHC; 20 is its number of cells for ISH.
        coarsest_um_per_pixel: above it there is no score. A membrane is about 1 µm across; on
            synthetic patches of known truth one score in eight was wrong below 0.7 µm per pixel
            and seven in eleven above.
    """

    line_density: float = 0.03
    line_share: float = 0.25
    clear_line: float = 0.12
    membrane_odds: float = -1.6
    falls_off: float = 0.15
    tumour_odds: float = -0.4
    stained_completeness: float = 0.25
    complete: float = 0.65
    moderate_density: float = 0.30
    intense_density: float = 0.75
    positive_share: float = RULE_SHARE
    noise_share: float = 0.01
    foreign_share: float = 0.10
    least_cells: int = 20
    coarsest_um_per_pixel: float = 0.7

    def __post_init__(self) -> None:
        shares = (self.stained_completeness, self.complete, self.positive_share, self.noise_share)
        if not all(0 < share < 1 for share in (*shares, self.line_share)):
            raise ValueError("Stain thresholds that are shares must lie between 0 and 1.")
        if not 0 < self.line_density <= self.moderate_density < self.intense_density:
            raise ValueError("Stain densities must be positive and rise from line to intense.")
        if self.stained_completeness > self.complete or self.least_cells < 1:
            raise ValueError("A complete membrane cannot be less than a stained one.")
        if not self.coarsest_um_per_pixel > 0:
            raise ValueError("The coarsest scale must be a positive number of micrometres.")
