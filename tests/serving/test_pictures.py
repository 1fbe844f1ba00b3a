"""What the viewer's addresses name: the image as it is kept, and layers of the right model."""

import json
from collections.abc import Iterator
from dataclasses import replace
from xml.etree import ElementTree

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from her2core.preprocessing.image_store import MemoryImages
from her2core.preprocessing.patches import Patch, Square
from her2core.scores import HER2Score
from her2core.serving import pictures
from her2core.serving.pictures import NoPictureError, draw, image_path, map_path, stain_path
from her2core.serving.services import Services
from her2core.serving.workbench import Workbench
from her2core.training.synthetic import make_patch
from tests.page_server import services_of
from tests.tiny_bundles import a_patch, bundle_root, settings


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A server with the CNN, two patches taken in."""
    chosen = settings(tmp_path_factory.mktemp("home"), bundle_root())
    made = services_of(chosen, Workbench(chosen, ["cnn"], maps=False))
    for patch in (a_patch(1), tissue()):
        made.images.put(patch)
    yield made
    made.store.close()


def tissue() -> Patch:
    rgb = make_patch(HER2Score.TWO_PLUS, np.random.default_rng(3)).rgb
    return Patch("t.png", "b" * 64, rgb, Square.centred(rgb.shape[1], rgb.shape[0]))


def pixels(data: bytes) -> npt.NDArray[np.uint8]:
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    order = cv2.COLOR_BGRA2RGBA if decoded.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(decoded, order), np.uint8)


def test_the_image_is_sent_pixel_for_pixel_and_a_very_large_one_reduced(here, monkeypatch):
    patch = a_patch(1)
    assert np.array_equal(pixels(draw(here, image_path(patch.sha256)).data), patch.rgb)
    monkeypatch.setattr(pictures, "LONGEST", 100)
    assert pixels(draw(here, image_path(patch.sha256)).data).shape == (100, 100, 3)
    in_memory = replace(here, images=MemoryImages())
    in_memory.images.put(patch)
    assert pixels(draw(in_memory, image_path(patch.sha256)).data).shape == (100, 100, 3)


def test_a_thumbnail_is_small_and_gone_with_its_image(here, tmp_path):
    patch = replace(tissue(), rgb=np.tile(tissue().rgb, (2, 3, 1)), sha256="d" * 64)
    there = replace(here, images=MemoryImages())
    there.images.put(patch)
    picture = draw(there, pictures.thumbnail_path(patch.sha256))
    small = cv2.imdecode(np.frombuffer(picture.data, np.uint8), cv2.IMREAD_COLOR)
    height, width = patch.rgb.shape[:2]
    longest = pictures.THUMBNAIL_SIDE
    assert (picture.kind, small.shape) == (
        "image/jpeg",
        (round(longest * height / width), longest, 3),
    )
    with pytest.raises(NoPictureError):
        draw(replace(here, images=MemoryImages()), pictures.thumbnail_path(patch.sha256))


def test_what_the_stain_measurement_found_is_drawn_for_its_square(here):
    patch = tissue()
    report = here.stain.report(patch)
    cells = ElementTree.fromstring(draw(here, stain_path(patch, "cells")).data)
    assert cells.get("viewBox") == f"0 0 {patch.square.size} {patch.square.size}"
    said = json.loads(draw(here, stain_path(patch, "scale")).data)
    assert said == {"umPerPixel": report.um_per_pixel, "source": report.scale_source}
    membrane = pixels(draw(here, stain_path(patch, "membrane")).data)
    assert set(np.unique(membrane[..., 3])) == {0, 255}
    part = patch.with_square(Square(10, 20, 100))
    assert 'viewBox="0 0 100 100"' in draw(here, stain_path(part, "cells")).data.decode()


def test_a_map_is_of_the_model_that_is_named_or_there_is_none(here):
    patch = a_patch(1)
    one = here.workbench.explain(patch, "cnn", "grad_cam", HER2Score.ZERO)
    other = here.workbench.explain(patch, "cnn", "grad_cam", HER2Score.ZERO, HER2Score.ONE_PLUS)
    heat, contrast = (
        pixels(draw(here, map_path(patch, "cnn", found, "heat")).data) for found in (one, other)
    )
    assert heat.shape == (224, 224, 4)
    assert not np.array_equal(heat, contrast)
    assert not heat[one.heat == 0][:, 3].any()  # what the map does not speak of stays transparent
    lines = draw(here, map_path(patch, "cnn", one, "contours"))
    assert lines.kind == "image/svg+xml"
    with pytest.raises(NoPictureError, match="Another model"):
        draw(here, map_path(patch, "cnn", replace(one, model_id="cnn-000"), "heat"))


@pytest.mark.parametrize(
    "path",
    [
        image_path("c" * 64),
        stain_path(a_patch(1), "cells").replace("0-0-224", "0-0-999"),
        stain_path(a_patch(1), "cells").replace("cells", "vnn/x/grad_cam/1/heat"),
        stain_path(a_patch(1), "cells").replace("cells", "cnn/x/none/1/heat"),
        stain_path(a_patch(1), "cells").replace("cells", "cnn/x/grad_cam/1-1/heat"),
        stain_path(a_patch(1), "cells").replace("cells", "cnn/x/grad_cam/4/heat"),
        "/pictures/../browser.key",
    ],
)
def test_what_there_is_not_is_said_in_a_sentence(here, path):
    with pytest.raises(NoPictureError, match=r"\.$"):
        draw(here, path)


@given(st.text())
def test_no_other_address_draws_anything(text):
    with pytest.raises(NoPictureError):
        draw(None, f"/pictures/{text}")  # it is not even looked for
