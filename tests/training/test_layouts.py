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
from her2core.training.data.datasets import DatasetError
from her2core.training.data.layouts import class_of, read_layout
from her2core.training.data.tables import PictureNames

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


def listed(folder: Path) -> tuple:
    return read_layout(folder).files


def test_truth_csv_is_read_as_spreadsheets_write_it_and_faults_in_it_are_named(tmp_path):
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


@pytest.fixture
def four(tmp_path: Path) -> Path:
    """One picture in each class, names of all four different."""
    for score in HER2Score:
        a_picture(tmp_path / "set" / score.label / f"p{int(score)}.png", 50 * int(score))
    return tmp_path / "set"


def groups(folder: Path) -> list[str]:
    return [file.group for file in read_layout(folder).files]


SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t"}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")
SPELLINGS = {
    "slash": "{folder}/{name}",
    "backslash": "{folder}\\{name}",
    "mixed": ".\\{folder}/{name}",
    "with the data set": "set\\{folder}\\{name}",
    "Windows": "C:\\data\\set\\{folder}\\{name}",
    "Windows, another folder": "D:\\exports\\{name}",
    "share": "\\\\server\\share\\set\\{folder}\\{name}",
    "Unix": "/mnt/data/set/{folder}/{name}",
    "bare": "{name}",
    "blanks": "  {folder}/{name}   ",
    "quoted": '"{folder}/{name}"',
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("separator", SEPARATORS.values(), ids=SEPARATORS)
def test_groups_are_read_however_a_spreadsheet_wrote_them(four, spelling, encoding, separator):
    lines = [f"file{separator}group"]
    for score, group in zip(HER2Score, ("A", "A", "B", "Zoë"), strict=True):
        named = spelling.format(folder=score.label, name=f"p{int(score)}.PNG")
        lines.append(f"{named}{separator}{group}  ")
    text = "\r\n".join([*lines, "", separator, lines[-1]])
    (four / "truth.csv").write_bytes(text.encode(encoding))
    assert groups(four) == ["A", "A", "B", "Zoë"]


@pytest.mark.parametrize(
    "head", ["file,group", "File,Group", "filename,patient", "Path, Patient ID ", "image,case_no"]
)
def test_usual_names_of_the_columns_are_understood(four, head):
    rows = "".join(f"\n{score.label}/p{int(score)}.png,{score.label}" for score in HER2Score)
    (four / "truth.csv").write_text(f"sep=,\n{head},remark{rows.replace(chr(10), ',x' + chr(10))}")
    assert groups(four) == ["0", "1+", "2+", "3+"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,pid\n0/p0.png,A", "it has file, pid: call the one that tells patients apart group"),
        ("file,patient,slide\n0/p0.png,A,1", "it has file, patient, slide: call the one"),
        ("picture,group\n0/p0.png,A", "needs the columns file, group; it has picture, group"),
        ("file,path,group\n0/p0.png,x,A\nq.png,x,B", r"1 of 2 lines .*\(“line 3: q\.png”\)"),
        ("file,group,group\n0/p0.png,A,B", "keep one for group"),
        ("file,group\n1+/p0.png,A", r"1 of 1 lines .*“line 2: 1\+/p0\.png”.*take these lines out"),
        ("file,group\nC:\\x\\1+\\p0.png,A", "1 of 1 lines"),
        ("file,group\n,A\n0/p0.png,A", "1 of 2 lines"),
        ("file,group\n" + "gone.png,A\n" * 9, "9 of 9 lines .* and 6 more"),
        ("file,group\n0/p0.png,A\n0\\P0.png,B", "line 3: .* group “B” here and in “A” in line 2"),
    ],
)
def test_a_truth_csv_that_names_no_picture_stops_the_command(four, text, said):
    (four / "truth.csv").write_text(text)
    with pytest.raises(DatasetError, match=said) as error:
        read_layout(four)
    assert "\n" not in str(error.value)


def test_a_bare_name_that_may_mean_several_pictures_stops_the_command(four):
    a_picture(four / "1+" / "p0.png", 7)
    (four / "truth.csv").write_text("file;group\np0.png;A\n0/p0.png;B")
    with pytest.raises(DatasetError, match=r"1 of 2 lines .* several pictures .*“line 2: p0\.png”"):
        read_layout(four)
    (four / "truth.csv").write_text("file;group\n1+\\p0.png;A\n0/p0.png;B")
    assert groups(four) == ["B", "A", "", "", ""]


def test_pictures_without_a_line_are_named(four):
    (four / "Truth.CSV").write_text("file,group\n0/p0.png,A\n1+/p1.png,")
    layout = read_layout(four)
    assert layout.statement.endswith("1 groups, 3 patches without one")
    assert layout.remarks == (
        "3 patches have no group in truth.csv: “1+/p1.png”, “2+/p2.png”, “3+/p3.png”.",
    )


@pytest.mark.parametrize("where", [".", "train", "train/0"])
def test_a_truth_csv_counts_for_the_folder_it_lies_in(four, where):
    (four / "train").mkdir()
    for score in HER2Score:
        (four / score.label).rename(four / "train" / score.label)
    (four / where / "truth.csv").write_text("file,group\np0.png,A")
    assert groups(four) == ["A", "", "", ""]
    (four / "train" / "1+" / "truth.csv").write_text("file,group\np1.png,B")
    assert groups(four) == ["A", "B", "", ""]
    (four / "train" / "1+" / "truth.csv").write_text("file,group\np0.png,B")
    with pytest.raises(DatasetError, match="1 of 1 lines"):
        read_layout(four)


@given(
    st.lists(
        st.tuples(st.sampled_from("012"), st.sampled_from(["p.png", "q.PNG", "ä.png"])),
        min_size=1,
        max_size=6,
        unique=True,
    ),
    st.data(),
)
def test_a_line_means_its_own_picture_or_none(pictures, data):
    root = Path("/data/set")
    paths = [root / folder / name for folder, name in pictures]
    folder, name = data.draw(st.sampled_from(pictures))
    before = data.draw(st.sampled_from(["", "C:\\x\\", "./", "/a/b/", "set/"]))
    slash = data.draw(st.sampled_from("/\\"))
    assert PictureNames(root, paths).meant(f"{before}{folder}{slash}{name}") == [
        root / folder / name
    ]
    meant = PictureNames(root, paths).meant(data.draw(st.text("012/\\pq.nNgGä:C", max_size=12)))
    assert set(meant) <= set(paths)


@pytest.mark.parametrize("root", ["", "BCI_dataset"])
@pytest.mark.parametrize("order", ["IHC/{part}", "{part}/IHC", "{part}"])
def test_bci_is_read_as_it_is_passed_on(tmp_path, root, order):
    place = tmp_path / root if root else tmp_path
    for part in ("train", "test"):
        a_picture(place / order.format(part=part) / f"00000_{part}_1+.png")
        if "IHC" in order:
            a_picture(place / order.replace("IHC", "HE").format(part=part) / f"00000_{part}_1+.png")
    (place / "README.txt").write_text("BCI")
    layout = read_layout(place)
    assert [(file.path.name, file.part) for file in layout.files] == [
        ("00000_train_1+.png", "train"),
        ("00000_test_1+.png", "test"),
    ]
    assert not any("HE" in file.path.relative_to(place).parts for file in layout.files)
    left_out = {one.reason: one.path.name for one in layout.left_out}
    assert left_out.pop("no picture") == "README.txt"
    assert set(left_out) == ({"the H&E pictures of BCI"} if "IHC" in order else set())


def test_one_part_of_bci_and_its_groups_are_read_and_h_and_e_is_not(tmp_path):
    for kind in ("IHC", "HE"):
        a_picture(tmp_path / kind / "test" / "00000_test_3+.png")
    (part,) = read_layout(tmp_path / "IHC" / "test").files
    assert (part.label, part.part) == (HER2Score.THREE_PLUS, "test")
    for folder in (tmp_path / "HE", tmp_path / "HE" / "test"):
        with pytest.raises(DatasetError, match="H&E pictures of BCI"):
            read_layout(folder)
    (tmp_path / "truth.csv").write_text("file,group\nIHC\\test\\00000_test_3+.png,P1")
    assert groups(tmp_path) == ["P1"]


def test_pairs_of_h_and_e_and_ihc_are_refused(tmp_path):
    (tmp_path / "train").mkdir()
    pair = np.zeros((32, 64, 3), np.uint8)
    Image.fromarray(pair).save(tmp_path / "train" / "00000_train_1+.png")
    with pytest.raises(DatasetError, match=r"00000_train_1\+\.png shows two fields side by side"):
        read_layout(tmp_path)


@pytest.mark.parametrize(
    "cell", ["a.png", ".\\in\\a.png", "C:\\somewhere\\A.PNG", "a.PNG", "in/a.png"]
)
def test_a_table_s_paths_may_be_those_of_windows(tmp_path, cell):
    a_picture(tmp_path / "in" / "a.png")
    table = tmp_path / "labels.csv"
    table.write_bytes(f"file\tlabel\tpatient\r\n{cell}\t3+\tP7\r\n".encode("utf-16"))
    (file,) = read_layout(table).files
    assert (file.path, file.label, file.group) == (tmp_path / "in" / "a.png", 3, "P7")


def test_one_picture_under_two_spellings_is_listed_twice(tmp_path):
    a_picture(tmp_path / "in" / "a.png")
    (tmp_path / "labels.csv").write_text("file,label\nin/a.png,0\nin\\a.png,3+")
    with pytest.raises(DatasetError, match=r"line 3: .* line 2 too as 0 and as 3\+"):
        read_layout(tmp_path / "labels.csv")


def test_what_is_left_out_is_named_and_the_system_s_own_is_no_class(four):
    for name in ("@eaDir/p.png", "0/@eaDir/p0.png/SYNOPHOTO_THUMB_M.jpg", "0/$RECYCLE.BIN/$R1.png"):
        a_picture((four / name).with_suffix(".jpg")).rename(four / name)
    a_picture(four / "stray.png")
    a_picture(four / "1+" / "deep" / "p9.png")
    a_picture(four / "1+" / "p.png").rename(four / "1+" / "noending")
    (four / "2+" / "._p2.png").write_bytes(b"resource fork")
    (four / "2+" / "scan.avif").write_bytes(b"....ftypavif")
    (four / "Thumbs.db").touch()
    layout = read_layout(four)
    assert sorted(file.path.name for file in layout.files) == [
        "p0.png", "p1.png", "p2.png", "p3.png", "p9.png",
    ]  # fmt: skip
    assert set(layout.remarks) == {
        "4 left out: the system's own, not data: “@eaDir”, “Thumbs.db”, “0/$RECYCLE.BIN” "
        "and 1 more.",
        "1 left out: in no class folder: “stray.png”.",
        "1 left out: PNG by content but without an ending; rename to have it read: “1+/noending”.",
        "1 left out: hidden: “2+/._p2.png”.",
        "1 left out: AVIF, which is not read: “2+/scan.avif”.",
    }


def test_a_class_that_is_a_link_to_what_holds_it_is_refused(four):
    (four / "3+" / "p3.png").unlink()
    (four / "3+").rmdir()
    for target in (four, four / "0"):
        (four / "3+").symlink_to(target, target_is_directory=True)
        with pytest.raises(DatasetError, match="is a link to a folder that holds other classes"):
            read_layout(four)
        (four / "3+").unlink()
    elsewhere = a_picture(four.parent / "elsewhere" / "x.png").parent
    (four / "3+").symlink_to(elsewhere, target_is_directory=True)
    assert [file.path.name for file in read_layout(four).files if file.label == 3] == ["x.png"]


def test_a_class_folder_inside_another_class_is_refused(four):
    a_picture(four / "0" / "2" / "numbered.png")
    assert len(read_layout(four).files) == 5
    a_picture(four / "0" / "class_3+" / "strayed.png")
    with pytest.raises(DatasetError, match=r"class 0 and in “class_3\+” below it"):
        read_layout(four)
