"""Layouts of labelled patches: what is recognised, and that nothing is guessed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from her2core.scores import HER2Score
from her2core.training.data.datasets import DatasetError, list_class_folders
from her2core.training.data.layouts import class_of, read_layout

PREFIXES = ("", "class_", "Class-", "HER2_", "her2 ", "score", "SCORE_", "HER2_score_", "ihc ")
SUFFIXES = {0: ("",), 1: ("", "+", "plus", "_plus"), 2: ("", "+", " +"), 3: ("", "+", "Plus")}


def a_picture(path: Path, grey: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((32, 32, 3), grey, np.uint8)).save(path)
    return path


def class_folders(root: Path, names: tuple[str, ...] = ("class_0", "class_1+")) -> Path:
    for number, name in enumerate(names):
        a_picture(root / name / f"p{number}_a.png", 50 * number)
    return root


@given(st.sampled_from(PREFIXES), st.sampled_from(list(HER2Score)), st.data())
def test_usual_names_of_a_class_are_understood(prefix, score, data):
    suffix = data.draw(st.sampled_from(SUFFIXES[int(score)]))
    assert class_of(f"{prefix}{int(score)}{suffix}") is score


@given(st.text(max_size=12))
def test_a_name_means_a_class_only_if_its_one_digit_says_so(name):
    score = class_of(name)
    digits = [c for c in name.lower().replace("her2", "") if c.isdigit()]
    if score is not None:
        assert digits == [str(int(score))]


@pytest.mark.parametrize(
    "name", ["", "HER2", "her22", "0+", "4", "1-2", "2+3+", "negative", "class", "10", "3++", "²"]
)
def test_other_names_mean_no_class(name):
    assert class_of(name) is None


def test_her2_ihc_40x_keeps_its_test_part(tmp_path):
    for part in ("train_data_patch", "test_data_patch"):
        class_folders(tmp_path / part, ("class_0", "class_1+", "class_2+", "class_3+"))
    layout = read_layout(tmp_path)
    assert Counter((file.label.label, file.part) for file in layout.files) == {
        (label, part): 1 for label in ("0", "1+", "2+", "3+") for part in ("train", "test")
    }
    assert layout.statement.startswith("HER2-IHC-40x: 8 patches (2 of 0, 2 of 1+, 2 of 2+")
    assert "4 train, 4 test" in layout.statement
    assert "no groups known" in layout.statement


def test_bci_takes_labels_and_parts_from_names(tmp_path):
    for part in ("train", "test"):
        a_picture(tmp_path / "IHC" / part / f"00001_{part}_2+.png")
        a_picture(tmp_path / "IHC" / part / f"00002_{part}_0.png")
        a_picture(tmp_path / "HE" / part / f"00001_{part}_2+.png")
    layout = read_layout(tmp_path)
    assert [(f.path.name, f.label, f.part) for f in layout.files] == [
        ("00001_train_2+.png", HER2Score.TWO_PLUS, "train"),
        ("00002_train_0.png", HER2Score.ZERO, "train"),
        ("00001_test_2+.png", HER2Score.TWO_PLUS, "test"),
        ("00002_test_0.png", HER2Score.ZERO, "test"),
    ]
    assert layout.statement.startswith("BCI: 4 patches")
    a_picture(tmp_path / "IHC" / "train" / "00003_train_4+.png")
    with pytest.raises(DatasetError, match=r"00003_train_4\+\.png is not named like a BCI"):
        read_layout(tmp_path)


def test_an_unknown_folder_is_named_and_never_guessed(tmp_path):
    class_folders(tmp_path, ("HER2_0", "1+", "score3", "borderline"))
    with pytest.raises(DatasetError, match="“borderline”"):
        read_layout(tmp_path)
    (tmp_path / "borderline" / "p3_a.png").unlink()
    (tmp_path / "borderline").rmdir()
    assert {file.label for file in read_layout(tmp_path).files} == {0, 1, 3}
    class_folders(tmp_path, ("class_1",))
    with pytest.raises(DatasetError, match=r"class 1\+ twice: “1\+” and “class_1”"):
        read_layout(tmp_path)


def test_groups_come_from_truth_csv_and_then_from_the_name(tmp_path):
    class_folders(tmp_path)
    (tmp_path / "truth.csv").write_text("file,group\nclass_0/p0_a.png,slide 7\n")
    assert [file.group for file in read_layout(tmp_path).files] == ["slide 7", ""]
    assert "1 groups, 1 patches without one" in read_layout(tmp_path).statement
    named = read_layout(tmp_path, r"^(p\d+)_")
    assert [file.group for file in named.files] == ["slide 7", "p1"]
    by_folder = read_layout(tmp_path, r"class_(\d)\+?/")
    assert [file.group for file in by_folder.files] == ["slide 7", "1"]


@pytest.mark.parametrize("listed", [list_class_folders, lambda folder: read_layout(folder).files])
def test_truth_csv_is_read_as_spreadsheets_write_it_and_faults_in_it_are_named(tmp_path, listed):
    class_folders(tmp_path)
    table = tmp_path / "truth.csv"
    table.write_text("file,group\nclass_0/p0_a.png,Zoë\n", encoding="utf-8-sig")
    assert [file.group for file in listed(tmp_path)] == ["Zoë", ""]
    table.write_text("file,label\nclass_0/p0_a.png,0\n")
    assert [file.group for file in listed(tmp_path)] == ["", ""]
    table.write_text("picture,group\nclass_0/p0_a.png,Zoë\n")
    with pytest.raises(DatasetError, match=r"truth\.csv needs the columns file, group"):
        listed(tmp_path)
    table.write_text("file,group\nclass_0/p0_a.png,Zoë\n", encoding="latin-1")
    with pytest.raises(DatasetError, match=r"truth\.csv cannot be read; save it as CSV in UTF-8"):
        listed(tmp_path)
    for more in (3, 20_000):
        table.write_text('file,group\nclass_0/p0_a.png,a\nclass_1+/p1_a.png,"b\n' + "x,y\n" * more)
        with pytest.raises(DatasetError, match=r"truth\.csv, line 3 .* quotation mark left open"):
            listed(tmp_path)
    table.write_text("")
    with pytest.raises(DatasetError, match=r"truth\.csv needs the columns file, group"):
        listed(tmp_path)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [("(", "not valid"), ("p", "exactly one capture group"), ("(x)", r"finds nothing in “p0_a")],
)
def test_a_group_pattern_must_work(tmp_path, pattern, said):
    class_folders(tmp_path)
    with pytest.raises(DatasetError, match=said):
        read_layout(tmp_path, pattern)


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_table_names_file_label_group_and_part(tmp_path, separator):
    a_picture(tmp_path / "a.png")
    a_picture(tmp_path / "b.png")
    rows = ["File,Label,Group,Part", "a.png,HER2 2+,p1,train", "b.png,0,p2,test"]
    table = tmp_path / "labels.csv"
    table.write_text("\ufeff" + "\n".join(rows).replace(",", separator), encoding="utf-8")
    for source in (table, tmp_path):
        files = read_layout(source).files
        assert [(f.path.name, int(f.label), f.group, f.part) for f in files] == [
            ("a.png", 2, "p1", "train"),
            ("b.png", 0, "p2", "test"),
        ]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("file,label\na.png,0\na.png,strong", "line 3: “strong” is not a HER2 score"),
        ("file,label\nb.png,0", "line 2: there is no file “b.png”"),
        ("file,label\na.png,0\na.png,1+", r"line 3: .* line 2 too as 0 and as 1\+"),
        ("file,label,part\na.png,0,both", "line 2: “both” is no part"),
        ("name,score\na.png,0", "needs the columns file and label"),
        ("file,label\n", "holds no pictures"),
        ('file,label\na.png,0\n"b.png,0\n' + "c.png,0\n" * 40, "line 3 cannot be read"),
        ('file,label\na.png,0\n"b.png,0\n' + "c.png,0\n" * 20_000, "line 3 cannot be read"),
        ('"file,label\n' + "c.png,0\n" * 20_000, "line 1 cannot be read"),
        ('file,label,group\na.png,0,"p1\nb.png,0,p2', "line 2 .* quotation mark left open"),
        (f"file,label\n{'a' * 300}.png,0", r"line 2 cannot be read \(File name too long\)"),
    ],
)
def test_a_wrong_line_of_a_table_is_named(tmp_path, rows, said):
    a_picture(tmp_path / "a.png")
    (tmp_path / "labels.csv").write_text(rows)
    with pytest.raises(DatasetError, match=said):
        read_layout(tmp_path / "labels.csv")


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(DatasetError, match="There is no folder"):
        read_layout(tmp_path / "nowhere")
    (tmp_path / "class_0").mkdir()
    with pytest.raises(DatasetError, match="holds no pictures"):
        read_layout(tmp_path)
