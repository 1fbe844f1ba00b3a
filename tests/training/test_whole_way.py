"""From labelled patches in the HER2-IHC-40x layout to the dashboard, with both networks."""

from __future__ import annotations

from pathlib import Path

import pytest

from her2core.evaluation.report import REPORT_FILE, Report
from her2core.models.bundles.bundle import load_bundle
from her2core.models.bundles.card import CARD_FILE, ModelCard
from her2core.preprocessing.image_store import ImageStore
from her2core.reviews.store import ReviewStore
from her2core.serving.reading_queue import ReadingQueue
from her2core.serving.services import Services
from her2core.serving.workbench import Workbench
from her2core.settings import Settings
from her2core.training.recipe import Recipe
from tests.page_server import serve
from tests.pages.test_log_evaluation_models_pages import EVALUATION, opened, rerun, shown_text
from tests.tiny_bundles import bundle_root
from tests.training.measured import train_within_what_is_told
from training import evaluate, make_synthetic, train


@pytest.mark.timeout(600)
def test_train_evaluate_and_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    data = tmp_path / "HER2-IHC-40x"
    for part, count, seed in (("train_data_patch", "4", "1"), ("test_data_patch", "2", "2")):
        options = ["--out", str(data / part), "--per-class", count, "--seed", seed]
        assert make_synthetic.main([*options, "--size", "160", "--field-um", "100", "140"]) == 0

    cnn, densenet = tmp_path / "bundles" / "cnn", tmp_path / "bundles" / "densenet121"
    (tmp_path / "cnn.toml").write_text("epochs = 1\nsteps_per_epoch = 1\nbatch = 4\n")
    command = ["--arch=cnn", f"--data={data}", f"--out={cnn}", f"--config={tmp_path / 'cnn.toml'}"]
    assert train.main([*command, "--validation-share=0.25"]) == 0

    recipe = tmp_path / "densenet.toml"
    recipe.write_text("epochs = 1\nfrozen_epochs = 1\n")
    named = [f"--data={data}", f"--out={densenet}", f"--config={recipe}"]
    start = f"--start={bundle_root() / 'densenet121'}"
    wanted = Recipe("densenet121", frozen_epochs=1)
    train_within_what_is_told(wanted, 24, tmp_path, *named, "--validation-share=0.25", start)
    assert (tmp_path / "bundles" / "densenet121.run" / "head" / "best.weights.h5").is_file()
    bundle = load_bundle(densenet)
    assert bundle.card.notes[-1].startswith("Head trained on frozen features of the bundle")
    assert bundle.background.shape[1:] == (224, 224, 3)

    card = ModelCard.read(cnn / CARD_FILE)
    assert card.conformal is not None
    assert card.measured_coverage is not None
    assert card.measured_coverage.n == 8

    home = tmp_path / "home"
    out = home / "reports" / "own"
    command = [f"--data={data}", f"--models={cnn},{densenet}", f"--out={out}"]
    assert evaluate.main([*command, "--gallery=1", "--bootstrap=100"]) == 0
    report = Report.read(out / REPORT_FILE)
    assert len(report.rows) == 8  # the dataset's own test part only
    n = report.evaluation.n  # without those that hold too few cells for a score
    assert f"{n} patches of {n} groups" in capsys.readouterr().out

    settings = Settings(home, f"sqlite:///{home / 'r.sqlite3'}", (), report_dirs=(out.parent,))
    workbench, store = Workbench(settings), ReviewStore(settings.database_url)
    images = ImageStore(settings.image_dir)
    queue = ReadingQueue(workbench, images, store)
    serve(monkeypatch, Services(settings, workbench, store, images, queue))
    app = opened(EVALUATION)
    assert f"**{n} patches** of {n} groups" in shown_text(app)
    app.session_state["report_behind"] = True
    app = rerun(app)
    assert list(app.dataframe[0].value.columns[1:]) == [r.title for r in report.evaluation.readers]
