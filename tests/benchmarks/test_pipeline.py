"""The training benchmarks compare what they say they compare."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np

from benchmarks.pipeline import AUGMENTATIONS, generator_turn, pipeline_turn, some_patches
from benchmarks.recipe_switches import BASE, Row, _skewed, switches
from her2core.training.data.augment import Augmentation
from her2core.training.recipe import Recipe, check
from training.switch_table import switch_lines


def test_each_switch_differs_from_the_study_in_what_it_names():
    base = Recipe("cnn", epochs=2)
    found = switches(base)
    assert found[BASE] == base
    assert len({repr(recipe) for recipe in found.values()}) == len(found)
    for recipe in found.values():
        check(recipe)
        same = replace(recipe, balanced=True, class_weights=False)
        assert (same.epochs, same.batch, same.learning_rate) == (2, 32, 1e-3)


def test_only_class_zero_is_made_rare():
    assert np.bincount(_skewed(some_patches(64)).labels).tolist() == [4, 16, 16, 16]


def test_the_table_counts_the_seeds_that_a_switch_wins(tmp_path):
    rows = [
        Row(name, seed, 1.0, kappa, 0.5, 0.1, 0.05, 1.0, 10)
        for name, kappas in ((BASE, (0.5, 0.6)), ("mixup = 0.2", (0.55, 0.59)))
        for seed, kappa in enumerate(kappas)
    ]
    results = tmp_path / "switches.json"
    found = {"setting": {"epochs": 2}, "rows": [asdict(row) for row in rows]}
    results.write_text(json.dumps(found))
    lines = list(switch_lines(results))
    assert lines[0] == "Means over the seeds (epochs 2; n = 10 test patches of other cameras):"
    assert lines[-2].endswith("| – | – |")
    assert lines[-1] == (
        "| mixup = 0.2 | 0.570 | 0.500 | 0.100 | 0.050 | 1 of 2 seeds | 0 of 2 seeds |"
    )


def test_both_ways_of_the_pipeline_deliver():
    patches = some_patches(8)
    recipe = Recipe("cnn", batch=4)
    pipeline_turn(patches, recipe, 2)(0)
    generator_turn(patches, 4, 1)(0)
    assert AUGMENTATIONS["the study's augmentation"] == Augmentation()
