"""Cross-fitting: each fold is read by its own models, and the report speaks of the recipe."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from her2core.charts.plots import reliability_plot
from her2core.common.refusal import RefusalError
from her2core.evaluation.report import REPORT_FILE, Report
from her2core.models.architectures import ARCHITECTURES
from her2core.models.architectures.keras_model import build
from her2core.models.backends.choose import open_reader
from her2core.models.bundles.bundle import write_bundle
from her2core.models.bundles.bundle_files import read_files
from tests.tiny_bundles import a_card, bundle_root, noise, usual_reader
from training import crossfit


def class_folders(folder: Path, seed: int) -> Path:
    rows = ["file,label,group"]
    for number, picture in enumerate(noise(8, seed=seed)):
        name = f"class_{('0', '1+', '2+', '3+')[number // 2]}/{seed}-{number}.png"
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        Image.fromarray(picture).save(folder / name)
        rows.append(f"{name},,core-{seed}-{number // 4}")
    (folder / "truth.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def other_cnn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second CNN bundle with other weights, as another fold's training would leave it."""
    keras.utils.set_random_seed(41)
    folder = tmp_path_factory.mktemp("fold") / "cnn-b"
    write_bundle(build(ARCHITECTURES["cnn"]), a_card("cnn"), folder, noise(2))
    return folder


def test_each_fold_is_read_by_its_own_models(tmp_path, other_cnn):
    first, second = class_folders(tmp_path / "a", 1), class_folders(tmp_path / "b", 2)
    own = bundle_root() / "cnn"
    folds = ["--fold", f"{first}={own}", "--fold", f"{second}={other_cnn}"]
    options = ["--bootstrap", "100", "--note", "Of an earlier stage."]
    assert crossfit.main([*folds, "--out", str(tmp_path / "r"), *options]) == 0
    report = Report.read(tmp_path / "r" / REPORT_FILE)
    (model,) = report.models
    assert (model.key, model.title, model.conformal) == ("cnn", "CNN", None)
    assert report.evaluation.n == 16
    assert report.evaluation.groups == 4
    assert report.notes == (
        "Every patch was read by the models of its own fold, 2 folds in all.",
        "Of an earlier stage.",
    )
    # each fold has a temperature of its own: what was before it is not known, and not claimed
    (reader,) = report.evaluation.readers
    assert reader.figure("ece") is not None
    assert reader.figure("ece_before") is None
    assert reader.reliability_before == ()
    (line,) = reliability_plot(reader).series
    assert line.name.startswith("after temperature")

    by_name = {row.file: row.probabilities["cnn"] for row in report.rows}
    pixels = (noise(8, seed=2) / 255).astype(np.float32)
    network = open_reader(read_files(other_cnn), "auto", tmp_path)
    wanted = network.read(pixels).probabilities
    unwanted = usual_reader("cnn").read(pixels).probabilities
    for number in range(8):
        assert by_name[f"2-{number}.png"] == pytest.approx(wanted[number], abs=1e-5)
        assert by_name[f"2-{number}.png"] != pytest.approx(unwanted[number], abs=1e-3)


def test_folds_of_different_architectures_are_refused():
    cnn = replace(a_card("cnn"), weights_sha256="a" * 64)
    densenet = replace(a_card("densenet121"), weights_sha256="b" * 64)
    with pytest.raises(RefusalError, match="one bundle of each architecture"):
        crossfit.crossfit_models([[cnn], [densenet]])
    with pytest.raises(RefusalError, match="one bundle of each architecture"):
        crossfit.crossfit_models([[cnn, cnn], [cnn, cnn]])


def test_what_each_fold_had_learnt_from_is_told():
    first = replace(a_card("cnn"), training_data="Half a.", weights_sha256="a" * 64)
    other = replace(first, training_data="Half b.", weights_sha256="b" * 64)
    (same,) = crossfit.crossfit_models([[first], [first]])
    assert same.training_data == "Half a."
    (both,) = crossfit.crossfit_models([[first], [other]])
    assert both.training_data == "Fold 1: Half a. Fold 2: Half b."


def test_a_fold_without_bundles_and_a_missing_folder_end_in_one_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit):
        crossfit.main(["--fold", "DATA", "--out", str(tmp_path / "r")])
    assert "is not DATA=BUNDLE" in capsys.readouterr().err
    fold = f"{tmp_path / 'nowhere'}={bundle_root() / 'cnn'}"
    assert crossfit.main(["--fold", fold, "--out", str(tmp_path / "r")]) == 1
    assert "no folder" in capsys.readouterr().err


@pytest.mark.parametrize("more", [("--bootstrap", "0"), ("--bootstrap", "99"), ("--seed", "-1")])
def test_impossible_resampling_is_refused_before_anything_is_read(tmp_path, capsys, more):
    fold = f"{tmp_path / 'nowhere'}={tmp_path / 'no-bundle'}"
    assert crossfit.main(["--fold", fold, "--out", str(tmp_path / "r"), *more]) == 1
    said = capsys.readouterr().err
    assert said == "Use --bootstrap 100 or more and --seed 0 or more.\n"
    assert not (tmp_path / "r").exists()
