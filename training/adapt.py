"""Fit a finished bundle to a laboratory's own labelled or reviewed patches, where that is better.

    python -m training.adapt --bundle BUNDLE --data DIR [--out NEW] [--calibrate-only]
    python -m training.adapt --bundle BUNDLE --reviews [--group-pattern REGEX] [--out NEW]

The last layer is fitted anew to 30 to 500 patches, drawn towards what it was; temperature,
prediction sets and known patches are fitted, too. Before and after are compared on patches whose
slide, case or parent field was left out. Written only where it is better, or asked for by
--even-if-no-better. DIR is read in every layout that training reads, all its parts. Takes a minute
for 200 patches on two processors.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from her2core.common.commands import command_parser
from her2core.common.text import interval_text
from her2core.models.bundles.bundle_files import refuse_taken
from her2core.models.bundles.card import Metric
from her2core.preprocessing.patches import decode_file
from her2core.settings import load_settings
from her2core.training.adapt import Proposal, propose, write
from her2core.training.own_patches import OwnPatch
from training.console import run_command
from training.options import add_data_or_reviews, add_group_pattern, recognise
from training.reviewed import reviewed_here

WRITTEN, NO_BETTER, REFUSED = 0, 1, 2
_NAMED = 10


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "training.adapt",
        __doc__,
        epilog="Exit status: 0 written; 1 no better, nothing written; 2 refused, with the reason "
        "in one sentence; 130 stopped.",
    )
    parser.add_argument("--bundle", required=True, type=Path, help="folder of a finished bundle")
    add_data_or_reviews(parser, "folder or CSV table of labelled patches")
    parser.add_argument(
        "--out", type=Path, help="folder of the bundle to write (default: BUNDLE-adapted beside)"
    )
    add_group_pattern(parser)
    parser.add_argument(
        "--calibrate-only",
        action="store_true",
        help="leave the layers as they are: temperature, prediction sets and known patches only",
    )
    parser.add_argument(
        "--even-if-no-better", action="store_true", help="write the bundle in any case"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns the exit status that the parser's help names."""
    args = _parser().parse_args(arguments)
    stopped = "Stopped; nothing was written."
    return run_command(partial(_run, args), lambda: stopped, failed=REFUSED)


def _run(args: argparse.Namespace) -> int:
    settings = load_settings()
    out: Path = args.out or args.bundle.with_name(f"{args.bundle.name}-adapted")
    refuse_taken(out)
    if args.reviews:
        patches = reviewed_here(settings, args.group_pattern or "")
    else:
        patches = [
            OwnPatch(partial(decode_file, file.path, settings.limits), file.label, file.group)
            for file in recognise(Path(args.data), args.group_pattern).files
        ]
    with tqdm(total=100, unit="%", desc="fitting", disable=None) as bar:

        def on_progress(share: float) -> None:
            bar.update(int(100 * share) - bar.n)

        found = propose(
            args.bundle,
            patches,
            settings,
            calibrate_only=args.calibrate_only,
            on_progress=on_progress,
        )
    for line in lines(found):
        print(line)
    if not (found.better or args.even_if_no_better):
        print("Nothing was written; --even-if-no-better writes it all the same.")
        return NO_BETTER
    card = write(found, out)
    print(f"{card.model_id} written to {out}; choose it on the Models page.")
    return WRITTEN


def lines(found: Proposal) -> list[str]:
    """Before and after, and what was left out, a line each."""
    adapted = found.card.adapted
    assert adapted is not None
    groups = f"{adapted.groups} groups" if found.grouped else "groups not known"
    said = [f"{adapted.patches} patches, {groups}; each read by what was fitted without its group:"]
    before = {metric.name: metric for metric in found.before}
    for metric in found.after:
        said.append(f"  {metric.name}: {_said(before.get(metric.name))} -> {_said(metric)}")
    if found.unfamiliar is not None:
        said.append("  called unfamiliar: {:.3f} -> {:.3f}".format(*found.unfamiliar))
    pair = found.pair
    p = "no patch differs" if pair.p_value is None else f"p = {pair.p_value:.3g}"
    said.append(
        f"Right only before: {pair.only_first_right}, only after: {pair.only_second_right} "
        f"(McNemar, {p})."
    )
    said += [found.known] if found.known else []
    said += found.left_out[:_NAMED]
    if len(found.left_out) > _NAMED:
        said.append(f"And {len(found.left_out) - _NAMED} more were left out.")
    if not found.grouped:
        said.append("Not every slide or case is known: these figures are optimistic.")
    return [*said, found.verdict]


def _said(metric: Metric | None) -> str:
    return "–" if metric is None else interval_text(metric.value, metric.ci_low, metric.ci_high)


if __name__ == "__main__":
    sys.exit(main())
