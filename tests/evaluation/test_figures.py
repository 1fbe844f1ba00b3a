"""Every figure of a report against scikit-learn, plain resampling or a worked example."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from her2core.evaluation.assessment import RowFilter, evaluate, gallery
from her2core.evaluation.curves import COVERAGES, coverage_curve, pr_curves, reliability, roc_curves
from her2core.evaluation.figures import Sample, areas, measure
from her2core.evaluation.group_level import group_level
from her2core.evaluation.intervals import group_codes, interval_of, weight_blocks
from her2core.evaluation.names import AT_CUT_OFF, CUT_OFFS, MACROS, OVERALL, PER_CLASS, TITLES
from her2core.evaluation.pairs import compare, mcnemar_p
from her2core.models.conformal import prediction_sets
from her2core.models.temperature import probabilities as tempered
from her2core.models.temperature import without_temperature
from her2core.scores import CLASS_LABELS
from tests.plain_calibration import expected_calibration_error
from tests.report_samples import MODELS, SETS, a_model, some_rows

brier_score = partial(sk.brier_score_loss, labels=[0, 1, 2, 3], scale_by_half=False)
TWO_GRADES_OFF = ("far_errors", "")


def a_sample(n: int = 80, seed: int = 0, groups: int | None = None, **changes: object) -> Sample:
    """Labels and probabilities with ties, as float32 softmax gives them."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % 4)
    logits = np.round(rng.normal(0, 1, (n, 4)), 1) + 1.3 * np.eye(4)[labels]
    codes = np.arange(n) if groups is None else np.arange(n) % groups
    fields: dict[str, object] = {
        "labels": labels,
        "probabilities": tempered(logits, 1.5),
        "before": tempered(logits, 1.0),
        "codes": codes,
    }
    return Sample(**{**fields, **changes})  # type: ignore[arg-type]


def values(sample: Sample) -> dict[tuple[str, str], float | None]:
    return {(f.name, f.of): f.value.value for f in measure(sample, [])}


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_of_scikit_learn(seed):
    sample = a_sample(seed=seed)
    labels, predicted, p = sample.labels, sample.predicted, sample.probabilities
    found = values(sample)
    gap = np.abs(labels - predicted)
    expected: dict[tuple[str, str], float] = {
        ("accuracy", ""): sk.accuracy_score(labels, predicted),
        ("balanced_accuracy", ""): sk.balanced_accuracy_score(labels, predicted),
        ("within_one", ""): float(np.mean(gap <= 1)),
        TWO_GRADES_OFF: float(np.mean(gap >= 2)),
        ("kappa", ""): sk.cohen_kappa_score(labels, predicted, weights="quadratic"),
        ("macro_f1", ""): sk.f1_score(labels, predicted, average="macro"),
        ("macro_roc_auc", ""): sk.roc_auc_score(labels, p, multi_class="ovr", average="macro"),
        ("macro_pr_auc", ""): sk.average_precision_score(np.eye(4)[labels], p, average="macro"),
        ("ece", ""): expected_calibration_error(p, labels),
        ("ece_before", ""): expected_calibration_error(sample.before, labels),
        ("brier", ""): brier_score(labels, p),
        ("brier_before", ""): brier_score(labels, sample.before),
    }
    for k, of in enumerate(CLASS_LABELS):
        is_it, says_it = labels == k, predicted == k
        expected |= {
            ("precision", of): sk.precision_score(is_it, says_it),
            ("recall", of): sk.recall_score(is_it, says_it),
            ("f1", of): sk.f1_score(is_it, says_it),
            ("specificity", of): sk.recall_score(~is_it, ~says_it),
            ("roc_auc", of): sk.roc_auc_score(is_it, p[:, k]),
            ("pr_auc", of): sk.average_precision_score(is_it, p[:, k]),
        }
    for cut in CUT_OFFS:
        counted = np.isin(labels, cut.among)
        truth = np.isin(labels, cut.positive)[counted]
        said = np.isin(predicted, cut.positive)[counted]
        expected |= {
            ("sensitivity", cut.name): sk.recall_score(truth, said),
            ("specificity", cut.name): sk.recall_score(~truth, ~said),
            ("ppv", cut.name): sk.precision_score(truth, said),
            ("npv", cut.name): sk.precision_score(~truth, ~said),
        }
    assert found.keys() == expected.keys()
    assert found == {key: pytest.approx(value, abs=1e-12) for key, value in expected.items()}


def test_the_cut_offs_of_a_worked_example():
    # labels 0 0 1 1 2 3, called 0 1 1 0 3 3
    probabilities = np.eye(4)[[0, 1, 1, 0, 3, 3]]
    labels = np.array([0, 0, 1, 1, 2, 3])
    sample = Sample(labels, probabilities, probabilities, np.arange(6))
    found = values(sample)
    three, two_up, one_zero = (cut.name for cut in CUT_OFFS)
    assert [found[name, three] for name in AT_CUT_OFF] == pytest.approx([1, 4 / 5, 1 / 2, 1])
    assert [found[name, two_up] for name in AT_CUT_OFF] == pytest.approx([1, 1, 1, 1])
    # among the four labelled 0 or 1+: one of two 1+ is called so, one of two 0 is called 0
    assert [found[name, one_zero] for name in AT_CUT_OFF] == pytest.approx([0.5] * 4)


SCORES = st.lists(
    st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 3)), min_size=4, max_size=40
).filter(lambda rows: {True, False} <= {positive for _, positive, w in rows if w})


@given(SCORES)
@settings(deadline=None)
def test_weighted_areas_are_those_of_scikit_learn_with_ties(rows):
    scores, positive, weights = (np.array(column) for column in zip(*rows, strict=True))
    roc, pr = areas(scores.astype(float), positive, weights[None].astype(float))
    assert roc[0] == pytest.approx(sk.roc_auc_score(positive, scores, sample_weight=weights))
    expected = sk.average_precision_score(positive, scores, sample_weight=weights)
    assert pr[0] == pytest.approx(expected)


# ---- resampling ---------------------------------------------------------------------------------


def test_whole_groups_are_resampled_never_single_patches():
    codes = group_codes(["a", "b", "a", "c", "b", "a"])
    (weights,) = weight_blocks(codes, 500, seed=1)
    assert weights.shape == (500, 6)
    for group in range(3):
        mine = weights[:, codes == group]
        assert (mine == mine[:, :1]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()  # three groups are drawn each time
    assert len(np.unique(weights[:, 0])) > 2


def test_blocks_give_the_same_resamples_as_one_draw():
    codes = np.arange(9000) // 3
    blocks = list(weight_blocks(codes, 900, seed=4))
    assert len(blocks) > 1
    again = np.concatenate(list(weight_blocks(codes, 900, seed=4)))
    assert np.array_equal(np.concatenate(blocks), again)


def test_repeating_every_patch_within_its_group_does_not_narrow_an_interval():
    once = a_sample(40)
    tenfold = Sample(
        *(np.tile(a, (10, 1)) if a.ndim == 2 else np.tile(a, 10) for a in _arrays(once))
    )
    feigned = replace(tenfold, codes=np.arange(400))

    def width(sample: Sample) -> float:
        figures = measure(sample, weight_blocks(sample.codes, 1000, 0))
        (kappa,) = [f.value for f in figures if f.name == "kappa"]
        return kappa.high - kappa.low

    assert width(tenfold) == pytest.approx(width(once), rel=0.1)
    assert width(feigned) < 0.5 * width(once)


def _arrays(sample: Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return sample.labels, sample.probabilities, sample.before, sample.codes


def test_bootstrap_intervals_are_those_of_plain_resampling():
    sample = a_sample(120, groups=30)
    found = {(f.name, f.of): f.value for f in measure(sample, weight_blocks(sample.codes, 3000, 0))}
    rng = np.random.default_rng(8)
    plain = []
    for _ in range(800):
        drawn = np.concatenate(
            [np.flatnonzero(sample.codes == group) for group in rng.integers(0, 30, 30)]
        )
        labels, p = sample.labels[drawn], sample.probabilities[drawn]
        plain.append(
            (
                sk.accuracy_score(labels, p.argmax(axis=1)),
                sk.roc_auc_score(labels == 3, p[:, 3]),
                sk.average_precision_score(labels == 1, p[:, 1]),
                expected_calibration_error(p, labels),
            )
        )
    low, high = np.quantile(plain, (0.025, 0.975), axis=0)
    keys = [("accuracy", ""), ("roc_auc", "3+"), ("pr_auc", "1+"), ("ece", "")]
    for i, key in enumerate(keys):
        assert (found[key].low, found[key].high) == pytest.approx((low[i], high[i]), abs=0.03)


def test_a_thousand_resamples_of_a_thousand_patches_take_seconds():
    rows = some_rows(250)
    started = time.perf_counter()
    found = evaluate(rows, MODELS, n_boot=1000)
    assert found.n == 1000
    assert time.perf_counter() - started < 20  # measured: about 2 s on two cores


@given(
    st.integers(0, 2**31), st.integers(1, 12), st.sampled_from([(0,), (0, 1), (1, 3), (0, 1, 2, 3)])
)
@settings(max_examples=25, deadline=None)
def test_no_selection_crashes_and_every_gap_has_its_reason(seed, per_class, classes):
    rows = some_rows(per_class, classes=classes, seed=seed, per_group=seed % 4)
    found = evaluate(rows, MODELS, n_boot=100)
    for reader in found.readers:
        for figure in reader.figures:
            value = figure.value
            assert value.value is not None or value.reason.endswith(".")
            assert value.low is not None or value.reason.endswith(".")
            assert (value.low is None) == (value.high is None)
            if value.low is not None:
                assert value.low <= value.high


def test_a_missing_class_is_a_gap_with_a_reason_never_a_zero():
    found = evaluate(some_rows(30, classes=(0, 1, 2)), MODELS, n_boot=100)
    reader = found.readers[0]
    for name in ("recall", "roc_auc", "pr_auc", "f1", "set_coverage"):
        figure = reader.figure(name, "3+")
        assert figure.value.value is None
        assert "No patch is labelled 3+" in figure.value.reason
    for name in ("balanced_accuracy", "macro_f1", "macro_roc_auc"):
        assert reader.figure(name).value.reason == "No patch is labelled 3+."
    assert reader.figure("accuracy").value.value is not None
    assert reader.figure("sensitivity", CUT_OFFS[0].name).value.value is None
    assert reader.row_shares[3] == (None,) * 4
    assert reader.roc[3].x == ()


def test_intervals_which_resampling_cannot_give():
    few = interval_of(0.5, np.array([0.4, 0.6]), 40, 4, share=True)
    assert (few.low, few.high) == (None, None)
    assert "4 of the 5 groups" in few.reason
    every = interval_of(1.0, np.ones(100), 40, 20, share=True)
    assert every.low**20 == pytest.approx(0.025)
    torn = interval_of(0.5, np.array([0.5] * 9 + [np.nan]), 40, 20, share=False)
    assert torn.low is None
    stuck = interval_of(0.5, np.full(100, 0.5), 40, 20, share=False)
    assert "cannot vary" in stuck.reason


# ---- calibration, curves, sets ------------------------------------------------------------------


@given(st.floats(0.3, 4))
def test_temperature_can_be_taken_back(temperature):
    logits = np.random.default_rng(0).normal(0, 3, (20, 4))
    back = without_temperature(tempered(logits, temperature), temperature)
    np.testing.assert_allclose(back, tempered(logits, 1.0), atol=1e-9)


def test_curves_are_thinned_with_both_ends_and_keep_their_area():
    sample = a_sample(2000)
    found = {(f.name, f.of): f.value.value for f in measure(sample, [])}
    for curves, name, rel in (
        (roc_curves(sample), "roc_auc", 0.01),
        (pr_curves(sample), "pr_auc", 0.03),
    ):
        for curve in curves:
            assert len(curve.x) <= 120
            assert curve.x[-1] == 1
            assert sk.auc(curve.x, curve.y) == pytest.approx(found[name, curve.of], rel=rel)


def test_reliability_bins_hold_every_patch_and_give_the_error():
    sample = a_sample(300)
    bins = reliability(sample.probabilities, sample.labels)
    assert sum(one.n for one in bins) == 300
    error = sum(one.n * abs(one.confidence - one.accuracy) for one in bins) / 300
    assert error == pytest.approx(expected_calibration_error(sample.probabilities, sample.labels))
    assert all(one.low <= one.confidence <= one.high for one in bins)


def test_leaving_the_least_certain_to_the_pathologist_in_a_worked_example():
    # ten patches, confidence 0.95 down to 0.50; only the two least certain are wrong
    confidence = np.linspace(0.95, 0.5, 10)
    rest = (1 - confidence) / 3
    probabilities = np.column_stack([confidence, rest, rest, rest])
    labels = np.array([0] * 8 + [1, 1])
    sample = Sample(labels, probabilities, probabilities, np.arange(10))
    points = {p.coverage: p for p in coverage_curve(sample, weight_blocks(sample.codes, 200, 0))}
    assert points[1.0].accuracy.value == pytest.approx(0.8)
    assert points[0.9].accuracy.value == pytest.approx(8 / 9)
    assert points[0.8].accuracy.value == 1.0
    assert points[0.8].confidence == pytest.approx(confidence[7])
    assert [points[c].accuracy.n for c in COVERAGES] == [10, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert points[1.0].accuracy.low < 0.8 < points[1.0].accuracy.high


def test_sets_are_measured_where_the_model_has_them():
    rows = some_rows(20)
    bare = a_model("densenet121", conformal=None)
    one, two, mean = evaluate(rows, (MODELS[0], bare), n_boot=100).readers
    p = np.array([row.probabilities[MODELS[0].key] for row in rows])
    members = prediction_sets(p, SETS)
    labels = np.array([row.label for row in rows])
    held = members[np.arange(len(rows)), labels]
    assert one.figure("set_coverage").value.value == pytest.approx(held.mean())
    assert one.figure("set_coverage", "2+").value.value == pytest.approx(held[labels == 2].mean())
    assert one.figure("set_size").value.value == pytest.approx(members.sum(axis=1).mean())
    assert two.figure("set_coverage") is None
    assert mean.figure("set_size") is None
    names = [name for name in OVERALL if not name.endswith("_present")]  # no class is absent
    assert [f.name for f in one.figures if not f.of] == names
    assert {f.name for f in one.figures if f.of in CLASS_LABELS} == set(PER_CLASS)


# ---- pairs, groups, gallery ---------------------------------------------------------------------


def test_mcnemar_of_a_worked_example():
    # 5 discordant one way, 15 the other: 2 * sum of binomial(20, 1/2) up to 5 = 0.041389
    assert mcnemar_p(5, 15) == pytest.approx(0.0413895, abs=1e-6)
    assert mcnemar_p(3, 3) == 1.0
    assert mcnemar_p(0, 0) is None


def test_two_models_are_compared_on_the_same_resamples():
    sample = a_sample(80, groups=20)
    same = compare(("a", "b"), sample, sample, weight_blocks(sample.codes, 200, 0))
    assert (same.only_first_right, same.only_second_right, same.p_value) == (0, 0, None)
    assert same.kappa_difference.value == 0.0
    assert "cannot vary" in same.kappa_difference.reason

    better = a_sample(80, groups=20, probabilities=0.9 * np.eye(4)[sample.labels] + 0.025)
    pair = compare(("a", "b"), sample, better, weight_blocks(sample.codes, 500, 0))
    kappa = sk.cohen_kappa_score(sample.labels, sample.predicted, weights="quadratic")
    assert pair.kappa_difference.value == pytest.approx(1 - kappa)
    assert pair.kappa_difference.low > 0
    assert pair.only_first_right == 0
    assert pair.only_second_right == int((sample.predicted != sample.labels).sum())


def test_the_verdict_on_a_core_needs_more_than_a_tenth_of_its_tissue_patches():
    groups = ["a"] * 10 + ["b"] * 10 + ["alone", "", ""]
    labels = np.array([2] * 10 + [0] * 10 + [3, 1, 1])
    predicted = np.array([2, 2] + [0] * 8 + [1] + [0] * 9 + [3, 1, 1])
    tissue = np.ones(23, bool)
    found = group_level(groups, labels, predicted, tissue, 100, 0)
    assert [(one.group, one.truth, one.verdict) for one in found.groups] == [
        ("a", 2, 2),
        ("b", 0, 0),
    ]
    assert (found.exact.value, found.exact.n) == (1.0, 2)
    tissue[10] = tissue[11] = False  # the 1+ patch of b shows glass
    tissue[2:10] = False
    again = group_level(groups, labels, predicted, tissue, 100, 0)
    assert [(one.n, one.verdict) for one in again.groups] == [(2, 2), (8, 0)]
    assert group_level(["", "x"], labels[:2], predicted[:2], tissue[:2], 100, 0) is None


def test_the_gallery_begins_with_the_farthest_and_surest_errors():
    rows = some_rows(40)
    entries = gallery(rows, MODELS, 5)
    errors = [e for e in entries if e.kind == "error" and e.readers == (MODELS[0].key,)]
    gaps = [abs(e.scores[0] - e.label) for e in errors]
    assert gaps == sorted(gaps, reverse=True)
    assert min(gaps) > 0
    apart = [e for e in entries if e.kind == "disagreement"]
    assert all(e.scores[0] != e.scores[1] for e in apart)
    assert len(apart) == 5
    assert gallery(rows, MODELS, 0) == ()


def test_rows_are_filtered_by_class_group_and_quality():
    rows = some_rows(20)
    assert {row.label for row in rows if RowFilter(labels=(1, 3))(row)} == {1, 3}
    assert {row.group for row in rows if RowFilter(groups=("core-2",))(row)} == {"core-2"}
    clean = [row for row in rows if RowFilter(quality="clean")(row)]
    warned = [row for row in rows if RowFilter(quality="warned")(row)]
    assert len(clean) + len(warned) == len(rows)
    assert all(row.warnings for row in warned)
    assert warned


def test_unknown_groups_are_said_aloud():
    assert evaluate(some_rows(5), MODELS, 100).caution == ""
    loud = evaluate(some_rows(5, per_group=0), MODELS, 100)
    assert loud.ungrouped == loud.groups == 20
    assert "optimistic" in loud.caution
    assert "every patch" in loud.caution


def test_the_interval_of_the_calibration_error_lies_about_it():
    """Of a calibrated reader: resampling adds gaps of its own, which are no error of the reader."""
    rng = np.random.default_rng(11)
    for _ in range(12):
        probabilities = rng.dirichlet(np.ones(4), 400)
        labels = np.array([rng.choice(4, p=row) for row in probabilities])
        sample = Sample(labels, probabilities, None, np.arange(400))
        found = {f.name: f.value for f in measure(sample, weight_blocks(sample.codes, 300, 0))}
        assert "ece_before" not in found
        error = found["ece"]
        assert 0 <= error.low < error.value < error.high


def test_one_rule_for_the_fewest_groups_holds_for_every_figure_of_a_class():
    """Three groups hold a 3+, seven the rest: nothing that rests on the 3+ gets an interval."""
    rng = np.random.default_rng(3)
    labels = np.array([3] * 12 + [0, 1, 2] * 20)
    codes = np.array([0, 1, 2] * 4 + [3 + i % 7 for i in range(60)])
    sample = Sample(labels, rng.dirichlet(np.ones(4), len(labels)), None, codes)
    figures = {(f.name, f.of): f.value for f in measure(sample, weight_blocks(codes, 200, 0))}

    for name in ("recall", "f1", "roc_auc", "pr_auc"):
        assert figures[name, "3+"].low is None
        assert figures[name, "3+"].reason == "No interval: 3 of the 5 groups it needs at least."
        assert figures[name, "0"].low is not None
    for name in ("balanced_accuracy", "macro_f1", "macro_roc_auc", "macro_pr_auc"):
        assert figures[name, ""].low is None
    assert figures["accuracy", ""].low is not None
    assert figures["kappa", ""].low is not None


def test_means_over_the_classes_present_stand_beside_the_undefined_ones():
    rng = np.random.default_rng(4)
    labels = np.array([0, 2, 3] * 20)
    sample = Sample(labels, rng.dirichlet(np.ones(4), 60), None, np.arange(60))
    figures = {
        (f.name, f.of): f.value for f in measure(sample, weight_blocks(sample.codes, 200, 0))
    }

    assert figures["macro_f1", ""].value is None
    assert figures["macro_f1", ""].reason == "No patch is labelled 1+."
    for macro, name in MACROS.items():
        of_classes = [figures[name, label].value for label in ("0", "2+", "3+")]
        present = figures[f"{macro}_present", ""]
        assert present.value == pytest.approx(np.mean(of_classes))
        assert present.low < present.value < present.high
        assert "of the classes present" in TITLES[f"{macro}_present"]


def test_with_one_class_alone_what_needs_two_says_so():
    sample = Sample(np.ones(9, np.int64), np.full((9, 4), 0.25), None, np.arange(9))
    figures = {
        (f.name, f.of): f.value for f in measure(sample, weight_blocks(sample.codes, 100, 0))
    }
    assert figures["macro_roc_auc_present", ""].reason == "Every patch is labelled 1+."
    assert figures["balanced_accuracy_present", ""].value == 0.0
