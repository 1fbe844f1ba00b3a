"""Two reports are compared on the patches that both hold, and on no other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from her2core.evaluation.across import across
from tests.report_samples import MODELS, some_rows


def test_models_of_one_architecture_are_compared_on_shared_patches():
    rows = some_rows(12)
    model = next(model for model in MODELS if model.architecture == "cnn")
    later = replace(model, key="cnn-ffffffffffff", name="Later")
    # the later one is right on every patch that it read; it did not read the first three
    sure = [(1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0)]
    other = [replace(row, probabilities={later.key: sure[row.label]}) for row in rows[3:]]
    (pair,) = across((rows, MODELS), (other, [later]), n_boot=100, seed=0)
    assert (pair.first, pair.second, pair.n) == (model.key, later.key, len(rows) - 3)
    wrong = sum(
        max(range(4), key=row.probabilities[model.key].__getitem__) != row.label for row in rows[3:]
    )
    assert (pair.only_first_right, pair.only_second_right) == (0, wrong)
    assert pair.accuracy_difference.value == pytest.approx(wrong / (len(rows) - 3))


def test_nothing_is_compared_without_shared_patches_or_with_itself():
    rows = some_rows(12)
    assert across((rows, MODELS), (rows, MODELS), 100, 0) == ()
    others = [replace(row, sha256="0" * 60 + row.sha256[:4]) for row in rows]
    later = [replace(model, key=f"{model.key}-b") for model in MODELS]
    assert across((rows, MODELS), (others, later), 100, 0) == ()
