"""Score whole slides, cores and tissue microarrays, on one machine or a Dask cluster.

    python -m training.score_slides INPUT --out DIR [--workers N] [--scheduler ADDRESS]

Writes slides.csv (a row for each slide, or for each core of a microarray), regions.parquet, and for
each slide <slide>.geojson for QuPath and <slide>.png, a thumbnail with its maps. A slide that
cannot be read is a row with status "not scored". What is read is kept in DIR/readings: started
again after a stop, the command goes on where it was.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tqdm import tqdm

from her2core.charts.slide_map import slide_picture
from her2core.common.csv_table import Cell, csv_table
from her2core.common.files import remove_unfinished, write_atomically
from her2core.common.refusal import RefusalError
from her2core.common.text import cell_text
from her2core.preprocessing.picture_files import left_out_lines
from her2core.scores import RESEARCH_NOTICE
from her2core.serving.slide_runs import Outcome, Progress, SlideJob, options_of, read_slides
from her2core.serving.slide_tasks import SlideOptions
from her2core.settings import load_settings
from her2core.slides.cells import cell_shapes
from her2core.slides.folder import find_slides
from her2core.slides.geojson import written
from her2core.slides.plan import DEFAULT_UM
from her2core.slides.readings import SlideReading
from her2core.slides.scale import known_scale
from her2core.slides.score import SlideScore, score_slide
from her2core.slides.slide import Slide, SlideError
from her2core.slides.tables import (
    NOT_SCORED,
    SCORED,
    region_shapes,
    regions_table,
    score_row,
    slide_columns,
    unread_row,
)
from training import score_command
from training.score_command import path_text
from training.slide_inputs import areas_of, workers_of, written_names

_FINEST_REGION_UM, _WIDEST_REGION_UM = 50.0, 1000.0
_THUMBNAIL = 1600


@dataclass(frozen=True)
class _Done:
    """A slide's name, its rows of slides.csv, and its reading where there is one."""

    name: str
    rows: list[dict[str, Cell]]
    reading: SlideReading | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0 all scored, 2 some not, 1 nothing could be done, 130 stopped by the user.
    """
    args = _parser().parse_args(arguments)
    stopped = "Stopped; what was read is kept, and the same command goes on."
    return score_command.exit_status(partial(_run, args), stopped)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.score_slides",
        description="Score HER2 IHC slides with the models in use. " + RESEARCH_NOTICE,
        epilog="Exit status: 0 every slide was scored; 2 some were not (their rows say why); "
        "1 nothing could be done; 130 stopped.",
    )
    score_command.add_inputs(parser, "a slide, or a folder of slides")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--workers", type=int, help="processes (default: one for each core)")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster that reads")
    parser.add_argument(
        "--um",
        type=float,
        default=DEFAULT_UM,
        help="side of a region in micrometres (default %(default)g)",
    )
    parser.add_argument(
        "--um-per-pixel", type=float, help="scale of all slides (default: as each file says)"
    )
    parser.add_argument(
        "--annotations",
        type=Path,
        metavar="DIR",
        help="QuPath's GeoJSON of areas to read, named like the slides",
    )
    parser.add_argument(
        "--cells",
        action="store_true",
        help="also write every tumour cell that was counted into the GeoJSON",
    )
    return parser


def _run(args: argparse.Namespace) -> int:
    out: Path = args.out
    found, root = score_command.list_inputs(find_slides, args, "slide")
    if not _FINEST_REGION_UM <= args.um <= _WIDEST_REGION_UM:
        raise RefusalError(
            f"Regions are {_FINEST_REGION_UM:g} to {_WIDEST_REGION_UM:g} µm wide (--um)."
        )
    if args.workers is not None and args.workers < 1:
        raise RefusalError("At least one worker is needed.")
    try:
        known_scale(args.um_per_pixel, None)
        options = options_of(load_settings(), args.models, args.um, args.um_per_pixel)
    except ValueError as error:
        raise RefusalError(str(error)) from None
    try:
        out.mkdir(parents=True, exist_ok=True)
        remove_unfinished(out)
        done = _read(found.pictures, root, options, args)
        _write_tables(done, [name for name, _ in options.models], out)
    except OSError as error:
        raise RefusalError(
            f"“{path_text(out)}” cannot be written ({error.strerror}); make room or choose another "
            "place; what was read is kept."
        ) from None
    return _summary(done, out, left_out_lines(found.left_out, root))


def _read(
    slides: Sequence[Path], root: Path, options: SlideOptions, args: argparse.Namespace
) -> list[_Done]:
    """Every slide's rows, in the order of the slides; maps and GeoJSON are written on the way."""
    names = {path: cell_text(path.relative_to(root).as_posix()) for path in slides}
    targets = written_names(slides, root)
    done: dict[Path, _Done] = {}
    jobs = []
    for path in slides:
        try:
            jobs.append(SlideJob(path, areas_of(path, args.annotations)))
        except SlideError as error:
            done[path] = _unread(names[path], str(error))
    with workers_of(args.scheduler, args.workers) as who, tqdm(unit="region", disable=None) as bar:
        read: dict[Path, int] = {}

        def watch(progress: Progress) -> None:
            now = len(progress.reading.regions)
            bar.update(now - read.get(progress.path, 0))
            read[progress.path] = now

        for one in read_slides(jobs, options, *who, args.out / "readings", watch):
            target = args.out / targets[one.path]
            done[one.path] = _done(one, options, names[one.path], target, args.cells)
    return [done[path] for path in slides]


def _done(outcome: Outcome, options: SlideOptions, name: str, target: Path, cells: bool) -> _Done:
    """The rows of a slide that was read; its GeoJSON and its map are written."""
    reading = outcome.reading
    if reading is None:
        return _unread(name, outcome.message)
    scores = score_slide(reading, [reader for reader, _ in options.models], options.thresholds)
    try:
        with Slide(outcome.path) as slide:
            picture = _picture(slide, reading, scores)
            counted = cell_shapes(slide, reading, options.thresholds) if cells else ()
            shapes = written(itertools.chain(region_shapes(reading), counted))
    except SlideError as error:
        return _unread(name, str(error))
    for ending, data in (("geojson", shapes), ("png", picture)):
        write_atomically(target.with_name(f"{target.name}.{ending}"), data)
    return _Done(name, [{**score_row(reading, one), "slide": name} for one in scores], reading)


def _picture(slide: Slide, reading: SlideReading, scores: Sequence[SlideScore]) -> bytes:
    width, height = reading.facts.width, reading.facts.height
    share = min(1.0, _THUMBNAIL / max(width, height))
    size = (max(1, round(width * share)), max(1, round(height * share)))
    overview = slide.read(0, 0, width, height, size)
    said = f"{len(scores)} cores"
    if len(scores) == 1:
        said = ", ".join(
            f"{one.reader} {'no score' if one.score is None else one.score.label}"
            for one in scores[0].readers
        )
    return slide_picture(reading, overview, f"{reading.name}: {said}. {RESEARCH_NOTICE}")


def _unread(name: str, message: str) -> _Done:
    return _Done(name, [unread_row(name, message)], None)


def _write_tables(done: Sequence[_Done], readers: Sequence[str], out: Path) -> None:
    columns = slide_columns(readers)
    rows = [[row.get(column) for column in columns] for one in done for row in one.rows]
    readings = [(one.name, one.reading) for one in done if one.reading is not None]
    write_atomically(out / "regions.parquet", regions_table(readings, readers))
    write_atomically(out / "slides.csv", csv_table([columns, *rows]))


def _summary(done: Sequence[_Done], out: Path, left_out: Sequence[str]) -> int:
    rows = [row for one in done for row in one.rows]
    scored = sum(row["status"] == SCORED for row in rows)
    failed = [row for row in rows if row["status"] == NOT_SCORED]
    apart = len(rows) - scored - len(failed)
    note = f", {apart} not assessable" if apart else ""
    return score_command.sum_up(
        f"{scored} of {len(rows)} scored{note}; {path_text(out)} written.",
        [str(row["message"]) for row in failed],
        left_out,
        len(failed),
        len(rows),
    )


if __name__ == "__main__":
    sys.exit(main())
