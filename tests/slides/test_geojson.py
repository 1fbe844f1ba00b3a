"""Annotations as QuPath writes them are read, and what is written is what QuPath reads."""

from __future__ import annotations

import json

import numpy as np
import pytest

from her2core.slides.geojson import (
    MOST_BYTES,
    AnnotationError,
    Shape,
    drawn,
    read_areas,
    rectangle,
    written,
)

OUTER = [[100, 100], [500, 100], [500, 500], [100, 500], [100, 100]]
HOLE = [[200, 200], [200, 300], [300, 300], [300, 200], [200, 200]]


def feature(geometry: object, kind: str = "annotation", name: str | None = None) -> dict:
    said = {"objectType": kind, "isLocked": False}
    if name:
        said["classification"] = {"name": name, "color": [200, 0, 0]}
    return {"type": "Feature", "id": "x", "geometry": geometry, "properties": said}


def polygon(*rings: object) -> dict:
    return {"type": "Polygon", "coordinates": list(rings)}


def collection(*features: object) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def mask_of(data: bytes, side: int = 600) -> np.ndarray:
    return drawn(read_areas(data, side, side), (60, 60), side / 60)


def test_a_polygon_with_a_hole_in_either_direction():
    for outer, hole in ((OUTER, HOLE), (OUTER[::-1], HOLE), (OUTER[::-1], HOLE[::-1])):
        mask = mask_of(collection(feature(polygon(outer, hole))))
        assert mask[15, 15]
        assert not mask[25, 25]
        assert not mask[5, 5]


def test_parts_of_a_multipolygon_and_the_class_to_ignore():
    second = [[x + 10, y + 10] for x, y in HOLE]
    many = {
        "type": "MultiPolygon",
        "coordinates": [[OUTER], [[[510, 510], [590, 510], [590, 590]]]],
    }
    mask = mask_of(
        collection(feature(many, name="Tumor"), feature(polygon(second), name="Ignore*"))
    )
    assert mask[15, 15]
    assert mask[53, 57]
    assert not mask[26, 26]


@pytest.mark.parametrize(
    "data",
    [
        json.dumps([feature(polygon(OUTER))]).encode(),  # as before QuPath 0.3
        json.dumps(feature(polygon(OUTER))).encode(),
        b"\xef\xbb\xbf" + collection(feature(polygon(OUTER))),
        collection(
            feature(polygon(OUTER)),
            feature({"type": "Point", "coordinates": [5, 5]}),
            feature(polygon(HOLE), kind="detection"),
            feature(None),
        ),
    ],
)
def test_other_objects_and_older_forms_are_no_hindrance(data):
    areas = read_areas(data, 600, 600)
    assert len(areas) == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"not json", "is no GeoJSON"),
        (b"[" * 100_000, "is no GeoJSON"),
        (b"\xff\xfe\x00", "is no GeoJSON"),
        (b'{"features": 3}', "is no GeoJSON"),
        (b'{"features": [3]}', "is no GeoJSON"),
        (collection(), "holds no annotated area"),
        (collection(feature({"type": "Point", "coordinates": [1, 2]})), "no annotated area"),
        (collection(feature(polygon(OUTER), name="Ignore*")), "no annotated area"),
        (collection(feature(polygon([[1, 2]]))), "outline that is none"),
        (collection(feature(polygon([["a", "b"]] * 4))), "outline that is none"),
        (collection(feature(polygon([[1e9, 5], [2e9, 5], [1e9, 9]]))), "another slide"),
        (collection(feature(polygon([[-500, 5], [2, 5], [1, 9]]))), "another slide"),
        (b" " * (MOST_BYTES + 1), "larger than 50 MiB"),
    ],
)
def test_what_cannot_be_used_gets_a_sentence(data, said):
    with pytest.raises(AnnotationError, match=said):
        read_areas(data, 600, 600)


def test_what_is_written_has_the_form_of_qupath_and_is_read_back():
    shape = Shape(
        rectangle(100, 200, 400, 500), "annotation", "A1 <b>", "HER2 2+", (230, 159, 0), {"p": 0.5}
    )
    data = written([shape])
    assert data == written([shape])
    found = json.loads(data)
    assert found["type"] == "FeatureCollection"
    (one,) = found["features"]
    assert one["geometry"]["coordinates"][0][0] == one["geometry"]["coordinates"][0][-1]
    assert one["properties"]["objectType"] == "annotation"
    assert one["properties"]["classification"] == {"name": "HER2 2+", "color": [230, 159, 0]}
    assert one["properties"]["measurements"] == {"p": 0.5}
    (area,) = read_areas(data, 600, 600)
    assert area.name == "HER2 2+"
    assert area.parts[0][0][0] == (100.0, 200.0)
