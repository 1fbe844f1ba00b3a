"""The columns of the exported review log: stable names, what each one means, and its value."""

from collections.abc import Callable, Iterable, Sequence

from her2core.models.architectures import ARCHITECTURES
from her2core.reviews.export_column import Column, ExportOptions, Value
from her2core.reviews.records import Review
from her2core.reviews.schema import utc_text
from her2core.reviews.worklist import model_gap, reader_gap
from her2core.scores import RESEARCH_NOTICE, RULE_TEXT, HER2Score
from her2core.stain.cells import Pattern
from her2core.stain.reading import StainReading


def _yes_no(answer: bool | None) -> str | None:
    return None if answer is None else ("yes" if answer else "no")


def utc_iso(review: Review) -> str:
    """The time of recording as ISO 8601 in UTC with microseconds, as it is hashed."""
    return utc_text(review.recorded_at)


_ENTRY = (
    Column("review_id", "Number of the entry in the review log.", lambda r, _: r.id),
    Column("recorded_at", "When it was recorded: ISO 8601, UTC.", lambda r, _: utc_iso(r)),
    Column("reviewer", "Name of the reviewer.", lambda r, _: r.reviewer),
    Column("patch_sha256", "sha256 of the uploaded file.", lambda r, _: r.patch.sha256, 20),
    Column(
        "file_name",
        "Name of the uploaded file; empty unless asked for, as it may identify a patient.",
        lambda r, options: r.patch.name if options.include_names else None,
        30,
    ),
    Column("square_x", "Left edge of the reviewed square, in pixels.", lambda r, _: r.square.x),
    Column("square_y", "Upper edge of the reviewed square, in pixels.", lambda r, _: r.square.y),
    Column("square_size", "Side of the reviewed square, in pixels.", lambda r, _: r.square.size),
)


def _of_origin(name: str, description: str) -> Column:
    def value(review: Review, options: ExportOptions) -> Value:
        if name == "slide" and not options.include_names:
            return None
        found = getattr(review.patch.origin, name, None)
        return _yes_no(found) if isinstance(found, bool) else found

    return Column(name if name == "slide" else f"slide_{name}", description, value)


_ORIGIN = (
    _of_origin("slide", "Slide that the patch was taken from; given as file_name is."),
    _of_origin("x", "Left edge of the patch in pixels of the slide's full resolution."),
    _of_origin("y", "Upper edge of it, likewise."),
    _of_origin("size", "Side of it, likewise."),
    _of_origin("um_per_pixel", "How large these pixels are, in micrometres."),
    _of_origin("core", "Core of a tissue microarray that it lies in, row and column as B3."),
    _of_origin("whole", "yes: the whole slide or core was reviewed; no: a region of it."),
    Column(
        "case",
        "Slide or case that a table beside the upload named; given as file_name is.",
        lambda r, options: r.patch.case or None if options.include_names else None,
        20,
    ),
    Column(
        "given_label",
        "Score that a table beside the upload named; empty where there was none.",
        lambda r, _: None if r.patch.label is None else r.patch.label.key,
    ),
)


def _of_stain(read: Callable[[StainReading], Value]) -> Callable[[Review, ExportOptions], Value]:
    return lambda review, _: None if review.stain is None else read(review.stain)


def _share_of(pattern: Pattern) -> Column:
    return Column(
        f"stain_share_{pattern.name.lower()}",
        f"Share of the cells whose membrane staining is {pattern.label}, 0 to 1.",
        _of_stain(lambda reading: None if (s := reading.shares) is None else s[pattern]),
    )


_STAIN = (
    Column(
        "stain_method",
        "Version of the stain measurement (no network) and its thresholds; empty: none was made.",
        _of_stain(lambda reading: reading.method),
    ),
    Column(
        "stain_score",
        "Score of the stain measurement; empty where it cannot be told, see stain_reason.",
        _of_stain(lambda reading: None if reading.score is None else reading.score.key),
    ),
    Column(
        "stain_reason",
        "Why the stain measurement gave no score.",
        _of_stain(lambda reading: reading.reason),
        40,
    ),
    Column(
        "stain_ultralow",
        f"yes: a 0 with membrane staining in some cells, {RULE_TEXT} at most (HER2-ultralow).",
        _of_stain(lambda reading: _yes_no(reading.ultralow)),
    ),
    Column(
        "stain_cells",
        "Tumour-like cells the stain measurement counted.",
        _of_stain(lambda reading: reading.cells),
    ),
    *(_share_of(pattern) for pattern in Pattern),
    Column(
        "stain_completeness",
        "Median share of the rim that is stained, over stained cells, 0 to 1.",
        _of_stain(lambda reading: reading.completeness),
    ),
    Column(
        "stain_intensity",
        "Median DAB optical density of the stained rims.",
        _of_stain(lambda reading: reading.intensity),
    ),
    Column(
        "stain_um_per_pixel",
        "Scale the stain measurement went by, in micrometres per pixel.",
        _of_stain(lambda reading: reading.um_per_pixel),
    ),
)
_GAPS = (
    Column(
        "model_gap",
        "Grades (0 to 3) between the models' scores; empty with fewer than two models.",
        lambda r, _: model_gap(r.verdicts),
    ),
    Column(
        "reader_gap",
        "Grades (0 to 3) between models and stain measurement; empty with fewer than two scores.",
        lambda r, _: reader_gap(r.verdicts, r.stain),
    ),
    Column(
        "not_assessable",
        "Why the models see hardly any staining and the stain measurement too few tumour cells for "
        "a score; empty where it has enough, or cannot be told.",
        lambda r, _: r.assessability().reason,
        width=40,
    ),
)
# the fields of an answer, in exports and on the pages of the log
ANSWER = (
    Column("own_score", "The reviewer's own score.", lambda r, _: r.own_score.key),
    Column(
        "confidence", "How sure the reviewer was: low, medium, high.", lambda r, _: r.confidence
    ),
    Column(
        "comment",
        "The reviewer's comment; JSON has it to the letter, CSV with an apostrophe before whatever "
        "a spreadsheet might take for a formula.",
        lambda r, _: r.comment,
        60,
    ),
)
_RECORD = (
    Column("seconds", "Time spent on the patch, in seconds.", lambda r, _: r.seconds),
    Column(
        "blind",
        "yes: until the score was saved, the models' verdicts had not been shown to this reviewer "
        "by any server of this database, as far as it was recorded (before schema 0013: by this "
        "server since it started).",
        lambda r, _: _yes_no(r.blind),
    ),
    Column(
        "supersedes",
        "Number of the earlier entry which this one corrects.",
        lambda r, _: r.supersedes,
    ),
    Column(
        "superseded_by",
        "Number of the later entry which corrects this one.",
        lambda r, _: r.superseded_by,
    ),
    Column(
        "entry_hash",
        "sha256 over this entry and the hash of the one before it; shows a changed log.",
        lambda r, _: r.entry_hash,
        20,
    ),
    Column("notice", "What the log may be used for.", lambda _, __: RESEARCH_NOTICE, 30),
)


def _of_model(architecture: str) -> tuple[Column, ...]:
    def probability(score: HER2Score) -> Column:
        def value(review: Review, _: ExportOptions) -> Value:
            verdict = review.verdict(architecture)
            return None if verdict is None else verdict.probabilities[score]

        return Column(
            f"{architecture}_p_{score.column}",
            f"Probability of {score.label} given by {architecture}, 0 to 1.",
            value,
        )

    def model_id(review: Review, _: ExportOptions) -> Value:
        verdict = review.verdict(architecture)
        return None if verdict is None else verdict.model_id

    def score(review: Review, _: ExportOptions) -> Value:
        verdict = review.verdict(architecture)
        return None if verdict is None else verdict.score.key

    def agrees(review: Review, _: ExportOptions) -> Value:
        return _yes_no(review.agrees.get(architecture))

    def demo(review: Review, _: ExportOptions) -> Value:
        verdict = review.verdict(architecture)
        return None if verdict is None else _yes_no(verdict.demo)

    def novelty(review: Review, _: ExportOptions) -> Value:
        verdict = review.verdict(architecture)
        return None if verdict is None else verdict.novelty

    def backend(review: Review, _: ExportOptions) -> Value:
        verdict = review.verdict(architecture)
        return None if verdict is None else verdict.backend or None

    return (
        Column(
            f"{architecture}_model_id",
            f"Which {architecture} weights: name and start of their sha256; empty: no verdict.",
            model_id,
        ),
        *(probability(grade) for grade in HER2Score),
        Column(f"{architecture}_score", f"Most probable score of {architecture}.", score),
        Column(
            f"{architecture}_agrees",
            f"Whether the reviewer agreed with {architecture}; empty: not answered, or blind.",
            agrees,
        ),
        Column(f"{architecture}_demo", f"yes: {architecture} was a demonstration model.", demo),
        Column(
            f"{architecture}_novelty",
            f"How unlike the patches known to {architecture} this one is; above 1 it is "
            "unfamiliar; empty: not told.",
            novelty,
        ),
        Column(
            f"{architecture}_backend",
            f"What ran {architecture}, with its version; empty: not recorded.",
            backend,
        ),
    )


def columns_for(architectures: Iterable[str]) -> tuple[Column, ...]:
    """The columns when these architectures take part."""
    models = (column for name in architectures for column in _of_model(name))
    return (*_ENTRY, *_ORIGIN, *models, *_STAIN, *_GAPS, *ANSWER, *_RECORD)


COLUMNS = columns_for(tuple(ARCHITECTURES))


def answer_texts(review: Review) -> dict[str, str]:
    """Field of the answer -> its value as people read it; "" where it was not answered."""
    options = ExportOptions()
    values = {column.name: column.value(review, options) for column in ANSWER}
    values["own_score"] = review.own_score.label
    return {name: "" if value is None else str(value) for name, value in values.items()}


def columns_of(reviews: Sequence[Review]) -> tuple[Column, ...]:
    """COLUMNS, and those of any other architecture that gave a verdict in these reviews."""
    seen = {verdict.architecture for review in reviews for verdict in review.verdicts}
    others = sorted(seen - set(ARCHITECTURES))
    return columns_for((*ARCHITECTURES, *others)) if others else COLUMNS
