"""Both verdicts side by side: scores, probabilities on one axis, agreement, what it would mean."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import streamlit as st

from her2core.charts.external_table import right_at
from her2core.charts.verdicts import probability_figure
from her2core.common.text import markdown_text, percent
from her2core.models.architectures import model_name
from her2core.models.assessable import ASSESSABLE, Assessability
from her2core.models.bundles.card import ModelCard
from her2core.models.conformal import prediction_set, set_text, uncalibrated
from her2core.models.ood.novelty import FAMILIAR, LESS, UNLIKE, Familiarity, familiarity
from her2core.models.reading_grid import PartRead
from her2core.models.verdict import Verdict
from her2core.reviews.worklist import model_gap
from her2core.scores import HER2Score, grade_gap
from pages.shell import charts, ui

_FAMILIARITY = {
    FAMILIAR: "green-badge[:material/near_me",
    LESS: "orange-badge[:material/help",
    UNLIKE: "red-badge[:material/priority_high",
}
_DISTANCE = (
    "How far the patch lies from the patches that a network learnt from: {distance:.1f} times the "
    "limit. What lies far out may be another stain; what lies near may still be read wrongly."
)
_OTHER_STAINS = "Other stains in brown or red lie at such a distance too."


def draw(
    verdicts: Sequence[Verdict],
    cards: Mapping[str, ModelCard],
    tumour: Assessability = ASSESSABLE,
    external: Path | None = None,
    *,
    parts: Mapping[str, Sequence[PartRead]] = MappingProxyType({}),
    doubtful: bool = False,
    disregard: bool = False,
) -> None:
    """The verdicts and everything that follows from them.

    Args:
        verdicts: one per model.
        cards: architecture -> card of the bundle in use.
        tumour: whether the field holds enough tumour cells for a score.
        external: what was measured on real breast tissue.
        parts: model id -> what it says of each part, where it read the square in parts.
        doubtful: beside a warning agreement confirms nothing.
        disregard: a warning says that the square shows no HER2 that could be scored.
    """
    known = familiarity(verdicts)
    disregard = disregard or (known is not None and known.band == UNLIKE)
    no_her2 = doubtful or disregard or not tumour.assessable
    doubtful = no_her2 or (known is not None and known.band != FAMILIAR)
    if not tumour.assessable:
        st.warning(markdown_text(tumour.reason or ""), icon=":material/search_off:")
    for column, verdict in zip(st.columns(len(verdicts), gap="small"), verdicts, strict=True):
        with column.container(border=True, gap="xxsmall", key=f"verdict-{verdict.architecture}"):
            _card(verdict, tumour, disregard=disregard)
            if tumour.assessable and not disregard:
                _parts_line(verdict, parts.get(verdict.model_id, ()))
                _set_line(verdict, cards.get(verdict.architecture))
    if tumour.assessable:
        agreement_line(verdicts, doubtful=doubtful)
    if known is not None:
        _familiarity_line(known, verdicts, external, doubtful=no_her2)
    figure = probability_figure(verdicts, dark=ui.is_dark())
    figure.update_layout(height=185)
    figure.update_xaxes(title_text=None)
    figure.update_yaxes(title_text=None)
    charts.show(figure, "probabilities", _in_words(verdicts))
    meanings = dict.fromkeys(v.score.meaning for v in verdicts if tumour.assessable)
    if meanings and not doubtful:
        st.caption("**Research information.** " + " ".join(meanings))


def agreement_line(verdicts: Sequence[Verdict], *, doubtful: bool = False) -> None:
    """Whether the models agree, in colour, sign and words; in doubt no green confirms anything."""
    gap = model_gap(verdicts)
    if gap is None:
        st.markdown(":gray-badge[:material/looks_one: Only one model has read this patch]")
        return
    scores = ", ".join(f"{model_name(v.architecture)} {v.score.label}" for v in verdicts)
    agreed = f"The models agree on {verdicts[0].score.label}"
    if gap == 0 and doubtful:
        text = f":gray-badge[:material/report: {agreed}, but see the warning above]"
    elif gap == 0:
        text = f":green-badge[:material/check_circle: {agreed}]"
    elif gap == 1:
        text = f":orange-badge[:material/swap_vert: The models differ by one grade: {scores}]"
    else:
        text = f":red-badge[:material/priority_high: The models differ by {gap} grades: {scores}]"
    st.markdown(text)


def _familiarity_line(
    known: Familiarity, verdicts: Sequence[Verdict], external: Path | None, *, doubtful: bool
) -> None:
    """How unlike what is known the patch is, in colour, sign and words."""
    distance = _DISTANCE.format(distance=known.distance)
    if doubtful and known.band == FAMILIAR:  # of its look, which confirms no verdict
        st.markdown(":gray-badge[:material/near_me: Familiar look]", help=distance)
        return
    measured = charts.external(external) if external and not doubtful else None
    right = right_at(measured, known.band, [v.model_id for v in verdicts])
    if right and known.band != FAMILIAR:
        right = f"{right} {_OTHER_STAINS}"
    st.markdown(
        f":{_FAMILIARITY[known.band]}: {known.band.capitalize()}]"
        + (f"  \n:gray[:small[{right}]]" if right else ""),
        help=distance,
    )


def compared(
    own: HER2Score, reader: str, score: HER2Score, words: str = "", *, same: str = "as you do"
) -> str:
    """The own score against that of a reader, as one Markdown line.

    Args:
        own: the own score.
        reader: its name.
        score: what it says.
        words: Markdown, where it says more than the score.
        same: what to write where both are equal.
    """
    statement = f"{reader} says {words or score.label}"
    gap = grade_gap(score, own)
    if gap == 0:
        return f":green[:material/check:] {statement}, {same}"
    grades = "one grade" if gap == 1 else f"{gap} grades"
    where, sign = ("higher", "arrow_upward") if score > own else ("lower", "arrow_downward")
    return f":{'orange' if gap == 1 else 'red'}[:material/{sign}:] {statement}, {grades} {where}"


def _card(verdict: Verdict, tumour: Assessability, *, disregard: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(
            f"**{model_name(verdict.architecture)}**",
            width="content",
            help=f"Read by {markdown_text(verdict.backend)}. All backends give the same "
            "probabilities to 0.001."
            if verdict.backend
            else None,
        )
        if verdict.demo:
            st.badge(
                "demo",
                color="violet",
                help="Trained for demonstration only; see the Models page.",
            )
    if not tumour.assessable:
        st.markdown("**Not assessable**  \n:gray[no score; the probabilities are below]")
        return
    if disregard:
        st.markdown(f"**Disregard**  \n:gray[said {verdict.score.label}: see the warning above]")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.title(verdict.score.label, anchor=False, width="content")
        st.markdown(
            f"{verdict.score.status}  \n:gray[{percent(verdict.confidence)} confidence]",
            width="content",
        )


def _parts_line(verdict: Verdict, parts: Sequence[PartRead]) -> None:
    """In how many parts of the square the network sees what it says of the whole."""
    scores = [part.score for part in parts]
    if 0 < scores.count(verdict.score) < len(scores):
        st.markdown(
            f":gray[:small[{verdict.score.label} in {scores.count(verdict.score)} of "
            f"{len(scores)} parts]]",
            help="A large square is read in parts, and the most strongly stained one decides.",
        )


def _set_line(verdict: Verdict, card: ModelCard | None) -> None:
    """Which scores the model cannot tell apart; nothing where it is sure or was not calibrated.

    A verdict recorded from another bundle than the one in use has other thresholds: nothing then.
    """
    if card is None or card.conformal is None or card.model_id != verdict.model_id:
        return
    members = prediction_set(verdict.probabilities, card.conformal)
    if len(members) < 2:
        return
    promised = percent(1 - card.conformal.alpha)
    absent = uncalibrated(card.conformal)
    coverage = card.measured_coverage
    measured = (
        f"measured: {percent(coverage.value)} of {coverage.n} {markdown_text(coverage.set)}"
        if coverage
        else "coverage not measured on held-out data"
    )
    if absent:
        measured = f"{measured}; {absent}"
    held_out = "; what is measured here is how many it held of held-out patches" if coverage else ""
    st.markdown(
        f"Cannot tell apart: **{set_text(members)}**",
        help=f"A conformal prediction set ({promised} sets; {measured}): the scores this model "
        "cannot rule out. On patches like those it was calibrated on, the set holds the true score "
        f"for {promised} of the patches of each class{held_out}. On other scanners and stains it "
        "may hold it less often.",
    )


def _in_words(verdicts: Sequence[Verdict]) -> str:
    parts = []
    for verdict in verdicts:
        shares = ", ".join(
            f"{score.label} {percent(p)}"
            for score, p in zip(HER2Score, verdict.probabilities, strict=True)
        )
        parts.append(f"{model_name(verdict.architecture)}: {shares}")
    return "Class probabilities. " + "; ".join(parts)
