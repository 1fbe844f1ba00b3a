"""The typed records that pass between pages and the review store. No SQL here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from her2core.models.assessable import Assessability, assess_tumour
from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Square
from her2core.reviews.answer import Answer
from her2core.scores import HER2Score
from her2core.stain.reading import StainReading


@dataclass(frozen=True)
class Origin:
    """Where on a slide a patch was taken.

    Attributes:
        slide: name of the slide's file.
        x, y: upper left corner in pixels of the slide's full resolution.
        size: side in these pixels.
        um_per_pixel: how large they are.
        core: of a tissue microarray that it lies in, as "B3"; empty elsewhere.
        whole: it is a small picture of the whole slide or core, which stands for that in the log:
            no patch that anybody reads, and in no worklist.
        estimated: the scale was estimated from the nuclei.
    """

    slide: str
    x: int
    y: int
    size: int
    um_per_pixel: float
    core: str = ""
    whole: bool = False
    estimated: bool = False


@dataclass(frozen=True)
class PatchRecord:
    """A patch the store knows.

    `warnings` are the quality sentences shown to the reviewer; `origin` says where on a slide it
    was taken, if it was. A table beside the upload may have named its slide or case (`case`, else
    empty) and the score it is known by (`label`), which is hidden like a verdict.
    """

    sha256: str
    name: str
    width: int
    height: int
    received_at: datetime
    warnings: tuple[str, ...] = ()
    origin: Origin | None = None
    case: str = ""
    label: HER2Score | None = None

    @property
    def slide_or_case(self) -> str:
        """What the patch is grouped by: the case it was given, else the slide it was taken from."""
        return self.case or ("" if self.origin is None else self.origin.slide)


@dataclass(frozen=True, kw_only=True)
class ReviewDraft(Answer):
    """A reviewer's answer that is to be recorded.

    Attributes:
        patch_sha256: the patch reviewed (must be known to the store).
        square: the part of the image the models saw.
        reviewer: name of the reviewer, 1 to 80 characters.
        verdicts: the verdicts of the models for this square, shown or (blind) kept hidden.
        agrees: architecture -> True (agree), False (disagree) or None (not answered; always None
            for a blind review, because the verdicts were hidden).
        seconds: time spent on the patch, >= 0.
        blind: the verdicts stayed hidden until the score was saved, and were never shown to this
            reviewer before; the store refuses it where it knows better.
        supersedes: id of the earlier review by the same reviewer that this one corrects.
        stain: what the stain measurement said of this square, None where it was not measured.
    """

    patch_sha256: str
    square: Square
    reviewer: str
    verdicts: tuple[Verdict, ...]
    agrees: Mapping[str, bool | None]
    own_score: HER2Score
    seconds: float = 0.0
    blind: bool = False
    supersedes: int | None = None
    stain: StainReading | None = None


@dataclass(frozen=True, kw_only=True)
class Review(Answer):
    """A recorded answer; never changed once written.

    `entry_hash` is the sha256 over this entry's canonical JSON and `previous_hash`, the hash of
    the entry before it; `superseded_by` is set where a later entry corrects this one.
    """

    id: int
    recorded_at: datetime
    patch: PatchRecord
    square: Square
    reviewer: str
    verdicts: tuple[Verdict, ...]
    agrees: Mapping[str, bool | None]
    own_score: HER2Score
    seconds: float
    blind: bool
    supersedes: int | None
    superseded_by: int | None
    previous_hash: str
    entry_hash: str
    stain: StainReading | None = None

    def verdict(self, architecture: str) -> Verdict | None:
        """The verdict of one architecture, or None where that model gave none."""
        return next((v for v in self.verdicts if v.architecture == architecture), None)

    def assessability(self) -> Assessability:
        """Whether the square held enough tumour cells for a score."""
        return assess_tumour(self.verdicts, self.stain, self.square.size)


@dataclass(frozen=True)
class ReviewFilter:
    """Which reviews to list; an empty field does not narrow.

    Attributes:
        reviewers: names.
        scores: the reviewer's own scores.
        agreement: "agrees" (own score equals every model's), "disagrees" (differs from one).
        model_gap: grades between the two models' verdicts: any of 0, 1, 2, 3.
        since, until: inclusive bounds on the time of recording (UTC).
        text: case-insensitive part of the comment, the file name or the sha256.
        include_superseded: also list entries that a later one corrects.
    """

    reviewers: tuple[str, ...] = ()
    scores: tuple[HER2Score, ...] = ()
    agreement: Literal["any", "agrees", "disagrees"] = "any"
    model_gap: tuple[int, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    include_superseded: bool = False


@dataclass(frozen=True)
class WorklistItem:
    """A patch as one reviewer's worklist shows it.

    `review_id` is this reviewer's current review of it, None while unreviewed; `verdicts` are the
    latest ones of the models in use (empty until they have read the patch), of the centred square
    where all of them have read it, `stain` the latest stain reading of the same square; `earlier`
    names the architectures of which only a model no longer in use has read it.
    """

    patch: PatchRecord
    verdicts: tuple[Verdict, ...] = ()
    review_id: int | None = None
    stain: StainReading | None = None
    earlier: frozenset[str] = frozenset()
