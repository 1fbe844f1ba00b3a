"""One measured figure without a peer, held against a goal: printed and written the same way by all.

`benchmarks.rows` has the comparisons of speed; here are shares, errors and correlations.
"""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from her2core.common.files import write_atomically

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Figure:
    """What was measured. `goal` None: for information; `n` is what the figure is over."""

    name: str
    value: float | None
    unit: str
    goal: str | None
    holds: bool | None
    n: int
    note: str = ""


def at_least(name: str, value: float, goal: float, unit: str, n: int, note: str = "") -> Figure:
    """A figure that should be `goal` or more."""
    return Figure(name, round(value, 4), unit, f">= {goal:g}", bool(value >= goal), n, note)


def at_most(name: str, value: float, goal: float, unit: str, n: int, note: str = "") -> Figure:
    """A figure that should be `goal` or less."""
    return Figure(name, round(value, 4), unit, f"<= {goal:g}", bool(value <= goal), n, note)


def no_goal(name: str, value: float, unit: str, n: int, note: str = "") -> Figure:
    """A figure without a goal."""
    return Figure(name, round(value, 4), unit, None, None, n, note)


def add_cores(parser: argparse.ArgumentParser) -> None:
    """Let the command line name the folder of the real cores."""
    parser.add_argument(
        "--cores",
        type=Path,
        default=Path(os.environ.get("HER2_REAL_CORES") or ROOT.parent / "shared" / "real-cores"),
        help="folder of the real cores, with cores.csv and patches/*.jpg",
    )


def add_breast(parser: argparse.ArgumentParser) -> None:
    """Let the command line name the folder of real breast tissue."""
    folder = os.environ.get("HER2_REAL_BREAST") or ROOT.parent / "shared" / "real-breast"
    parser.add_argument(
        "--breast", type=Path, default=Path(folder), help="folder of fields.csv and its pictures"
    )


def rgb_of(path: Path) -> npt.NDArray[np.uint8]:
    """A picture of the real cores, uint8 (H, W, 3).

    Raises:
        OSError: it cannot be read.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise OSError(f"{path} cannot be read as a picture.")
    return np.ascontiguousarray(picture[..., ::-1], np.uint8)


def publish(figures: Sequence[Figure], path: Path) -> None:
    """Print the figures and write them as a JSON list.

    Raises:
        OSError: the file cannot be written.
    """
    for each in figures:
        mark = {True: "holds", False: "MISSES", None: ""}[each.holds]
        print(f"{each.value!s:>8} {each.unit:<15}{each.goal or '':<9}{mark:<7} {each.name}", end="")
        print(f" (n {each.n}) {each.note}".rstrip())
    text = json.dumps([asdict(each) for each in figures], indent=1, ensure_ascii=False)
    write_atomically(path, f"{text}\n".encode())
