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
    assert settings.bundle_dirs == (settings.home / "bundles", SHIPPED_DATA / "bundles")
    assert settings.report_dirs == (settings.home / "reports", SHIPPED_DATA / "reports")


def test_the_default_limits_are_those_promised():
    limits = UploadLimits()
    assert (limits.max_bytes, limits.max_files) == (200 * 2**20, 500)
    assert limits.max_pixels == 100_000_000


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
