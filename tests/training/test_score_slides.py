"""The command that scores slides: what it writes, its exit status, bad slides among good ones."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests import slide_samples
from tests.conftest import real_cores
from training.score_slides import main


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    if not (real_cores() / "cores").is_dir():
        pytest.skip("no real cores")
    monkeypatch.setenv("HER2_HOME", str(tmp_path / "home"))
    slides = tmp_path / "slides"
    (slides / "sub").mkdir(parents=True)
    part = slide_samples.core_part(real_cores(), "a1f1510c", 2000, 2000, 800)
    slide_samples.write_tiff(slides / "good.tif", part)
    (slides / "sub" / "bad.svs").write_bytes((slides / "good.tif").read_bytes()[:5000])
    Image.new("RGB", (600, 600), slide_samples.GLASS).save(slides / "=empty.png")
    return slides


def rows(out: Path) -> list[dict[str, str]]:
    text = (out / "slides.csv").read_text(encoding="utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def written(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir()) if path.is_file()}


def test_good_and_bad_slides_of_a_folder(folder, tmp_path, capsys):
    out = tmp_path / "out"
    command = [str(folder), "--out", str(out), "--workers", "1", "--um", "100"]
    assert main([*command, "--models", "cnn"]) == 2
    empty, good, bad = rows(out)
    assert good["slide"] == "good.tif"
    assert good["status"] == "scored"
    assert good["score"] == good["stain_score"] == good["cnn_score"] == "3+"
    assert float(good["um_per_pixel"]) == pytest.approx(0.25, rel=1e-3)
    assert (bad["slide"], bad["status"], bad["score"]) == ("sub/bad.svs", "not scored", "")
    assert "“bad.svs” is an incomplete or damaged slide" in bad["message"]
    # never computed by a spreadsheet
    assert empty["slide"].startswith("'=")
    assert "too few nuclei" in empty["message"]
    table = pq.read_table(out / "regions.parquet").to_pylist()
    assert [row["slide"] for row in table] == ["good.tif"] * 4
    shapes = json.loads((out / "good.geojson").read_bytes())["features"]
    assert len(shapes) == 4
    with Image.open(out / "good.png") as picture:
        assert picture.width > 1000
    before = written(out)
    assert main([*command, "--models", "cnn"]) == 2
    assert written(out) == before
    assert main(["--data", *command, "--arch", "cnn", "--cells"]) == 2
    assert (out / "slides.csv").read_bytes() == before["slides.csv"]
    features = json.loads((out / "good.geojson").read_bytes())["features"]
    assert features[:4] == shapes
    for grade in ("0", "1plus", "2plus", "3plus"):
        name = f"Tumour cell {grade.replace('plus', '+')}"
        found = [one for one in features if one["properties"]["classification"]["name"] == name]
        assert len(found) == sum(row[f"cells_{grade}"] for row in table)
        assert {one["properties"]["objectType"] for one in found} <= {"detection"}
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "There is no file or folder"),
        (["{slides}", "--um", "5"], "Regions are 50 to 1000 µm wide"),
        (["{slides}", "--um-per-pixel", "0"], "no scale of a slide"),
        (["{slides}", "--workers", "0"], "At least one worker"),
        (["{slides}", "--models", "resnet"], "No bundle of resnet"),
    ],
)
def test_what_cannot_be_done_is_said_at_once(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.setenv("HER2_HOME", str(tmp_path / "home"))
    slides = tmp_path / "slides"
    slides.mkdir()
    Image.new("RGB", (64, 64)).save(slides / "a.png")
    given = [one.format(slides=slides) for one in arguments]
    assert main([*given, "--out", str(tmp_path / "out")]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
