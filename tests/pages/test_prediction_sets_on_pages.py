"""Prediction sets from the validation patches to the card, and from the card to the reviewer."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from her2core.evaluation.figures import Sample
from her2core.evaluation.intervals import group_codes
from her2core.evaluation.metrics import set_metrics
from her2core.models.architectures.keras_model import build
from her2core.models.bundles.card import CARD_FILE, Metric, ModelCard
from her2core.models.conformal import COVERAGE, SET_SIZE, ConformalSets, prediction_sets
from her2core.models.ood.novelty import BANDS
from her2core.scores import HER2Score
from tests.report_samples import SETS, some_rows
from tests.tiny_bundles import a_card, noise
from training.make_bundle import main

WIDE = ConformalSets(0.1, (0.7, 0.7, 0.7, 0.7), (60,) * 4, "validation")
SURE = (0.01, 0.02, 0.96, 0.01)
TORN = (0.05, 0.45, 0.47, 0.03)


def card(sets: ConformalSets | None, *, measured: bool = True) -> ModelCard:
    metric = Metric(COVERAGE, "fresh *synthetic* patches", 0.913, 0.89, 0.93, 600)
    return a_card(weights_sha256="0" * 64, conformal=sets, metrics=(metric,) if measured else ())


def shown(
    probabilities: tuple[float, ...], cards: dict[str, ModelCard], by: ModelCard | None = None
) -> str:
    """What the verdict part of the Review page says of a verdict by this model or the card's."""
    model_id = (by or cards.get("cnn") or card(WIDE)).model_id

    def page(probabilities, cards, model_id):  # runs as a script of its own
        from her2core.models.verdict import Verdict
        from pages.review_parts import verdicts

        verdicts.draw([Verdict("cnn", model_id, probabilities, demo=False)], cards)

    app = AppTest.from_function(page, args=(probabilities, cards, model_id)).run(timeout=60)
    assert not app.exception, app.exception
    return "\n".join(f"{element.value} {element.help or ''}" for element in app.markdown)


@pytest.mark.parametrize(
    ("novelty", "colour", "words"),
    [(0.4, "green", "Familiar"), (1.2, "orange", "Less familiar"), (3, "red", "Unlike")],
)
def test_how_unfamiliar_a_patch_is_stands_in_colour_and_words(tmp_path, novelty, colour, words):
    def page(novelty, folder):  # runs as a script of its own
        from pathlib import Path

        from her2core.models.verdict import Verdict
        from pages.review_parts import verdicts

        one = Verdict("cnn", "cnn-1", (0.7, 0.1, 0.1, 0.1), demo=False, novelty=novelty)
        verdicts.draw([one], {}, external=Path(folder) / "external.json")

    rows = [
        {"band": band, "readings": 30, "exact": 20 + number, "within_one": 30}
        for number, band in enumerate(BANDS)
    ]
    measured = json.dumps({"models": ["cnn-1"], "rows": [], "distances": rows})
    (tmp_path / "external.json").write_text(measured, encoding="utf-8")
    app = AppTest.from_function(page, args=(novelty, str(tmp_path))).run(timeout=60)
    assert not app.exception, app.exception
    (line,) = (each for each in app.markdown if "-badge[" in each.value and words in each.value)
    assert f":{colour}-badge[" in line.value
    assert f"{novelty:.1f} times the limit" in line.help
    if novelty < 3:  # unlike all that is known, a verdict is to be disregarded
        assert re.search(r"Of real HER2 of breast called [a-z ]+, 2[01] of 30 readings", line.value)
    assert ("Other stains" in line.value) == (words == "Less familiar")


@pytest.mark.parametrize(
    ("doubtful", "assessable", "novelty"),
    [
        (True, True, 0.4),
        (False, False, 0.4),
        (False, True, 3.0),
        (False, True, 1.2),
        (False, True, 0.4),
    ],
)
def test_nothing_is_green_beside_a_warning_that_the_square_may_show_no_her2(
    doubtful, assessable, novelty
):
    def page(doubtful, assessable, novelty):  # runs as a script of its own
        from her2core.models.assessable import Assessability
        from her2core.models.verdict import Verdict
        from pages.review_parts import verdicts

        both = [
            Verdict(name, f"{name}-1", (0.0, 0.1, 0.1, 0.8), demo=False, novelty=novelty)
            for name in ("cnn", "densenet121")
        ]
        tumour = Assessability(assessable, None if assessable else "Not assessable: no cells.")
        verdicts.draw(both, {}, tumour, doubtful=doubtful)

    app = AppTest.from_function(page, args=(doubtful, assessable, novelty)).run(timeout=60)
    assert not app.exception, app.exception
    said = "\n".join(each.value for each in app.markdown)
    warned = doubtful or not assessable or novelty > 1
    assert (":green-badge" not in said) == warned
    assert ("The models agree on 3+" in said) == assessable
    assert ("but see the warning above" in said) == (warned and assessable)


def test_a_network_that_knows_no_such_thing_shows_no_score_as_its_verdict():
    def page(disregard):  # runs as a script of its own
        from her2core.models.verdict import Verdict
        from pages.review_parts import verdicts

        one = Verdict("cnn", "cnn-1", (0.0, 0.1, 0.1, 0.8), demo=False, novelty=0.4)
        verdicts.draw([one], {}, disregard=disregard)

    for disregard in (False, True):
        app = AppTest.from_function(page, args=(disregard,)).run(timeout=60)
        assert not app.exception, app.exception
        assert ("3+" in [title.value for title in app.title]) != disregard
        assert any("**Disregard**" in each.value for each in app.markdown) == disregard


def test_a_large_square_says_in_how_many_parts_the_verdict_is_seen():
    def page(grades):  # runs as a script of its own
        from her2core.models.reading_grid import PartRead
        from her2core.models.verdict import Verdict
        from her2core.preprocessing.patches import Square
        from pages.review_parts import verdicts

        one = Verdict("cnn", "cnn-1", (0.0, 0.1, 0.1, 0.8), demo=False)
        surely = {1: (0.0, 1.0, 0.0, 0.0), 2: (0.0, 0.0, 1.0, 0.0), 3: (0.0, 0.0, 0.0, 1.0)}
        parts = [PartRead(Square(0, 0, 224), surely[grade], grade == 3) for grade in grades]
        verdicts.draw([one], {}, parts={"cnn-1": parts})

    for grades, words in (((3, 2, 2, 1), "3+ in 1 of 4 parts"), ((3, 3, 3, 3), "")):
        app = AppTest.from_function(page, args=(grades,)).run(timeout=60)
        assert not app.exception, app.exception
        lines = [each.value for each in app.markdown if " parts]" in each.value]
        assert [words in line for line in lines] == ([True] if words else [])


def test_the_reviewer_reads_which_scores_cannot_be_told_apart():
    text = shown(TORN, {"cnn": card(WIDE)})
    assert "Cannot tell apart: **1+ or 2+**" in text
    assert "90 % sets; measured: 91 % of 600 fresh \\*synthetic\\* patches" in text
    unmeasured = shown(TORN, {"cnn": card(WIDE, measured=False)})
    assert "coverage not measured on held-out data" in unmeasured


@pytest.mark.parametrize(
    ("probabilities", "cards", "by"),
    [
        (SURE, {"cnn": card(WIDE)}, None),
        (TORN, {"cnn": card(None)}, None),
        (TORN, {}, None),
        (TORN, {"cnn": replace(card(WIDE), weights_sha256="1" * 64)}, card(WIDE)),
    ],
)
def test_nothing_is_said_where_there_is_nothing_to_say(probabilities, cards, by):
    assert "Cannot tell apart" not in shown(probabilities, cards, by)


def test_coverage_is_measured_overall_and_for_each_class():
    rows = some_rows(30)
    probabilities = np.array([next(iter(row.probabilities.values())) for row in rows])
    labels = np.array([row.label for row in rows])
    codes = group_codes(row.group for row in rows)
    members = prediction_sets(probabilities, SETS)
    metrics = set_metrics(Sample(labels, probabilities, probabilities, codes, members), "test")
    found = {m.name: m for m in metrics}
    assert set(found) >= {
        COVERAGE,
        SET_SIZE,
        *(f"{COVERAGE} of {score.label}" for score in HER2Score),
    }
    assert found[COVERAGE].n == 120
    assert found[f"{COVERAGE} of 2+"].n == 30
    assert found[COVERAGE].ci_low < found[COVERAGE].value < found[COVERAGE].ci_high


def test_make_bundle_writes_calibrated_sets_with_their_measured_coverage(tmp_path, monkeypatch):
    import keras

    from her2core.models.architectures import ARCHITECTURES
    from her2core.training import assemble

    keras.utils.set_random_seed(0)
    weights = tmp_path / "best.weights.h5"
    build(ARCHITECTURES["cnn"]).save_weights(weights)
    folder = tmp_path / "validation"
    for number, picture in enumerate(noise(12)):
        path = folder / HER2Score(number % 4).folder / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    text = tmp_path / "card.toml"
    text.write_text('name="n"\ntraining_data="t"\nlicence="l"\nsplit="s"\n', encoding="utf-8")
    monkeypatch.setattr(assemble, "BACKGROUND_PATCHES", 2)
    out = tmp_path / "bundle"
    options = {"validation": folder, "test": folder, "background": folder, "weights": weights}
    arguments = [f"--{name}={path}" for name, path in options.items()]
    assert main(["--arch=cnn", *arguments, f"--text={text}", f"--out={out}"]) == 0

    read = ModelCard.read(out / CARD_FILE)
    assert read.conformal is not None
    assert read.conformal.n == (3, 3, 3, 3)
    assert read.conformal.thresholds == (1.0,) * 4  # three patches cannot rule anything out
    assert read.conformal.calibration_set == "validation patches"
    assert read.measured_coverage.value == 1.0
    assert read.measured_coverage.n == 12
    assert {metric.name for metric in read.metrics} >= {SET_SIZE, f"{COVERAGE} of 0"}
