"""Who looks for a command finds it, with a line on what it is for."""

import subprocess
import sys

import pytest

from her2core.common.commands import command_lines
from her2core.settings import PROJECT_ROOT


@pytest.mark.parametrize(
    ("package", "some"),
    [("her2core", {"accounts", "reviews", "health"}), ("training", {"train", "score", "evaluate"})],
)
def test_a_package_lists_its_commands_with_their_purpose(package, some):
    done = subprocess.run(
        [sys.executable, "-m", package], cwd=PROJECT_ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0
    lines = dict(line.split("  ", 1) for line in done.stdout.splitlines())
    assert {f"python -m {package}.{name}" for name in some} <= set(lines)
    assert all(len(purpose.strip()) > 20 for purpose in lines.values())


def test_a_module_without_a_start_is_no_command(tmp_path):
    (tmp_path / "tool.py").write_text('"""Does it."""\nif __name__ == "__main__":\n    pass\n')
    (tmp_path / "part.py").write_text('"""A part."""\n')
    assert list(command_lines(tmp_path, "p")) == ["python -m p.tool  Does it."]
