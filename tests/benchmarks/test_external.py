"""A folder of real fields is measured as its table says, or refused in one sentence."""

import csv
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from PIL import Image

from benchmarks import external
from benchmarks.external import ALL, FITTING, Answer, distances, rows_of
from benchmarks.external_masks import membrane_dice
from her2core.charts.external_table import AGREED, ALL_SOURCES, MEAN, STAIN
from her2core.evaluation.fields import COLUMNS, ExternalDataError, read_fields
from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Patch, Square
from her2core.scores import HER2Score
from her2core.stain.reading import StainReading

ROW = {"file": "a.png", "source": "clinic", "label": "1+", "label_fits_picture": "yes", "group": ""}


def write(folder, rows, columns=COLUMNS):
    Image.fromarray(np.full((64, 64, 3), 230, np.uint8)).save(folder / "a.png")
    with (folder / "fields.csv").open("w", newline="", encoding="utf-8") as handle:
        table = csv.DictWriter(handle, columns, extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)
    return folder


@pytest.mark.parametrize("column", COLUMNS)
def test_a_missing_column_is_named(tmp_path, column):
    folder = write(tmp_path, [ROW], [name for name in COLUMNS if name != column])
    with pytest.raises(ExternalDataError, match=f"lacks the column {column}\\.$"):
        read_fields(folder)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"file": "b.png"}, "line 2: there is no file “b.png”"),
        ({"file": "../a.png"}, "outside the folder"),
        ({"file": "/etc/hostname"}, "outside the folder"),
        ({"file": ""}, "the file is missing"),
        ({"source": " "}, "the source is missing"),
        ({"label": "4+"}, "“4\\+” is no score"),
        ({"label": "unclear"}, "“unclear” is no score"),
        ({"label_fits_picture": "maybe"}, "“maybe”"),
        ({"um_per_pixel": "0,39"}, "“0,39” is no number"),
        ({"um_per_pixel": "nan"}, "“nan” is no number"),
        ({"membrane_mask": "m.png"}, "there is no file “m.png”"),
    ],
)
def test_what_cannot_be_used_is_told_and_nothing_is_guessed(tmp_path, change, sentence):
    folder = write(tmp_path, [ROW | change], (*COLUMNS, "um_per_pixel", "membrane_mask"))
    with pytest.raises(ExternalDataError, match=sentence):
        read_fields(folder)


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00", b'file,source\n"open'])
def test_a_table_that_cannot_be_read_ends_the_command_with_a_sentence(tmp_path, capsys, content):
    if content is not None:
        (tmp_path / "fields.csv").write_bytes(content)
    out = tmp_path / "out.json"
    assert external.main(["--data", str(tmp_path), "--out", str(out)]) == 1
    said = capsys.readouterr().err.strip()
    assert "fields.csv" in said
    assert "\n" not in said
    assert not out.exists()


def test_a_table_without_rows_and_one_that_names_a_picture_twice_are_refused(tmp_path):
    with pytest.raises(ExternalDataError, match="lists no picture"):
        read_fields(write(tmp_path, []))
    with pytest.raises(ExternalDataError, match="twice"):
        read_fields(write(tmp_path, [ROW, ROW]))


def test_an_empty_label_is_no_label(tmp_path):
    (field,) = read_fields(write(tmp_path, [ROW | {"label": "", "label_fits_picture": ""}]))
    assert field.label is None
    assert field.fits is None


def test_a_picture_that_is_none_is_named(tmp_path, capsys):
    write(tmp_path, [ROW])
    (tmp_path / "a.png").write_bytes(b"no picture")
    assert external.main(["--data", str(tmp_path), "--out", str(tmp_path / "out.json")]) == 1
    assert "a.png" in capsys.readouterr().err


def answer(folder, called, label, source="clinic", fits=True, novelty=0.5, stain=None):
    """What two agreeing networks and the stain measurement said of one field."""
    (field,) = read_fields(
        write(folder, [ROW | {"source": source, "label": label, "label_fits_picture": ""}])
    )
    a, b, c, d = (0.7 if k == called else 0.1 for k in range(4))
    verdicts = tuple(
        Verdict(n, f"{n}-1", (a, b, c, d), True, novelty) for n in ("cnn", "densenet121")
    )
    reading = StainReading("m", (30, 0, 0, 0), stain, None if stain is not None else "Why.")
    object.__setattr__(field, "fits", fits)
    object.__setattr__(field, "path", field.path.with_name(f"{source}-{id(verdicts)}"))
    return Answer(field, verdicts, reading)


def test_the_figures_are_those_of_each_source_and_selection(tmp_path):
    answers = [
        answer(tmp_path, 0, "0", stain=HER2Score.ZERO),
        answer(tmp_path, 3, "0", fits=False, novelty=1.5),
        answer(tmp_path, 2, "2+", source="other"),
        answer(tmp_path, 1, "", source="unlabelled"),
    ]
    rows = {(r.source, r.reader, r.selection): r for r in rows_of(answers)}
    clinic = rows["clinic", MEAN, ALL]
    assert (clinic.fields, clinic.labelled, clinic.scored) == (2, 2, 2)
    assert clinic.figures["accuracy"].value == 0.5
    assert clinic.far == 1
    assert clinic.unfamiliar == 0.5
    assert rows["clinic", MEAN, FITTING].figures["accuracy"].value == 1.0
    assert rows[ALL_SOURCES, MEAN, ALL].figures["accuracy"].value == 0.75
    assert rows["unlabelled", MEAN, ALL].figures == {}
    stain = rows["clinic", STAIN, ALL]
    assert stain.scored == 1
    assert stain.without_score == 0.5
    assert stain.unfamiliar is None
    assert "ece" not in stain.figures
    assert stain.exact_of_all is None


def test_what_is_not_assessable_has_no_score_but_is_told(tmp_path):
    right, wrong = answer(tmp_path, 0, "0"), answer(tmp_path, 0, "3+")
    answers = [right, replace(wrong, assessable=False)]
    row = next(r for r in rows_of(answers) if (r.reader, r.selection) == (MEAN, ALL))
    assert (row.labelled, row.scored, row.without_score) == (2, 1, 0.5)
    assert row.figures["accuracy"].value == 1.0
    assert row.exact_of_all == 0.5
    assert row.far == 0


def test_where_the_networks_differ_they_agree_on_no_score(tmp_path):
    same, apart = answer(tmp_path, 1, "1+"), answer(tmp_path, 1, "2+")
    other = replace(apart.verdicts[1], probabilities=(0.1, 0.1, 0.7, 0.1))
    answers = [same, replace(apart, verdicts=(apart.verdicts[0], other))]
    rows = {(row.reader, row.selection): row for row in rows_of(answers)}
    agreed = rows[AGREED, ALL]
    assert (agreed.labelled, agreed.scored, agreed.without_score) == (2, 1, 0.5)
    assert agreed.figures["accuracy"].value == 1.0
    assert rows[MEAN, ALL].scored == 2


def test_how_often_the_networks_were_right_is_told_by_distance(tmp_path):
    answers = [
        answer(tmp_path, 1, "1+", novelty=0.4),
        answer(tmp_path, 1, "2+", novelty=1.2),
        answer(tmp_path, 0, "3+", novelty=2.0),
        answer(tmp_path, 0, "", novelty=2.0),
        replace(answer(tmp_path, 0, "0", novelty=2.0), assessable=False),
    ]
    assert [(row["readings"], row["exact"], row["within_one"]) for row in distances(answers)] == [
        (2, 2, 2),
        (2, 0, 2),
        (2, 0, 0),
    ]


def test_found_membrane_is_held_against_a_hand_drawn_mask(tmp_path):
    picture = np.full((128, 128, 3), 235, np.uint8)
    mask = np.zeros((128, 128), np.uint8)
    for at in range(16, 128, 32):  # dark brown lines about a micrometre wide
        picture[:, at : at + 3] = (110, 70, 40)
        mask[:, at : at + 3] = 255
    row = ROW | {"membrane_mask": "m.png", "um_per_pixel": "0.39"}
    Image.fromarray(mask).save(tmp_path / "m.png")
    fields = read_fields(write(tmp_path, [row], (*COLUMNS, "um_per_pixel", "membrane_mask")))
    patch = Patch("a.png", "0" * 64, picture, Square(0, 0, 128))
    dice, count = membrane_dice(fields, [patch])
    assert count == 1
    assert dice > 0.7
    plain = Patch("a.png", "0" * 64, np.full_like(picture, 235), Square(0, 0, 128))
    assert membrane_dice(fields, [plain])[0] == 0
    with pytest.raises(ExternalDataError, match="not as large"):
        membrane_dice(fields, [Patch("a.png", "0" * 64, picture[:64, :64], Square(0, 0, 64))])
    assert membrane_dice([replace(fields[0], mask=None)], [patch]) == (None, 0)


def test_nothing_that_is_written_names_a_picture(tmp_path):
    answers = [answer(tmp_path, 0, "0"), answer(tmp_path, 1, "2+")]
    text = json.dumps([asdict(row) for row in rows_of(answers)])
    assert "a.png" not in text
    assert str(tmp_path) not in text
    assert not any(str(each.field.path.name) in text for each in answers)
