"""A method is one entry of the registry; what is said and drawn of it follows from there."""

from __future__ import annotations

import ast

import numpy as np
import pytest

from her2core.scores import HER2Score
from her2core.settings import PROJECT_ROOT
from her2core.xai.explanation import Explanation, is_signed
from her2core.xai.methods import CLASS_ACTIVATION, METHODS, RECORDED
from her2core.xai.overlay import map_line
from her2core.xai.readings import class_activation_reading


def test_names_titles_and_words_are_all_there_and_told_apart():
    for facts in ({m.title for m in METHODS.values()}, {m.about for m in METHODS.values()}):
        assert len(facts) == len(METHODS)
        assert all(facts)
    assert set(RECORDED) <= set(METHODS)
    assert [name for name in METHODS if name not in CLASS_ACTIVATION] == ["shap"]
    assert {"grad_cam", "grad_cam_plus_plus", "hires_cam", "layer_cam"} == set(CLASS_ACTIVATION)


@pytest.mark.parametrize("name", METHODS)
def test_a_map_is_labelled_by_its_method_and_signed_where_it_says_what_speaks_against(name):
    heat = np.zeros((224, 224), np.float32)
    explanation = Explanation(name, "cnn-0", HER2Score.TWO_PLUS, heat, 0.0, "")
    assert map_line(explanation) == f"{METHODS[name].title} for 2+ · cnn-0"
    assert explanation.signed == METHODS[name].signed == (name == "shap")
    assert is_signed(name, HER2Score.ZERO)


@pytest.mark.parametrize("name", CLASS_ACTIVATION)
def test_each_class_activation_map_has_a_sentence_of_its_own(name):
    said = class_activation_reading(name, HER2Score.TWO_PLUS, (7, 7), empty=False)
    assert said.startswith(f"Warmer areas {METHODS[name].reading.format(score='2+')}; the map has")
    assert "the network's score for 2+" in said


def test_what_networks_are_does_not_depend_on_how_they_are_explained():
    files = sorted((PROJECT_ROOT / "her2core" / "models").rglob("*.py"))
    assert len(files) > 20
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not str(getattr(node, "module", "")).startswith("her2core.xai"), path
