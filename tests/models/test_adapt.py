"""The last layer fitted anew: drawn to the old one, judged on groups that were left out."""

import numpy as np

from her2core.models.adapt import (
    KEEP,
    PULLS,
    LabelledFeatures,
    SoftmaxLayer,
    adapt_head,
    fit_layers,
    group_folds,
)

UNITS = 16


def old_layer(seed: int = 0) -> SoftmaxLayer:
    kernel = np.random.default_rng(seed).normal(size=(UNITS, 4)) / 3
    return SoftmaxLayer(kernel, np.zeros(4))


def features(patches: int = 80, groups: int = 10, seed: int = 0, told: float = 3.0):
    """Features whose first four units tell the label, where `told` is above 0."""
    rng = np.random.default_rng(seed)
    labels = np.arange(patches) % 4
    hidden = rng.normal(size=(patches, UNITS))
    hidden[np.arange(patches), labels] += told
    names = tuple(f"slide {number // 4 % groups}" for number in range(patches))
    return LabelledFeatures(hidden, np.arange(patches + 1), labels, names)


def exact(layer: SoftmaxLayer, seen: LabelledFeatures) -> float:
    return float((seen.logits(layer, 1.0).argmax(axis=1) == seen.labels).mean())


def test_a_shifted_laboratory_is_learnt_and_holds_for_patches_never_shown():
    old, others = old_layer(), features(seed=1)
    found = adapt_head(old, 1.0, features())
    assert found.pull != KEEP
    assert exact(found.layer, others) > exact(old, others) + 0.3


def test_labels_that_follow_nothing_leave_the_layer_as_it_was():
    plain = SoftmaxLayer(np.zeros((UNITS, 4)), np.zeros(4))
    found = adapt_head(plain, 1.0, features(told=0.0))
    assert found.pull == KEEP
    assert not found.layer.kernel.any()


def test_few_patches_do_not_spoil_a_layer_that_is_right():
    right = SoftmaxLayer(3 * np.eye(UNITS, 4), np.zeros(4))
    few, others = features(patches=32, groups=4, told=2.0), features(seed=1, told=2.0)
    found = adapt_head(right, 1.0, few)
    assert exact(found.layer, others) > exact(right, others) - 0.05


def test_the_stronger_the_pull_the_less_changes():
    old, seen = old_layer(), features()
    layers = fit_layers(old, 1.0, seen, PULLS)
    change = [float(np.abs(layer.kernel - old.kernel).sum()) for layer in layers]
    assert change[0] == 0
    assert change == sorted(change)


def test_calibrating_alone_fits_temperature_and_sets_and_no_layer():
    old, seen = old_layer(), features()
    sure = SoftmaxLayer(120 * old.kernel, old.bias)
    found = adapt_head(sure, 1.0, seen, (KEEP,))
    assert np.array_equal(found.layer.kernel, sure.kernel)
    assert found.temperature > 5
    assert found.sets.n == (20, 20, 20, 20)


def test_a_class_that_one_group_alone_holds_judges_no_pull():
    seen = features()
    alone = tuple(
        "rare" if label == 3 else group
        for label, group in zip(seen.labels.tolist(), seen.groups, strict=True)
    )
    rare = LabelledFeatures(seen.hidden, seen.firsts, seen.labels, alone)
    # left out it cannot be learnt, which would count against every change
    assert adapt_head(old_layer(), 1.0, rare).pull != KEEP


def test_folds_tear_no_group_apart_and_hold_every_patch_once():
    seen = features(patches=90, groups=7)
    folds = group_folds(seen.groups, seen.labels, 5)
    assert sorted(np.concatenate(folds).tolist()) == list(range(90))
    of_fold = [{seen.groups[number] for number in fold.tolist()} for fold in folds]
    assert len(set().union(*of_fold)) == sum(map(len, of_fold))


def test_the_verdict_of_a_wide_field_is_its_strongest_part():
    layer = SoftmaxLayer(np.eye(4) * 5, np.zeros(4))
    wide = np.array([[0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0]], float)
    seen = LabelledFeatures(
        np.vstack([wide, wide[:1]]), np.array([0, 5, 6]), np.array([2, 3]), ("a", "b")
    )
    # the whole, though stronger, was only read for its map; a field that was not cut is its own
    assert seen.rows(layer, 1.0).tolist() == [2, 5]
    assert seen.of(np.array([1])).rows(layer, 1.0).tolist() == [0]
