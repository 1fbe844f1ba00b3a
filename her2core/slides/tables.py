"""What is written of read slides: rows of slides.csv, the table of regions, shapes for GeoJSON."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence

from her2core.common.csv_table import Cell
from her2core.common.palette import GRADES, NOT_COUNTED
from her2core.models.assessable import NOT_ASSESSABLE
from her2core.reviews.records import Review
from her2core.reviews.schema import utc_text
from her2core.scores import HER2Score
from her2core.slides.geojson import Shape, rectangle
from her2core.slides.readings import RegionReading, SlideReading
from her2core.slides.score import ReaderScore, SlideScore
from her2core.stain.reading import PREFIX

SCORED, NOT_SCORED = "scored", "not scored"
_GRADES = tuple(score.column for score in HER2Score)


def slide_columns(readers: Sequence[str]) -> tuple[str, ...]:
    """Columns of slides.csv; `readers` are the architectures of the networks."""
    return (
        "slide",
        "score",
        "core",
        *(column for reader in (*readers, PREFIX) for column in _reader_columns(reader)),
        "h_score",
        "regions",
        "assessable",
        "unfamiliar",
        "tissue_mm2",
        "tissue_read",
        "um_per_pixel",
        "scale_source",
        "status",
        "message",
    )


def score_row(reading: SlideReading, score: SlideScore) -> dict[str, Cell]:
    """One row: a slide, or a core of a microarray."""
    stain, read = score.readers[-1], reading.tissue_read
    row: dict[str, Cell] = {
        "slide": reading.name,
        "score": "" if score.score is None else score.score.key,
        "core": score.core,
        "h_score": None if stain.h_score is None else round(stain.h_score, 1),
        "regions": score.regions,
        "assessable": score.assessable,
        "unfamiliar": None if score.unfamiliar is None else round(score.unfamiliar, 4),
        "tissue_mm2": reading.tissue_mm2 if not score.core else None,
        "tissue_read": None if score.core or read is None else round(read, 3),
        "um_per_pixel": round(reading.um_per_pixel, 4),
        "scale_source": reading.scale_source,
        "status": SCORED if score.is_assessable else NOT_ASSESSABLE,
    }
    for one in score.readers:
        row |= dict(zip(_reader_columns(one.reader), _reader_cells(one), strict=True))
    reasons = dict.fromkeys(one.reason for one in score.readers if one.reason)
    row["message"] = " ".join(dict.fromkeys((*reasons, *score.remarks, *reading.notes)))
    return row


def unread_row(name: str, message: str) -> dict[str, Cell]:
    """The row of a slide that could not be read."""
    return {"slide": name, "status": NOT_SCORED, "message": message}


def region_shapes(reading: SlideReading) -> tuple[Shape, ...]:
    """Every region as a tile for QuPath, in the class of its grade."""
    return tuple(_shape(one) for one in reading.regions)


def review_shapes(reading: SlideReading, reviews: Iterable[Review]) -> Iterator[Shape]:
    """Each review of the slide, of a core or of a region as an annotation at its place."""
    facts = reading.facts
    for review in reviews:
        origin = review.patch.origin
        if origin is None:
            continue
        right, bottom = min(origin.x + origin.size, facts.width), origin.y + origin.size
        yield Shape(
            rectangle(origin.x, origin.y, right, min(bottom, facts.height)),
            "annotation",
            f"Review {review.id} by {review.reviewer}",
            f"HER2 {review.own_score.key}",
            GRADES[review.own_score],
            {"own score": float(review.own_score)},
            {
                "reviewer": review.reviewer,
                "recorded_at": utc_text(review.recorded_at),
                "of": (f"core {origin.core}" if origin.core else "slide")
                if origin.whole
                else "region",
                "confidence": review.confidence,
                "ANNOTATION_DESCRIPTION": review.comment,  # what QuPath calls it
            },
        )


def regions_table(readings: Iterable[tuple[str, SlideReading]], readers: Sequence[str]) -> bytes:
    """All regions of slides with their names as Parquet; the same give the same bytes.

    A network's probabilities are called cnn_p_2plus; cnn_2plus in slides.csv is a share of regions.
    """
    import pyarrow as pa  # only whoever writes such a table needs it
    import pyarrow.parquet as pq

    rows = [
        {"slide": name, **_region_row(one)} for name, reading in readings for one in reading.regions
    ]
    names = ("slide", "core", "left_out", "not_assessable", "findings", "stain_score")
    numbers = [
        *(
            f"{reader}_{part}"
            for reader in readers
            for part in (*(f"p_{grade}" for grade in _GRADES), "novelty")
        ),
        "tissue",
    ]
    counts = ["x", "y", "size", *(f"cells_{grade}" for grade in _GRADES)]
    schema = pa.schema(
        [(name, pa.string()) for name in names]
        + [(name, pa.int64()) for name in counts]
        + [(name, pa.float64()) for name in numbers]
    )
    target = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), target)
    return target.getvalue()


def grade_of(one: RegionReading) -> HER2Score | None:
    """The grade a region is shown in: the networks' mean probability; None where none counts."""
    if not one.is_assessable or not one.verdicts:
        return None
    sums = [sum(column) for column in zip(*(v.probabilities for v in one.verdicts), strict=True)]
    return HER2Score.most_probable(sums)


def _reader_columns(reader: str) -> tuple[str, ...]:
    counted = "cells" if reader == PREFIX else "regions"
    return (f"{reader}_score", *(f"{reader}_{grade}" for grade in _GRADES), f"{reader}_{counted}")


def _reader_cells(one: ReaderScore) -> tuple[Cell, ...]:
    shares = one.shares or (None,) * 4
    shown = (None if share is None else round(share, 4) for share in shares)
    return ("" if one.score is None else one.score.key, *shown, one.n)


def _region_row(one: RegionReading) -> dict[str, Cell]:
    region, stain = one.region, one.stain
    row: dict[str, Cell] = {
        "core": region.core,
        "x": region.x,
        "y": region.y,
        "size": region.size,
        "tissue": region.tissue,
        "left_out": one.left_out,
        "not_assessable": one.not_assessable,
        "findings": " ".join(one.findings),
        "stain_score": None if stain.score is None else stain.score.key,
    }
    row |= {f"cells_{grade}": n for grade, n in zip(_GRADES, stain.counts, strict=True)}
    for verdict in one.verdicts:
        name = verdict.architecture
        chances = zip(_GRADES, verdict.probabilities, strict=True)
        row |= {f"{name}_p_{grade}": round(chance, 4) for grade, chance in chances}
        row[f"{name}_novelty"] = None if verdict.novelty is None else round(verdict.novelty, 3)
    return row


def _shape(one: RegionReading) -> Shape:
    region, grade = one.region, grade_of(one)
    numbers = {
        f"{verdict.architecture} p({score.key})": verdict.probabilities[score]
        for verdict in one.verdicts
        for score in HER2Score
    }
    numbers |= {
        f"tumour cells {score.key}": float(n)
        for score, n in zip(HER2Score, one.stain.counts, strict=True)
    }
    return Shape(
        rectangle(region.x, region.y, region.x + region.size, region.y + region.size),
        "tile",
        f"{region.core} x{region.x} y{region.y}".strip(),
        "not assessable" if grade is None else f"HER2 {grade.key}",
        NOT_COUNTED if grade is None else GRADES[grade],
        numbers,
    )
