"""One plain sentence per heat map: what it shows, and what it cannot show."""

from her2core.preprocessing.patches import MODEL_SIDE
from her2core.scores import HER2Score
from her2core.xai.methods import METHODS


def class_activation_reading(
    method: str,
    target: HER2Score,
    grid: tuple[int, int],
    empty: bool,
    against: HER2Score | None = None,
) -> str:
    """The sentence for a class-activation map.

    Args:
        method: its name.
        target: the class explained.
        grid: rows and columns of the feature map the heat was computed on.
        empty: the map is zero everywhere.
        against: for a contrast, the other class.
    """
    rows, columns = grid
    if against is not None:
        if empty:
            return (
                f"Nothing in this patch separates {target.label} from {against.label} at this "
                "depth, so the map is empty."
            )
        return (
            f"Red areas speak for {target.label} rather than {against.label}, blue ones for "
            f"{against.label}; it compares the two scores only, in {rows} x {columns} cells, and "
            "does not say that either is right."
        )
    if empty:
        return (
            f"Nothing in this patch raised the network's score for {target.label} at this depth, "
            "so the map is empty; that says nothing about what speaks against it."
        )
    return (
        f"Warmer areas {METHODS[method].reading.format(score=target.label)}; "
        f"the map has only {rows} x {columns} cells, each about {MODEL_SIDE // rows} of "
        f"{MODEL_SIDE} pixels wide, so it points to regions, cannot outline membranes or cells, "
        "and shows nothing that speaks against the class."
    )


def shap_reading(
    target: HER2Score,
    samples: int,
    completeness_gap: float,
    empty: bool = False,
    against: HER2Score | None = None,
) -> str:
    """The sentence for a SHAP map.

    Args:
        target: the class explained.
        samples: number of samples drawn.
        completeness_gap: sum of attributions minus (f(x) - E[f]), in probability.
        empty: the map is zero everywhere.
        against: for a contrast, the other class: the difference of both probabilities is explained.
    """
    named = target.label if against is None else f"{target.label} rather than {against.label}"
    if empty:
        return (
            f"No pixel moves the probability of {named} measurably, so the map is empty: "
            "the network is certain whatever single pixels change."
        )
    gap = 0.0 if abs(completeness_gap) < 0.005 else completeness_gap
    return (
        f"Red speaks for {named}, blue against it, compared with the model's stored "
        f"background patches; an estimate from {samples} samples, smoothed over a few pixels, that "
        f"misses the exact sum by {gap:+.2f} in probability, and it shows what moved the network, "
        "not what the tissue is."
    )
