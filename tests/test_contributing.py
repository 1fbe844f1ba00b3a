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


def test_no_module_is_longer_than_three_hundred_lines():
    folders = ("her2core", "pages", "training", "benchmarks")
    modules = [path for folder in folders for path in (PROJECT_ROOT / folder).rglob("*.py")]
    long = [path for path in modules if len(path.read_text(encoding="utf-8").splitlines()) > 300]
    assert modules
    assert not long


def test_at_most_four_modules_of_the_library_lie_outside_its_packages():
    loose = {path.name for path in (PROJECT_ROOT / "her2core").glob("*.py")} - {"__init__.py"}
    assert loose == {"__main__.py", "health.py", "scores.py", "settings.py"}
