"""Which nuclei count: round ones in a nest do, a strand of spindles beside it does not."""

from __future__ import annotations

import numpy as np

from her2core.stain.nuclei import Nuclei
from her2core.stain.tumour import tumour_odds


def _nuclei(centres, elongation, *, excess=0.0, diameter=7.0, unevenness=0.2):
    count = len(centres)

    def each(value):
        return np.broadcast_to(np.asarray(value, np.float32), (count,)).copy()

    area = each(np.pi * (np.asarray(diameter) / 2) ** 2)
    return Nuclei(
        np.asarray(centres, np.float32).reshape(-1, 2),
        area,
        each(elongation),
        each(excess),
        each(unevenness),
        np.zeros((4, 4), np.int32),
    )


def _grid(count, x=0.0):
    return [(x + 25 * (i % 5), 25 * (i // 5)) for i in range(count)]


def test_a_nest_counts_and_a_strand_of_spindles_does_not():
    centres = [*_grid(25), *[(300.0, 20 * i) for i in range(10)]]
    odds = tumour_odds(_nuclei(centres, [1.3] * 25 + [3.5] * 10))
    assert (odds[:25] > 0).all()
    assert (odds[25:] < 0).all()


def test_the_same_nucleus_is_likelier_tumour_in_a_nest_than_in_a_strand():
    centres = [*_grid(15), *_grid(15, 400.0)]
    elongation = [1.2] * 14 + [2.0] + [3.0] * 14 + [2.0]
    odds = tumour_odds(_nuclei(centres, elongation))
    assert odds[14] > odds[29] + 1


def test_brown_debris_does_not_count():
    centres = _grid(20)
    assert (tumour_odds(_nuclei(centres, 1.5)) > 0).all()
    assert (tumour_odds(_nuclei(centres, 1.5, excess=1.0)) < 0).all()


def test_debris_and_what_is_too_coarse_to_tell_never_count():
    centres = _grid(20)
    diameter = [3.9] * 10 + [6.0] * 10
    odds = tumour_odds(_nuclei(centres, 1.2, diameter=diameter))
    assert (odds[:10] < 0).all()
    assert (odds[10:] > 0).all()


def test_another_scale_or_a_sharper_scanner_changes_nothing():
    centres = _grid(20)
    diameter = np.linspace(5, 9, 20)
    unevenness = np.linspace(0.15, 0.25, 20)
    plain = tumour_odds(_nuclei(centres, 1.5, diameter=diameter, unevenness=unevenness))
    other = tumour_odds(_nuclei(centres, 1.5, diameter=2 * diameter, unevenness=unevenness + 0.1))
    np.testing.assert_allclose(plain, other, atol=1e-4)


def test_none_and_a_single_nucleus_are_read_as_well():
    assert tumour_odds(_nuclei([], 1.2)).shape == (0,)
    assert np.isfinite(tumour_odds(_nuclei([(5.0, 5.0)], 1.2))).all()
