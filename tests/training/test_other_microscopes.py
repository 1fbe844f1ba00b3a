"""What makes a bundle fit for other microscopes: recipe, card, and calibration on real fields."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from her2core.models.bundles.card import BundleError, ModelCard, ModelInput
from her2core.models.temperature import fit_temperature
from her2core.scores import HER2Score
from her2core.settings import SHIPPED_DATA
from her2core.training.data.augment import Augmentation, augment
from her2core.training.data.datasets import DatasetError, PatchSet
from her2core.training.data.real_fields import labelled_fields
from her2core.training.novelty_patches import Views
from her2core.training.recipe import RecipeError, read_recipe

SHIPPED = sorted((SHIPPED_DATA / "bundles").glob("*/card.json"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_the_shipped_cards_name_their_preprocessing(path):
    card = ModelCard.read(path)
    assert card.input == ModelInput(white_balance="glass-1", reading="grid-1")
    assert ModelCard.from_json(card.to_json()) == card


def test_an_older_card_has_neither_and_reads_as_before():
    card = dataclasses.replace(ModelCard.read(SHIPPED[0]), input=ModelInput())
    fields = json.loads(card.to_json())
    assert set(fields["input"]) == {"size", "range", "colour"}
    assert ModelCard.from_json(card.to_json()).input == ModelInput()


@pytest.mark.parametrize("name", ["white_balance", "reading"])
def test_a_preprocessing_that_is_not_known_here_is_refused(name):
    fields = json.loads(ModelCard.read(SHIPPED[0]).to_json())
    fields["input"][name] = "another-2"
    with pytest.raises(BundleError, match=name):
        ModelCard.from_json(json.dumps(fields))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('white_balance = "grey-world"', "white_balance"),
        ("white_balance = 1", "white_balance"),
        ("[augmentation]\nmicroscopes = 1.5", "microscopes"),
        ('[augmentation]\nmicroscopes = "all"', "microscopes"),
    ],
)
def test_recipe_entries_out_of_range_are_named(tmp_path, text, named):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=named):
        read_recipe(path, "cnn")


def test_another_microscope_changes_the_look_and_none_changes_nothing():
    rgb = np.full((64, 64, 3), (190, 150, 120), np.uint8)
    plain = Augmentation(0.0, 0.0, 0.0, 0.0, flips=False, brightness=(1.0, 1.0))
    seen = dataclasses.replace(plain, microscopes=1.0)
    rng = np.random.default_rng
    assert augment(rgb, plain, rng(1)) == pytest.approx(rgb / 255, abs=1e-6)
    looks = [augment(rgb, seen, rng(seed)).mean() for seed in range(30)]
    assert np.std(looks) > 0.03
    assert all(0 <= look <= 1 for look in looks)


def test_each_group_counts_the_same_for_the_temperature_however_many_patches_it_has():
    rng = np.random.default_rng(4)
    logits, labels = 3 * rng.normal(size=(40, 4)), rng.integers(0, 4, 40)
    groups = ["a"] * 10 + ["b"] * 30
    once = fit_temperature(logits, labels, groups)
    often = fit_temperature(
        np.concatenate([logits, *[logits[:10]] * 5]),
        np.concatenate([labels, *[labels[:10]] * 5]),
        groups + ["a"] * 50,
    )
    assert often == pytest.approx(once, rel=1e-3)
    assert fit_temperature(logits, labels) != pytest.approx(once, rel=1e-3)


def test_only_fields_whose_label_may_be_believed_calibrate(tmp_path):
    rows = [("a", "0", "yes"), ("b", "1+", ""), ("c", "2+", "no"), ("d", "", "")]
    with (tmp_path / "fields.csv").open("w", newline="") as handle:
        table = csv.writer(handle)
        table.writerow(["file", "source", "label", "label_fits_picture", "group"])
        for name, label, fits in rows:
            Image.fromarray(np.full((64, 64, 3), 220, np.uint8)).save(tmp_path / f"{name}.png")
            table.writerow([f"{name}.png", f"from {name}", label, fits, ""])
    found = labelled_fields(tmp_path)
    assert found.groups == ("from a", "from b")
    assert found.labels.tolist() == [HER2Score.ZERO, HER2Score.ONE_PLUS]
    (tmp_path / "fields.csv").write_text(
        "file,source,label,label_fits_picture,group\nc.png,from c,2+,no,\nd.png,from d,,,\n"
    )
    with pytest.raises(DatasetError, match="holds no field"):
        labelled_fields(tmp_path)
    with pytest.raises(DatasetError, match=r"There is no table"):
        labelled_fields(tmp_path / "elsewhere")


def test_known_patches_are_shown_as_in_training():
    grey = np.full((224, 224, 3), 180, np.uint8)
    (shown,) = Views("glass-1").looks([grey])
    assert np.all(shown == 240)
    assert Views().looks([grey])[0] is grey
    assert Views().elsewhere([grey], np.random.default_rng(0))[0] is grey
    patches = PatchSet(grey[None], np.array([0]), ("a",))
    assert np.all(patches.prepared("glass-1").images == 240)
    assert patches.prepared(None) is patches
