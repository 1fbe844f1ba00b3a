"""How regions become the score of a slide, and what is written of it."""

from __future__ import annotations

import io
import json

import pyarrow.parquet as pq

from her2core.charts.slide_map import map_layer
from her2core.models.verdict import Verdict
from her2core.reviews.records import Origin
from her2core.scores import HER2Score
from her2core.slides.geojson import written
from her2core.slides.readings import (
    Part,
    RegionReading,
    SlideReading,
    from_json,
    to_json,
)
from her2core.slides.region_map import KINDS, colour_of, legend
from her2core.slides.regions import Region
from her2core.slides.score import score_slide
from her2core.slides.slide import SlideFacts
from her2core.slides.tables import (
    region_shapes,
    regions_table,
    review_shapes,
    score_row,
    slide_columns,
)
from her2core.stain.reading import StainReading
from her2core.stain.thresholds import StainThresholds
from tests.review_samples import patch, review

READERS = ("cnn", "densenet121")


def region(
    number: int,
    grade: int,
    cells: tuple[int, int, int, int] = (10, 0, 0, 0),
    core: str = "",
    novelty: float = 0.4,
    **more: object,
) -> RegionReading:
    chances = [0.1, 0.1, 0.1, 0.1]
    chances[grade] = 0.7
    verdicts = tuple(
        Verdict(name, f"{name}-1", tuple(chances), True, novelty, "openvino")  # type: ignore[arg-type]
        for name in READERS
    )
    stain = StainReading("stain-6", cells, None, None, um_per_pixel=0.25)
    place = Region(number * 800, 0, 800, core, 1.0)
    return RegionReading(place, verdicts, stain, **more)  # type: ignore[arg-type]


def slide(*regions: RegionReading, cores: tuple[str, ...] = ()) -> SlideReading:
    facts = SlideFacts("aperio slide", 800 * len(regions), 800, 3, 0.25)
    return SlideReading(
        "a.svs", facts, 0.25, "file", (233.0, 232.0, 241.5), 1.2, ("A note.",), cores, regions
    )


def scored(reading: SlideReading):
    return score_slide(reading, READERS, StainThresholds())


def test_more_than_ten_per_cent_of_the_regions_decide():
    for threes, expected in ((1, HER2Score.ZERO), (2, HER2Score.THREE_PLUS)):
        regions = [region(i, 3 if i < threes else 0) for i in range(10)]
        (score,) = scored(slide(*regions))
        assert [one.score for one in score.readers[:2]] == [expected] * 2
        assert score.readers[0].shares == ((10 - threes) / 10, 0, 0, threes / 10)
        assert score.hottest[0].region.x == 0


def test_the_cells_of_all_regions_are_pooled():
    regions = [region(i, 0, (3, 0, 0, 1)) for i in range(10)]
    stain = scored(slide(*regions))[0].readers[-1]
    assert (stain.score, stain.n, stain.h_score) == (HER2Score.THREE_PLUS, 40, 75.0)


def test_too_little_is_no_score_and_what_is_left_out_counts_nowhere():
    regions = [region(1, 3, left_out="pen")]
    regions += [
        region(i, 0, (1, 0, 0, 0), not_assessable="Not assessable: no tumour.") for i in range(3)
    ]
    (score,) = scored(slide(*regions))
    assert not score.is_assessable
    assert (score.regions, score.assessable) == (4, 0)
    assert "no region with enough tumour" in (score.readers[0].reason or "")
    assert "3 tumour-like cells" in (score.readers[-1].reason or "")
    row = score_row(slide(*regions), score)
    assert row["status"] == "not assessable"
    assert row["score"] == ""


def test_the_middle_reader_decides_and_what_is_doubtful_is_said():
    (score,) = scored(slide(region(0, 2, (30, 0, 0, 0))))
    assert [one.score for one in score.readers] == [2, 2, 0]
    assert score.score is HER2Score.TWO_PLUS
    assert len(score.remarks) == 2
    assert "One region holds enough tumour" in score.remarks[0]
    assert "two grades or more apart" in score.remarks[1]


def test_another_stain_gets_no_score_and_is_called_unfamiliar():
    regions = [region(i, 3, (5, 0, 0, 20), novelty=1.2, findings=("h_and_e",)) for i in range(8)]
    (score,) = scored(slide(*regions))
    assert not score.is_assessable
    assert score.unfamiliar == 1.0
    assert "not those of HER2" in str(score_row(slide(*regions), score)["message"])
    assert not score.hottest
    assert not any(one.is_assessable for one in regions)


def test_each_core_of_a_microarray_has_its_row():
    regions = [region(i, 3 if i < 4 else 0, core="A1" if i < 4 else "A2") for i in range(8)]
    reading = slide(*regions, cores=("A1", "A2", "B1"))
    scores = scored(reading)
    assert [one.core for one in scores] == ["A1", "A2", "B1"]
    assert [one.readers[0].score for one in scores] == [HER2Score.THREE_PLUS, HER2Score.ZERO, None]
    rows = [score_row(reading, one) for one in scores]
    assert all(set(row) <= set(slide_columns(READERS)) for row in rows)


def test_readings_survive_their_file():
    reading = slide(region(0, 2), region(1, 1, left_out="pen", findings=("pen",)))
    assert from_json(SlideReading, to_json(reading)) == reading
    assert from_json(Part, to_json(Part(reading.regions))) == Part(reading.regions)
    assert from_json(SlideReading, b"{}") is None
    assert from_json(SlideReading, to_json(reading)[:-5]) is None


def test_tables_and_shapes_tell_the_same():
    reading = slide(region(0, 2), region(1, 3), region(2, 0, not_assessable="No tumour."))
    data = regions_table([("a.svs", reading)], READERS)
    assert data == regions_table([("a.svs", reading)], READERS)
    rows = pq.read_table(io.BytesIO(data)).to_pylist()
    assert [row["x"] for row in rows] == [0, 800, 1600]
    assert rows[0]["cnn_p_2plus"] == 0.7
    assert rows[2]["not_assessable"] == "No tumour."
    shapes = region_shapes(reading)
    assert [shape.class_name for shape in shapes] == ["HER2 2+", "HER2 3+", "not assessable"]


def test_a_map_colours_what_was_read_and_leaves_the_rest_clear():
    reading = slide(region(0, 0), region(2, 3), region(5, 2))
    reading = SlideReading(**{**vars(reading), "facts": SlideFacts("x", 8000, 1600, 1, None)})
    for kind in KINDS:
        layer = map_layer(reading, kind, (80, 16))
        assert layer.shape == (16, 80, 4)
        assert layer[2, 2, 3] > 0
        assert layer[2, 12, 3] == 0
        assert layer[12, 2, 3] == 0
    grades = map_layer(reading, "grade", (80, 16))
    assert len({tuple(grades[2, x]) for x in (2, 18, 42)}) == 3


def test_each_reader_has_a_map_of_its_own_grades_and_what_does_not_count_is_grey():
    one = region(0, 3, (40, 0, 0, 0))
    colours = dict(legend("grade"))
    assert colour_of(one, "cnn") == colour_of(one, "grade") == colours["3+"]
    assert colour_of(one, "stain") != colours["3+"]
    assert set(KINDS) >= {*READERS, "stain", "disagreement", "doubt"}
    apart = RegionReading(**{**vars(one), "left_out": "pen"})
    assert {colour_of(apart, kind) for kind in KINDS} == {colours["not assessable"]}


def test_reviews_of_a_slide_its_core_and_a_region_are_annotations_at_their_places():
    reading = slide(region(0, 2), region(1, 2))
    whole = Origin("a.svs", 0, 0, 4000, 0.25, whole=True)
    core = Origin("a.svs", 800, 0, 1600, 0.25, "A1", whole=True)
    places = (whole, core, Origin("a.svs", 800, 0, 800, 0.25, "A1"))
    reviews = [
        review(id=number, comment="a <b> remark", patch=patch(origin=place))
        for number, place in enumerate((*places, None), 1)
    ]
    shapes = list(review_shapes(reading, reviews))
    facts = reading.facts
    assert shapes[0].outline[2] == (facts.width, min(4000, facts.height))
    assert [shape.metadata["of"] for shape in shapes] == ["slide", "core A1", "region"]
    assert [shape.outline[0] for shape in shapes] == [(0, 0), (800, 0), (800, 0)]
    feature = json.loads(written(shapes))["features"][1]["properties"]
    assert feature["classification"]["name"] == f"HER2 {reviews[0].own_score.label}"
    assert feature["metadata"]["ANNOTATION_DESCRIPTION"] == "a <b> remark"
    assert feature["objectType"] == "annotation"
