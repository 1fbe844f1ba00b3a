"""`python -m training.adapt`: a bundle fitted to own patches, with proof, or nothing written."""

import contextlib
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from her2core.evaluation.intervals import Interval
from her2core.evaluation.pairs import PairComparison
from her2core.models.architectures import ARCHITECTURES
from her2core.models.backends.openvino_backend import OpenVinoReader
from her2core.models.backends.parity import largest_difference
from her2core.models.bundles.bundle_files import frozen_digest, read_files, write_files
from her2core.models.bundles.card import CARD_FILE, BundleError, ModelCard
from her2core.preprocessing.patches import Patch, Square
from her2core.training import adapt as library
from her2core.training.provenance import provenance_of
from tests.tiny_bundles import a_card, bundle_root
from training import adapt
from training.console import STOPPED

BASE = "cnn"
LABELS = ("0", "1+", "2+", "3+")


def brown_patch(number: int) -> Patch:
    """The browner the higher its score, which is its number modulo 4; four of a slide."""
    rgb = _brown(number % 4, np.random.default_rng(number))
    return Patch(f"S{number // 4}_{number}.png", f"{number:064x}", rgb, Square.centred(64, 64))


def _brown(grade: int, rng: np.random.Generator) -> np.ndarray:
    colour = np.array([215, 200, 190]) - grade * np.array([25, 40, 48])
    return np.clip(colour + rng.normal(0, 12, (64, 64, 3)), 0, 255).astype(np.uint8)


def labelled(folder: Path, slides: int = 10, labels: tuple[str, ...] = LABELS, told: bool = True):
    """Four patches a slide, the browner the higher their score where `told`, with truth.csv."""
    rng = np.random.default_rng(0)
    rows = ["file,group"]
    for slide in range(slides):
        for number in range(4):
            label = labels[number % len(labels)]
            grade = LABELS.index(label) if told else int(rng.integers(4))
            picture = _brown(grade, rng)
            path = folder / f"class_{label}" / f"s{slide}-{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), picture[..., ::-1])
            rows.append(f"class_{label}/{path.name},slide {slide}")
    (folder / "truth.csv").write_text("\n".join(rows) + "\n")
    return folder


def run(data: Path, out: Path, *more: str) -> int:
    return adapt.main([f"--bundle={bundle_root() / BASE}", f"--data={data}", f"--out={out}", *more])


def read(folder: Path, pixels: np.ndarray) -> np.ndarray:
    return OpenVinoReader(read_files(folder), exact=True).read(pixels).probabilities


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """Patches, the bundle fitted to them, and what was said."""
    folder, said = tmp_path_factory.mktemp("adapted"), io.StringIO()
    data, out = labelled(folder / "own"), folder / "new"
    with contextlib.redirect_stdout(said):
        assert run(data, out) == adapt.WRITTEN
    return data, out, said.getvalue()


def test_a_bundle_better_on_slides_left_out_is_written_with_its_origin(adapted, tmp_path, capsys):
    data, out, said = adapted
    before = read_files(bundle_root() / BASE)
    assert "40 patches, 10 groups" in said
    assert "Better on slides or cases that it had not learnt from." in said
    assert "McNemar, p = " in said

    files = read_files(out)
    origin = files.card.adapted
    assert origin is not None
    assert (origin.base, origin.patches, origin.groups) == (before.card.model_id, 40, 10)
    assert origin.classes == (10, 10, 10, 10)
    assert files.card.model_id != before.card.model_id
    assert "40 own patches (10 of 0, 10 of 1+, 10 of 2+, 10 of 3+; 10 groups)" in (
        files.card.training_data
    )
    assert frozen_digest(files.tensors) == frozen_digest(before.tensors)
    assert read_files(bundle_root() / BASE).card == before.card

    # what is written reads new slides of this laboratory rightly
    fresh = labelled(tmp_path / "fresh", slides=12)
    pictures = sorted(fresh.rglob("*.png"))
    pixels = np.stack(
        [
            cv2.resize(cv2.imread(str(p))[..., ::-1], (224, 224), interpolation=cv2.INTER_CUBIC)
            for p in pictures
        ]
    ).astype(np.float32) / np.float32(255)
    truth = np.array([LABELS.index(p.parent.name.removeprefix("class_")) for p in pictures])
    exact = [
        (read(place, pixels).argmax(1) == truth).mean() for place in (bundle_root() / BASE, out)
    ]
    assert exact[1] > exact[0] + 0.2

    # fitted to the same patches again, it is said that it knew them
    assert len(provenance_of(out).prints.sha256) == 40
    adapt.main([f"--bundle={out}", f"--data={data}", f"--out={tmp_path / 'again'}"])
    assert "40 of 40 patches are known to the bundle as it is (equal pixels: 40)" in (
        capsys.readouterr().out
    )


def test_the_stored_logits_are_those_tensorflow_gives(adapted, tmp_path):
    files = read_files(adapted[1])
    asked = replace(files, logits=None)  # so that TensorFlow is asked
    reader = OpenVinoReader(files, exact=True)
    assert largest_difference(asked, reader, tmp_path / "notes") < 1e-3
    assert largest_difference(files, reader, tmp_path / "others") < 1e-3


def test_what_is_no_better_is_said_and_not_written(tmp_path, capsys):
    data = labelled(tmp_path / "own", told=False)
    assert run(data, tmp_path / "new") == adapt.NO_BETTER
    assert "No better on slides or cases that it had not learnt from." in capsys.readouterr().out
    assert not (tmp_path / "new").exists()


def interval(low: float, high: float) -> Interval:
    return Interval((low + high) / 2, low, high, 40)


@pytest.mark.parametrize(
    ("exact", "kappa", "brier", "better", "words"),
    [
        (interval(0.1, 0.3), interval(-0.1, 0.1), interval(-0.1, 0.1), True, "Better on"),
        (interval(-0.1, 0.1), interval(-0.1, 0.1), interval(-0.3, -0.1), True, "Better on"),
        # more often exact, but the errors that are left lie farther off
        (interval(0.1, 0.3), interval(-0.3, -0.1), interval(-0.3, -0.1), False, "Worse in kappa"),
        (interval(-0.1, 0.1), interval(-0.1, 0.1), interval(0.1, 0.3), False, "Worse in the Brier"),
        (interval(-0.1, 0.1), interval(-0.1, 0.1), interval(-0.1, 0.1), False, "No better on"),
        (
            Interval(0.2, None, None, 40),
            Interval(0.2, None, None, 40),
            Interval(-0.2, None, None, 40, "No interval: 3 of the 5 groups it needs at least."),
            False,
            "No better that could be shown. No interval: 3 of the 5",
        ),
    ],
)
def test_better_is_what_is_surely_better_and_surely_worse_in_nothing(
    exact: Interval, kappa: Interval, brier: Interval, better: bool, words: str
):
    pair = PairComparison("before", "after", 40, 1, 2, 1.0, exact, kappa)
    card = a_card()
    files = read_files(bundle_root() / BASE)
    found = library.Proposal(card, (), (), pair, brier, None, "", (), (), True, files, {})
    assert found.better is better
    assert found.verdict.startswith(words)


def test_calibrating_alone_leaves_the_weights_and_is_written_where_asked(tmp_path, capsys):
    data = labelled(tmp_path / "own", told=False)
    assert run(data, tmp_path / "new", "--calibrate-only", "--even-if-no-better") == adapt.WRITTEN
    assert "No better on slides" in capsys.readouterr().out
    card, base = (ModelCard.read(p / CARD_FILE) for p in (tmp_path / "new", bundle_root() / BASE))
    assert card.weights_sha256 == base.weights_sha256
    assert card.temperature != base.temperature
    assert card.adapted is not None
    assert card.adapted.pull is None
    assert "It was calibrated to 40 own patches" in card.notes[0]


@pytest.mark.parametrize(
    ("slides", "labels", "sentence"),
    [
        (7, LABELS, "28 labelled patches are too few"),
        (10, ("2+",), "All patches are labelled 2+"),
    ],
)
def test_too_few_patches_and_one_score_are_refused(tmp_path, capsys, slides, labels, sentence):
    data = labelled(tmp_path / "own", slides, labels)
    assert run(data, tmp_path / "new") == adapt.REFUSED
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_patches_of_one_slide_are_refused(tmp_path, capsys):
    data = labelled(tmp_path / "own")
    table = data / "truth.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], *(f"{one.split(',')[0]},s" for one in lines[1:])]))
    assert run(data, tmp_path / "new") == adapt.REFUSED
    assert "All patches are of one slide or case" in capsys.readouterr().err


def test_a_damaged_picture_is_named_and_the_others_go_on(tmp_path, capsys):
    data = labelled(tmp_path / "own")
    (data / "class_0" / "s0-0.png").write_bytes(b"no picture")
    assert run(data, tmp_path / "new") == adapt.WRITTEN
    said = capsys.readouterr().out
    assert "“s0-0.png”" in said
    assert "39 patches, 10 groups" in said


def test_stopping_leaves_nothing(tmp_path, monkeypatch, capsys):
    data = labelled(tmp_path / "own")

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(library, "_fitted", stopped)
    assert run(data, tmp_path / "new") == STOPPED
    assert "Stopped; nothing was written." in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_bundle_with_other_layers_than_those_of_the_base_it_names_is_refused(adapted, tmp_path):
    files = read_files(adapted[1])
    hidden = files.tensors["hidden/bias"].astype(np.float32) + np.float32(0.1)
    other = replace(
        files, folder=tmp_path / "other", tensors={**files.tensors, "hidden/bias": hidden}
    )
    write_files(other)
    base = files.card.adapted
    assert base is not None
    with pytest.raises(BundleError, match=base.base):
        read_files(tmp_path / "other")


def test_a_card_that_names_another_base_is_refused(adapted, tmp_path):
    path = shutil.copytree(adapted[1], tmp_path / "copy") / CARD_FILE
    told = json.loads(path.read_text())
    told["adapted"]["base"] = "cnn-000000000000"
    path.write_text(json.dumps(told))
    with pytest.raises(BundleError, match="its card was changed"):
        read_files(tmp_path / "copy")


def test_densenet_is_fitted_too(tmp_path):
    data, out = labelled(tmp_path / "own"), tmp_path / "new"
    bundle = bundle_root() / "densenet121"
    command = [f"--bundle={bundle}", f"--data={data}", f"--out={out}", "--even-if-no-better"]
    assert adapt.main(command) == adapt.WRITTEN
    assert read_files(out).card.architecture in ARCHITECTURES
