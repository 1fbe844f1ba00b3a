"""The check of a bundle's heat maps: what it refuses, and where the pages find it."""

from __future__ import annotations

from her2core.xai.fidelity_report import (
    FIDELITY_FILE,
    NOTHING_CHECKED,
    FidelityReport,
    ModelFidelity,
    checked_maps,
)
from tests.tiny_bundles import settings
from training import check_maps


def test_what_cannot_be_checked_ends_in_one_sentence(tmp_path, capsys):
    assert check_maps.main([f"--bundle={tmp_path / 'nowhere'}"]) == 1
    assert "nowhere" in capsys.readouterr().err
    assert check_maps.main([f"--bundle={tmp_path}", "--number=1"]) == 1
    assert "at least two patches" in capsys.readouterr().err


def test_a_bundle_brings_its_check_along(tmp_path):
    here = settings(tmp_path, tmp_path / "bundles")
    shipped = {model.model_id for model in checked_maps(here).models}
    own = FidelityReport("5 patches", "2026-01-01", (ModelFidelity("cnn-0123456789ab", ()),))
    (tmp_path / "bundles" / "ours").mkdir(parents=True)
    own.write(tmp_path / "bundles" / "ours" / FIDELITY_FILE)
    assert {model.model_id for model in checked_maps(here).models} == {*shipped, "cnn-0123456789ab"}
    (tmp_path / "bundles" / "ours" / FIDELITY_FILE).write_text("{")
    assert {model.model_id for model in checked_maps(here).models} == shipped
    assert NOTHING_CHECKED.of("cnn-0123456789ab") is None
