"""Training: what goes into a batch, what a recipe may say, what the command refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from her2core.models.architectures import ARCHITECTURES
from her2core.models.architectures.keras_model import build
from her2core.preprocessing.patches import decode
from her2core.scores import HER2Score
from her2core.settings import UploadLimits
from her2core.training.data.augment import Augmentation, affine_matrix, augment
from her2core.training.data.batches import Mixture, draw_batch
from her2core.training.data.datasets import DatasetError, PatchSet, load_patches
from her2core.training.data.layouts import read_layout
from her2core.training.recipe import Recipe, RecipeError, read_recipe
from training import make_synthetic, train

NO_AUGMENTATION = Augmentation(0.0, 0.0, 0.0, 0.0, False, (1.0, 1.0), 0.0)


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("synthetic") / "set"
    arguments = ["--out", str(out), "--per-class", "3", "--size", "64", "--field-um", "50", "60"]
    assert make_synthetic.main(arguments) == 0
    return out


def patch_set(labels: list[int], side: int = 16) -> PatchSet:
    """Flat pictures whose grey value names their class."""
    images = np.stack([np.full((side, side, 3), 50 * label + 20, np.uint8) for label in labels])
    return PatchSet(images, np.array(labels), ("",) * len(labels))


def test_no_augmentation_changes_nothing():
    rgb = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    same = augment(rgb, NO_AUGMENTATION, np.random.default_rng(1))
    assert np.array_equal(np.round(same * 255), rgb)


def test_one_warp_holds_rotation_shear_zoom_and_flip():
    drawn = [
        affine_matrix(Augmentation(), 224, np.random.default_rng(seed))[:, :2]
        for seed in range(500)
    ]
    areas = np.array([abs(np.linalg.det(matrix)) for matrix in drawn])
    mirrored = np.mean([np.linalg.det(matrix) < 0 for matrix in drawn])
    assert areas.min() == pytest.approx(1 / 1.2**2, rel=0.02)
    assert areas.max() == pytest.approx(1 / 0.8**2, rel=0.02)
    assert 0.4 < mirrored < 0.6


def test_augmented_pixels_stay_in_range_and_brightness_in_its_bounds():
    rgb = np.full((16, 16, 3), 100, np.uint8)
    means = [
        augment(rgb, Augmentation(), np.random.default_rng(seed)).mean() for seed in range(200)
    ]
    assert 0.8 * 100 / 255 <= min(means) < 0.83 * 100 / 255
    assert 1.17 * 100 / 255 < max(means) <= 1.2 * 100 / 255


def test_batches_are_balanced_seeded_and_keep_their_labels():
    mixture = Mixture((patch_set([0] * 50 + [1, 2, 3]),), (1.0,))
    recipe = Recipe("cnn", size=16, batch=400, augmentation=NO_AUGMENTATION)
    pixels, targets = draw_batch(mixture, mixture.by_class(), recipe, step=7)
    assert targets.sum(axis=0).min() > 70
    shown = np.round(pixels[:, 0, 0, 0] * 255).astype(int)
    assert np.array_equal(shown, 50 * targets.argmax(axis=1) + 20)
    again, _ = draw_batch(mixture, mixture.by_class(), recipe, step=7)
    other, _ = draw_batch(mixture, mixture.by_class(), recipe, step=8)
    assert np.array_equal(pixels, again)
    assert not np.array_equal(pixels, other)


def test_an_empty_class_is_named():
    with pytest.raises(DatasetError, match="class 3"):
        Mixture((patch_set([0, 1, 2]),), (1.0,)).by_class()


def test_a_class_missing_in_one_set_comes_from_another():
    mixture = Mixture((patch_set([0, 1, 2]), patch_set([0, 1, 2, 3])), (1.0, 0.0))
    recipe = Recipe("cnn", size=16, batch=64, augmentation=NO_AUGMENTATION)
    _, targets = draw_batch(mixture, mixture.by_class(), recipe, 0)
    assert targets[:, 3].sum() > 0


def test_training_sees_what_the_pages_see(synthetic):
    files = list(read_layout(synthetic).files)
    loaded = load_patches(files[:2])
    for file, image in zip(files, loaded.images, strict=False):
        patch = decode(file.path.read_bytes(), file.path.name, UploadLimits())
        assert np.array_equal(image, np.round(patch.pixels() * 255).astype(np.uint8))
    assert len({file.group for file in files}) == 12
    assert {file.label for file in files} == set(HER2Score)


def test_a_damaged_picture_is_named(synthetic, tmp_path):
    folder = tmp_path / "class_0"
    folder.mkdir()
    Image.new("RGB", (64, 64)).save(folder / "good.png")
    (folder / "bad.png").write_bytes(b"not a picture")
    with pytest.raises(DatasetError, match=r"bad\.png"):
        load_patches(read_layout(tmp_path).files)
    with pytest.raises(DatasetError, match="expected class folders class_0"):
        read_layout(folder)


def test_the_default_recipe_is_the_study_s():
    recipe = Recipe("cnn")
    assert (recipe.batch, recipe.epochs, recipe.learning_rate, recipe.size) == (32, 50, 1e-3, 224)
    assert recipe.augmentation == Augmentation(40.0, 0.2, 0.2, 0.2, True, (0.8, 1.2))


def test_a_recipe_file_is_read_strictly(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text("epochs = 3\n[augmentation]\nshift = 0.1\nbrightness = [0.9, 1.1]\n")
    recipe = read_recipe(path, "cnn")
    assert (recipe.epochs, recipe.augmentation.shift) == (3, 0.1)
    assert recipe.augmentation.brightness == (0.9, 1.1)
    path.write_text("epoch = 3\n")
    with pytest.raises(RecipeError, match="unknown entries: epoch"):
        read_recipe(path, "cnn")


def test_architectures_are_the_study_s():
    cnn = build(ARCHITECTURES["cnn"])
    assert cnn.count_params() == 19_265_348
    assert cnn.get_layer("flatten").output.shape == (None, 36_864)
    densenet = build(ARCHITECTURES["densenet121"])
    assert densenet.get_layer("features").output.shape == (None, 7, 7, 1024)
    assert densenet.get_layer("probabilities").output.shape == (None, 4)


def test_groups_on_both_sides_are_refused(synthetic, tmp_path, capsys):
    arguments = ["--arch", "cnn", "--data", str(synthetic), "--validation", str(synthetic)]
    assert train.main([*arguments, "--run", str(tmp_path / "run")]) == 1
    assert "both in training and validation" in capsys.readouterr().err


def test_the_command_names_a_missing_folder(tmp_path, capsys):
    arguments = ["--arch", "cnn", "--data", "x", "--validation", str(tmp_path / "nowhere")]
    assert train.main([*arguments, "--run", str(tmp_path / "run")]) == 1
    assert "There is no folder" in capsys.readouterr().err
