"""`python -m benchmarks`: every row of benchmarks/results.json, in one run.

    python -m benchmarks [--repeats 15] [--shap-repeats 3] [--patches 500]

Rows whose goal is missed say so, and the exit status is 1. About ten minutes on two cores.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import scoring, speed, startup
from benchmarks.rows import RESULTS, Row, machine, settings_at, table, write
from her2core.common.commands import command_lines
from her2core.models.architectures import ARCHITECTURES
from her2core.models.bundles.registry import chosen
from her2core.preprocessing.patches import decode_file
from her2core.serving.workbench import Workbench
from her2core.settings import PROJECT_ROOT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything once, print the table and write the results; 1 where a goal is missed."""
    args = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="her2-bench-") as home:
        rows = []
        for row in _rows(Path(home), args):
            rows.append(row)
            write(rows, args.out)  # minutes are long: what was measured stays
    print(table(rows))
    print(machine())
    return 0 if all(row.holds is not False for row in rows) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog="\n".join(command_lines(Path(__file__).parent, "benchmarks")),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repeats", type=_count, default=15, help="turns of each quick row")
    parser.add_argument("--shap-repeats", type=_count, default=3, help="turns of each SHAP row")
    parser.add_argument("--patches", type=_count, default=500, help="files that are scored")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file to write")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least one is needed")
    return number


def _rows(home: Path, args: argparse.Namespace) -> Iterator[Row]:
    settings = settings_at(home)
    yield from startup.startup_rows(settings, min(3, args.repeats))

    from her2core.models.backends.tensorflow_backend import Classifier
    from her2core.models.bundles.bundle import load_bundle

    folders = chosen(settings)
    classifiers = {name: Classifier(load_bundle(folders[name])) for name in ARCHITECTURES}
    workbench = Workbench(settings, maps=False)
    state = workbench.wait()
    if set(state.ready) != set(ARCHITECTURES):
        raise SystemExit(" ".join(state.failures))
    for row in speed.verdict_rows(workbench, classifiers, args.repeats):
        yield row
        if row.goal is not None:
            yield from speed.reviewer_rows(workbench, row.ours)
    files = sorted(settings.demo_dir.glob("*.png"))
    samples = [decode_file(path, settings.limits) for path in files]
    yield speed.whole_page_row(workbench, samples, args.repeats)
    yield from speed.grad_cam_rows(classifiers, args.repeats)
    yield from speed.shap_rows(classifiers, args.shap_repeats)
    count = args.patches + scoring.WARM
    files = scoring.write_patches(home / "scored", count, settings.demo_dir)
    yield from scoring.scoring_rows(settings, workbench, classifiers, files)


if __name__ == "__main__":
    os.chdir(PROJECT_ROOT)
    sys.exit(main())
