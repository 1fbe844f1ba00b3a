"""Few patches: what is taken and what is left is said, and a good start is not spoilt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from her2core.models.bundles.bundle_files import read_files
from her2core.scores import HER2Score
from her2core.training.checkpoint import read_progress
from her2core.training.data.datasets import DatasetError, LabelledFile
from her2core.training.data.layouts import read_layout
from her2core.training.data.splits import TEST, TRAIN, VALIDATION, split_files
from her2core.training.fit import KEPT_START, Run
from tests.tiny_bundles import bundle_root, noise
from training import train

LABELS = ("0", "1+", "2+", "3+")


def class_folders(root: Path, count: int) -> Path:
    for number, picture in enumerate(noise(count, seed=7)):
        folder = root / f"class_{LABELS[number % 4]}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f"{number}.png")
    return root


def run(data: Path, recipe: str, *more: str) -> int:
    config = data.with_name("recipe.toml")
    config.write_text(recipe)
    out = data.with_name("bundle")
    return train.main(["--arch=cnn", f"--data={data}", f"--out={out}", f"--config={config}", *more])


def files_of(classes: str) -> list[LabelledFile]:
    scores = {label[0]: HER2Score(number) for number, label in enumerate(LABELS)}
    return [LabelledFile(Path(str(at)), scores[its], "") for at, its in enumerate(classes)]


@pytest.mark.parametrize(
    ("classes", "sides"),
    [
        ("0011223", (5, 1, 1)),  # seven patches
        ("01233", (4, 1, 0)),  # one can be spared, and choosing the epoch comes first
        ("00112233" * 3, (16, 4, 4)),
    ],
)
def test_shares_of_the_split_follow_what_there_is(classes, sides):
    split = split_files(files_of(classes), [str(at) for at in range(len(classes))])
    assert tuple(len(split.rows(side)) for side in (TRAIN, VALIDATION, TEST)) == sides
    assert {classes[row] for row in split.rows(TRAIN)} == set("0123")


def test_where_training_needs_every_patch_the_way_out_is_named():
    with pytest.raises(DatasetError, match=r"nothing is left for validation.*training\.adapt"):
        split_files(files_of("0123"), list("abcd"))


def test_a_start_that_no_epoch_beats_stays_and_a_large_batch_and_unlabelled_rows_are_said(
    tmp_path, capsys
):
    data = tmp_path / "flat"
    data.mkdir()
    rows = ["file,label,group"]
    for number, picture in enumerate(noise(24, seed=7)):
        Image.fromarray(picture).save(data / f"{number}.png")
        rows.append(f"{number}.png,{LABELS[number % 4] if number < 20 else ''},s{number // 2}")
    (data / "whatever.csv").write_text("\n".join(rows))
    demo = bundle_root() / "cnn"
    ruinous = "epochs = 1\nsteps_per_epoch = 1\nbatch = 16\nlearning_rate = 3.0\n"
    assert run(data, ruinous, "--start", str(demo)) == 0
    told = capsys.readouterr()
    assert "Recognised table: 20 patches (5 of 0, 5 of 1+, 5 of 2+, 5 of 3+); 10 groups" in told.out
    assert "4 left out: without a label in the table: “20.png”, “21.png”" in told.err
    assert "A batch of 16 is more than the 12 training patches" in told.out
    assert "Only 4 patches choose the epoch" in told.err
    assert "epoch 0, the weights started from: validation loss" in told.out
    assert f"{KEPT_START}." in told.out
    progress = read_progress(Run(tmp_path / "bundle.run").state)
    assert progress.kept_start
    assert progress.best == progress.start
    before, after = read_files(demo), read_files(tmp_path / "bundle")
    assert f"{KEPT_START}." in after.card.notes
    for path, tensor in before.tensors.items():
        np.testing.assert_allclose(
            after.tensors[path].astype(np.float32), tensor.astype(np.float32), atol=1e-3
        )


def test_a_table_of_groups_under_another_name_is_told(tmp_path):
    data = class_folders(tmp_path / "data", 8)
    (data / "patients.csv").write_text("file,group\nclass_0/0.png,a\n")
    remarks = read_layout(data).remarks
    assert remarks[-1] == (
        "“patients.csv” was not read: a table of groups beside folders is called truth.csv."
    )
