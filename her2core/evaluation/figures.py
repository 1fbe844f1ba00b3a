"""Every figure of a reader on labelled patches, with intervals resampled by group.

One code path gives a figure and its resamples: each function takes weights (b, n), how often each
patch occurs in each of b resamples, and returns b values; weights of one give the figure itself.
What is undefined (a class that no patch has) is NaN here and becomes "no value, because ..." in
`measure`: never 0, never a crash.

Areas under curves: Fawcett, "An introduction to ROC analysis", Pattern Recognit Lett 2006 (ties
count half); the area under the precision-recall curve is the average precision, without
interpolation (Davis and Goadrich, ICML 2006). Calibration: see calibration.py.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from her2core.evaluation.agreement import confusions, quadratic_kappa
from her2core.evaluation.calibration import CALIBRATION_BINS, bin_numbers
from her2core.evaluation.intervals import Floats, Interval, interval_of, undefined
from her2core.evaluation.names import AT_CUT_OFF, CUT_OFFS, MACROS, OVERALL, PER_CLASS
from her2core.scores import CLASS_KEYS, CLASS_LABELS, HER2Score

Bools = npt.NDArray[np.bool_]
Key = tuple[str, str]

_CLASSES = range(len(HER2Score))
_PRESENT = "_present"
_SUMS_OF_GAPS = ("ece", "ece_before")


@dataclass(frozen=True)
class Figure:
    """One figure of one reader.

    Attributes:
        name: a key of TITLES.
        of: the class or the cut-off it is about; empty where it is about all patches.
        value: figure, interval and the number of patches it rests on.
    """

    name: str
    of: str
    value: Interval


@dataclass(frozen=True)
class Sample:
    """What a reader predicted for n labelled patches.

    Attributes:
        labels: int (n,), true classes 0 to 3; n >= 1.
        probabilities: (n, 4), as shown to people.
        before: (n, 4), as they were before temperature scaling; None where that is not known.
        codes: int (n,), number of each patch's group from 0.
        members: bool (n, 4), prediction sets; None where the reader has none.
    """

    labels: npt.NDArray[np.int64]
    probabilities: Floats
    before: Floats | None
    codes: npt.NDArray[np.int64]
    members: Bools | None = None

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The most probable class; on an exact tie the lower one, as in `Verdict.score`."""
        return np.asarray(self.probabilities.argmax(axis=1))

    def groups(self, among: Bools) -> int:
        """Number of groups among the patches (n,) that are marked."""
        return len(np.unique(self.codes[among]))


@dataclass(frozen=True)
class Share:
    """Patches that count (`hit`) among those looked at (`base`): bool (n,), hit within base."""

    hit: Bools
    base: Bools
    empty: str


def measure(sample: Sample, blocks: Iterable[Floats]) -> tuple[Figure, ...]:
    """All figures of a reader, each with its interval.

    Args:
        sample: what the reader predicted.
        blocks: resampling weights as `weight_blocks` gives them.

    Returns:
        One figure for each of OVERALL, PER_CLASS and class, AT_CUT_OFF and cut-off; the figures of
        prediction sets only where the sample has sets, means over the classes present only where
        a class is absent.
    """
    shares = _shares(sample)
    ones = np.ones((1, len(sample.labels)))
    values = {key: float(value[0]) for key, value in _all(sample, shares, ones).items()}
    blockwise = [_all(sample, shares, weights) for weights in blocks]
    figures = []
    for key, value in values.items():
        resampled = np.concatenate([np.empty(0), *(block[key] for block in blockwise)])
        if key[0] in _SUMS_OF_GAPS and len(resampled):
            resampled = _unbiased(resampled, value)
        share = shares.get(key)
        base = np.ones(len(sample.labels), bool) if share is None else share.base
        n = _n(key, sample) if share is None else int(base.sum())
        if not np.isfinite(value):
            interval = undefined(n, _why_undefined(key, sample) if share is None else share.empty)
        else:
            n_groups = _groups(key, sample) if share is None else sample.groups(base)
            interval = interval_of(value, resampled, n, n_groups, share=share is not None)
        figures.append(Figure(*key, interval))
    return tuple(figures)


def _unbiased(resampled: Floats, value: float) -> Floats:
    """Resamples of a sum of absolute gaps, moved to lie about its value.

    Chance alone makes gaps, and resampling adds its own to those of the sample: by as much the
    resamples lie too high on average, which is the bootstrap's estimate of bias (Efron and
    Tibshirani, An Introduction to the Bootstrap, 1993, chapter 10).
    """
    return np.asarray(np.maximum(resampled - (resampled.mean() - value), 0.0))


def areas(scores: Floats, positive: Bools, weights: Floats) -> tuple[Floats, Floats]:
    """Area under the ROC curve and average precision of weighted patches.

    Args:
        scores: (n,), higher speaks for positive.
        positive: bool (n,).
        weights: (b, n), >= 0.

    Returns:
        Two arrays (b,); NaN where a resample lacks positives or negatives (positives alone for
        the average precision).
    """
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    ordered = weights[:, order]
    right = ordered * positive[order]
    true = np.cumsum(right, axis=1)[:, last_of_tie]
    called = np.cumsum(ordered, axis=1)[:, last_of_tie]
    false = called - true
    steps = np.diff(true, axis=1, prepend=0.0)
    precision = np.divide(true, called, out=np.zeros_like(true), where=called > 0)
    below = np.diff(false, axis=1, prepend=0.0)
    positives, negatives = true[:, -1], false[:, -1]
    # every negative is beaten by the positives above it, and tied with half of those beside it
    beaten = (below * (true - 0.5 * steps)).sum(axis=1)
    roc = _ratio(beaten, positives * negatives)
    return roc, _ratio((steps * precision).sum(axis=1), positives)


def _all(sample: Sample, shares: dict[Key, Share], weights: Floats) -> dict[Key, Floats]:
    """Every figure of every resample, undefined ones NaN; the order is that of the report."""
    masks = np.array([mask for s in shares.values() for mask in (s.hit, s.base)], float).T
    sums = weights @ masks
    share_values = {key: _ratio(sums[:, 2 * i], sums[:, 2 * i + 1]) for i, key in enumerate(shares)}
    counts = confusions(sample.labels, sample.predicted, weights)
    values: dict[Key, Floats] = {**_of_counts(counts), **_of_areas(sample, weights)}
    values |= _of_calibration(sample, weights) | share_values
    present = _present(sample)
    for macro, name in MACROS.items():
        each = np.stack([values[name, of] for of in CLASS_KEYS])
        values[macro, ""] = each.mean(axis=0)
        if len(present) < len(CLASS_KEYS):
            values[macro + _PRESENT, ""] = each[present].mean(axis=0)
    if sample.members is not None:
        sizes = sample.members.sum(axis=1).astype(float)
        values["set_size", ""] = _ratio(weights @ sizes, weights.sum(axis=1))
    return {key: values[key] for key in _order() if key in values}


def _order() -> list[Key]:
    return [
        *((name, "") for name in OVERALL),
        *((name, of) for of in CLASS_KEYS for name in PER_CLASS),
        *((name, cut.name) for cut in CUT_OFFS for name in AT_CUT_OFF),
    ]


def _shares(sample: Sample) -> dict[Key, Share]:
    """Which patches count, and among which, for every figure that is a share of patches."""
    labels, predicted = sample.labels, sample.predicted
    everything = np.ones(len(labels), bool)
    gap = np.abs(labels - predicted)
    shares: dict[Key, Share] = {
        ("accuracy", ""): Share(gap == 0, everything, ""),
        ("within_one", ""): Share(gap <= 1, everything, ""),
        ("far_errors", ""): Share(gap >= 2, everything, ""),
    }
    for score in HER2Score:
        of, label = score.key, score.label
        is_it, says_it = labels == score, predicted == score
        none, only = f"No patch is labelled {label}.", f"Every patch is labelled {label}."
        never = f"No patch was called {label}."
        shares["recall", of] = Share(says_it & is_it, is_it, none)
        shares["specificity", of] = Share(~says_it & ~is_it, ~is_it, only)
        shares["precision", of] = Share(says_it & is_it, says_it, never)
    for cut in CUT_OFFS:
        counted = np.isin(labels, cut.among)
        is_it, says_it = np.isin(labels, cut.positive), np.isin(predicted, cut.positive)
        for name, hit, base, empty in (
            ("sensitivity", says_it, is_it, "No patch is truly positive here."),
            ("specificity", ~says_it, ~is_it, "No patch is truly negative here."),
            ("ppv", is_it, says_it, "No patch was called positive here."),
            ("npv", ~is_it, ~says_it, "No patch was called negative here."),
        ):
            shares[name, cut.name] = Share(hit & base & counted, base & counted, empty)
    if sample.members is not None:
        held = sample.members[np.arange(len(labels)), labels]
        shares["set_coverage", ""] = Share(held, everything, "")
        for of in CLASS_KEYS:
            base = shares["recall", of].base
            shares["set_coverage", of] = replace(shares["recall", of], hit=held & base)
    return shares


def _of_counts(counts: Floats) -> dict[Key, Floats]:
    truth, called = counts.sum(axis=-1), counts.sum(axis=-2)
    right = np.einsum("...ii->...i", counts)
    f1 = np.where(truth > 0, _ratio(2 * right, truth + called), np.nan)
    kappa: dict[Key, Floats] = {("kappa", ""): quadratic_kappa(counts)}
    return kappa | {("f1", of): f1[:, k] for k, of in enumerate(CLASS_KEYS)}


def _of_areas(sample: Sample, weights: Floats) -> dict[Key, Floats]:
    values: dict[Key, Floats] = {}
    for k, of in enumerate(CLASS_KEYS):
        values["roc_auc", of], values["pr_auc", of] = areas(
            sample.probabilities[:, k], sample.labels == k, weights
        )
    return values


def _of_calibration(sample: Sample, weights: Floats) -> dict[Key, Floats]:
    values: dict[Key, Floats] = {}
    total = weights.sum(axis=1)
    for suffix, probabilities in (("_before", sample.before), ("", sample.probabilities)):
        if probabilities is None:
            continue
        distance = ((probabilities - np.eye(4)[sample.labels]) ** 2).sum(axis=1)
        values["brier" + suffix, ""] = _ratio(weights @ distance, total)
        confidence = probabilities.max(axis=1)
        surplus = confidence - (probabilities.argmax(axis=1) == sample.labels)
        in_bin = np.eye(CALIBRATION_BINS)[bin_numbers(confidence)]
        gaps = np.abs(weights @ (in_bin * surplus[:, None]))
        values["ece" + suffix, ""] = _ratio(gaps.sum(axis=1), total)
    return values


def _ratio(top: Floats, bottom: Floats) -> Floats:
    return np.asarray(np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 0))


def _present(sample: Sample) -> list[int]:
    """The classes that patches are labelled with."""
    return [k for k in _CLASSES if (sample.labels == k).any()]


def _groups(key: Key, sample: Sample) -> int:
    """Independent groups behind a figure that is no share, as `MIN_GROUPS` asks for them.

    A figure of one class rests on the groups that hold it (an area under the ROC curve also on
    those that hold others), as its recall does; a mean over classes on the fewest of any class.
    """
    name, of = key
    macro = name.removesuffix(_PRESENT)
    if macro in MACROS:
        return min(_groups((MACROS[macro], CLASS_KEYS[k]), sample) for k in _present(sample))
    if not of:
        return sample.groups(np.ones(len(sample.labels), bool))
    is_it = sample.labels == CLASS_KEYS.index(of)
    groups = sample.groups(is_it)
    return min(groups, sample.groups(~is_it)) if name == "roc_auc" else groups


def _n(key: Key, sample: Sample) -> int:
    """Patches behind a figure that is no share: those of its class for F1, else all."""
    if key[0] == "f1":
        return int((sample.labels == CLASS_KEYS.index(key[1])).sum())
    return len(sample.labels)


def _why_undefined(key: Key, sample: Sample) -> str:
    name, of = key
    if name == "kappa":
        return "Kappa is undefined: only one score occurs."
    present = _present(sample)
    missing = [k for k in _CLASSES if k not in present]
    if name.endswith(_PRESENT):
        return f"Every patch is labelled {CLASS_LABELS[present[0]]}."
    own = [CLASS_KEYS.index(of)] if of else []
    if own and own[0] not in missing:
        return f"Every patch is labelled {CLASS_LABELS[own[0]]}."
    named = [CLASS_LABELS[k] for k in own or missing or _CLASSES]
    return f"No patch is labelled {' or '.join(named)}."
