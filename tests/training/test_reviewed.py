"""The review log as training data: settled scores, reviewed squares, cases as groups."""

import argparse
from datetime import UTC, datetime

import pytest

from her2core.models.bundles.card import CARD_FILE, ModelCard
from her2core.preprocessing.image_store import ImageStore
from her2core.reviews.records import PatchRecord, ReviewDraft
from her2core.reviews.store import ReviewStore
from her2core.scores import HER2Score
from her2core.training.data.layouts import read_layout
from tests.training.test_adapt import brown_patch
from training import train
from training.reviewed import TABLE


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An installation with the reviews of 24 patches of six slides."""
    home = tmp_path / "home"
    monkeypatch.setenv("HER2_HOME", str(home))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    home.mkdir()
    store, images = (
        ReviewStore(f"sqlite:///{home / 'her2review.sqlite3'}"),
        ImageStore(home / "patches"),
    )
    for number in range(24):
        patch, when = brown_patch(number), datetime(2026, 3, 1, tzinfo=UTC)
        images.put(patch)
        height, width = patch.rgb.shape[:2]
        store.add_patch(PatchRecord(patch.sha256, patch.name, width, height, when))
        store.save_review(
            ReviewDraft(
                patch_sha256=patch.sha256,
                square=patch.square,
                reviewer="Ada",
                verdicts=(),
                agrees={},
                own_score=HER2Score(number % 4),
                confidence="high",
            )
        )
    store.close()
    return home


def test_a_network_is_trained_on_the_review_log(home, tmp_path, capsys):
    (tmp_path / "r.toml").write_text("epochs = 1\nsteps_per_epoch = 1\nbatch = 4\n")
    out = tmp_path / "ours"
    left_behind(tmp_path / "ours.run")
    named = [f"--out={out}", f"--config={tmp_path / 'r.toml'}", r"--group-pattern=^(S\d+)_"]
    assert train.main(["--arch=cnn", "--reviews", *named]) == 0, capsys.readouterr().err
    assert "24 reviewed patches; 0 more left out" in capsys.readouterr().err
    layout = read_layout(tmp_path / "ours.run" / "reviews" / TABLE, None)
    assert [file.label for file in layout.files] == [HER2Score(n % 4) for n in range(24)]
    assert len({file.group for file in layout.files}) == 6
    assert ModelCard.read(out / CARD_FILE).architecture == "cnn"


def left_behind(run):
    """The table that a start left which was stopped before its first epoch's end."""
    (run / "reviews").mkdir(parents=True)
    table = run / "reviews" / TABLE
    table.write_text("file,label,group\n")
    return table


def test_only_a_run_that_goes_on_takes_the_table_it_began_with(home, tmp_path):
    table = left_behind(tmp_path / "run")
    before = table.read_text()
    asked = argparse.Namespace(resume=True, group_pattern=None)
    assert train._reviewed(asked, tmp_path / "run") == table
    assert table.read_text() == before
    asked.resume = False
    train._reviewed(asked, tmp_path / "run")
    assert len(table.read_text().splitlines()) == 25


def test_an_empty_log_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HER2_HOME", str(tmp_path / "none"))
    (tmp_path / "none").mkdir()
    assert train.main(["--arch=cnn", "--reviews", f"--out={tmp_path / 'ours'}"]) == 1
    assert "Traceback" not in capsys.readouterr().err
