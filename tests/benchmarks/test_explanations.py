"""The fidelity benchmark runs on the bundles in use and writes what the pages read."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import explanations
from her2core.scores import HER2Score
from her2core.xai.fidelity_report import read_report
from her2core.xai.methods import METHODS
from tests.tiny_bundles import bundle_root, classifier


def test_patches_are_of_all_classes_and_the_same_every_time():
    first, again = explanations.patches(5, 3), explanations.patches(5, 3)
    assert {patch.score for patch in first} == set(HER2Score)
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(first, again, strict=True))
    assert all(patch.membrane.any() for patch in first if patch.score > HER2Score.ZERO)


def test_every_method_gets_its_figures(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HER2_BUNDLES", str(bundle_root()))
    monkeypatch.setenv("HER2_HOME", str(tmp_path))
    out = tmp_path / "explanations.json"
    sizes = ["--number", "2", "--samples", "2", "--converge", "1", "--reference", "12"]
    assert explanations.main([*sizes, "--models", "cnn", "--out", str(out)]) == 0
    (model,) = read_report(out).models
    assert model.model_id == classifier("cnn").model_id
    assert [one.method for one in model.methods] == [*METHODS, "gradient", "random"]
    for one in model.methods:
        assert len(one.deletion) == len(one.insertion) == 11
        assert one.deletion[0] == pytest.approx(one.insertion[-1])
        areas = {name: one.figures[name] for name in ("deletion", "insertion", "gain")}
        assert all(figure.n == 2 for figure in areas.values())
        assert areas["gain"].value == pytest.approx(
            areas["insertion"].value - areas["deletion"].value
        )
        if one.method != "random":
            assert -1 <= one.figures["randomised"].value <= 1
            assert one.figures["shift"].n == one.figures["jpeg"].n == 2
            assert "gain_over_random" in one.figures
    assert model.convergence is not None
    assert (model.convergence.samples, model.convergence.reference) == ((10,), 12)
    said = capsys.readouterr().out
    assert "Grad-CAM++" in said
    assert "SHAP against 12 samples" in said
    # one method anew: its figures change places with the earlier ones, all others stay
    before = [one for one in model.methods if one.method != "layer_cam"]
    one_only = ["--number", "2", "--seed", "7", "--method", "layer_cam"]
    assert explanations.main([*one_only, "--models", "cnn", "--out", str(out)]) == 0
    (again,) = read_report(out).models
    assert [one.method for one in again.methods] == [one.method for one in model.methods]
    assert [one for one in again.methods if one.method != "layer_cam"] == before
    assert again.of("layer_cam") != model.of("layer_cam")
    assert again.convergence == model.convergence


def test_without_a_bundle_or_a_patch_it_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HER2_HOME", str(tmp_path))
    out = ["--out", str(tmp_path / "x.json")]
    assert explanations.main(["--models", "resnet", *out]) == 1
    assert "No bundle in use of resnet" in capsys.readouterr().err
    assert explanations.main(["--number", "0", *out]) == 1
    assert "at least one patch" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
