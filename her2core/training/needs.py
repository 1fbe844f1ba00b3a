"""What a training needs of memory and disk, told before its first epoch rather than in its midst.

Memory is an estimate from runs on a processor: the constants below were measured with
`/usr/bin/time` at batches of 32 and sides of 224 pixels, 1 epoch each.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from her2core.models.architectures import ARCHITECTURES
from her2core.preprocessing.patches import MODEL_SIDE
from her2core.training.recipe import Recipe

GB = 1_000_000_000
# libraries and code
_BASE = 750_000_000
# what one patch of a batch takes on its way forth and back, by the blocks of DenseNet121 that are
# trained; None: all of them, or the CNN
_PER_PATCH = {
    ("cnn", None): 40_000_000,
    ("densenet121", 1): 25_000_000,
    ("densenet121", 2): 60_000_000,
    ("densenet121", 3): 95_000_000,
    ("densenet121", 4): 130_000_000,
    ("densenet121", 5): 160_000_000,
    ("densenet121", None): 160_000_000,
}
_FLOAT = 4


@dataclass(frozen=True)
class Needs:
    """Bytes of memory at the peak, and of disk in the run's folder and for the bundle."""

    memory: int
    disk: int

    def said(self, free_memory: int | None, free_disk: int) -> str:
        """What is needed and what there is, one sentence."""
        there = "" if free_memory is None else f" (free: {free_memory / GB:.1f} GB)"
        return (
            f"Needs about {self.memory / GB:.1f} GB of memory{there} and {self.disk / GB:.1f} GB "
            f"of disk (free: {free_disk / GB:.1f} GB)."
        )


def needs(recipe: Recipe, patches: int) -> Needs:
    """What a training takes from start to bundle.

    Args:
        recipe: of the training.
        patches: all that are read, of any side.
    """
    weights = ARCHITECTURES[recipe.architecture].parameters * _FLOAT
    state = 3 * weights  # Adam keeps two numbers for each
    pixels = patches * recipe.size**2 * 3
    # a network that was not measured is taken for the largest that was
    key = recipe.architecture, recipe.trained_blocks
    per_patch = _PER_PATCH.get(key, max(_PER_PATCH.values()))
    batch = recipe.batch * per_patch * (recipe.size / MODEL_SIDE) ** 2
    # pixels twice while they are split; each file twice while it is replaced; gradients
    return Needs(int(_BASE + 2 * pixels + state + weights + batch), 2 * state + 3 * weights)


def free_memory() -> int | None:
    """Bytes that this process may still take; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        of_system = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None
    return min(1024 * of_system, _free_in_container() or 1024 * of_system)


def free_disk(folder: Path) -> int:
    """Bytes that are free where this folder is, or will be made."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def written_before(run: Path) -> int:
    """Bytes of a run that goes on: what is there needs no further place."""
    return sum(path.stat().st_size for path in run.rglob("*") if path.is_file())


def _free_in_container() -> int | None:
    limits = Path("/sys/fs/cgroup")
    try:
        most, now = ((limits / name).read_text() for name in ("memory.max", "memory.current"))
        return max(0, int(most) - int(now))
    except (OSError, ValueError):  # no container, or one without a limit
        return None
