"""Evaluation reports of made-up probabilities, for tests of what is computed and shown of them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from her2core.evaluation.assessment import evaluate, gallery
from her2core.evaluation.report import REPORT_FILE, SCHEMA, PatchRow, Report, ReportModel
from her2core.models.bundles.card import Metric
from her2core.models.conformal import COVERAGE, ConformalSets

SETS = ConformalSets(0.1, (0.6, 0.75, 0.8, 0.5), (60, 60, 60, 60), "validation")


def a_model(architecture: str = "cnn", **changes: object) -> ReportModel:
    """A model as its card would describe it."""
    fields: dict[str, object] = {
        "key": f"{architecture}-0123456789ab",
        "title": {"cnn": "CNN", "densenet121": "DenseNet121"}[architecture],
        "architecture": architecture,
        "name": f"{architecture} of a test",
        "demo": True,
        "temperature": 1.6,
        "training_data": "Made-up probabilities.",
        "licence": "CC0",
        "date": "2026-01-31",
        "conformal": SETS,
        "measured": Metric(COVERAGE, "held out", 0.91, 0.88, 0.94, 400),
    }
    return ReportModel(**{**fields, **changes})  # type: ignore[arg-type]


MODELS = (a_model("cnn"), a_model("densenet121"))


def some_rows(
    per_class: int = 20,
    *,
    skill: tuple[float, ...] = (1.6, 2.2),
    per_group: int = 4,
    seed: int = 0,
    classes: tuple[int, ...] = (0, 1, 2, 3),
    models: tuple[ReportModel, ...] = MODELS,
) -> tuple[PatchRow, ...]:
    """Rows of models of some skill which err towards neighbouring scores.

    Args:
        per_class: patches of each class.
        skill: how sharp each model is.
        per_group: patches of a group; 0 leaves the groups unknown.
        seed: of the numbers.
        classes: which classes occur.
        models: whose rows.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for index in range(per_class * len(classes)):
        label = classes[index // per_class]
        said = {}
        for model, sharp in zip(models, skill, strict=True):
            distance = np.abs(np.arange(4) - label - rng.normal(0, 0.55))
            weight = np.exp(-sharp * distance + rng.normal(0, 0.4, 4))
            said[model.key] = tuple(float(f"{p:.7g}") for p in weight / weight.sum())
        rows.append(
            PatchRow(
                sha256=hashlib.sha256(f"{seed} {index}".encode()).hexdigest(),
                file=f"patch-{index}.png",
                group=f"core-{index // per_group}" if per_group else "",
                label=label,
                probabilities=said,  # type: ignore[arg-type]
                warnings=("blurred",) if rng.random() < 0.1 else (),
                tissue=0.9,
            )
        )
    return tuple(rows)


def a_report(
    title: str = "A report",
    rows: tuple[PatchRow, ...] | None = None,
    *,
    models: tuple[ReportModel, ...] = MODELS,
    n_boot: int = 200,
    shown: int = 2,
) -> Report:
    """A whole report of rows."""
    rows = some_rows() if rows is None else rows
    return Report(
        schema=SCHEMA,
        title=title,
        created="2026-02-01T10:00:00+00:00",
        code_version="0.1.0",
        data=("made-up",),
        models=models,
        notes=(),
        evaluation=evaluate(rows, models, n_boot),
        gallery=gallery(rows, models, shown),
        rows=rows,
    )


def read_back(text: str) -> Report:
    """The report of this text, as if it were the report.json of a folder "r"."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "r", REPORT_FILE)
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")
        return Report.read(path)
