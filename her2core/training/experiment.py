"""What a run was and what came of it, in one JSON, and in MLflow where that is named."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from her2core import __version__
from her2core.common.files import write_atomically
from her2core.models.bundles.card import ModelCard
from her2core.training.checkpoint import read_progress
from her2core.training.data.prepare import Prepared
from her2core.training.fit import RECIPE_FILE, Run
from her2core.training.loop import STATE_FILE

EXPERIMENT_FILE = "experiment.json"
MLFLOW = "MLFLOW_TRACKING_URI"


def write_experiment(run: Run, prepared: Prepared, device: str, card: ModelCard | None) -> None:
    """Write the run's recipe, data summary, history and figures beside its checkpoints.

    Args:
        run: whose training has ended.
        prepared: what it was trained on.
        device: what it was trained on, in words.
        card: of the bundle it became; None where it became none.

    Raises:
        OSError: the file cannot be written.
    """
    import keras
    import tensorflow as tf

    record = {
        "recipe": json.loads((run.folder / RECIPE_FILE).read_text(encoding="utf-8")),
        "data": {
            "recognised": prepared.statements,
            "split": prepared.describe_split(),
            "warnings": prepared.warnings,
        },
        "device": device,
        "versions": {
            "her2-review": __version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "python": platform.python_version(),
        },
        "history": {
            name: read_progress(state).history
            for name, state in (("head", run.head / STATE_FILE), ("main", run.state))
            if state.is_file()
        },
        "bundle": None if card is None else card.model_id,
        "figures": [] if card is None else [asdict(metric) for metric in card.metrics],
    }
    text = json.dumps(record, indent=1, ensure_ascii=False)
    write_atomically(run.folder / EXPERIMENT_FILE, (text + "\n").encode())
    if os.environ.get(MLFLOW) and not mlflow_missing():
        _to_mlflow(run.folder, record)


def mlflow_missing() -> str:
    """One sentence where MLflow is named and not installed; else empty."""
    if not os.environ.get(MLFLOW) or importlib.util.find_spec("mlflow"):
        return ""
    return (
        f"{MLFLOW} is set, but mlflow is not installed (pip install mlflow): the run is recorded "
        f"in {EXPERIMENT_FILE} only."
    )


def _to_mlflow(folder: Path, record: dict[str, Any]) -> None:
    mlflow = importlib.import_module("mlflow")
    flat = {name: str(value) for name, value in record["recipe"].items()}
    with mlflow.start_run(run_name=folder.name):
        mlflow.log_params({**flat, "device": record["device"]})
        for phase, history in record["history"].items():
            _log_history(mlflow, phase, history)
        mlflow.log_metrics(
            {_plain(f"{one['name']} {one['set']}"): one["value"] for one in record["figures"]}
        )
        mlflow.log_artifact(str(folder / EXPERIMENT_FILE))


def _log_history(mlflow: Any, phase: str, history: Sequence[dict[str, float]]) -> None:
    for epoch in history:
        values = {f"{phase}/{name}": value for name, value in epoch.items() if name != "epoch"}
        mlflow.log_metrics(values, step=int(epoch["epoch"]))


def _plain(name: str) -> str:
    """A name as MLflow takes it: letters, digits, blanks and a few marks."""
    return "".join(c if c.isalnum() or c in " _-./" else " " for c in name)
