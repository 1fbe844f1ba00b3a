"""An export holds every fact, runs nothing, names no patient unasked, and accounts for itself."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from her2core import __version__
from her2core.common.text import spreadsheet_text
from her2core.preprocessing.patches import Patch, Square
from her2core.reviews.archive import ExportStopped, to_zip
from her2core.reviews.columns import COLUMNS, ExportOptions, columns_of
from her2core.reviews.export import FORMATS, ExportFormat, to_csv, to_json, to_xlsx
from her2core.reviews.records import Origin, ReviewFilter
from her2core.scores import RESEARCH_NOTICE, HER2Score
from tests.review_samples import SHA, SQUARE, STAIN, VERDICTS, patch, review, verdict

WITH_NAMES = ExportOptions(include_names=True)
HOSTILE = [
    "=cmd|'/c calc'!A1.png",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    " =1+1",
    '=HYPERLINK("http://x.example","y")',
    "#N/A",
    "#REF!",
    "<img src=x onerror=alert(1)>.png",
    'a "quoted", and; a\r\nsecond\nline\rthird',
    "'already",
    "0012",
    "TRUE",
    "1e5",
    "nul \0 bell \a",
    "ring\x0bclear \x0c\x1f\x7f\x85",
    "_x000B_ and _x005F_ and _xFFFF_",
    "<r><t>a</t></r> and more",
    "\u200b=1+1",
    "weak;\u2028\u2029\x0b@1",
    "surrogate \ud83d end",
    "\ufffe\uffff",
    "\u202egnp.exe",
    "  blanks around  ",
    "",
    "Größe 你好 🧫",
]
FORMULA_START = tuple("=+-@\t\r")
texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=60),
    st.text(st.characters(), max_size=60),
    st.builds(str.__add__, st.sampled_from(list("=+-@\t\r\n ＝")), st.text(max_size=20)),
)
# what separates cells somewhere, what begins a formula, and what may stand between the two
UNSEEN = " \u00a0\0\u200b\u2028\u2029\x85\x0b\x0c\ufeff\u3000\u2060\u00ad\u202e\u3164\u0301"
separated = st.text(alphabet=f";,\t\r\n\"'=+-@＝a1{UNSEEN}", max_size=40)


class TestCsv:
    def test_columns_are_the_documented_ones_in_their_order(self):
        assert _csv(to_csv([]))[0] == [column.name for column in COLUMNS]
        assert [column.name for column in COLUMNS] == [
            "review_id", "recorded_at", "reviewer", "patch_sha256", "file_name",
            "square_x", "square_y", "square_size",
            "slide", "slide_x", "slide_y", "slide_size", "slide_um_per_pixel",
            "slide_core", "slide_whole", "case", "given_label",
            "cnn_model_id", "cnn_p_0", "cnn_p_1plus", "cnn_p_2plus", "cnn_p_3plus",
            "cnn_score", "cnn_agrees", "cnn_demo", "cnn_novelty", "cnn_backend",
            "densenet121_model_id", "densenet121_p_0", "densenet121_p_1plus",
            "densenet121_p_2plus", "densenet121_p_3plus",
            "densenet121_score", "densenet121_agrees", "densenet121_demo", "densenet121_novelty",
            "densenet121_backend",
            "stain_method", "stain_score", "stain_reason", "stain_ultralow", "stain_cells",
            "stain_share_none", "stain_share_faint_incomplete", "stain_share_moderate_complete",
            "stain_share_intense_complete", "stain_completeness", "stain_intensity",
            "stain_um_per_pixel",
            "model_gap", "reader_gap", "not_assessable", "own_score", "confidence", "comment",
            "seconds", "blind", "supersedes", "superseded_by", "entry_hash", "notice",
        ]  # fmt: skip
        assert all(column.description.endswith(".") for column in COLUMNS)
        blind = next(column for column in COLUMNS if column.name == "blind")
        # no more than is known, of older entries either
        assert "as far as it was recorded" in blind.description
        assert "since it started" in blind.description

    def test_a_row_says_what_was_answered(self):
        (row,) = _csv_rows(to_csv([review(supersedes=4, superseded_by=9, comment="ring")]))
        assert row["review_id"] == "1"
        assert row["recorded_at"] == "2026-03-01T08:30:00.000000+00:00"
        assert row["reviewer"] == "Dr. Ada Example"
        assert row["patch_sha256"] == SHA
        assert (row["square_x"], row["square_y"], row["square_size"]) == ("50", "0", "200")
        assert row["cnn_model_id"] == "cnn-0123456789ab"
        probabilities = tuple(float(row[f"cnn_p_{s.column}"]) for s in HER2Score)
        assert probabilities == VERDICTS[0].probabilities
        assert (row["cnn_score"], row["densenet121_score"]) == ("3+", "2+")
        assert (row["cnn_agrees"], row["densenet121_agrees"]) == ("yes", "")
        assert (row["cnn_demo"], row["blind"]) == ("yes", "no")
        assert (row["model_gap"], row["own_score"], row["confidence"]) == ("1", "3+", "high")
        assert (row["comment"], row["seconds"]) == ("ring", "1.25")
        assert (row["supersedes"], row["superseded_by"]) == ("4", "9")
        assert row["entry_hash"] == "f" * 64
        assert row["notice"] == RESEARCH_NOTICE

    def test_the_third_reader_has_its_columns_and_none_means_empty(self):
        with_stain, without = _csv_rows(to_csv([review(stain=STAIN), review()]))
        assert (with_stain["stain_score"], with_stain["stain_ultralow"]) == ("0", "yes")
        assert (with_stain["stain_cells"], with_stain["stain_share_none"]) == ("40", "0.95")
        assert (with_stain["model_gap"], with_stain["reader_gap"]) == ("1", "3")
        assert {without[name] for name in without if name.startswith("stain_")} == {""}

    def test_a_missing_verdict_is_an_empty_cell_not_a_number(self):
        (row,) = _csv_rows(to_csv([review(verdicts=VERDICTS[:1], agrees={"cnn": None})]))
        assert {row[name] for name in row if name.startswith("densenet121_")} == {""}
        assert (row["model_gap"], row["cnn_agrees"]) == ("", "")

    def test_a_third_architecture_gets_its_own_columns(self):
        third = (*VERDICTS, verdict("resnet", 1))
        header, *_ = _csv(to_csv([review(verdicts=third)]))
        assert "resnet_p_2plus" in header
        assert [name for name in header if not name.startswith("resnet")] == [
            column.name for column in COLUMNS
        ]

    def test_file_names_are_left_out_unless_asked_for(self):
        reviews = [review(patch=patch(name="Doe, Jane 1950.png"))]
        assert _csv_rows(to_csv(reviews))[0]["file_name"] == ""
        assert _csv_rows(to_csv(reviews, WITH_NAMES))[0]["file_name"] == "Doe, Jane 1950.png"

    def test_excel_sees_utf_8_and_lines_end_as_the_rfc_says(self):
        data = to_csv([review(comment="Größe\nzwei")])
        assert data.startswith(b"\xef\xbb\xbf")
        assert data.endswith(b"\r\n")
        assert "Größe\nzwei".encode() in data

    @settings(max_examples=150)
    @given(comment=texts, name=texts, reviewer=texts)
    def test_hostile_text_stays_one_cell_and_is_never_a_formula(self, comment, name, reviewer):
        one = review(comment=comment, patch=patch(name=name), reviewer=reviewer)
        rows = _csv_rows(to_csv([one, one], WITH_NAMES))
        assert len(rows) == 2
        for row in rows:
            for key, original in (
                ("comment", comment),
                ("file_name", name),
                ("reviewer", reviewer),
            ):
                assert row[key] == _storable(spreadsheet_text(original))
            assert not any(cell.startswith(FORMULA_START) for cell in row.values())

    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    @settings(max_examples=200)
    @given(comment=separated, name=separated, reviewer=texts)
    @example("weak;=1+1;x", "note\n=1+1;y", "x")
    def test_no_cell_is_a_formula_whatever_separates_the_cells(
        self, delimiter, comment, name, reviewer
    ):
        one = review(comment=comment, patch=patch(name=name), reviewer=reviewer)
        text = to_csv([one, one], WITH_NAMES).decode("utf-8-sig")
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        cells = [cell.lstrip(f"\t\r\n{UNSEEN}") for row in rows for cell in row]
        assert not [cell for cell in cells if cell.startswith(tuple("=+-@＝＋－＠"))]

    def test_text_stands_in_quotes_and_numbers_do_not(self):
        (line,) = to_csv([review(comment="ring")]).decode("utf-8-sig").splitlines()[1:]
        assert line.startswith('1,"2026-03-01T08:30:00.000000+00:00","Dr. Ada Example",')
        assert ',"ring",1.25,"no",,,' in line


class TestXlsx:
    def test_numbers_are_numbers_and_the_header_stays_in_sight(self):
        book = _book(to_xlsx([review()]))
        sheet = book["Reviews"]
        row = dict(zip(_values(sheet[1]), _values(sheet[2]), strict=True))
        assert sheet.freeze_panes == "B2"
        assert sheet.auto_filter.ref == f"A1:{sheet.cell(1, len(COLUMNS)).column_letter}2"
        assert row["review_id"] == 1
        assert row["cnn_p_3plus"] == VERDICTS[0].probabilities[3]
        assert row["own_score"] == "3+"
        assert row["file_name"] is None
        assert sheet.column_dimensions["A"].width >= 10

    def test_a_second_sheet_explains_the_columns(self):
        rows = [_values(row) for row in _book(to_xlsx([]))["Columns"].iter_rows()]
        assert rows[0][0] == RESEARCH_NOTICE
        assert [tuple(row) for row in rows[2:]] == [(c.name, c.description) for c in COLUMNS]

    @settings(max_examples=80, deadline=None)
    @given(comment=texts, name=texts)
    def test_hostile_text_comes_back_and_no_cell_is_a_formula(self, comment, name):
        data = to_xlsx([review(comment=comment, patch=patch(name=name))], WITH_NAMES)
        sheet = _book(data)["Reviews"]
        cells = dict(zip(_values(sheet[1]), sheet[2], strict=True))
        shown = _texts_in_excel(data)
        for text in {_storable(_unbroken(comment)), _storable(_unbroken(name))} - {""}:
            assert text in shown
        # openpyxl leaves Excel's escapes as they are; what has none it reads to the letter
        if not _NEEDS_ESCAPES.search(comment):
            assert (cells["comment"].value or "") == _storable(_unbroken(comment))
        for row in sheet.iter_rows():
            assert {cell.data_type for cell in row} <= {"s", "n", "inlineStr"}
        assert b"<f>" not in _sheet_xml(data)
        assert b"<f " not in _sheet_xml(data)

    @pytest.mark.parametrize(
        ("comment", "read"),
        [
            ("ring\x0bclear", "ring_x000B_clear"),
            ("page\x0cbreak\x1f", "page_x000C_break_x001F_"),
            ("as typed: _x000B_", "as typed: _x000B_"),
            ("a\u200b=\u2028b\x85", "a\u200b=\u2028b\x85"),
            ("lone \ud83d", "lone \ufffd"),
            ("<r><t>x</t></r>", "<r><t>x</t></r> "),
            ("<r>&</r>", "<r>&</r> "),
            ("_x000B_x000C_", "_x000B_ x000C_"),
        ],
    )
    def test_what_xml_cannot_hold_is_still_seen(self, comment, read):
        data = to_xlsx([review(comment=comment)])
        sheet = _book(data)["Reviews"]
        assert sheet[2][_values(sheet[1]).index("comment")].value == read
        assert json.loads(to_json([review(comment=comment)]))["reviews"][0]["comment"] == comment

    def test_a_formula_like_text_stays_text_when_it_is_edited(self):
        sheet = _book(to_xlsx([review(comment="=1+1"), review(comment="fine")]))["Reviews"]
        position = _values(sheet[1]).index("comment")
        assert sheet[2][position].value == "=1+1"
        assert sheet[2][position].quotePrefix
        assert not sheet[3][position].quotePrefix


class TestJson:
    @settings(max_examples=150)
    @given(
        comment=st.text(st.characters()),
        name=st.text(st.characters(), min_size=1),
        seconds=st.floats(0, 1e12),
        raw=st.lists(st.floats(0.001, 1), min_size=4, max_size=4),
    )
    def test_nothing_is_lost(self, comment, name, seconds, raw):
        probabilities = tuple(value / sum(raw) for value in raw)
        shown = (replace(VERDICTS[0], probabilities=probabilities),)
        one = review(
            comment=comment, patch=patch(name=name), seconds=seconds, verdicts=shown, agrees={}
        )
        document = json.loads(to_json([one], WITH_NAMES))
        (entry,) = document["reviews"]
        assert document["schema_version"] == 2
        assert (entry["comment"], entry["patch"]["file_name"]) == (comment, name)
        assert entry["seconds"] == seconds
        assert tuple(entry["verdicts"][0]["probabilities"]) == probabilities
        assert entry["verdicts"][0]["agrees"] is None

    def test_what_a_table_beside_the_upload_said_is_in_it_the_case_with_the_names_only(self):
        told = review(patch=patch(case="Doe 12", label=HER2Score.ONE_PLUS))
        (entry,) = json.loads(to_json([told], WITH_NAMES))["reviews"]
        assert (entry["patch"]["case"], entry["patch"]["given_label"]) == ("Doe 12", "1+")
        assert b"Doe" not in to_json([told])

    def test_names_are_left_out_of_warnings_too(self):
        named = patch(name="Doe.png", warnings=("“Doe.png” is in fact a JPEG.",))
        assert b"Doe" not in to_json([review(patch=named)])
        assert b"Doe.png" in to_json([review(patch=named)], WITH_NAMES)


class TestAnotherFormat:
    def test_every_value_is_of_the_kind_of_its_column(self):
        slide = Origin("a.svs", 1, 2, 3, 0.25, "B3", whole=True)
        full = review(
            stain=STAIN, supersedes=4, superseded_by=9,
            patch=replace(patch(), origin=slide, case="S 7", label=HER2Score.ONE_PLUS),
        )  # fmt: skip
        for column in COLUMNS:
            assert isinstance(column.value(full, WITH_NAMES), column.kind | None), column.name
            assert isinstance(column.value(review(), ExportOptions()), column.kind | None)

    def test_a_typed_one_is_a_function_and_an_entry(self, monkeypatch):
        kinds = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}

        def to_parquet(reviews, options):
            columns = {
                column.name: pa.array(
                    [column.value(one, options) for one in reviews], kinds[column.kind]
                )
                for column in columns_of(reviews)
            }
            pq.write_table(pa.table(columns), file := io.BytesIO())
            return file.getvalue()

        one_more = ExportFormat("Parquet", "parquet", "application/vnd.apache.parquet", to_parquet)
        monkeypatch.setattr("her2core.reviews.archive.FORMATS", (*FORMATS, one_more))
        tables = []
        for reviews in ([review(verdicts=VERDICTS[:1])], []):
            with to_zip(reviews, _images, _overlays) as file:
                tables.append(pq.read_table(io.BytesIO(_unzip(file)["log.parquet"])))
        assert tables[0].schema == tables[1].schema
        (row,) = tables[0].to_pylist()
        assert (row["review_id"], row["cnn_agrees"], row["blind"]) == (1, True, False)
        assert (row["cnn_p_0"], row["densenet121_p_0"]) == (VERDICTS[0].probabilities[0], None)


class TestArchive:
    def test_everything_is_in_it_and_the_manifest_accounts_for_all(self):
        reviews = [review(id=2), review(id=1, square=Square(0, 0, 100))]
        wanted = ReviewFilter(scores=(HER2Score.THREE_PLUS,), text="ring")
        cards = [{"architecture": "cnn", "sha256": "ab" * 32, "demo": True}]
        with to_zip(reviews, _images, _overlays, cards, used_filter=wanted) as file:
            contents = _unzip(file)
        assert set(contents) == {
            "log.csv",
            "log.xlsx",
            "log.json",
            f"patches/{SHA}.png",
            "overlays/1_cnn_grad_cam.png",
            "overlays/1_densenet121_shap.png",
            "overlays/2_cnn_grad_cam.png",
            "overlays/2_densenet121_shap.png",
            "manifest.json",
        }
        manifest = json.loads(contents.pop("manifest.json"))
        assert {entry["path"]: entry["sha256"] for entry in manifest["files"]} == {
            path: hashlib.sha256(data).hexdigest() for path, data in contents.items()
        }
        assert all(len(contents[e["path"]]) == e["bytes"] for e in manifest["files"])
        assert (manifest["reviews"], manifest["patches"], manifest["missing"]) == (2, 1, [])
        assert manifest["newest_entry"] == {"review_id": 2, "entry_hash": "f" * 64}
        assert manifest["models"] == cards
        assert manifest["filter"]["scores"] == ["3+"]
        assert manifest["filter"]["text"] == "(left out)"
        assert (manifest["notice"], manifest["version"]) == (RESEARCH_NOTICE, __version__)
        assert manifest["file_names_included"] is False
        assert contents["log.csv"] == to_csv(reviews)
        assert json.loads(contents["log.json"]) == json.loads(to_json(reviews))

    def test_pictures_are_the_pixels_and_nothing_else(self):
        with to_zip([review()], _images, _overlays) as file:
            contents = _unzip(file)
        stored = Image.open(io.BytesIO(contents[f"patches/{SHA}.png"]))
        assert np.array_equal(np.asarray(stored), _images(SHA).rgb)
        assert stored.info == {}
        overlay = Image.open(io.BytesIO(contents["overlays/1_cnn_grad_cam.png"]))
        assert overlay.size == (SQUARE.size, SQUARE.size), "drawn from the reviewed square"

    def test_no_file_name_of_an_upload_gets_in_unasked(self):
        named = review(patch=patch(name="Doe Jane.png"))
        with to_zip([named], _images, _overlays) as file:
            contents = _unzip(file)
        book = contents.pop("log.xlsx")
        assert b"Doe" not in _sheet_xml(book)
        assert not any(b"Doe" in data for data in contents.values())
        with to_zip([named], _images, _overlays, options=WITH_NAMES) as file:
            assert b"Doe Jane.png" in _unzip(file)["log.csv"]

    def test_what_is_missing_is_listed_and_the_rest_goes_on(self):
        gone, broken, undrawn, fine = ("b" * 64, "c" * 64, "d" * 64, SHA)
        reviews = [
            review(id=n, patch=patch(s)) for n, s in enumerate((gone, broken, undrawn, fine))
        ]

        def images(sha256):
            if sha256 == gone:
                return None
            if sha256 == broken:
                raise OSError("Doe Jane.png is damaged")
            return _images(sha256)

        def overlays(one, shown):
            yield "cnn_grad_cam", shown.field()
            if one.patch.sha256 == undrawn:
                raise RuntimeError("secret detail")
            yield "cnn_shap", shown.field()

        with to_zip(reviews, images, overlays) as file:
            contents = _unzip(file)
        manifest = json.loads(contents["manifest.json"])
        assert [(m["what"], m.get("sha256"), m.get("review_id")) for m in manifest["missing"]] == [
            ("patch", gone, None),
            ("overlays", None, 0),
            ("patch", broken, None),
            ("overlays", None, 1),
            ("overlays", None, 2),
        ]
        assert "Doe" not in str(manifest["missing"])
        assert "secret" not in str(manifest["missing"])
        assert {path for path in contents if "/" in path} == {
            f"patches/{undrawn}.png",
            f"patches/{fine}.png",
            "overlays/2_cnn_grad_cam.png",
            "overlays/3_cnn_grad_cam.png",
            "overlays/3_cnn_shap.png",
        }
        assert len(_csv_rows(contents["log.csv"])) == 4

    def test_a_picture_that_is_none_is_missing_not_fatal(self):
        with to_zip([review()], _images, lambda *_: [("cnn", np.zeros((4, 4)))]) as file:
            manifest = json.loads(_unzip(file)["manifest.json"])
        assert [entry["what"] for entry in manifest["missing"]] == ["overlays"]

    def test_names_of_overlays_cannot_leave_the_folder_or_collide(self):
        pixels = np.zeros((2, 2, 3), np.uint8)
        names = ["../../evil", "a/b", "a_b", ""]
        with to_zip([review()], _images, lambda *_: [(name, pixels) for name in names]) as file:
            paths = [path for path in _unzip(file) if path.startswith("overlays")]
        assert paths == [
            "overlays/1_______evil.png",
            "overlays/1_a_b.png",
            "overlays/1_a_b_2.png",
            "overlays/1_overlay.png",
        ]

    def test_progress_counts_up_and_stopping_leaves_nothing(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        reviews = [review(id=n) for n in range(3)]
        calls = []
        to_zip(reviews, _images, _overlays, progress=lambda *c: calls.append(c) or True).close()
        assert calls == [(0, 3), (1, 3), (2, 3), (3, 3)]
        with pytest.raises(ExportStopped):
            to_zip(reviews, _images, _overlays, progress=lambda done, _: done < 2)
        assert list(tmp_path.iterdir()) == []

    def test_each_image_is_loaded_once_and_let_go(self):
        loaded = []

        def images(sha256):
            loaded.append(sha256)
            return _images(sha256)

        order = [SHA, "b" * 64, SHA, "b" * 64]
        reviews = [review(id=n, patch=patch(sha256)) for n, sha256 in enumerate(order)]
        to_zip(reviews, images, _overlays).close()
        assert loaded == [SHA, "b" * 64]

    def test_an_empty_log_is_a_valid_archive(self):
        with to_zip([], _images, _overlays) as file:
            manifest = json.loads(_unzip(file)["manifest.json"])
        assert (manifest["reviews"], manifest["newest_entry"]) == (0, None)

    def test_what_was_searched_for_is_left_out_with_the_names(self):
        def written(text: str, options: ExportOptions) -> bytes:
            wanted = ReviewFilter(text=text)
            with to_zip([], _images, _overlays, options=options, used_filter=wanted) as file:
                return _unzip(file)["manifest.json"]

        assert b"Doe" not in written("Jane Doe", ExportOptions())
        assert json.loads(written("Jane Doe", WITH_NAMES))["filter"]["text"] == "Jane Doe"
        assert json.loads(written("", ExportOptions()))["filter"]["text"] == ""

    def test_the_filter_is_written_with_its_dates(self):
        wanted = ReviewFilter(since=datetime(2026, 1, 2, tzinfo=UTC))
        with to_zip([], _images, _overlays, used_filter=wanted) as file:
            manifest = json.loads(_unzip(file)["manifest.json"])
        assert manifest["filter"]["since"] == "2026-01-02T00:00:00.000000+00:00"


def _images(sha256):
    pixels = np.random.default_rng(int(sha256[:2], 16)).integers(0, 256, (200, 300, 3), np.uint8)
    return Patch("core 7.png", sha256, pixels, Square.centred(300, 200))


def _overlays(_review, shown):
    yield "cnn_grad_cam", shown.field()
    yield "densenet121_shap", 255 - shown.field()


def _csv(data):
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def _csv_rows(data):
    header, *rows = _csv(data)
    return [dict(zip(header, row, strict=True)) for row in rows]


def _book(data):
    return openpyxl.load_workbook(io.BytesIO(data))


def _values(cells):
    return [cell.value for cell in cells]


def _unzip(file):
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def _sheet_xml(data):
    return b"".join(
        body for name, body in _unzip(io.BytesIO(data)).items() if name.startswith("xl/worksheets/")
    )


def _storable(text):
    """What UTF-8 can hold of it: lone surrogates become replacement characters."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


_NEEDS_ESCAPES = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|x[0-9A-Fa-f]{4}_")


def _unbroken(text):
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _texts_in_excel(data):
    """Every text of the workbook as Excel shows it: its escapes replaced by their characters."""
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        root = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
    return {
        re.sub("_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), "".join(one.itertext()))
        for one in root
    }
