"""What CONTRIBUTING.md points to is there, so that the next person's first guess is right."""

import re

from her2core.settings import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_every_file_that_the_table_of_changes_names_exists():
    names = set(re.findall(r"`((?:her2core|pages|training|benchmarks|tests)/[\w/.]*)`", PAGE))
    assert len(names) > 8
    missing = [name for name in names if not (PROJECT_ROOT / name).exists()]
    assert not missing


def test_every_package_says_what_it_is_for():
    for init in (PROJECT_ROOT / "her2core").rglob("__init__.py"):
        assert init.read_text(encoding="utf-8").startswith('"""'), init
