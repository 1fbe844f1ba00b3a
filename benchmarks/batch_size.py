"""`python -m benchmarks.batch_size`: patches per second against how many are handed over at once.

What `her2core.serving.workbench` hands over at once was chosen by this.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest.mock import patch as replaced

from benchmarks.rows import a_patch, bundles
from her2core.serving.workbench import Workbench

SIZES = (1, 2, 4, 8, 16, 32)


def rates(workbench: Workbench, sizes: Sequence[int], count: int) -> Iterator[tuple[int, float]]:
    """(patches at once, patches per second) for each size; every patch is read once only."""
    number = 0
    list(workbench.score_batch(a_patch(10**6 + n) for n in range(4)))  # compiles
    for size in sizes:
        patches = [a_patch(number + n) for n in range(count)]
        number += count
        with replaced("her2core.serving.workbench._BATCH", size):
            started = time.perf_counter()
            list(workbench.score_batch(patches))
            yield size, count / (time.perf_counter() - started)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch_size", description=__doc__)
    parser.add_argument("--patches", type=int, default=96, help="patches read for each size")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="sizes to try")
    args = parser.parse_args(arguments)
    if args.patches < 1 or min(args.sizes) < 1:
        parser.error("at least one patch and sizes of at least one are needed")
    with tempfile.TemporaryDirectory(prefix="her2-bench-") as home:
        settings, _ = bundles(Path(home))
        workbench = Workbench(settings, maps=False)
        workbench.wait()
        for size, per_second in rates(workbench, args.sizes, args.patches):
            print(f"{size:4} at once: {per_second:7.2f} patches/s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
