"""What a benchmark row is, and how both sides of it are timed."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from her2core.common.files import write_atomically
from her2core.models.architectures import ARCHITECTURES
from her2core.models.bundles.registry import chosen
from her2core.preprocessing.patches import Patch, Square
from her2core.settings import Settings, load_settings

RESULTS = Path(__file__).with_name("results.json")
_PACKAGES = ("tensorflow-cpu", "keras", "openvino", "shap", "numpy")


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        name: what was measured.
        against: the plain way it is compared with, or what exactly was measured.
        peer: figure of the plain way, None where there is none.
        ours: figure of the project.
        unit: of both figures.
        ratio: how many times better than the peer; for a share, ours / peer. None without a peer.
        goal: what the ratio should reach ("share": what it should stay below); None without one.
        holds: whether it does; None without a goal.
        share: the ratio is a share of the peer's figure.
        machine: what it was measured on.
    """

    name: str
    against: str
    peer: float | None
    ours: float
    unit: str
    ratio: float | None = None
    goal: float | None = None
    holds: bool | None = None
    share: bool = False
    machine: str = ""


def faster(name: str, against: str, peer: float, ours: float, goal: float | None) -> Row:
    """A row of seconds whose ratio says how many times faster than the peer we are."""
    ratio = peer / ours
    return Row(name, against, peer, ours, "s", ratio, goal, None if goal is None else ratio >= goal)


def rate(name: str, against: str, peer: float, ours: float, goal: float) -> Row:
    """A row of patches per second whose ratio says how many times the peer's rate ours is."""
    ratio = ours / peer
    return Row(name, against, peer, ours, "patches/s", ratio, goal, ratio >= goal)


def share(
    name: str, against: str, peer: float, ours: float, goal: float | None, unit: str = "s"
) -> Row:
    """A row whose ratio says what part of the peer's figure ours is."""
    ratio = ours / peer
    holds = None if goal is None else ratio <= goal
    return Row(name, against, peer, ours, unit, ratio, goal, holds, share=True)


def medians(ways: Sequence[Callable[[int], object]], repeats: int) -> list[float]:
    """Median seconds of each way; they take turns, after one turn that does not count.

    Args:
        ways: each takes the number of the turn, -1 for the one which does not count.
        repeats: turns that count.
    """
    for way in ways:
        way(-1)
    times: list[list[float]] = [[] for _ in ways]
    for turn in range(repeats):
        for way, seconds in zip(ways, times, strict=True):
            started = time.perf_counter()
            way(turn)
            seconds.append(time.perf_counter() - started)
    return [statistics.median(seconds) for seconds in times]


def a_patch(number: int) -> Patch:
    """A patch of 448 x 448 random colour blocks; each number is another one."""
    blocks = np.random.default_rng(abs(number)).integers(0, 256, (28, 28, 3), dtype=np.uint8)
    rgb = blocks.repeat(16, axis=0).repeat(16, axis=1)
    return Patch(f"{number}.png", f"{number % 2**256:064x}", rgb, Square(0, 0, 448))


def settings_at(home: Path) -> Settings:
    """The installed bundles, with a home and a database of their own.

    Raises:
        SystemExit: an architecture has no bundle.
    """
    database = f"sqlite:///{home / 'reviews.sqlite3'}"
    settings = replace(load_settings(), home=home, database_url=database)
    if missing := ARCHITECTURES.keys() - chosen(settings).keys():
        raise SystemExit(f"No bundle of {' and '.join(sorted(missing))} is installed.")
    return settings


def machine() -> str:
    """Cores, load and versions, as one line."""
    versions = []
    for package in _PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    cores = f"{os.cpu_count()} cores ({_processor()}), load {os.getloadavg()[0]:.1f}"
    return ", ".join([cores, f"Python {platform.python_version()}", *versions])


def table(rows: Sequence[Row]) -> str:
    """The rows as text, one line each."""
    lines = [f"{'':46}{'plain':>14}{'ours':>14}{'ratio':>9}{'goal':>9}  holds"]
    for row in rows:
        peer = "" if row.peer is None else f"{row.peer:.4g} {row.unit}"
        ours = f"{row.ours:.4g} {row.unit}"
        ratio = (
            "" if row.ratio is None else f"{row.ratio:.3f}" if row.share else f"{row.ratio:.2f}x"
        )
        sign = "<=" if row.share else ">="
        goal = "" if row.goal is None else f"{sign} {row.goal:g}"
        holds = {None: "", True: "yes", False: "NO"}[row.holds]
        lines.append(f"{row.name:46}{peer:>14}{ours:>14}{ratio:>9}{goal:>9}  {holds}")
        lines.append(f"    {row.against}")
    return "\n".join(lines)


def write(rows: Sequence[Row], path: Path = RESULTS) -> None:
    """Write the rows as a JSON list, each with the machine it was measured on."""
    here = machine()
    data = [asdict(replace(row, machine=row.machine or here)) for row in rows]
    write_atomically(path, (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode("utf-8"))


def processor_name() -> str:
    """What the processor calls itself."""
    return _facts().get("model name", platform.machine())


def _processor() -> str:
    """Name of the processor and how it may compute: what decides which precision is fastest."""
    flags = _facts().get("flags", "").split()
    kinds = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    return " ".join([processor_name(), *(kind for kind in kinds if kind in flags)])


def _facts() -> dict[str, str]:
    """What the system says of its last processor; nothing where it does not say it so."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {name.strip(): value.strip() for name, _, value in (s.partition(":") for s in lines)}
