"""Which cells count: round nuclei in a nest do, a strand of spindles or a pale gap does not."""

from __future__ import annotations

import numpy as np
import pytest

from her2core.stain.nuclei import Nuclei
from her2core.stain.rims import DIRECTIONS, Rims, find_rims
from her2core.stain.tumour import tumour_odds
from training.fit_tumour_odds import fitted
from training.fit_tumour_odds import main as fit


def _each(count, value):
    return np.broadcast_to(np.asarray(value, np.float32), (count,)).copy()


def _odds(
    centres,
    elongation,
    *,
    excess=0.0,
    diameter=7.0,
    unevenness=0.2,
    radius=12.0,
    cytoplasm=0.1,
):
    count = len(centres)
    centres = np.asarray(centres, np.float32).reshape(-1, 2)
    nuclei = Nuclei(
        centres,
        _each(count, np.pi * (np.asarray(diameter) / 2) ** 2),
        _each(count, elongation),
        _each(count, excess),
        _each(count, unevenness),
        np.zeros((4, 4), np.int32),
    )
    angles = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    parts = np.zeros((count, DIRECTIONS), np.float32)
    rims = Rims(
        centres[:, None] + _each(count, radius)[:, None, None] * circle,
        parts,
        parts,
        np.zeros((count, DIRECTIONS, 2), np.float32),
        _each(count, 0),
        _each(count, cytoplasm),
    )
    return tumour_odds(nuclei, rims)


def _grid(count, x=0.0):
    return [(x + 25 * (i % 5), 25 * (i // 5)) for i in range(count)]


def test_a_nest_counts_and_a_strand_of_spindles_does_not():
    centres = [*_grid(25), *[(300.0, 20 * i) for i in range(10)]]
    odds = _odds(centres, [1.3] * 25 + [3.5] * 10)
    assert (odds[:25] > 0).all()
    assert (odds[25:] < 0).all()


def test_the_same_nucleus_is_likelier_tumour_in_a_nest_than_in_a_strand():
    centres = [*_grid(15), *_grid(15, 400.0)]
    elongation = [1.2] * 14 + [2.0] + [3.0] * 14 + [2.0]
    odds = _odds(centres, elongation)
    assert odds[14] > odds[29] + 1


def test_brown_debris_does_not_count():
    centres = _grid(20)
    assert (_odds(centres, 1.5) > 0).all()
    assert (_odds(centres, 1.5, excess=1.0) < 0).all()


def test_a_pale_gap_between_stained_cells_is_less_likely_one_than_they_are():
    pale = [0.3] * 12 + [0.05] + [0.3] * 12
    odds = _odds(_grid(25), 1.5, cytoplasm=pale)
    assert odds[12] < odds[11] - 1
    assert odds[12] < 0 < odds[0]


def test_a_cell_that_its_nucleus_fills_is_judged_by_the_other_signs():
    full = [0.1] * 12 + [np.nan] + [0.1] * 12
    np.testing.assert_allclose(_odds(_grid(25), 1.5, cytoplasm=full), _odds(_grid(25), 1.5))
    np.testing.assert_allclose(_odds(_grid(25), 1.5, cytoplasm=np.nan), _odds(_grid(25), 1.5))


def test_debris_and_what_is_too_coarse_to_tell_never_count():
    centres = _grid(20)
    diameter = [3.9] * 10 + [6.0] * 10
    odds = _odds(centres, 1.2, diameter=diameter)
    assert (odds[:10] < 0).all()
    assert (odds[10:] > 0).all()


def test_another_scale_a_sharper_scanner_or_a_browner_bath_changes_nothing():
    centres = _grid(20)
    diameter = np.linspace(5, 9, 20)
    rising = np.linspace(0.15, 0.25, 20)
    plain = _odds(centres, 1.5, diameter=diameter, unevenness=rising, cytoplasm=rising)
    other = _odds(
        centres,
        1.5,
        diameter=2 * diameter,
        unevenness=rising + 0.1,
        radius=24.0,
        cytoplasm=rising + 0.2,
    )
    np.testing.assert_allclose(plain, other, atol=2e-2)


def test_none_and_a_single_nucleus_are_read_as_well():
    assert _odds([], 1.2).shape == (0,)
    assert np.isfinite(_odds([(5.0, 5.0)], 1.2)).all()


@pytest.mark.parametrize("centre", [(60, 60), (4, 60)])
def test_the_cytoplasm_is_read_between_nucleus_and_rim_and_only_in_the_image(centre):
    yy, xx = np.mgrid[:120, :120]
    away = np.hypot(xx - centre[0], yy - centre[1])
    # a nucleus of 3 µm radius, cytoplasm of 0.2 out to 8 µm, then a dense membrane
    dab = np.where(away < 20, 0.2, 0.0).astype(np.float32)
    ring = np.abs(away - 20) < 1.5
    dab[ring] = 0.8
    labels = (away < 7.5).astype(np.int32)
    one = np.ones(1, np.float32)
    nuclei = Nuclei(np.array([centre], np.float32), 28 * one, one, one, one, labels)
    rims = find_rims(nuclei, ring.astype(np.float32), dab)
    assert rims.cytoplasm == pytest.approx([0.2], abs=0.03)


def test_the_fit_finds_what_tells_cells_apart(capsys):
    rng = np.random.default_rng(1)
    signs = rng.normal(size=(4000, 12)).astype(np.float32)
    drawn = rng.random(4000) < 1 / (1 + np.exp(-(1.0 + 2.0 * signs[:, 5] - signs[:, 8])))
    constant, weights, area = fitted([(signs, drawn)])
    assert constant == pytest.approx(1.0, abs=0.2)
    assert weights[[5, 8]] == pytest.approx([2.0, -1.0], abs=0.25)
    assert np.abs(np.delete(weights, [5, 8])).max() < 0.2
    assert area > 0.85
    assert fit(["--per-class", "1", "--workers", "1"]) == 0
    said = capsys.readouterr().out
    assert "_OWN = np.array([" in said
    assert "4 patches" in said
