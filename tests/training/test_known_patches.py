"""A bundle keeps what it learnt from, and every figure says so or leaves known patches out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from her2core.evaluation.report import REPORT_FILE, Report
from her2core.models.bundles.card import CARD_FILE, BundleError, ModelCard
from her2core.training.data.prepare import Request, prepare
from her2core.training.provenance import (
    PROVENANCE_FILE,
    from_bytes,
    provenance_of,
    provenance_of_start,
    to_bytes,
)
from her2core.training.start import without_known
from tests.tiny_bundles import a_card, bundle_root, noise
from training import crossfit, evaluate, train

LABELS = ("0", "1+", "2+", "3+")
# label, group and part of each picture; pictures are told apart by their number
Row = tuple[int, str, str, str]


def pictures(count: int) -> np.ndarray:
    """Patches that look like no other, uint8 (count, 224, 224, 3)."""
    return noise(count, seed=31)


def table(folder: Path, rows: Sequence[Row], near: frozenset[int] = frozenset()) -> Path:
    """A CSV table of pictures by number; those in `near` are re-encoded and brighter."""
    folder.mkdir(parents=True)
    lines = ["file,label,group,part"]
    everything = pictures(60)
    for number, label, group, part in rows:
        image, name = Image.fromarray(everything[number]), f"{number}.png"
        if number in near:
            image, name = image.point(lambda value: min(255, value + 6)), f"{number}.jpg"
        image.save(folder / name)
        lines.append(f"{name},{label},{group},{part}")
    (folder / "labels.csv").write_text("\n".join(lines))
    return folder


def row(number: int, group: str = "", part: str = "") -> Row:
    return number, LABELS[number % 4], group or f"slide-{number}", part


TRAINED = [*(row(n, part="train") for n in range(8)), *(row(n, part="validation") for n in (8, 9))]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that training made of pictures 0 to 9; 20 to 23 were its test."""
    folder = tmp_path_factory.mktemp("trained")
    data = table(folder / "data", [*TRAINED, *(row(n, part="test") for n in range(20, 24))])
    return train_on(data, folder / "ours")


def train_on(data: Path, out: Path, *more: str) -> Path:
    config = out.with_name("recipe.toml")
    config.write_text("epochs = 1\nsteps_per_epoch = 1\nbatch = 4\n")
    named = [f"--data={data}", f"--out={out}", f"--config={config}"]
    assert train.main(["--arch=cnn", *named, *more]) == 0
    return out


def evaluated(data: Path, bundle: Path, out: Path) -> Report:
    named = [f"--data={data}", f"--bundles={bundle}", f"--out={out}"]
    assert evaluate.main([*named, "--gallery=0", "--bootstrap=100"]) == 0
    return Report.read(out / REPORT_FILE)


def test_a_bundle_keeps_sums_and_not_names_of_what_it_learnt_from(trained):
    provenance, card = provenance_of(trained), ModelCard.read(trained / CARD_FILE)
    assert (len(provenance.prints.sha256), len(provenance.groups), provenance.whole) == (
        10,
        10,
        True,
    )
    assert card.provenance is not None
    assert (card.provenance.patches, card.provenance.groups) == (10, 10)
    data = (trained / PROVENANCE_FILE).read_bytes()
    assert b"slide-" not in data
    assert to_bytes(from_bytes(data)) == data


def test_known_patches_are_left_out_of_a_report_and_counted(trained, tmp_path):
    tested = [row(0), row(1), row(2), row(30, "slide-3"), *(row(n) for n in range(40, 44))]
    tested += [row(n) for n in range(20, 24)]  # what it was tested with is not known to it
    data = table(tmp_path / "data", tested, near=frozenset({2}))
    report = evaluated(data, trained, tmp_path / "report")
    assert {int(its.file.split(".")[0]) for its in report.rows} == {*range(20, 24), *range(40, 44)}
    assert report.evaluation.n == 8
    assert report.notes[-2:] == (
        "4 of 12 patches are known to CNN (equal pixels: 2; near copies: 1; same patient, slide "
        "or core: 1).",
        "Known patches are left out of every figure: 4.",
    )


def test_a_report_on_the_training_pictures_alone_is_marked(trained, tmp_path):
    data = table(tmp_path / "data", [row(n) for n in range(8)])
    report = evaluated(data, trained, tmp_path / "report")
    assert report.evaluation.n == 8
    assert report.notes[-2].startswith("8 of 8 patches are known to CNN (equal pixels: 8)")
    assert "what it remembers" in report.notes[-1]


def test_of_a_bundle_without_sums_it_is_said_that_nothing_is_known(tmp_path):
    old = tmp_path / "old"
    shutil.copytree(bundle_root() / "cnn", old)
    card = replace(ModelCard.read(old / CARD_FILE), demo=False)
    (old / CARD_FILE).write_text(card.to_json())
    data = table(tmp_path / "data", [row(n) for n in range(8)])
    (note,) = evaluated(data, old, tmp_path / "report").notes
    assert note.startswith("What CNN learnt from is not known")


def test_a_training_that_goes_on_inherits_the_sums_and_tests_what_neither_knew(
    trained, tmp_path, capsys
):
    rows = [*(row(n, part="train") for n in range(10, 14)), row(14, part="validation")]
    rows += [row(n, part="test") for n in (0, 1, 2, 20, 21, 22, 23)]
    data = table(tmp_path / "data", rows, near=frozenset({1}))
    out = train_on(data, tmp_path / "more", "--start", str(trained))
    said = (
        "Test: 3 of 7 patches are known to the weights that were started from (equal pixels: 2; "
        "near copies: 1)."
    )
    assert f"WARNING: {said}" in capsys.readouterr().err
    card = ModelCard.read(out / CARD_FILE)
    assert said in card.notes
    assert "Test: Known patches are left out: 3." in card.notes
    assert next(metric for metric in card.metrics if metric.name == "exact").n == 4
    provenance = provenance_of(out)
    assert len(provenance.prints.sha256) == 15
    assert set(provenance_of(trained).prints.sha256) < set(provenance.prints.sha256)


def warned(data: Path, start: Path) -> tuple[str, ...]:
    """What a training of these patches, from these weights, would warn of."""
    prepared = prepare(Request(((data, 1.0),)), 224)
    return without_known(prepared, provenance_of_start(start)).warnings


def test_where_all_is_known_it_is_said_and_a_run_s_weights_know_what_the_run_knew(
    trained, tmp_path
):
    rows = [*(row(n, part="train") for n in range(10, 14)), row(14, part="validation")]
    known = table(tmp_path / "known", [*rows, *(row(n, part="test") for n in range(4))])
    some = table(tmp_path / "some", [*rows, *(row(n, part="test") for n in (0, 1, 20, 21))])
    *_, count, said = warned(known, trained)
    assert count.startswith("Test: 4 of 4 patches are known to the weights")
    assert said.startswith("Test: So the figures are optimistic.")
    weights = trained.with_name("ours.run") / "best.weights.h5"
    *_, count, _ = warned(some, weights)
    assert count.startswith("Test: 2 of 4 patches are known to the weights")


def test_a_fold_whose_bundle_had_seen_it_is_told(trained, tmp_path):
    first = table(tmp_path / "a", [row(n) for n in (0, 4, 40, 41, 42, 43)])
    second = table(tmp_path / "b", [row(n) for n in range(44, 48)])
    folds = [f"--fold={data}={trained}" for data in (first, second)]
    assert crossfit.main([*folds, f"--out={tmp_path / 'r'}", "--bootstrap=100"]) == 0
    report = Report.read(tmp_path / "r" / REPORT_FILE)
    assert report.evaluation.n == 8
    assert any(note.startswith("2 of 6 patches are known to the fold's") for note in report.notes)


def test_sums_that_were_changed_are_refused(trained, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    (copy / PROVENANCE_FILE).write_bytes((trained / PROVENANCE_FILE).read_bytes()[:-1] + b"x")
    with pytest.raises(BundleError, match="is not the file its card was written for"):
        provenance_of(copy)
    (copy / PROVENANCE_FILE).unlink()
    with pytest.raises(BundleError, match="missing"):
        provenance_of(copy)
    # nor can the card be made to say that nothing is known
    fields = json.loads((copy / CARD_FILE).read_text())
    del fields["provenance"]
    (copy / CARD_FILE).write_text(json.dumps(fields))
    with pytest.raises(BundleError, match="changed after it was written"):
        provenance_of(copy)
    assert "provenance" not in json.loads(replace(a_card(), provenance=None).to_json())
