"""`python -m training.evaluate` from class folders and bundles to a report, and its refusals."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from her2core.evaluation.report import PATCH_FOLDER, REPORT_FILE, Report
from her2core.preprocessing.patches import decode
from her2core.settings import UploadLimits
from tests.tiny_bundles import NAMES, bundle_root, classifier, noise, usual_reader
from training import evaluate as command
from training.report_rows import read_test_part


@pytest.fixture(scope="module")
def patches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures of each class with a comment in each, one of them no picture at all."""
    folder = tmp_path_factory.mktemp("set")
    rows = ["file,label,group"]
    for number, picture in enumerate(noise(12, seed=5)):
        name = f"class_{('0', '1+', '2+', '3+')[number // 3]}/patient-{number}.png"
        (folder / name).parent.mkdir(exist_ok=True)
        comment = PngImagePlugin.PngInfo()
        comment.add_text("Comment", "Jane Doe")
        Image.fromarray(picture).save(folder / name, pnginfo=comment)
        rows.append(f"{name},,slide-{number % 6}")
    (folder / "class_3+" / "notes.png").write_bytes(b"no picture")
    (folder / "truth.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder


def run(data: Path | str, out: Path, *more: str, models: str | None = None) -> int:
    both = ",".join(str(bundle_root() / name) for name in NAMES)
    return command.main(["--data", str(data), "--models", models or both, "--out", str(out), *more])


@pytest.fixture(scope="module")
def made(patches: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("reports") / "mine"
    assert run(patches, out, "--gallery", "2", "--bootstrap", "100", "--title", "My patches") == 2
    return out


def test_the_rows_are_what_the_pages_would_say_of_the_same_bytes(made, patches):
    report = Report.read(made / REPORT_FILE)
    assert report.title == "My patches"
    assert [model.title for model in report.models] == ["CNN", "DenseNet121"]
    assert len(report.rows) == report.evaluation.n == 12
    assert report.evaluation.groups == 6
    assert report.evaluation.caution == ""
    row = report.rows[4]
    data = (patches / "class_1+" / row.file).read_bytes()
    assert row.sha256 == hashlib.sha256(data).hexdigest()
    assert (row.label, row.group) == (1, "slide-4")
    pixels = decode(data, row.file, UploadLimits()).pixels()[None]
    for name in NAMES:
        said = row.probabilities[classifier(name).model_id]
        assert said == pytest.approx(usual_reader(name).read(pixels).probabilities[0], abs=1e-5)
    assert [reader.title for reader in report.evaluation.readers][-1] == "Mean probability"
    (unread,) = report.notes
    assert "left out" in unread
    assert "notes.png" in unread


def test_the_gallery_keeps_pixels_and_nothing_else(made):
    report = Report.read(made / REPORT_FILE)
    files = {path.stem: path for path in (made / PATCH_FOLDER).iterdir()}
    assert set(files) == {entry.sha256 for entry in report.gallery}
    for path in files.values():
        assert b"Jane" not in path.read_bytes()
        assert np.asarray(Image.open(path)).shape == (224, 224, 3)
    assert (made / "report.html").stat().st_size > 1_000_000
    names = {path.name for path in made.glob("*.png")}
    assert {"overall.png", "cut-offs.png", "coverage.png", "confusion-mean.png"} <= names
    assert Image.open(io.BytesIO((made / "overall.png").read_bytes())).width == 1000


def test_without_groups_it_is_said_aloud_and_no_image_is_written_when_asked(
    patches, tmp_path, capsys
):
    for path in patches.glob("class_*/patient-*.png"):
        target = tmp_path / "bare" / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    twin = tmp_path / "bare" / "class_0" / "twin.png"
    twin.write_bytes((patches / "class_3+" / "patient-9.png").read_bytes())
    cnn = str(bundle_root() / "cnn")
    out = tmp_path / "report"
    assert run(tmp_path / "bare", out, "--gallery", "0", "--bootstrap", "100", models=cnn) == 0
    said = capsys.readouterr().out
    assert "optimistic" in said
    assert "more than one class: 1" in said
    report = Report.read(out / REPORT_FILE)
    assert report.gallery == ()
    assert not (out / PATCH_FOLDER).exists()
    assert report.evaluation.ungrouped == 13
    assert report.evaluation.groups == 12  # the same bytes twice are one unit
    assert [reader.title for reader in report.evaluation.readers] == ["CNN"]
    assert report.evaluation.pairs == ()


def test_what_cannot_be_evaluated_ends_in_one_sentence(made, patches, tmp_path, capsys):
    def refusal(*arguments: object, **more: object) -> str:
        assert run(*arguments, **more) == 1  # type: ignore[arg-type]
        said = capsys.readouterr().err.strip()
        assert "Traceback" not in said
        return said

    assert "already holds a report" in refusal(patches, made)
    assert "no folder" in refusal(tmp_path / "nowhere", tmp_path / "a")
    assert "no pictures" in refusal(tmp_path, tmp_path / "a")
    long = tmp_path / ("x" * 300)
    assert refusal(long, tmp_path / "a") == f"{long} could not be read: File name too long."
    assert "card.json is missing" in refusal(patches, tmp_path / "a", models=str(tmp_path))
    cnn = str(bundle_root() / "cnn")
    assert "same weights" in refusal(patches, tmp_path / "a", models=f"{cnn},{cnn}")
    assert "--bootstrap 100" in refusal(patches, tmp_path / "a", "--bootstrap", "5")
    assert "--gallery 0" in refusal(patches, tmp_path / "a", "--gallery", "-1")
    for nothing in (",", ""):
        assert "at least one folder" in refusal(nothing, tmp_path / "a", models=cnn)
    assert not (tmp_path / "a").exists()
    broken = tmp_path / "broken" / "class_0"
    broken.mkdir(parents=True)
    (broken / "x.png").write_bytes(b"nothing")
    assert "No picture could be read" in refusal(broken.parent, tmp_path / "a", models=cnn)
    (tmp_path / "file").write_text("")
    assert "could not be written" in refusal(patches, tmp_path / "file" / "x", models=cnn)
    assert not (tmp_path / "a" / REPORT_FILE).exists()


def test_a_split_without_a_test_part_is_refused_and_its_training_patches_are_not_evaluated(
    patches, tmp_path, capsys
):
    for part in ("train", "val", "test"):
        shutil.copytree(patches / "class_0", tmp_path / "set" / part / "class_0")
    assert {file.part for file in read_test_part(tmp_path / "set", None).files} == {"test"}
    shutil.rmtree(tmp_path / "set" / "test")
    table = tmp_path / "table.csv"
    table.write_text("file,label,part\nset/train/class_0/patient-0.png,0,train\n")
    for source, parts in ((tmp_path / "set", "train, validation"), (table, "train")):
        assert run(source, tmp_path / "r") == 1
        assert f"without a test part ({parts})" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()
    assert len(read_test_part(tmp_path / "set" / "val", None).files) == 3


def test_the_same_seed_gives_the_same_report(made, patches, tmp_path):
    # 2: one of the files is damaged
    assert run(patches, tmp_path / "b", "--gallery", "2", "--bootstrap", "100") == 2
    one, two = (json.loads((folder / REPORT_FILE).read_text()) for folder in (made, tmp_path / "b"))
    assert one["evaluation"] == two["evaluation"]
    assert one["rows"] == two["rows"]
