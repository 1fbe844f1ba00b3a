"""The columns of the exported review log: stable names, kinds, what each one means, its value."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from her2core.models.architectures import ARCHITECTURES
from her2core.models.verdict import Verdict
from her2core.reviews.records import Review
from her2core.reviews.schema import utc_text
from her2core.reviews.worklist import model_gap, reader_gap
from her2core.scores import RESEARCH_NOTICE, RULE_TEXT, HER2Score
from her2core.stain.cells import Pattern

Value = str | bool | int | float | None


@dataclass(frozen=True)
class ExportOptions:
    """What goes into an export.

    Attributes:
        include_names: also export the names of files, which may identify patients.
    """

    include_names: bool = False


@dataclass(frozen=True)
class Column:
    """A column of the export; another one is an entry here and nothing else.

    Attributes:
        kind: what its values are, also where all are missing.
        name: stable, in lower case.
        description: what it means.
        read: how its value is read; None is an empty cell.
        width: in characters, of a spreadsheet; None: as its name needs.
        names_files: empty unless names of files are asked for.
    """

    kind: type[str] | type[bool] | type[int] | type[float]
    name: str
    description: str
    read: Callable[[Review], Value]
    width: int | None = None
    names_files: bool = False

    @property
    def title(self) -> str:
        """Its name in words, as a page heads it."""
        return self.name.replace("_", " ").capitalize()

    def value(self, review: Review, options: ExportOptions) -> Value:
        """Its value, of its kind; None where there is none, or it is not asked for."""
        return None if self.names_files and not options.include_names else self.read(review)


_text, _flag, _whole, _number = (partial(Column, kind) for kind in (str, bool, int, float))


def utc_iso(review: Review) -> str:
    """The time of recording as ISO 8601 in UTC with microseconds, as it is hashed."""
    return utc_text(review.recorded_at)


def _key(score: HER2Score | None) -> str | None:
    return None if score is None else score.key


_ENTRY = (
    _whole("review_id", "Number of the entry in the review log.", lambda r: r.id),
    _text("recorded_at", "When it was recorded: ISO 8601, UTC.", utc_iso),
    _text("reviewer", "Name of the reviewer.", lambda r: r.reviewer),
    _text("patch_sha256", "sha256 of the uploaded file.", lambda r: r.patch.sha256, 20),
    _text(
        "file_name",
        "Name of the uploaded file; empty unless asked for, as it may identify a patient.",
        lambda r: r.patch.name,
        30,
        names_files=True,
    ),
    _whole("square_x", "Left edge of the reviewed square, in pixels.", lambda r: r.square.x),
    _whole("square_y", "Upper edge of the reviewed square, in pixels.", lambda r: r.square.y),
    _whole("square_size", "Side of the reviewed square, in pixels.", lambda r: r.square.size),
)


def _origin(name: str) -> Callable[[Review], Value]:
    return lambda review: getattr(review.patch.origin, name, None)


_ORIGIN = (
    _text(
        "slide",
        "Slide that the patch was taken from; given as file_name is.",
        _origin("slide"),
        names_files=True,
    ),
    _whole(
        "slide_x", "Left edge of the patch in pixels of the slide's full resolution.", _origin("x")
    ),
    _whole("slide_y", "Upper edge of it, likewise.", _origin("y")),
    _whole("slide_size", "Side of it, likewise.", _origin("size")),
    _number(
        "slide_um_per_pixel", "How large these pixels are, in micrometres.", _origin("um_per_pixel")
    ),
    _text(
        "slide_core",
        "Core of a tissue microarray that it lies in, row and column as B3.",
        _origin("core"),
    ),
    _flag(
        "slide_whole",
        "yes: the whole slide or core was reviewed; no: a region of it.",
        _origin("whole"),
    ),
    _text(
        "case",
        "Slide or case that a table beside the upload named; given as file_name is.",
        lambda r: r.patch.case or None,
        20,
        names_files=True,
    ),
    _text(
        "given_label",
        "Score that a table beside the upload named; empty where there was none.",
        lambda r: _key(r.patch.label),
    ),
)


def _stain(name: str) -> Callable[[Review], Value]:
    return lambda review: getattr(review.stain, name, None)


def _share_of(pattern: Pattern) -> Column:
    return _number(
        f"stain_share_{pattern.name.lower()}",
        f"Share of the cells whose membrane staining is {pattern.label}, 0 to 1.",
        lambda r: r.stain.shares[pattern] if r.stain and r.stain.shares else None,
    )


_STAIN = (
    _text(
        "stain_method",
        "Version of the stain measurement (no network) and its thresholds; empty: none was made.",
        _stain("method"),
    ),
    _text(
        "stain_score",
        "Score of the stain measurement; empty where it cannot be told, see stain_reason.",
        lambda r: _key(r.stain.score if r.stain else None),
    ),
    _text("stain_reason", "Why the stain measurement gave no score.", _stain("reason"), 40),
    _flag(
        "stain_ultralow",
        f"yes: a 0 with membrane staining in some cells, {RULE_TEXT} at most (HER2-ultralow).",
        _stain("ultralow"),
    ),
    _whole("stain_cells", "Tumour-like cells the stain measurement counted.", _stain("cells")),
    *(_share_of(pattern) for pattern in Pattern),
    _number(
        "stain_completeness",
        "Median share of the rim that is stained, over stained cells, 0 to 1.",
        _stain("completeness"),
    ),
    _number(
        "stain_intensity", "Median DAB optical density of the stained rims.", _stain("intensity")
    ),
    _number(
        "stain_um_per_pixel",
        "Scale the stain measurement went by, in micrometres per pixel.",
        _stain("um_per_pixel"),
    ),
)
_GAPS = (
    _whole(
        "model_gap",
        "Grades (0 to 3) between the models' scores; empty with fewer than two models.",
        lambda r: model_gap(r.verdicts),
    ),
    _whole(
        "reader_gap",
        "Grades (0 to 3) between models and stain measurement; empty with fewer than two scores.",
        lambda r: reader_gap(r.verdicts, r.stain),
    ),
    _text(
        "not_assessable",
        "Why the models see hardly any staining and the stain measurement too few tumour cells for "
        "a score; empty where it has enough, or cannot be told.",
        lambda r: r.assessability().reason,
        width=40,
    ),
)
# the fields of an answer, in exports and on the pages of the log
ANSWER = (
    _text("own_score", "The reviewer's own score.", lambda r: r.own_score.key),
    _text("confidence", "How sure the reviewer was: low, medium, high.", lambda r: r.confidence),
    _text(
        "comment",
        "The reviewer's comment; JSON has it to the letter, CSV with an apostrophe before whatever "
        "a spreadsheet might take for a formula.",
        lambda r: r.comment,
        60,
    ),
)
_RECORD = (
    _number("seconds", "Time spent on the patch, in seconds.", lambda r: r.seconds),
    _flag(
        "blind",
        "yes: until the score was saved, the models' verdicts had not been shown to this reviewer "
        "by any server of this database, as far as it was recorded (before schema 0013: by this "
        "server since it started).",
        lambda r: r.blind,
    ),
    _whole(
        "supersedes", "Number of the earlier entry which this one corrects.", lambda r: r.supersedes
    ),
    _whole(
        "superseded_by",
        "Number of the later entry which corrects this one.",
        lambda r: r.superseded_by,
    ),
    _text(
        "entry_hash",
        "sha256 over this entry and the hash of the one before it; shows a changed log.",
        lambda r: r.entry_hash,
        20,
    ),
    _text("notice", "What the log may be used for.", lambda _: RESEARCH_NOTICE, 30),
)


def _of_model(name: str) -> tuple[Column, ...]:
    def of(read: Callable[[Verdict], Value]) -> Callable[[Review], Value]:
        def value(review: Review) -> Value:
            verdict = review.verdict(name)
            return None if verdict is None else read(verdict)

        return value

    def probability(score: HER2Score) -> Column:
        return _number(
            f"{name}_p_{score.column}",
            f"Probability of {score.label} given by {name}, 0 to 1.",
            of(lambda v: v.probabilities[score]),
        )

    return (
        _text(
            f"{name}_model_id",
            f"Which {name} weights: name and start of their sha256; empty: no verdict.",
            of(lambda v: v.model_id),
        ),
        *map(probability, HER2Score),
        _text(f"{name}_score", f"Most probable score of {name}.", of(lambda v: v.score.key)),
        _flag(
            f"{name}_agrees",
            f"Whether the reviewer agreed with {name}; empty: not answered, or blind.",
            lambda r: r.agrees.get(name),
        ),
        _flag(f"{name}_demo", f"yes: {name} was a demonstration model.", of(lambda v: v.demo)),
        _number(
            f"{name}_novelty",
            f"How unlike the patches known to {name} this one is; above 1 it is "
            "unfamiliar; empty: not told.",
            of(lambda v: v.novelty),
        ),
        _text(
            f"{name}_backend",
            f"What ran {name}, with its version; empty: not recorded.",
            of(lambda v: v.backend or None),
        ),
    )


def columns_for(architectures: Iterable[str]) -> tuple[Column, ...]:
    """The columns when these architectures take part."""
    models = (column for name in architectures for column in _of_model(name))
    return (*_ENTRY, *_ORIGIN, *models, *_STAIN, *_GAPS, *ANSWER, *_RECORD)


COLUMNS = columns_for(tuple(ARCHITECTURES))


def answer_texts(review: Review) -> dict[str, str]:
    """Field of the answer -> its value as people read it; "" where it was not answered."""
    values = {column.name: column.read(review) for column in ANSWER}
    values["own_score"] = review.own_score.label
    return {name: "" if value is None else str(value) for name, value in values.items()}


def columns_of(reviews: Sequence[Review]) -> tuple[Column, ...]:
    """COLUMNS, and those of any other architecture that gave a verdict in these reviews."""
    seen = {verdict.architecture for review in reviews for verdict in review.verdicts}
    others = sorted(seen - set(ARCHITECTURES))
    return columns_for((*ARCHITECTURES, *others)) if others else COLUMNS
