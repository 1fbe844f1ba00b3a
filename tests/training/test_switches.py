"""The switches beyond the study's recipe do what they say, and nothing when they are off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from her2core.models.architectures.keras_model import build
from her2core.settings import PROJECT_ROOT
from her2core.stain.density import separate
from her2core.training.data.augment import Augmentation, augment, scale_stains
from her2core.training.data.batches import Mixture, choose, draw_batch
from her2core.training.data.datasets import PatchSet
from her2core.training.losses import class_weights, recipe_loss
from her2core.training.recipe import Recipe, RecipeError, check, read_recipe

NO_AUGMENTATION = Augmentation(0.0, 0.0, 0.0, 0.0, False, (1.0, 1.0), 0.0)

RECIPES = PROJECT_ROOT / "training" / "recipes"


def patch_set(labels: list[int], side: int = 16) -> PatchSet:
    """Flat pictures, each of its own grey."""
    images = np.stack([np.full((side, side, 3), 5 * n + 20, np.uint8) for n in range(len(labels))])
    return PatchSet(images, np.array(labels), tuple(map(str, range(len(labels)))))


def plain(**changes: object) -> Recipe:
    return Recipe("cnn", size=16, augmentation=NO_AUGMENTATION, **changes)  # type: ignore[arg-type]


def test_every_switch_is_off_by_default():
    recipe = Recipe("cnn")
    assert recipe.balanced
    switches = (recipe.class_weights, recipe.ordinal, recipe.mixup, recipe.label_smoothing)
    colours = (recipe.augmentation.stain, recipe.augmentation.colour)
    assert not any((recipe.cosine, *switches, *colours))


def test_two_phases_belong_to_imagenet_weights_unless_named():
    assert (Recipe("cnn").head_epochs, Recipe("cnn").trained_blocks) == (0, None)
    imagenet = Recipe("densenet121")
    assert (imagenet.head_epochs, imagenet.trained_blocks, imagenet.main_rate) == (20, 1, 1e-4)
    random = Recipe("densenet121", imagenet=False)
    assert (random.head_epochs, random.trained_blocks, random.main_rate) == (0, None, 1e-3)
    named = Recipe("densenet121", imagenet=False, frozen_epochs=3, fine_tune_blocks=2)
    assert (named.head_epochs, named.trained_blocks) == (3, 2)


def test_fine_tuning_opens_the_last_blocks_then_the_stem_and_never_batch_normalisation():
    from her2core.models.architectures import ARCHITECTURES
    from her2core.training.frozen import train_only_blocks

    model = build(ARCHITECTURES["densenet121"], size=32)
    opened = {}
    for blocks in (1, 4, 5):
        train_only_blocks(model, blocks)
        paths = {weight.path for weight in model.trainable_weights}
        assert not any("bn" in path or "gamma" in path for path in paths)
        assert any(path.startswith("logits") for path in paths)
        opened[blocks] = {path.split("_")[0] for path in paths if path.startswith("conv")}
    assert opened == {
        1: {"conv5"},
        4: {"conv2", "conv3", "conv4", "conv5"},
        5: {"conv1", "conv2", "conv3", "conv4", "conv5"},
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("class_weights = true", "class_weights needs balanced = false"),
        ("epochs = 0", "epochs must be a whole number, 1 or more"),
        ("seed = 4294967296", "seed must be at most 4294967295"),
        ("batch = 1.5", "batch must be a whole number"),
        ("ordinal = 1.5", "ordinal must be a number from 0 to 1"),
        ("learning_rate = 'fast'", "learning_rate must be a number above 0"),
        ("size = 112", "size must be 224 for the CNN"),
        ("cosine = 1", "cosine must be true or false"),
        ("fine_tune_blocks = 6", "1 to 5"),
        ("epochs =", "cannot be read"),
        ("learning_rate = nan", "learning_rate must be a number above 0"),
        ("fine_tune_rate = inf", "fine_tune_rate must be a number above 0"),
        (f"mixup = 1{'0' * 400}", "mixup must be a number from 0"),
        ("augmentation = 3", "augmentation must be a table"),
        ("augmentation.rotation = 'x'", "augmentation.rotation must be a number of degrees"),
        ("augmentation.rotation = 181", "from 0 to 180"),
        ("augmentation.shear = -0.1", "augmentation.shear must be a number from 0"),
        ("augmentation.shear = inf", "augmentation.shear must be a number from 0"),
        ("augmentation.shift = -0.1", "augmentation.shift must be a number from 0 to below 1"),
        ("augmentation.zoom = 1.0", "augmentation.zoom must be a number from 0 to below 1"),
        ("augmentation.colour = nan", "augmentation.colour must be a number from 0 to below 1"),
        ("augmentation.stain = 5.0", "augmentation.stain must be a number from 0 to below 1"),
        ("augmentation.flips = 'no'", "augmentation.flips must be true or false"),
        ("augmentation.brightness = 0.9", "augmentation.brightness must be two numbers"),
        ("augmentation.brightness = [0.8]", "augmentation.brightness must be two numbers"),
        ("augmentation.brightness = [1.2, 0.8]", "the smaller one first"),
        ("augmentation.brightness = [0, 1]", "two numbers above 0"),
        ("augmentation.brightness = ['a', 'b']", "augmentation.brightness must be two numbers"),
    ],
)
def test_a_recipe_that_cannot_be_trained_with_is_refused(tmp_path, text, said):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=said):
        read_recipe(path, "cnn")


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_recipes_that_come_along_are_usable(path):
    read_recipe(path, "densenet121" if "densenet" in path.name else "cnn")


def test_no_augmentation_at_all_is_a_usable_choice():
    check(Recipe("cnn", augmentation=NO_AUGMENTATION))


def test_the_default_loss_is_categorical_cross_entropy():
    import keras

    targets = np.eye(4, dtype=np.float32)[[0, 1, 3]]
    answers = np.full((3, 4), 0.25, np.float32) + np.linspace(-0.1, 0.1, 12).reshape(3, 4)
    answers = (answers / answers.sum(axis=1, keepdims=True)).astype(np.float32)
    for smoothing in (0.0, 0.1):
        ours = np.asarray(recipe_loss(Recipe("cnn", label_smoothing=smoothing))(targets, answers))
        theirs = keras.losses.categorical_crossentropy(targets, answers, label_smoothing=smoothing)
        assert np.allclose(ours, np.asarray(theirs))


def test_the_ordinal_term_is_the_expected_squared_distance():
    targets = np.eye(4, dtype=np.float32)[[0, 0, 2]]
    answers = np.array([[0.5, 0, 0, 0.5], [0, 1, 0, 0], [0, 0.5, 0, 0.5]], np.float32)
    loss = np.asarray(recipe_loss(Recipe("cnn", ordinal=1.0))(targets, answers))
    assert np.allclose(loss, [0.5 * 9 / 9, 1 / 9, 1 / 9])


def test_class_weights_make_classes_count_alike():
    counts = np.array([10, 40, 40, 10])
    weights = class_weights(counts)
    assert weights * counts == pytest.approx(np.full(4, 25.0))
    targets = np.eye(4, dtype=np.float32)
    answers = np.full((4, 4), 0.25, np.float32)
    loss = np.asarray(recipe_loss(Recipe("cnn"), weights)(targets, answers))
    assert loss == pytest.approx(np.log(4) * weights)
    with pytest.raises(RecipeError):
        check(Recipe("cnn", class_weights=True))


def test_without_balance_every_patch_comes_once_in_turn():
    mixture = Mixture((patch_set([0, 0, 0, 0, 1, 2, 3]),), (1.0,))
    recipe = plain(batch=3, balanced=False)
    drawn = [
        patch for step in range(7) for _, patch in choose(mixture, mixture.by_class(), recipe, step)
    ]
    for turn in range(3):
        assert sorted(drawn[7 * turn : 7 * turn + 7]) == list(range(7))
    assert drawn[:7] != drawn[7:14]


@given(st.integers(0, 1000), st.sampled_from([1, 2, 4]), st.sampled_from([0.0, 0.4]))
def test_machines_share_out_one_and_the_same_batch(step, count, mixup):
    mixture = Mixture((patch_set([0, 1, 2, 3] * 3),), (1.0,))
    recipe = Recipe("cnn", size=16, batch=8, mixup=mixup)
    index = mixture.by_class()
    whole = draw_batch(mixture, index, recipe, step)
    parts = [draw_batch(mixture, index, recipe, step, (i, count)) for i in range(count)]
    for kind in (0, 1):
        assert np.array_equal(np.concatenate([part[kind] for part in parts]), whole[kind])


def test_mixup_mixes_pixels_and_labels_alike():
    mixture = Mixture((patch_set([0, 1, 2, 3]),), (1.0,))
    index = mixture.by_class()
    pixels, targets = draw_batch(mixture, index, plain(batch=64, mixup=0.4), 0)
    greys = np.array([(5 * n + 20) / 255 for n in range(4)])
    assert np.allclose(targets.sum(axis=1), 1)
    assert ((targets > 0).sum(axis=1) == 2).any()
    assert np.allclose(pixels[:, 0, 0, 0], targets @ greys, atol=1e-5)


def test_stain_augmentation_moves_each_density_by_its_factor():
    rgb = np.random.default_rng(0).integers(90, 230, (32, 32, 3)).astype(np.uint8)
    rgb[:4] = 255  # glass, so that both measurements take the same white
    same = scale_stains(rgb, np.ones(2))
    assert np.abs(same * 255 - rgb).max() < 0.01
    dab = np.full((8, 8, 3), (150, 105, 70), np.uint8)
    dab[0] = 255
    before = separate(dab)[1].max()
    after = separate(np.round(scale_stains(dab, np.array([1.0, 0.5])) * 255).astype(np.uint8))[
        1
    ].max()
    assert after == pytest.approx(0.5 * before, rel=0.03)
    changed = [
        augment(
            rgb, Augmentation(0, 0, 0, 0, False, (1, 1), 0, stain=0.2), np.random.default_rng(s)
        )
        for s in range(20)
    ]
    assert all(picture.min() >= 0 and picture.max() <= 1 for picture in changed)
    assert np.std([picture.mean() for picture in changed]) > 0.005
