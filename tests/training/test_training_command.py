"""The training command end to end: layout in, resumed, bundle out; every fault in one sentence."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from her2core.models.bundles.bundle import load_bundle
from her2core.models.bundles.card import CARD_FILE
from her2core.training import checkpoint, loop
from tests.tiny_bundles import bundle_root
from training import make_bundle, make_synthetic, train

SMALL = "epochs = 2\nsteps_per_epoch = 1\nbatch = 4\n"


@pytest.fixture(scope="module")
def forty_x(tmp_path_factory) -> Path:
    """Synthetic patches laid out like HER2-IHC-40x, groups in truth.csv."""
    root = tmp_path_factory.mktemp("data") / "HER2-IHC-40x"
    for part, count, seed in (("train_data_patch", "4", "1"), ("test_data_patch", "2", "2")):
        arguments = ["--out", str(root / part), "--per-class", count, "--seed", seed]
        assert make_synthetic.main([*arguments, "--size", "64", "--field-um", "50", "60"]) == 0
    return root


def arguments(architecture: str, data: Path, tmp_path: Path, recipe: str, *more: str) -> list[str]:
    config = tmp_path / f"{architecture}.toml"
    config.write_text(recipe)
    out = tmp_path / "bundles" / architecture
    named = ["--arch", architecture, "--data", str(data), "--out", str(out)]
    return [*named, "--config", str(config), "--validation-share", "0.25", *more]


def test_cnn_survives_a_full_disk_and_becomes_a_bundle(forty_x, tmp_path, monkeypatch, capsys):
    command = arguments("cnn", forty_x, tmp_path, SMALL)
    written = []
    save_state = checkpoint.save_state

    def fills_up(path: Path, *state: Any) -> None:
        written.append(path)
        if len(written) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        save_state(path, *state)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_state", fills_up)
        assert train.main(command) == 1
    told = capsys.readouterr()
    assert "Recognised HER2-IHC-40x: 24 patches" in told.out
    assert told.err.strip().splitlines()[-1].startswith("The disk is full: ")
    assert "--resume goes on at the last epoch" in told.err
    out = tmp_path / "bundles" / "cnn"
    assert not out.exists()

    assert train.main(command) == 1
    assert "holds an unfinished run; --resume goes on" in capsys.readouterr().err

    (tmp_path / "card.toml").write_text('name = "Ours"\nnotes = ["From one lab."]\n')
    assert train.main([*command, "--resume", "--text", str(tmp_path / "card.toml")]) == 0
    told = capsys.readouterr()
    assert "epoch 1/2" not in told.out
    assert "epoch 2/2" in told.out
    card = load_bundle(out).card
    assert (card.name, card.architecture, card.demo) == ("Ours", "cnn", False)
    assert card.notes[0] == "From one lab."
    assert "dataset's own test part" in card.split
    assert "test 8 patches (2 of 0, 2 of 1+, 2 of 2+, 2 of 3+) from 8 groups" in card.split
    figures = {metric.name: metric for metric in card.metrics}
    assert figures["exact"].n == 8
    assert figures["exact"].ci_low is not None
    assert "calibration error" in figures
    assert str(tmp_path) not in card.to_json()

    assert train.main([*command, "--resume"]) == 1
    assert "already holds files; name a new folder" in capsys.readouterr().err


def test_a_lab_trains_on_from_a_bundle_and_the_card_says_what_that_had_learnt(
    forty_x, tmp_path, capsys
):
    demo = bundle_root() / "cnn"
    still = SMALL.replace("epochs = 2", "epochs = 1") + "learning_rate = 1e-12\n"
    assert train.main(arguments("cnn", forty_x, tmp_path, still, "--start", str(demo))) == 0
    before, after = (load_bundle(folder) for folder in (demo, tmp_path / "bundles" / "cnn"))
    head = [bundle.model.get_layer("logits").get_weights()[0] for bundle in (before, after)]
    np.testing.assert_allclose(head[0], head[1], atol=1e-5)
    assert not after.card.demo
    origin = f"the bundle “cnn-test” of 2026-01-31 (weights {before.card.weights_sha256[:12]})"
    assert after.card.notes[-1] == f"Trained from {origin}."
    told = f". Before that, in {origin}: None: random weights."
    assert after.card.training_data.endswith(told)

    assert "optimistic" not in capsys.readouterr().err  # the demo learnt from no lab's patches
    # a finished run goes on with the weights that it was started from only
    command = arguments("cnn", forty_x, tmp_path, still, "--resume")
    shutil.rmtree(tmp_path / "bundles" / "cnn")
    assert train.main(command) == 1
    assert "was started from other weights; use the same recipe and --start" in (
        capsys.readouterr().err
    )
    assert train.main([*command, "--start", str(demo)]) == 0
    assert (tmp_path / "bundles" / "cnn" / CARD_FILE).is_file()
    capsys.readouterr()

    other = arguments("densenet121", forty_x, tmp_path, SMALL, "--start", str(demo))
    assert train.main(other) == 1
    told = capsys.readouterr()
    assert "is a cnn, which cannot be the start of a densenet121" in told.err
    assert "Recognised" not in told.out  # said before patches are read


def refused(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """Run the command, which must fail; its last line of complaint."""
    assert train.main(arguments("cnn", data, tmp_path, SMALL, *more)) == 1
    told: str = capsys.readouterr().err.strip()
    assert "Traceback" not in told
    return told.splitlines()[-1]


def test_faults_of_the_data_are_one_sentence(forty_x, tmp_path, capsys):
    assert "There is no folder" in refused(tmp_path / "nowhere", tmp_path, capsys)

    data = tmp_path / "copy"
    shutil.copytree(forty_x, data)
    victim = next((data / "train_data_patch" / "class_2+").iterdir())
    victim.write_bytes(victim.read_bytes()[:200])
    assert victim.name in refused(data, tmp_path, capsys)

    shutil.rmtree(victim.parent)
    assert "lines of" in refused(data, tmp_path, capsys)  # the table still names its pictures
    (data / "train_data_patch" / "truth.csv").unlink()
    assert refused(data, tmp_path, capsys).startswith("Class 2+ is empty")

    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    table = tmp_path / "labels.csv"
    table.write_text("file,label,group\na.png,0,p\na.png,2++,p\n")
    assert "line 3: “2++” is not a HER2 score" in refused(table, tmp_path, capsys)

    more = ("--group-pattern", "x(y")
    assert "group pattern “x(y” is not valid" in refused(forty_x, tmp_path, capsys, *more)


def test_a_folder_that_may_not_be_written_to_is_named(forty_x, tmp_path, monkeypatch, capsys):
    def forbidden(path: Path, *args: object, **named: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", forbidden)
    said = refused(forty_x, tmp_path, capsys)
    assert "cnn.run may not be written to; choose another folder" in said


def test_a_card_text_with_something_else_in_it_is_refused(forty_x, tmp_path, capsys):
    text = tmp_path / "card.toml"
    text.write_text("accuracy = 1.0\n")
    assert "may hold the texts" in refused(forty_x, tmp_path, capsys, "--text", str(text))
    text.write_text("notes = 'one'\n")
    assert "must be a list of texts" in refused(forty_x, tmp_path, capsys, "--text", str(text))


def test_weights_of_another_network_are_refused_before_a_patch_is_read(forty_x, tmp_path, capsys):
    import keras

    weights = tmp_path / "other.weights.h5"
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)]).save_weights(weights)
    said = "other.weights.h5 cannot be used: the file is unreadable, or belongs to another network"
    command = arguments("cnn", forty_x, tmp_path, SMALL, "--start", str(weights))
    assert train.main(command) == 1
    told = capsys.readouterr()
    assert said in told.err
    assert "Recognised" not in told.out

    (tmp_path / "card.toml").write_text("")
    given = {"arch": "cnn", "weights": weights, "text": tmp_path / "card.toml"}
    given |= dict.fromkeys(("validation", "test", "background"), tmp_path / "nowhere")
    command = [text for name, value in given.items() for text in (f"--{name}", str(value))]
    assert make_bundle.main([*command, "--out", str(tmp_path / "bundle")]) == 1
    assert said in capsys.readouterr().err


def test_missing_groups_are_said_loudly(forty_x, tmp_path, monkeypatch, capsys):
    data = tmp_path / "no-groups"
    shutil.copytree(forty_x, data, ignore=shutil.ignore_patterns("truth.csv"))
    monkeypatch.setattr(train, "fit", lambda *given: pytest.fail("too far"))
    monkeypatch.setattr(train, "record", lambda *given: (_ for _ in ()).throw(OSError("stop")))
    refused(data, tmp_path, capsys)
    config = arguments("cnn", data, tmp_path, SMALL)
    train.main(config)
    assert "24 of 24 patches have no known group" in capsys.readouterr().err


def test_the_command_needs_somewhere_to_put_its_work(tmp_path, capsys):
    with pytest.raises(SystemExit):
        train.main(["--arch", "cnn", "--data", str(tmp_path)])
    assert "name --out for a bundle" in capsys.readouterr().err
