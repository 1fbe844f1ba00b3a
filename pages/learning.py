"""Learning: what the networks have learnt from reviews here, fitting them anew, taking it back."""

import streamlit as st

from her2core.accounts.records import Permission
from her2core.common.text import markdown_text
from her2core.models.architectures import ARCHITECTURES
from her2core.models.bundles.card import ModelCard
from her2core.models.bundles.registry import find_bundles
from her2core.reviews.records import ReviewFilter
from her2core.serving.services import Services
from pages.learning_parts import adapting
from pages.shell import session, ui, using


def main() -> None:
    """Draw the page."""
    here = ui.services_or_stop()
    st.title("Learning", anchor=False)
    st.caption(
        "Fits the networks in use to your own reviews. Nothing changes until you have seen how it "
        "does on slides left out, and it can be taken back. Recorded reviews keep their verdicts."
    )
    using.message()
    cards = here.workbench.cards()
    if not cards:
        st.info("The models are not loaded yet.", icon=":material/hourglass_top:")
        return
    desk = session.desk(here.store)
    if not desk.may(Permission.CHOOSE_MODELS):
        st.info("Only an administrator fits bundles and puts them in use.", icon=":material/lock:")
    for column, card in zip(st.columns(len(cards)), cards.values(), strict=True):
        with column.container(border=True, height="stretch", key=f"learning-{card.architecture}"):
            _network(here, card)
    if desk.may(Permission.CHOOSE_MODELS):
        adapting.draw(here)


def _network(here: Services, card: ModelCard) -> None:
    """The bundle in use, what it learnt from here, and how many reviews came since."""
    st.markdown(f"**{ARCHITECTURES[card.architecture].title}** · {markdown_text(card.name)}")
    desk = session.desk(here.store)
    if card.adapted is None:
        number = desk.log().screen(ReviewFilter(), size=1).entries
        st.metric("Reviews it has not learnt from", number)
        st.caption("As it was delivered: it has learnt nothing here.")
        return
    may_see = desk.may(Permission.SEE_AUDIT)
    noted = desk.audit(1, adapting.ADAPTED, f"{card.model_id} ") if may_see else []
    since = ReviewFilter(since=noted[0].happened_at if noted else None)
    st.metric("Reviews since it was fitted", desk.log().screen(since, size=1).entries)
    groups = f" of {card.adapted.groups} slides or cases" if card.adapted.groups else ""
    st.caption(
        f"Fitted on {card.date} to {card.adapted.patches} own patches{groups}, from "
        f"`{card.adapted.base}`."
    )
    if not desk.may(Permission.CHOOSE_MODELS):
        return
    base = next(
        (
            entry
            for entry in find_bundles(here.settings)
            if entry.card is not None and entry.card.model_id == card.adapted.base
        ),
        None,
    )
    if base is None or base.card is None:
        st.caption("The bundle it was fitted from is not here any more.")
    elif st.button(
        "Take back",
        icon=":material/undo:",
        key=f"take-back-{card.architecture}",
        help=f"Use {base.card.name} again. The fitted bundle stays and can be chosen on Models.",
    ):
        using.use(here, base.card, base.folder, why="adaptation taken back")


main()
