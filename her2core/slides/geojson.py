"""GeoJSON as QuPath reads and writes it, in pixels of the full resolution.

A FeatureCollection whose features carry `objectType`, `classification` (name and colour) and
`measurements` in their properties (QuPath 0.4 and later; earlier ones wrote a bare list of features
and `colorRGB`, which is read as well). Areas may have holes and several parts; in which direction a
ring runs does not matter. Points, lines and detections are no areas and are passed over.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from her2core.common.palette import Colour
from her2core.common.strict_json import parse
from her2core.slides.tissue import Mask

MOST_BYTES = 50 * 1024 * 1024
_MOST_POINTS = 2_000_000
# a hand that draws along the slide's edge goes a little beyond it
_BEYOND = 0.05
_NOT_AREAS = frozenset({"detection", "cell", "tile", "tmaCore", "tma_core"})
# QuPath's class for what is to be left out; names that end in "*" are ignored there, too
_IGNORED = "ignore"
_NAMESPACE = uuid.UUID("2f1c1f3e-7d0f-4f5e-9a55-8d6a2f0f3b11")

Ring = tuple[tuple[float, float], ...]


class AnnotationError(ValueError):
    """Annotations cannot be used; str(error) completes a sentence begun with the file's name."""


@dataclass(frozen=True)
class Area:
    """One annotated area.

    Attributes:
        name: of its class, empty where it has none.
        parts: polygons, each its outline followed by its holes; x and y in full-resolution pixels.
    """

    name: str
    parts: tuple[tuple[Ring, ...], ...]

    @property
    def is_left_out(self) -> bool:
        """Whether the class says that what lies in it is not to be read."""
        return self.name.casefold().startswith(_IGNORED) or self.name.endswith("*")


@dataclass(frozen=True)
class Shape:
    """What is written as one feature: a closed outline, its class, its numbers and its texts."""

    outline: Ring
    kind: str
    name: str
    class_name: str
    colour: Colour
    measurements: Mapping[str, float]
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_areas(data: bytes, width: int, height: int) -> tuple[Area, ...]:
    """The annotated areas of a slide of this size.

    Raises:
        AnnotationError: too large, no GeoJSON, no area in it, or drawn on another slide.
    """
    if len(data) > MOST_BYTES:
        raise AnnotationError(
            f"is larger than {MOST_BYTES / 2**20:.0f} MiB; export annotations without detections."
        )
    try:
        found = parse(data.decode("utf-8-sig"))
    except ValueError:
        raise AnnotationError("is no GeoJSON; export it from QuPath again.") from None
    features = found.get("features", [found]) if isinstance(found, dict) else found
    if not isinstance(features, list):
        raise AnnotationError("is no GeoJSON; export it from QuPath again.")
    areas = tuple(area for feature in features if (area := _area(feature)) is not None)
    rings = [ring for area in areas for part in area.parts for ring in part]
    if not any(not area.is_left_out for area in areas):
        raise AnnotationError("holds no annotated area; draw areas, not points or lines.")
    if sum(map(len, rings)) > _MOST_POINTS:
        raise AnnotationError("has outlines of millions of points; simplify them in QuPath.")
    points = np.array([point for ring in rings for point in ring])
    beyond = _BEYOND * max(width, height)
    low, high = points.min(axis=0), points.max(axis=0)
    if low.min() < -beyond or high[0] > width + beyond or high[1] > height + beyond:
        raise AnnotationError(
            f"has coordinates outside of the slide's {width} x {height} pixels; it may belong to "
            "another slide."
        )
    return areas


def drawn(areas: Iterable[Area], shape: tuple[int, int], reduction: float) -> Mask:
    """The areas as a mask, bool (h, w); `reduction`: full-resolution pixels for one of it."""
    inside, outside = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for area in areas:
        for outline, *holes in area.parts:
            part = np.zeros(shape, np.uint8)
            cv2.fillPoly(part, [_pixels(outline, reduction)], 1)
            for hole in holes:
                cv2.fillPoly(part, [_pixels(hole, reduction)], 0)
            target = outside if area.is_left_out else inside
            target |= part
    return np.asarray((inside > 0) & (outside == 0))


def written(shapes: Iterable[Shape]) -> bytes:
    """A FeatureCollection that QuPath opens; the same shapes give the same bytes."""
    # one by one: there may be a million cells
    features = (
        json.dumps(_feature(shape), ensure_ascii=False, separators=(",", ":")).encode()
        for shape in shapes
    )
    return b'{"type":"FeatureCollection","features":[' + b",".join(features) + b"]}"


def rectangle(left: int, top: int, right: int, bottom: int) -> Ring:
    """Its closed outline."""
    return ((left, top), (right, top), (right, bottom), (left, bottom), (left, top))


def _feature(shape: Shape) -> dict[str, Any]:
    rounded = {name: round(value, 5) for name, value in shape.measurements.items()}
    place = json.dumps([shape.name, shape.outline])
    properties = {
        "objectType": shape.kind,
        "name": shape.name,
        "classification": {"name": shape.class_name, "color": shape.colour},
        "measurements": rounded,
    }
    if shape.metadata:
        properties["metadata"] = dict(shape.metadata)
    return {
        "type": "Feature",
        "id": str(uuid.uuid5(_NAMESPACE, place)),
        "geometry": {"type": "Polygon", "coordinates": [shape.outline]},
        "properties": properties,
    }


def _area(feature: Any) -> Area | None:
    """The area of one feature; None where it is another object.

    Raises:
        AnnotationError: its outline makes no sense.
    """
    if not isinstance(feature, dict):
        raise AnnotationError("is no GeoJSON; export it from QuPath again.")
    said = feature.get("properties")
    properties = said if isinstance(said, dict) else {}
    kind = properties.get("objectType", properties.get("object_type", "annotation"))
    geometry = feature.get("geometry")
    if kind in _NOT_AREAS or not isinstance(geometry, dict):
        return None
    coordinates = geometry.get("coordinates")
    if geometry.get("type") == "Polygon":
        polygons: Any = [coordinates]
    elif geometry.get("type") == "MultiPolygon":
        polygons = coordinates
    else:
        return None
    classification = properties.get("classification")
    name = classification.get("name") if isinstance(classification, dict) else ""
    try:
        parts = tuple(tuple(_ring(ring) for ring in polygon) for polygon in polygons)
    except (TypeError, ValueError, KeyError, IndexError):
        raise AnnotationError("has an outline that is none; export it from QuPath again.") from None
    return Area(name if isinstance(name, str) else "", tuple(part for part in parts if part))


def _ring(points: Sequence[Any]) -> Ring:
    ring = tuple((float(point[0]), float(point[1])) for point in points)
    if len(ring) < 3 or not all(math.isfinite(value) for point in ring for value in point):
        raise ValueError
    return ring


def _pixels(ring: Ring, reduction: float) -> npt.NDArray[np.int32]:
    scaled = np.asarray(ring) / reduction
    return np.clip(np.rint(scaled), -(2**24), 2**24).astype(np.int32)
