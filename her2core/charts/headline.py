"""What a report shows before everything else: four figures, and how right whole groups are."""

from collections.abc import Sequence

from her2core.charts.plots import IntervalPlot, interval_plot
from her2core.evaluation.names import TITLES
from her2core.evaluation.report import ReaderEvaluation

_FIGURES = ("accuracy", "within_one", "kappa", "ece")


def headline_plot(readers: Sequence[ReaderEvaluation]) -> IntervalPlot:
    """The four figures to look at first."""
    return interval_plot("Four figures", readers, [(TITLES[name], name, "") for name in _FIGURES])


def group_plot(readers: Sequence[ReaderEvaluation]) -> IntervalPlot | None:
    """How right the scores of whole groups are; None where no group has several patches."""
    levels = [(reader.title, reader.group_level) for reader in readers if reader.group_level]
    if not levels:
        return None
    return IntervalPlot(
        f"Groups of several patches (n = {levels[0][1].exact.n})",
        ("Exact", "Within one grade"),
        tuple(title for title, _ in levels),
        (
            tuple(level.exact for _, level in levels),
            tuple(level.within_one for _, level in levels),
        ),
    )
