"""Stain measurement and what it decides: which crops of a core may carry the core's score."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from her2core.common.optics import DAB, HAEMATOXYLIN
from her2core.scores import HER2Score
from her2core.stain.density import StainReport, measure, separate
from her2core.training.data.real_crops import cut_crops, plausible_label, recolour
from training import crop_cores


@pytest.fixture(scope="session")
def real_cores(real_patches: list[Path]) -> Path:
    """Folder of the real cores with cores.csv and patches.csv."""
    return real_patches[0].parent.parent


def picture(haematoxylin: float, dab: float, side: int = 64) -> np.ndarray:
    """Half glass, half tissue of the given densities."""
    density = haematoxylin * np.array(HAEMATOXYLIN) + dab * np.array(DAB)
    rgb = np.full((side, side, 3), 250.0)
    rgb[:, side // 2 :] *= 10**-density
    return np.round(rgb).astype(np.uint8)


@pytest.mark.parametrize(("haematoxylin", "dab"), [(0.3, 0.0), (0.2, 0.3), (0.1, 1.0)])
def test_separation_finds_the_densities_that_were_mixed(haematoxylin, dab):
    found_h, found_d = separate(picture(haematoxylin, dab))
    assert found_h[:, 40:].mean() == pytest.approx(haematoxylin, abs=0.02)
    assert found_d[:, 40:].mean() == pytest.approx(dab, abs=0.02)
    assert found_d[:, :20].max() < 0.01


def test_shares_are_of_the_tissue_not_of_the_glass():
    report = measure(picture(0.2, 0.4))
    assert report.tissue == pytest.approx(0.5, abs=0.01)
    assert (report.faint, report.moderate, report.intense) == (1.0, 1.0, 0.0)


def test_blank_glass_has_no_stain_and_no_tissue():
    report = measure(np.full((32, 32, 3), 245, np.uint8))
    assert report == StainReport(0.0, 0.0, 0.0, 0.0)


def test_an_unstained_crop_is_never_called_positive():
    unstained = StainReport(0.9, 0.01, 0.0, 0.0)
    assert plausible_label(HER2Score.TWO_PLUS, unstained) is HER2Score.ZERO
    assert plausible_label(HER2Score.THREE_PLUS, unstained) is None


def test_recolouring_moves_dab_and_leaves_haematoxylin():
    before = picture(0.2, 0.4)
    after_h, after_d = separate(recolour(before, 2.0))
    assert after_d[:, 40:].mean() == pytest.approx(0.78, abs=0.04)
    assert after_h[:, 40:].mean() == pytest.approx(0.2, abs=0.03)


@pytest.mark.real_images
def test_measured_stain_separates_real_positive_from_negative_patches(real_cores):
    with (real_cores / "patches.csv").open(newline="", encoding="utf-8") as handle:
        rows = [row for row in csv.DictReader(handle) if row["stain_matches_score"] == "yes"]
    moderate: dict[str, list[float]] = {}
    for row in rows:
        rgb = np.asarray(Image.open(real_cores / row["file"]).convert("RGB"))
        moderate.setdefault(row["core_ihc_score"], []).append(measure(rgb).moderate)
    assert max(moderate["0"]) < 0.01
    assert float(np.median(moderate["2+"])) > 0.05
    assert min(moderate["3+"]) > max(moderate["0"])


@pytest.mark.real_images
def test_crops_of_real_cores_carry_their_core_and_a_plausible_label(real_cores, tmp_path):
    out = tmp_path / "crops"
    arguments = ["--cores", str(real_cores), "--out", str(out), "--per-core", "6"]
    assert crop_cores.main([*arguments, "--only", "a1f1510c,aa1da043"]) == 0
    with (out / "truth.csv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert {row["group"] for row in rows} <= {"a1f1510c", "aa1da043"}
    assert {row["label"] for row in rows if row["group"] == "aa1da043"} == {"0"}
    assert {row["label"] for row in rows if row["group"] == "a1f1510c"} == {"3+"}
    for row in rows:
        assert Image.open(out / row["file"]).size == (224, 224)


def test_crops_are_seeded_and_hold_tissue():
    rng = np.random.default_rng(0)
    core = np.tile(picture(0.3, 0.0, 64), (20, 20, 1))
    first, again = (
        list(cut_crops(core, HER2Score.ZERO, 3, np.random.default_rng(1), field_um=(50, 60)))
        for _ in range(2)
    )
    assert [(c.x, c.y, c.size) for c in first] == [(c.x, c.y, c.size) for c in again]
    assert all(c.rgb.shape == (224, 224, 3) for c in first)
    glass = np.full((1300, 1300, 3), 250, np.uint8)
    assert list(cut_crops(glass, HER2Score.ZERO, 3, rng)) == []


def test_the_command_names_what_is_missing(tmp_path, capsys):
    arguments = ["--cores", str(tmp_path), "--out", str(tmp_path / "x")]
    assert crop_cores.main(arguments) == 1
    assert "no readable cores.csv" in capsys.readouterr().err
