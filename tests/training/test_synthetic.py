"""The generator: what it draws is what it says, and the same seed draws it again."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from her2core.scores import HER2Score
from her2core.stain.density import measure
from her2core.training.synthetic import GeneratorConfig, StainTruth, make_patch
from her2core.training.synthetic.staining import draw_staining
from her2core.training.synthetic.tissue import lay_out_tissue
from training import make_synthetic

SMALL = GeneratorConfig(size=96, field_um=(50.0, 120.0), stroma_only=0.0)


@pytest.mark.parametrize(
    ("shares", "score"),
    [
        ((1.0, 0.0, 0.0, 0.0), HER2Score.ZERO),
        ((0.91, 0.09, 0.0, 0.0), HER2Score.ZERO),
        ((0.7, 0.3, 0.0, 0.0), HER2Score.ONE_PLUS),
        ((0.5, 0.3, 0.2, 0.0), HER2Score.TWO_PLUS),
        ((0.92, 0.0, 0.0, 0.08), HER2Score.TWO_PLUS),
        ((0.5, 0.2, 0.1, 0.2), HER2Score.THREE_PLUS),
    ],
)
def test_truth_follows_the_asco_cap_rule(shares, score):
    assert StainTruth(100, *shares).score is score


@given(
    score=st.sampled_from(HER2Score),
    cells=st.integers(1, 300),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=200, deadline=None)
def test_drawn_staining_always_realises_its_class(score, cells, seed):
    rng = np.random.default_rng(seed)
    stain = draw_staining(score, rng.standard_normal(cells).astype(np.float32), rng)
    truth = stain.truth()
    assert truth.score is score
    total = truth.none + truth.faint_incomplete + truth.moderate_complete + truth.intense_complete
    assert total == pytest.approx(1.0)
    assert np.all((stain.density > 0) == (stain.pattern > 0))


@pytest.mark.parametrize("score", HER2Score)
def test_a_patch_is_a_picture_with_its_truth(score):
    patch = make_patch(score, np.random.default_rng(5), SMALL)
    assert patch.rgb.shape == (96, 96, 3)
    assert patch.rgb.dtype == np.uint8
    assert patch.truth.score is patch.score is score
    assert 50 <= patch.field_um <= 120
    if score > HER2Score.ZERO:
        # the label can be read off the picture
        assert patch.membrane.mean() >= 0.025


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    first, again, other = (
        make_patch(HER2Score.TWO_PLUS, np.random.default_rng(seed), SMALL).rgb for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_brown_rises_with_the_class():
    medians = []
    for score in HER2Score:
        rng = np.random.default_rng([9, int(score)])
        shares = [measure(make_patch(score, rng, SMALL).rgb).moderate for _ in range(15)]
        medians.append(float(np.median(shares)))
    assert medians[2] > 2 * medians[1]
    assert medians[3] > 1.3 * medians[2]
    assert medians[0] < 0.1


def test_membranes_are_darker_in_blue_light_than_the_rest_of_a_positive_patch():
    rng = np.random.default_rng(3)
    for _ in range(5):
        patch = make_patch(HER2Score.THREE_PLUS, rng, SMALL)
        blue = patch.rgb[..., 2].astype(float)
        assert blue[patch.membrane].mean() < blue[~patch.membrane].mean() - 15


def test_the_command_writes_class_folders_whatever_the_number_of_workers(tmp_path, capsys):
    for workers in (1, 2):
        out = tmp_path / str(workers)
        arguments = ["--out", str(out), "--per-class", "2", "--seed", "4", "--size", "64"]
        assert make_synthetic.main([*arguments, "--workers", str(workers)]) == 0
    names = sorted(p.relative_to(tmp_path / "1") for p in (tmp_path / "1").rglob("*.png"))
    assert {name.parts[0] for name in names} == {score.folder for score in HER2Score}
    assert len(names) == 8
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    with (tmp_path / "1" / "truth.csv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert sorted(row["file"] for row in rows) == [str(name) for name in names]
    # a finished set is never overwritten
    assert make_synthetic.main([*arguments]) == 1
    assert "already holds a finished set" in capsys.readouterr().err


def test_the_command_explains_wrong_arguments(tmp_path, capsys):
    assert make_synthetic.main(["--out", str(tmp_path / "x"), "--per-class", "0"]) == 1
    assert "--per-class 1 or more" in capsys.readouterr().err
    wrong_field = ["--out", str(tmp_path / "x"), "--per-class", "1", "--field-um", "300", "50"]
    assert make_synthetic.main(wrong_field) == 1
    assert "MIN <= MAX" in capsys.readouterr().err


def test_a_normal_duct_holds_no_tumour_and_its_lumen_is_glass():
    layouts = [
        lay_out_tissue(np.random.default_rng(seed), 200, 0.5, tumour_wanted=True)
        for seed in range(80)
    ]
    with_duct = [layout for layout in layouts if layout.ducts]
    assert 0 < len(with_duct) < 40
    for layout in with_duct:
        (duct,) = layout.ducts
        assert not (layout.tumour & (duct.wall | duct.lumen)).any()
        assert layout.glass[duct.lumen].all()
