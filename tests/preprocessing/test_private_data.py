"""What a file says of its patient ends at the door; what people type is data wherever it goes."""

from __future__ import annotations

import csv
import io
import re
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from PIL import Image
from plotly.offline import get_plotlyjs

from her2core.charts.report_page import report_html
from her2core.charts.words import rows_csv
from her2core.evaluation.report import PatchRow
from her2core.preprocessing.image_store import ImageStore
from her2core.reviews.archive import to_zip
from her2core.reviews.columns import ExportOptions
from her2core.reviews.export import to_csv, to_xlsx
from her2core.reviews.records import ReviewFilter
from her2core.reviews.store import ReviewStore
from her2core.serving.intake import take_in
from her2core.serving.recorded_maps import overlay
from her2core.settings import UploadLimits
from her2core.xai.explanation import Explanation
from her2core.xai.overlay import annotate
from tests import hostile
from tests.report_samples import MODELS, a_model, a_report, some_rows
from tests.review_samples import draft, patch, review

# Each place a text can be in; of the turned pictures one of each format.
PLANTED_FILES = [
    file
    for file in hostile.files_with_planted_text()
    if not file[0].startswith("turned") or file[0].startswith("turned-6")
]
WITH_NAMES = ExportOptions(include_names=True)
NEEDLES = [
    text.encode(encoding)
    for text in hostile.PLANTED
    for encoding in ("utf-8", "utf-16-le", "utf-16-be")
]
PNG_CHUNKS = {b"IHDR", b"IDAT", b"IEND"}


@pytest.fixture
def images(tmp_path) -> ImageStore:
    return ImageStore(tmp_path / "patches")


@pytest.fixture
def store(tmp_path) -> Iterator[ReviewStore]:
    opened = ReviewStore(f"sqlite:///{tmp_path / 'reviews.sqlite3'}")
    yield opened
    opened.close()


def chunks_of(png: bytes) -> set[bytes]:
    """Kinds of the chunks of a PNG, with nothing behind its end."""
    kinds, position = set(), 8
    while position < len(png):
        length = int.from_bytes(png[position : position + 4], "big")
        kinds.add(png[position + 4 : position + 8])
        position += 12 + length
    assert position == len(png)
    return kinds


def has_planted(data: bytes) -> bool:
    return any(needle in data for needle in NEEDLES)


def test_the_planted_words_are_really_in_the_uploads():
    assert sum(has_planted(data) for _, data, *_ in PLANTED_FILES) >= len(PLANTED_FILES) - 2


def test_no_stored_or_exported_byte_tells_a_name_or_place(images, store, tmp_path):
    for name, data, *_ in PLANTED_FILES:
        taken = take_in(data, name, images, store, UploadLimits())
        assert taken.outcome == "new", taken.message
        kept = images.load(str(taken.sha256), name)
        store.save_review(draft(patch_sha256=taken.sha256, square=kept.square))

    stored = sorted((tmp_path / "patches").iterdir())
    assert len(stored) == len(PLANTED_FILES)
    for file in stored:
        assert chunks_of(file.read_bytes()) == PNG_CHUNKS
        assert not has_planted(file.read_bytes())
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "patches").stat().st_mode) == 0o700
    database = b"".join(file.read_bytes() for file in tmp_path.glob("reviews.sqlite3*"))
    assert not any(place.encode() in database for place in hostile.PLANTED[1:])

    heat = np.linspace(0, 1, 224 * 224, dtype=np.float32).reshape(224, 224)

    def overlays(entry, image):
        verdict = entry.verdicts[0]
        map_ = Explanation("grad_cam", verdict.model_id, verdict.score, heat, 1.0, "A map.")
        yield "cnn_grad_cam", annotate(overlay(image, map_, 0.5), [f"Entry {entry.id}"], [])

    entries = store.reviews(ReviewFilter())
    with to_zip(entries, lambda sha256: images.load(sha256, "x"), overlays) as file:
        archive = zipfile.ZipFile(io.BytesIO(file.read()))
    assert len([name for name in archive.namelist() if name.endswith(".png")]) == 2 * len(stored)
    for name in archive.namelist():
        content = archive.read(name)
        assert not has_planted(content), name
        assert not has_planted(name.encode())
        if name.endswith(".png"):
            assert chunks_of(content) == PNG_CHUNKS
        elif name.endswith(".xlsx"):
            book = zipfile.ZipFile(io.BytesIO(content))
            assert not any(has_planted(book.read(part)) for part in book.namelist())


def test_names_become_no_paths(images, store, tmp_path):
    """Everything that was written lies where it belongs, whatever the files were called."""
    rng = np.random.default_rng(0)
    for name in hostile.HOSTILE_NAMES:
        picture = rng.integers(0, 256, (40, 40, 3), np.uint8)
        assert take_in(hostile.as_png(picture), name, images, store, UploadLimits()).sha256
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    pictures = [path for path in written if path.suffix == ".png"]
    assert len(pictures) == len(hostile.HOSTILE_NAMES)
    assert all(re.fullmatch(r"[0-9a-f]{64}\.png", path.name) for path in pictures)
    assert {path.name.partition(".")[0] for path in written if path not in pictures} == {"reviews"}


# --- names and comments in tables and pages --------------------------------------------------

FORMULA = tuple("=+-@\t\r\n＝＋－＠")
ENTRIES = [
    review(id=number, patch=patch(name=name), comment=name, reviewer=name or "x")
    for number, name in enumerate(hostile.HOSTILE_NAMES, start=1)
]


def starts_a_formula(cell: str) -> bool:
    return cell.lstrip(" \u00a0\ufeff\0").startswith(FORMULA)


def test_no_cell_of_the_log_is_a_formula():
    text = to_csv(ENTRIES, WITH_NAMES).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert len(rows) == len(ENTRIES) + 1
    numeric = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")
    offending = [
        cell
        for row in rows
        for cell in row
        if starts_a_formula(cell) and not numeric.fullmatch(cell)
    ]
    assert offending == []


def test_the_workbook_opens_and_holds_text_only():
    book = openpyxl.load_workbook(io.BytesIO(to_xlsx(ENTRIES, WITH_NAMES)))
    sheet = book["Reviews"]
    assert sheet.max_row == len(ENTRIES) + 1
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {
        "s",
        "n",
        "b",
        "inlineStr",
    }
    titles = [cell.value for cell in sheet[1]]
    shown = [row[titles.index("file_name")].value or "" for row in sheet.iter_rows(min_row=2)]
    assert shown[hostile.HOSTILE_NAMES.index("=1+1.png")] == "=1+1.png"
    assert not any(re.search("[\0-\b\x0b\x0c\x0e-\x1f]", name) for name in shown)


class Tags(HTMLParser):
    """Collects elements with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, tuple(sorted(key for key, _ in attrs))))


def tags_of(page: str) -> set[tuple[str, tuple[str, ...]]]:
    parser = Tags()
    parser.feed(page.replace(get_plotlyjs(), ""))
    return set(parser.seen)


def renamed(rows: tuple[PatchRow, ...]) -> tuple[PatchRow, ...]:
    names = hostile.HOSTILE_NAMES
    return tuple(
        replace(row, file=names[index % len(names)], group=names[index // 4 % len(names)] or "g")
        for index, row in enumerate(rows)
    )


def test_a_report_page_of_hostile_names_holds_the_elements_of_any_other(tmp_path: Path):
    rows = some_rows(15)
    plain = a_report("Plain", rows, n_boot=50, shown=12)
    models = (a_model("cnn", name="<script>x</script>", licence='"><b>'), MODELS[1])
    title = "</title><script>alert(1)</script>"
    attacked = a_report(title, renamed(rows), models=models, n_boot=50, shown=12)
    for report in (plain, attacked):
        for entry in report.gallery:
            Image.new("RGB", (50, 50), "brown").save(tmp_path / f"{entry.sha256}.png")
    assert report_html(attacked, tmp_path).encode()
    assert tags_of(report_html(attacked, tmp_path)) <= tags_of(report_html(plain, tmp_path))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_no_cell_of_a_reports_rows_is_a_formula(delimiter):
    first, *others = renamed(some_rows(15))
    cut = replace(first, file="weak;=1+1;x\t@1.png", group="a\n=1+1;y")
    text = rows_csv([cut, *others], MODELS).decode("utf-8-sig")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    cells = [cell for row in reader for cell in row]
    assert [cell for cell in cells if starts_a_formula(cell)] == []
