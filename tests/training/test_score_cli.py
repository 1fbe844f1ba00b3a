"""`python -m training.score`: a table for a folder, in which a bad file is a row."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from her2core.preprocessing.patches import decode
from her2core.scores import HER2Score
from her2core.serving.loaded_model import LoadedModel
from her2core.settings import PROJECT_ROOT, UploadLimits
from her2core.training.data.datasets import LabelledFile
from her2core.training.data.restained import nuclear_stain
from her2core.training.synthetic import GeneratorConfig, make_patch
from tests.tiny_bundles import NAMES, bundle_root, classifier, noise, settings, usual_reader
from training.report_rows import read_rows
from training.score import main
from training.score_table import COLUMNS


@pytest.fixture(autouse=True)
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation of its own with the test bundles."""
    monkeypatch.setenv("HER2_BUNDLES", str(bundle_root()))
    monkeypatch.setenv("HER2_HOME", str(tmp_path / "home"))


def save(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise(1, seed)[0]).save(path)
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        assert tuple(reader.fieldnames or ()) == COLUMNS
        return list(reader)


def test_a_folder_is_scored_as_the_library_scores_it(tmp_path: Path) -> None:
    files = [save(tmp_path / "in" / name, seed) for seed, name in enumerate(("b.png", "a/c.tif"))]
    assert main([str(tmp_path / "in"), "--out", str(tmp_path / "scores.csv")]) == 0
    rows = read(tmp_path / "scores.csv")
    assert [row["file"] for row in rows] == ["a/c.tif", "a/c.tif", "b.png", "b.png"]
    for row in rows:
        file = tmp_path / "in" / row["file"]
        assert row["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        architecture = row["model"].partition("-")[0]
        patch = decode(file.read_bytes(), file.name, UploadLimits())
        expected = usual_reader(architecture).read(patch.pixels()[None]).probabilities[0]
        found = [float(row[column]) for column in COLUMNS[3:7]]
        assert np.allclose(found, expected, atol=1e-5)
        assert row["score"] == ("0", "1+", "2+", "3+")[int(np.argmax(expected))]
        assert row["status"] == "scored"
    assert {row["model"] for row in rows} == {classifier(name).model_id for name in NAMES}
    assert len(files) == 2


def test_brown_nuclei_are_asked_about_in_the_table_and_in_the_rows_of_a_report(tmp_path: Path):
    rng = np.random.default_rng(6)
    usual = GeneratorConfig(size=448, field_um=(90.0, 180.0))
    stained = [
        nuclear_stain(make_patch(score, rng, usual).rgb, rng)
        for score in (HER2Score.TWO_PLUS, HER2Score.THREE_PLUS)
    ]
    (tmp_path / "in").mkdir()
    files = [tmp_path / "in" / f"{number}.png" for number in range(len(stained))]
    for path, rgb in zip(files, stained, strict=True):
        Image.fromarray(rgb).save(path)
    main([str(tmp_path / "in"), "--out", str(tmp_path / "out.csv"), "--models", "cnn"])
    told = ["is this a HER2 stain?" in row["message"] for row in read(tmp_path / "out.csv")]
    labelled = [LabelledFile(path, HER2Score.ZERO, "") for path in files]
    model = LoadedModel(bundle_root() / "cnn", settings(tmp_path / "home"))
    rows, _, _ = read_rows(labelled, [model])
    scored = [row["status"] == "scored" for row in read(tmp_path / "out.csv")]
    assert any(told)
    assert told == ["brown_nuclei" in row.warnings for row in rows]
    assert scored == [row.assessable for row in rows]


def test_bad_files_are_rows_and_the_others_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    good = save(folder / "good.png", 1)
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("no image", encoding="utf-8")
    (folder / "cut.png").write_bytes(good.read_bytes()[:900])
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    (folder / "notes.txt").write_text("not an image, not asked for", encoding="utf-8")
    os.mkfifo(folder / "pipe.png")
    out = tmp_path / "out.csv"
    assert main([str(folder), "--out", str(out), "--models", "cnn"]) == 2
    rows = {row["file"]: row for row in read(out)}
    assert list(rows) == sorted(
        ["cut.png", "empty.png", "gone.png", "good.png", "pipe.png", "text.png"]
    )
    assert rows.pop("good.png")["status"] == "scored"
    for name, row in rows.items():
        assert row["status"] == "not scored"
        assert name in row["message"]
        assert all(row[column] == "" for column in (*COLUMNS[3:7], "score"))


def test_names_cannot_become_formulas(tmp_path: Path) -> None:
    save(tmp_path / "in" / "=cmd|'/c calc'!A1.png", 1)
    (tmp_path / "in" / "+1\n2.png").touch()
    assert main([str(tmp_path / "in"), "--out", str(tmp_path / "o.csv"), "--models", "cnn"]) == 2
    rows = read(tmp_path / "o.csv")
    assert sorted(row["file"] for row in rows) == ["'+1 2.png", "'=cmd|'/c calc'!A1.png"]
    for row in rows:
        texts = (row["file"], row["model"], row["status"], row["message"])
        assert not any(text.startswith(("=", "+", "-", "@")) for text in texts)


def test_one_file_is_enough_whatever_its_ending(tmp_path: Path) -> None:
    file = save(tmp_path / "patch.png", 1).rename(tmp_path / "patch.data")
    assert main([str(file), "--out", str(tmp_path / "o.csv"), "--models", "cnn"]) == 0
    (row,) = read(tmp_path / "o.csv")
    assert row["file"] == "patch.data"
    assert "PNG" in row["message"]


def test_when_nothing_can_be_scored_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o.csv"
    image = save(tmp_path / "one" / "p.png", 1)
    (tmp_path / "none").mkdir()
    for source, target, models, sentence in (
        (tmp_path / "absent", out, "cnn", "There is no file or folder"),
        (tmp_path / "none", out, "cnn", "holds no PNG, JPEG"),
        (image, tmp_path / "absent" / "o.csv", "cnn", "cannot be written"),
        (image, tmp_path, "cnn", "cannot be written"),
        (image, image, "cnn", "is one of the images"),
        (image, out, "cnn,vit", "“vit” is no model"),
    ):
        assert main([str(source), "--out", str(target), "--models", models]) == 1
        assert sentence in capsys.readouterr().err
    assert not out.exists()
    (tmp_path / "bad.png").touch()
    assert main([str(tmp_path / "bad.png"), "--out", str(out), "--models", "cnn"]) == 1
    assert [row["status"] for row in read(out)] == ["not scored"]


def test_a_model_that_cannot_be_loaded_is_told_in_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(shutil.copytree(bundle_root(), tmp_path / "bundles", copy_function=os.link))
    (root / "densenet121" / "weights.safetensors").unlink()
    monkeypatch.setenv("HER2_BUNDLES", str(root))
    file = save(tmp_path / "p.png", 1)
    assert main([str(file), "--out", str(tmp_path / "o.csv")]) == 2
    scored, failed = read(tmp_path / "o.csv")
    assert scored["status"] == "scored"
    assert (failed["model"], failed["status"]) == ("densenet121", "not scored")
    assert "weights.safetensors is missing" in failed["message"]


def test_an_old_table_is_replaced_at_once_and_nothing_else_is_left(tmp_path: Path) -> None:
    file = save(tmp_path / "in" / "p.png", 1)
    out = tmp_path / "table" / "o.csv"
    out.parent.mkdir()
    out.write_text("old", encoding="utf-8")
    assert main([str(file), "--out", str(out), "--models", "cnn"]) == 0
    assert len(read(out)) == 1
    assert list(out.parent.iterdir()) == [out]


def test_what_is_left_out_is_counted_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    save(folder / "good.png", 1)
    save(folder / "@eaDir" / "good.png", 2)
    save(folder / ".Trash-1000" / "files" / "old.png", 3)
    save(folder / "noending.png", 4).rename(folder / "noending")
    (folder / "phone.avif").write_bytes(b"____ftypavif")
    (folder / "IMG_0001.HEIC").write_bytes(b"....ftypheic")
    (folder / "notes.txt").touch()
    out = tmp_path / "o.csv"
    assert main([str(folder), "--out", str(out), "--models", "cnn"]) == 2
    said = capsys.readouterr().err
    for line in (
        "1 of 4 files scored by every model; 3 left out;",
        "- 1 left out: hidden: “.Trash-1000”.",
        "- 1 left out: the system's own, not data: “@eaDir”.",
        "- 1 left out: HEIC, which is not read: “IMG_0001.HEIC”.",
        "- 1 left out: AVIF, which is not read: “phone.avif”.",
        "- 1 left out: PNG by content but without an ending; rename to have it read: “noending”.",
        "- 1 left out: no picture: “notes.txt”.",
    ):
        assert said.count(line) == 1
    rows = read(out)
    assert [row["file"] for row in rows] == ["IMG_0001.HEIC", "good.png", "noending", "phone.avif"]
    assert [row["status"] for row in rows] == ["not scored", "scored", "not scored", "not scored"]
    assert rows[3]["message"] == "“phone.avif” was left out: AVIF, which is not read."


def test_the_system_s_own_files_make_no_result_incomplete(tmp_path: Path) -> None:
    save(tmp_path / "in" / "good.png", 1)
    save(tmp_path / "in" / "$RECYCLE.BIN" / "$R1.png", 2)
    (tmp_path / "in" / "._good.png").touch()
    out = tmp_path / "o.csv"
    assert main([str(tmp_path / "in"), "--out", str(out), "--models", "cnn"]) == 0
    assert [row["file"] for row in read(out)] == ["good.png"]


def test_a_folder_of_pictures_that_are_not_read_is_said_to_hold_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "phone.avif").write_bytes(b"____ftypavif")
    assert main([str(tmp_path), "--out", str(tmp_path / "o.csv"), "--models", "cnn"]) == 1
    assert "file.\n- 1 left out: AVIF, which is not read: “phone.avif”." in capsys.readouterr().err


def test_the_command_explains_itself_without_loading_tensorflow() -> None:
    answer = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "training.score", "--help"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "INPUT" in answer.stdout
    assert "--models" in answer.stdout
    assert "Research use only" in answer.stdout
    assert "tensorflow" not in answer.stderr
