"""What the figures of a report are called, and the clinical decisions they are given for."""

from dataclasses import dataclass

from her2core.scores import CLASS_LABELS, HER2Score

_OF_ALL = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "within_one": "Within one grade",
    "far_errors": "Far errors (two grades or more)",
    "kappa": "Quadratic-weighted kappa",
    "macro_f1": "Macro F1",
    "macro_roc_auc": "Macro ROC AUC",
    "macro_pr_auc": "Macro PR AUC",
    "balanced_accuracy_present": "Balanced accuracy of the classes present",
    "macro_f1_present": "Macro F1 of the classes present",
    "macro_roc_auc_present": "Macro ROC AUC of the classes present",
    "macro_pr_auc_present": "Macro PR AUC of the classes present",
    "ece_before": "Calibration error before temperature",
    "ece": "Calibration error",
    "brier_before": "Brier score before temperature",
    "brier": "Brier score",
    "set_coverage": "Prediction sets hold the label",
    "set_size": "Mean size of a prediction set",
}
_OF_PARTS = {
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "specificity": "Specificity",
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "sensitivity": "Sensitivity",
    "ppv": "Positive predictive value",
    "npv": "Negative predictive value",
}
TITLES = _OF_ALL | _OF_PARTS
OVERALL = tuple(_OF_ALL)
# those of the first plot
MAIN = (*OVERALL[:3], "macro_f1", "macro_roc_auc", "macro_pr_auc", "kappa")
# means over the four classes, of which figure; "_present" takes only the classes that patches have
MACROS = {
    "balanced_accuracy": "recall",
    "macro_f1": "f1",
    "macro_roc_auc": "roc_auc",
    "macro_pr_auc": "pr_auc",
}
PER_CLASS = ("recall", "specificity", "precision", "f1", "roc_auc", "pr_auc", "set_coverage")
AT_CUT_OFF = ("sensitivity", "specificity", "ppv", "npv")


@dataclass(frozen=True)
class CutOff:
    """A clinical decision: which scores count as positive, among which scores.

    Reports name it by `name`, people read its `title`.
    """

    name: str
    title: str
    positive: tuple[int, ...]
    among: tuple[int, ...] = (0, 1, 2, 3)


_0, _1, _2, _3 = CLASS_LABELS
CUT_OFFS = (
    CutOff("3+ against the rest", f"{_3} against the rest", (3,)),
    CutOff("2+ or 3+ against 0 or 1+", f"{_2} or {_3} against {_0} or {_1}", (2, 3)),
    CutOff(
        "1+ against 0 (only these labels)",
        f"{_1} against {_0} (only these labels)",
        (1, 2, 3),
        (0, 1),
    ),
)

# Lines of a table: words, the figure's name, and of which class or cut-off it is.
Line = tuple[str, str, str]
OVERALL_LINES: tuple[Line, ...] = tuple((TITLES[name], name, "") for name in OVERALL)
CUT_OFF_LINES: tuple[Line, ...] = tuple(
    (f"{cut.title}: {TITLES[name].lower()}", name, cut.name)
    for cut in CUT_OFFS
    for name in AT_CUT_OFF
)
CLASS_LINES: tuple[Line, ...] = tuple(
    (f"{score.label}: {TITLES[name]}", name, score.key) for score in HER2Score for name in PER_CLASS
)
