"""Is what was called saved kept? Kills, many writers, many browsers; exit status 1 where not."""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.reliability import kills, load, report, results, writers
from benchmarks.reliability.places import DATABASES


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one measurement, or write the report."""
    options = _parser().parse_args(arguments)
    if options.command == "report":
        page = report.page(results.read_all(options.results), results.read_pages())
        options.page.write_text(page, encoding="utf-8")
        print(f"Wrote {options.page}.")
        return 0
    if options.command == "kills":
        result = kills.measure(options.number, options.database, models=options.models)
        name = f"kills-{options.database}{'-networks' if options.models else ''}"
    elif options.command == "writers":
        result = writers.measure(options.seconds, options.database, options.writers)
        name = f"writers-{options.database}"
    else:
        result = load.measure(options.sessions, options.seconds, options.pace)
        name = "load"
    print(json.dumps(result, indent=2))
    print(f"Wrote {results.write(name, result, options.results)}.")
    return 1 if report.failures(name, result) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    kill = commands.add_parser("kills", help="kill -9 at random moments, then the restart")
    kill.add_argument("--number", type=int, default=200)
    kill.add_argument("--models", action="store_true", help="the networks read too (slow)")

    write = commands.add_parser("writers", help="many programs write at once")
    write.add_argument("--seconds", type=float, default=60)
    write.add_argument("--writers", type=int, default=10)

    browse = commands.add_parser("load", help="many browsers review at one server")
    browse.add_argument("--sessions", type=int, default=20)
    browse.add_argument("--seconds", type=float, default=300)
    browse.add_argument("--pace", type=float, default=10, help="seconds a reviewer thinks")

    write_report = commands.add_parser("report", help="docs/reliability.md from the results")
    write_report.add_argument(
        "--page", type=Path, default=results.ROOT / "docs" / "reliability.md", metavar="FILE"
    )
    for command in (kill, write):
        command.add_argument("--database", choices=DATABASES, default="sqlite")
    for command in (kill, write, browse, write_report):
        command.add_argument(
            "--out",
            "--results",
            type=Path,
            default=results.FOLDER,
            metavar="FOLDER",
            dest="results",
            help="of the JSON",
        )
    return parser


if __name__ == "__main__":
    # ended from outside, it still ends the servers and browsers which it started
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended before it was finished."))
    sys.exit(main())
