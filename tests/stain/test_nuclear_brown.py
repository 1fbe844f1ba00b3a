"""A nuclear marker is asked about; a membrane stain is not."""

from __future__ import annotations

import numpy as np

from her2core.preprocessing.patches import Patch, Square
from her2core.preprocessing.quality.assessment import assess
from her2core.preprocessing.quality.findings import BROWN_NUCLEI
from her2core.scores import HER2Score
from her2core.stain.nuclear_brown import brown_lies_on_nuclei
from her2core.training.data.restained import nuclear_stain
from her2core.training.synthetic import GeneratorConfig, make_patch

USUAL = GeneratorConfig(size=448, field_um=(90.0, 180.0))


def patches() -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    return [make_patch(score, rng, USUAL).rgb for score in HER2Score for _ in range(2)]


def test_brown_membranes_are_not_taken_for_nuclei():
    assert not any(map(brown_lies_on_nuclei, patches()))


def test_brown_nuclei_get_their_own_sentence():
    rng = np.random.default_rng(6)
    made = [nuclear_stain(image, rng) for image in patches()]
    assert np.mean([brown_lies_on_nuclei(image) for image in made]) >= 0.7
    whole = [assess(Patch("a", "0" * 64, image, Square(0, 0, 448))) for image in made]
    assert any(BROWN_NUCLEI in report.findings for report in whole)


def test_glass_and_a_speck_are_no_brown_nuclei():
    for shape in ((448, 448, 3), (20, 20, 3), (1, 1, 3)):
        assert not brown_lies_on_nuclei(np.full(shape, 240, np.uint8))
