"""A report as one HTML page that needs nothing from outside: plotly.js is in it, once.

All names come from files and cards: they are escaped, and no script of the page reads them.
"""

import base64
import html
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image
from plotly.offline import get_plotlyjs

from her2core.charts.headline import headline_plot
from her2core.charts.plotly_figures import plotly_figure
from her2core.charts.plots import Plot, confusion_plot, report_plots
from her2core.charts.words import (
    figure_text,
    gallery_line,
    group_rows,
    pair_lines,
    report_facts,
    third_reader_lines,
)
from her2core.common import palette
from her2core.common.text import encodable
from her2core.evaluation.intervals import Interval
from her2core.evaluation.names import CLASS_LINES, CUT_OFF_LINES, OVERALL_LINES, Line
from her2core.evaluation.report import Evaluation, ReaderEvaluation, Report
from her2core.scores import RESEARCH_NOTICE, RULE_TEXT, HER2Score

_THUMBNAIL = 224
_STYLE = f"""
:root {{ color-scheme: light; }}
body {{ font: 15px/1.45 "Source Sans 3", "Segoe UI", Arial, sans-serif; background: #fff;
  color: {palette.PAGE_TEXT}; margin: 2rem auto; max-width: 1180px; padding: 0 1rem; }}
h1 {{ font-size: 1.6rem; }} h2 {{ font-size: 1.2rem; margin-top: 2rem; }}
table {{ border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums; }}
th, td {{ border-bottom: 1px solid {palette.PAGE_LINE}; padding: .25rem .7rem .25rem 0;
  text-align: left; vertical-align: top; }}
.caution {{ border-left: 4px solid {palette.CAUTION}; padding: .5rem 1rem;
  background: {palette.CAUTION_GROUND}; }}
.plots {{ display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(480px, 1fr)); }}
.gallery {{ display: flex; flex-wrap: wrap; gap: 1rem; }} figure {{ margin: 0; width: 224px; }}
figcaption {{ font-size: .85rem; }}
@page {{ size: A4; margin: 16mm; }}
@media print {{
  body {{ margin: 0; padding: 0; font-size: 11pt; }}
  .cover {{ break-after: page; padding-top: 55mm; }} .cover h1 {{ font-size: 2rem; }}
  h2 {{ break-after: avoid; }} tr, figure, .plots > div {{ break-inside: avoid; }}
  .plots {{ grid-template-columns: 1fr; }} .modebar-container {{ display: none; }}
  th, td {{ font-size: 9pt; }}
}}
"""
_LIMITS = (
    "Figures hold for the patches that were measured, and for others only as far as these resemble "
    "them in scanner, stain and tissue.",
    f"A score here is of a patch. HER2 status is of a tumour, and {HER2Score.TWO_PLUS.label} goes "
    "to reflex in-situ hybridisation.",
    "Where a label is that of a whole slide, a patch of fat or stroma counts as wrong.",
)


def report_html(report: Report, pictures: Path | None = None) -> str:
    """The whole report as one page.

    Args:
        report: what to show.
        pictures: folder of the gallery's <sha256>.png; entries without a picture there are
            described in words.
    """
    evaluation = report.evaluation
    first: list[Plot] = [headline_plot(evaluation.readers)]
    first += [confusion_plot(reader) for reader in evaluation.readers]
    parts = [
        '<section class="cover">',
        f"<h1>{_text(report.title)}</h1>",
        f"<p><b>{_text(RESEARCH_NOTICE)}</b></p>",
        *(f"<p>{_text(line)}</p>" for line in report_facts(report)),
        *(f"<p>{_text(m.title)}: {_text(m.name)}, {_text(m.key)}</p>" for m in report.models),
        *(f'<p class="caution">{_text(n)}</p>' for n in (evaluation.caution, *report.notes) if n),
        "</section>",
        *_plots(first),
        "<h2>Overall</h2>",
        _figures("Figure", evaluation.readers, OVERALL_LINES),
        *(f"<p>{_text(line)}</p>" for line in pair_lines(evaluation)),
        "<h2>Clinical cut-offs</h2>",
        _figures("Cut-off", evaluation.readers, CUT_OFF_LINES),
        "<h2>Each class</h2>",
        _figures("Class", evaluation.readers, CLASS_LINES),
        *_group_part(evaluation),
        *_third_reader_part(evaluation),
        "<h2>Plots</h2>",
        *_plots(plot for _, plot in report_plots(evaluation.readers) if plot not in first),
        *_gallery_part(report, pictures),
        "<h2>Models</h2>",
        *(
            f"<p><b>{_text(m.title)}</b>: {_text(m.name)}, {_text(m.key)}, {_text(m.date)}"
            f"{', demonstration model' if m.demo else ''}. Trained on: {_text(m.training_data)} "
            f"Licence: {_text(m.licence)}</p>"
            for m in report.models
        ),
        "<h2>Limits</h2>",
        "<ul>",
        *(f"<li>{_text(line)}</li>" for line in _LIMITS),
        "</ul>",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{_text(report.title)}</title><style>{_STYLE}</style>"
        f"<script>{get_plotlyjs()}</script></head><body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


_CONFIG = {"displaylogo": False, "responsive": True}


def _plots(plots: Iterable[Plot]) -> list[str]:
    drawn = (
        plotly_figure(plot).to_html(full_html=False, include_plotlyjs=False, config=_CONFIG)
        for plot in plots
    )
    return ['<div class="plots">', *drawn, "</div>"]


def _figures(head: str, readers: Sequence[ReaderEvaluation], lines: Iterable[Line]) -> str:
    """Figures of all readers; what was measured for none of them is left out."""
    rows = []
    for words, name, of in lines:
        figures = [reader.figure(name, of) for reader in readers]
        if any(figures):
            rows.append([words, *("–" if f is None else _with_n(f.value) for f in figures)])
    return _table([head, *(reader.title for reader in readers)], rows)


def _with_n(value: Interval) -> str:
    reason = f" · {value.reason}" if value.reason else ""
    return f"{figure_text(value)}, n = {value.n}{reason}"


def _group_part(evaluation: Evaluation) -> list[str]:
    rows = [
        [reader.title, _with_n(level.exact), _with_n(level.within_one)]
        for reader in evaluation.readers
        if (level := reader.group_level) is not None
    ]
    if not rows:
        return []
    return [
        f"<h2>Groups, by the rule of more than {RULE_TEXT} of their patches</h2>",
        _table(["Reader", "Exact", "Within one grade"], rows),
    ]


def _third_reader_part(evaluation: Evaluation) -> list[str]:
    if evaluation.third_reader is None:
        return []
    rows = group_rows(evaluation.third_reader)
    return [
        "<h2>Third reader: the stain measurement, without any network</h2>",
        *(f"<p>{_text(line)}</p>" for line in third_reader_lines(evaluation)),
        *([_table(list(rows[0]), [list(map(str, row.values())) for row in rows])] if rows else ()),
    ]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{_text(name)}</th>" for name in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _gallery_part(report: Report, pictures: Path | None) -> list[str]:
    if not report.gallery:
        return []
    lines = ["<h2>Worst errors and largest disagreements</h2>", '<div class="gallery">']
    for entry in report.gallery:
        path = None if pictures is None else pictures / f"{entry.sha256}.png"
        image = ""
        if path is not None and path.is_file():
            image = f'<img alt="" width="{_THUMBNAIL}" src="{_thumbnail(path)}">'
        words = _text(gallery_line(report, entry))
        lines.append(f"<figure>{image}<figcaption>{words}</figcaption></figure>")
    return [*lines, "</div>"]


def _thumbnail(path: Path) -> str:
    """A small JPEG of the picture as a data address."""
    stream = io.BytesIO()
    with Image.open(path) as image:
        image.convert("RGB").resize((_THUMBNAIL, _THUMBNAIL)).save(stream, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()


def _text(words: str) -> str:
    return html.escape(encodable(words))
