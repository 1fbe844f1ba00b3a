"""Settings: environment over file over default, and a wrong number is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from her2core.settings import SHIPPED_DATA, UploadLimits, load_settings

NO_FILE = Path("/nonexistent/secrets.toml")


def test_a_fresh_installation_needs_no_setting():
    settings = load_settings({}, NO_FILE)
    assert settings.home == SHIPPED_DATA / "workspace"
    assert settings.database_url == f"sqlite:///{settings.home / 'her2review.sqlite3'}"
    assert settings.image_dir == settings.home / "patches"
    assert settings.limits == UploadLimits()
    assert settings.bundle_dirs == (SHIPPED_DATA / "bundles", settings.home / "bundles")
    assert settings.report_dirs == (settings.home / "reports", SHIPPED_DATA / "reports")


def test_the_default_limits_are_those_promised():
    limits = UploadLimits()
    assert (limits.max_bytes, limits.max_files) == (200 * 2**20, 500)
    assert limits.max_pixels == 100_000_000
    assert (limits.max_seconds, limits.max_mib) == (10, 1024)


def test_what_decoding_may_cost_is_a_setting():
    limits = load_settings({"HER2_MAX_SECONDS": "4", "HER2_MAX_MIB": "512"}, NO_FILE).limits
    assert (limits.max_seconds, limits.max_mib) == (4, 512)
    with pytest.raises(ValueError, match="HER2_MAX_MIB must be at least 192"):
        load_settings({"HER2_MAX_MIB": "100"}, NO_FILE)


@pytest.mark.parametrize(("value", "kept"), [("0", False), ("1", True), ("no", False)])
def test_pictures_are_kept_unless_a_setting_says_no(value, kept, tmp_path):
    assert load_settings({}, NO_FILE).store_images
    assert load_settings({"HER2_STORE_IMAGES": value}, NO_FILE).store_images is kept
    file = tmp_path / "secrets.toml"
    file.write_text(f"[her2]\nher2_store_images = {str(kept).lower()}\n", encoding="utf-8")
    assert load_settings({}, file).store_images is kept
    with pytest.raises(ValueError, match="HER2_STORE_IMAGES must be 0 or 1, not 'maybe'"):
        load_settings({"HER2_STORE_IMAGES": "maybe"}, NO_FILE)


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path):
    file = tmp_path / "secrets.toml"
    file.write_text(
        f'[her2]\nher2_home = "{tmp_path / "file"}"\nher2_max_files = 7\nher2_max_bytes = 9\n',
        encoding="utf-8",
    )
    settings = load_settings({"HER2_HOME": str(tmp_path / "env"), "HER2_MAX_FILES": "8"}, file)
    assert settings.home == tmp_path / "env"
    assert settings.limits.max_files == 8
    assert settings.limits.max_bytes == 9
    assert settings.limits.max_pixels == UploadLimits().max_pixels


def test_own_bundle_folders_are_searched_first(tmp_path):
    folders = [str(tmp_path / "a"), str(tmp_path / "b")]
    settings = load_settings({"HER2_BUNDLES": os.pathsep.join(folders)}, NO_FILE)
    assert [str(folder) for folder in settings.bundle_dirs[:2]] == folders


def test_another_database_can_be_named():
    url = "postgresql+psycopg://her2@db/her2"
    assert load_settings({"DATABASE_URL": url}, NO_FILE).database_url == url


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "1e6"])
def test_a_wrong_number_is_named(value):
    with pytest.raises(ValueError, match=f"HER2_MAX_PIXELS .* not '{value}'"):
        load_settings({"HER2_MAX_PIXELS": value}, NO_FILE)
