"""Warnings come where they are due, and real HER2 patches are left alone.

The rates asserted on real patches are the measured ones; the thresholds in
her2core/preprocessing/quality/assessment.py were set on the same 201 patches.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from benchmarks import artefacts, unfamiliar
from her2core.preprocessing.patches import Patch, Square
from her2core.preprocessing.quality.assessment import QualityReport, assess
from her2core.preprocessing.quality.mixture_line import stain_amounts
from her2core.scores import HER2Score
from her2core.training.synthetic import GeneratorConfig, make_patch
from tests import hostile

HAEMATOXYLIN, DAB, EOSIN = (0.65, 0.70, 0.29), (0.27, 0.57, 0.78), (0.07, 0.99, 0.11)


def report(rgb: np.ndarray) -> QualityReport:
    rgb = np.ascontiguousarray(np.clip(rgb, 0, 255).astype(np.uint8))
    square = Square.centred(rgb.shape[1], rgb.shape[0])
    return assess(Patch("a.png", "0" * 64, rgb, square))


def codes(rgb: np.ndarray) -> set[str]:
    return {finding.code for finding in report(rgb).findings}


def restained(rgb: np.ndarray, haematoxylin: float, dab: float) -> np.ndarray:
    """The picture with that many times as much of each stain."""
    density = np.log10(np.float32(245) / np.maximum(rgb, 1)).clip(0)
    amounts = stain_amounts(density.astype(np.float32))
    more = amounts * (haematoxylin - 1, dab - 1)
    return 245 * 10.0 ** -(density + more @ np.array([HAEMATOXYLIN, DAB])).clip(0)


def smooth_noise(rng: np.random.Generator, scale: float, size: int = 448) -> np.ndarray:
    field = cv2.GaussianBlur(rng.random((size, size)), (0, 0), scale)
    return (field - field.min()) / np.ptp(field)


def stained(rng: np.random.Generator, second: tuple[float, float, float]) -> np.ndarray:
    """Haematoxylin nuclei in a ground of the second stain with gaps, by Beer-Lambert."""
    nuclei = (smooth_noise(rng, 4) > 0.6)[..., None] * np.array(HAEMATOXYLIN) * 0.5
    ground = np.clip(smooth_noise(rng, 2) * smooth_noise(rng, 12), 0, 1)[..., None]
    lumen = (smooth_noise(rng, 25) > 0.35)[..., None]
    density = nuclei + ground * lumen * np.array(second) * rng.uniform(0.6, 1.2)
    return 245 * 10**-density + rng.normal(0, 2, density.shape)


def colour_wheel(rng: np.random.Generator) -> np.ndarray:
    """A photo-like picture: saturated colours in soft light with shadows."""
    colour = np.dstack([smooth_noise(rng, 30) for _ in range(3)])
    shade = smooth_noise(rng, 3)[..., None] * 0.6 + 0.4
    stretched = np.clip((colour - 0.5) * 2 + 0.5, 0, 1)
    return 255 * stretched * shade


@pytest.fixture(scope="module")
def real_images(real_patches: list[Path]) -> list[np.ndarray]:
    return [cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in real_patches]


def rate(images: list[np.ndarray], code: str, change: Callable = lambda image: image) -> float:
    return float(np.mean([code in codes(change(image)) for image in images]))


@pytest.mark.real_images
def test_real_patches_are_left_alone(real_images):
    assert len(real_images) >= 200
    found = [codes(image) for image in real_images[::3]]
    assert sum("blurred" in each for each in found) == 0
    assert np.mean(["not_ihc" in each for each in found]) <= 0.05
    assert np.mean([bool(each) for each in found]) <= 0.05
    assert np.mean([bool(each & {"fold", "pen"}) for each in found]) <= 0.05


@pytest.mark.real_images
@pytest.mark.parametrize("ink", artefacts.INKS)
def test_pen_strokes_on_real_patches_are_told(real_images, ink):
    rng = np.random.default_rng(sorted(artefacts.INKS).index(ink))
    assert rate(real_images[::12], "pen", lambda image: artefacts.with_pen(image, ink, rng)) >= 0.9


@pytest.mark.real_images
def test_folds_in_real_patches_are_told(real_images):
    rng = np.random.default_rng(7)
    assert rate(real_images[::5], "fold", lambda image: artefacts.with_fold(image, rng)) >= 0.9


@pytest.mark.real_images
@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(lambda image: image[:280, :280], id="a close-up"),
        pytest.param(lambda image: cv2.GaussianBlur(image, (0, 0), 5), id="out of focus"),
    ],
)
def test_where_a_row_of_nuclei_is_as_wide_as_a_fold_none_is_told(real_images, changed):
    folded = [
        artefacts.with_fold(image, np.random.default_rng(3), 2) for image in real_images[::16]
    ]
    assert any("fold" in codes(image) for image in folded)
    assert not any("fold" in codes(changed(image)) for image in folded)


@pytest.mark.real_images
@pytest.mark.parametrize(
    ("expected", "haematoxylin", "dab"),
    [
        # without any blue left the colours are no longer those of the stain at all
        ({"pale_counterstain", "not_ihc"}, 0.15, 1.0),
        # rows of nuclei that dark may pass for a fold
        ({"dense_counterstain", "fold"}, 8.0, 1.0),
        # brown darker still passes for another stain
        ({"dense_dab", "not_ihc"}, 1.0, 5.0),
    ],
)
def test_a_stain_out_of_range_is_told(real_images, expected, haematoxylin, dab):
    brown = [image for image in real_images[::4] if np.percentile(image[..., 2], 10) < 120]
    images = brown if "dense_dab" in expected else real_images[::16]
    assert len(images) >= 3
    found = [codes(restained(image, haematoxylin, dab)) for image in images]
    assert np.mean([bool(each & expected) for each in found]) >= 0.9


@pytest.mark.real_images
def test_the_same_patches_out_of_focus_are_told(real_images):
    blurred = rate(real_images[::8], "blurred", lambda image: cv2.GaussianBlur(image, (0, 0), 4))
    assert blurred >= 0.95


@pytest.mark.real_images
@pytest.mark.parametrize(
    ("code", "change", "least"),
    [
        ("grey", lambda image: np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2), 0.95),
        ("dark", lambda image: image * 0.5, 0.95),
        ("overexposed", lambda image: image * 1.3, 0.95),
        ("not_ihc", lambda image: 255 - image, 0.9),
    ],
)
def test_spoilt_real_patches_are_told(real_images, code, change, least):
    assert rate(real_images[::16], code, change) >= least


@pytest.mark.real_images
@pytest.mark.parametrize(
    "change",
    [
        lambda image: image * (1, 0.96, 0.88),
        lambda image: 255 * (image / 255) ** 1.6,
        lambda image: image[100:324, 100:324],
    ],
    ids=["warm light", "stronger stain", "quarter of the field"],
)
def test_another_scanner_or_laboratory_is_no_reason_to_warn(real_images, change):
    found = [codes(change(image)) for image in real_images[::8]]
    assert np.mean([bool(each) for each in found]) <= 0.05


BREAST = Path(
    os.environ.get("HER2_REAL_BREAST")
    or Path(__file__).resolve().parents[3] / "shared" / "real-breast"
)


@pytest.mark.parametrize("source", ["her2-ihc-40x", "warwick", "pezoa", "mist"])
def test_real_breast_tissue_is_not_taken_for_another_stain(source):
    files = [path for path in sorted((BREAST / source).glob("*")) if "membrane" not in path.stem]
    if not files:
        pytest.skip(f"no real breast tissue in {BREAST}; set HER2_REAL_BREAST")
    images = [cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in files[::3]]
    for light in ((1, 1, 1), (1, 0.93, 0.82), (0.86, 0.95, 1), (0.85, 0.85, 0.85)):
        found = [codes(image * light) & {"not_ihc", "h_and_e"} for image in images]
        assert np.mean([bool(each) for each in found]) <= 0.03, light


def stretched(image: np.ndarray) -> np.ndarray:
    low, high = np.percentile(image, (1, 99), axis=(0, 1))
    return (image - low) / np.maximum(high - low, 1) * 255


def vivid(image: np.ndarray) -> np.ndarray:
    grey = image.mean(axis=2, keepdims=True)
    return grey + 1.5 * (image - grey)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: as_poor_jpeg(np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)),
        lambda image: image * (1.03, 0.97, 1.02),
        lambda image: image * 0.72,
        lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        lambda image: cv2.addWeighted(image, 2.5, cv2.GaussianBlur(image, (0, 0), 1.5), -1.5, 0),
        vivid,
        stretched,
    ],
    ids=["grey jpeg", "balance", "a stop darker", "half size", "sharpened", "vivid", "stretched"],
)
def test_an_edited_export_of_real_tissue_is_not_taken_for_another_stain(change):
    files = [path for path in sorted(BREAST.glob("*/*")) if "membrane" not in path.stem]
    files = [path for path in files if path.suffix in (".png", ".jpg", ".jpeg", ".tif")]
    if not files:
        pytest.skip(f"no real breast tissue in {BREAST}; set HER2_REAL_BREAST")
    images = [cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in files[::3]]
    assert rate(images, "not_ihc", change) + rate(images, "h_and_e", change) <= (
        # each channel stretched on its own moves the hues themselves: 3 of 52 are told
        0.06 if change is stretched else 0.03
    )


def as_poor_jpeg(image: np.ndarray) -> np.ndarray:
    """The picture after a JPEG of quality 50."""
    _, data = cv2.imencode(".jpg", image.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 50])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


@pytest.mark.parametrize("yellower", [(0.27, 0.57, 0.78), (0.17, 0.50, 0.85), (0.35, 0.6, 0.72)])
@pytest.mark.parametrize("light", [(1, 1, 1), (1, 0.92, 0.82), (0.85, 0.93, 1)])
def test_dab_of_another_make_under_another_lamp_is_no_other_stain(yellower, light):
    picture = stained(np.random.default_rng(4), yellower) * light
    assert not codes(picture) & {"not_ihc", "h_and_e"}


@pytest.fixture(scope="module")
def synthetic_images() -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    # folds are planted here: tissue without what may look like one
    config = GeneratorConfig(size=448, field_um=(90.0, 180.0), stroma_only=0.2, breast=False)
    return [make_patch(score, rng, config).rgb for score in HER2Score for _ in range(2)]


def test_synthetic_patches_have_no_fold_and_no_ink(synthetic_images):
    assert not set().union(*map(codes, synthetic_images)) & {"fold", "pen"}


@pytest.mark.parametrize("ink", artefacts.INKS)
def test_pen_strokes_on_synthetic_patches_are_told(synthetic_images, ink):
    rng = np.random.default_rng(1)
    found = rate(synthetic_images, "pen", lambda image: artefacts.with_pen(image, ink, rng))
    assert found >= 0.9


def test_the_ink_is_measured_where_it_lies():
    picture = np.tile(hostile.brown_patch(), (6, 5, 1))[:448, :448]
    picture[:, 100:190] = artefacts.INKS["green"]
    found = report(picture)
    (finding,) = found.findings
    assert finding.code == "pen"
    share = int(re.search(r"covers (\d+) %", finding.message).group(1))
    assert 17 <= share <= 30
    assert found.stain_share > 0.85, "the ink's colour is not held against the stain"


def test_folds_in_synthetic_patches_are_told(synthetic_images):
    rng = np.random.default_rng(2)
    images = [image for image in synthetic_images for _ in range(3)]
    assert rate(images, "fold", lambda image: artefacts.with_fold(image, rng, 2)) >= 0.9


def test_synthetic_ihc_passes_and_synthetic_h_and_e_does_not():
    for seed in range(5):
        assert codes(stained(np.random.default_rng(seed), DAB)) <= {"blurred"}
        assert "h_and_e" in codes(stained(np.random.default_rng(seed), EOSIN))


@pytest.mark.parametrize("name", ["china.jpg", "flower.jpg"])
def test_photographs_are_not_ihc(name):
    assert "not_ihc" in codes(load_sample_image(name))


def test_photographs_get_a_reason_that_fits():
    pictures = unfamiliar.photographs()
    assert len(pictures) >= 2
    rng = np.random.default_rng(8)
    found = [codes(crop) for each in pictures for crop in unfamiliar.crops(each, 5, rng)]
    fits = {"not_ihc", "h_and_e", "dark", "grey", "blank", "overexposed"}
    assert np.mean([bool(each & fits) for each in found]) >= 0.9


def test_saturated_colours_are_not_ihc():
    for seed in range(5):
        assert "not_ihc" in codes(colour_wheel(np.random.default_rng(seed)))


def test_a_brown_picture_is_said_to_lack_its_counterstain():
    density = smooth_noise(np.random.default_rng(0), 3)[..., None] * np.array(DAB)
    assert "pale_counterstain" in codes(245 * 10**-density)


@pytest.mark.parametrize("level", [255, 235, 225])
def test_glass_is_blank_with_or_without_noise(level):
    noise = np.random.default_rng(0).normal(0, 3, (300, 300, 3))
    for glass in (np.full((300, 300, 3), level), level + noise):
        found = report(glass)
        assert [finding.code for finding in found.findings] == ["blank"]
        assert found.tissue_share < 0.03


def test_brown_that_is_dark_beside_bright_glass_is_no_under_exposure():
    usual = GeneratorConfig(size=448, field_um=(60.0, 90.0))
    made = make_patch(HER2Score.THREE_PLUS, np.random.default_rng(3), usual).rgb
    dense = 255 * (made / 255) ** 2.5
    dense[:, :60] = 243
    assert np.median(dense.mean(axis=2)) < 80
    assert "dense_dab" in codes(dense)
    assert "dark" not in codes(dense)
    assert "dark" in codes(dense * 0.5)


def test_a_corner_of_tissue_is_mostly_background():
    glass = np.full((448, 448, 3), 243, np.uint8)
    glass[:160, :192] = hostile.brown_patch(192, 160)
    found = report(glass)
    assert "little_tissue" in {finding.code for finding in found.findings}
    assert 0.1 < found.tissue_share < 0.25


def test_small_and_huge_squares_are_told_with_their_size():
    small, large = (report(hostile.brown_patch(side, side)) for side in (100, 2016))
    assert "enlarged from 100 pixels" in small.warnings[-1]
    assert "At 2016 pixels" in large.warnings[-1]
    assert small.findings[-1].confirmable
    assert not large.confirmable
    assert not {"enlarged", "coarse"} & codes(hostile.brown_patch(224, 224))


def test_only_the_square_is_judged():
    picture = np.full((448, 900, 3), 243, np.uint8)
    picture[:, :448] = hostile.brown_patch(448, 448)
    patch = Patch("a.png", "0" * 64, picture, Square(0, 0, 448))
    on_glass = patch.with_square(Square(452, 0, 448))
    assert "blank" not in {finding.code for finding in assess(patch).findings}
    assert "blank" in {finding.code for finding in assess(on_glass).findings}


def test_each_warning_is_one_sentence():
    pictures = (
        np.full((64, 64, 3), 255),
        np.zeros((64, 64, 3)),
        colour_wheel(np.random.default_rng(0)),
        stained(np.random.default_rng(0), EOSIN),
    )
    for picture in pictures:
        for sentence in report(picture).warnings:
            assert sentence.endswith(".")
            assert sentence.count(". ") == 0
            assert "\n" not in sentence


def test_the_same_patch_gets_the_same_report():
    picture = hostile.brown_patch(300, 300)
    assert report(picture) == report(picture)
