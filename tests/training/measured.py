"""What a training command takes of memory, measured from outside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from her2core.settings import PROJECT_ROOT
from her2core.training.needs import GB, free_disk, needs
from her2core.training.recipe import Recipe

# Run by a small process: a child counts the memory of who started it, which here holds other tests.
_MEASURED = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[2:])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
open(sys.argv[1], "w").write(str(peak))
sys.exit(status)
"""


def train_within_what_is_told(recipe: Recipe, patches: int, folder: Path, *options: str) -> str:
    """Train in a process of its own; fails where it takes more memory than is told, or promised.

    Args:
        recipe: which of `options` names.
        patches: how many are read.
        folder: to work in.
        options: of the command.

    Returns:
        What the command said.
    """
    command = [sys.executable, "-m", "training.train", f"--arch={recipe.architecture}", *options]
    ended = subprocess.run(
        [sys.executable, "-c", _MEASURED, str(folder / "peak"), *command],
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout
    peak = int((folder / "peak").read_text()) * 1024
    assert peak <= 2.5 * GB
    expected = needs(recipe, patches)
    told = expected.said(None, free_disk(folder)).split(" GB of memory")[0]
    assert told in ended.stdout
    assert 0.7 * peak < expected.memory < 1.5 * peak
    return ended.stdout
