"""Export of the entries shown: tables at a click, the ZIP with pictures only when asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial

import streamlit as st

from her2core.accounts.records import Permission
from her2core.models.bundles.registry import find_bundles
from her2core.people.access import Desk
from her2core.people.review_log import ReviewLog
from her2core.reviews.archive import to_zip
from her2core.reviews.columns import ExportOptions
from her2core.reviews.export import FORMATS, ExportFormat
from her2core.reviews.records import ReviewFilter
from her2core.serving.recorded_maps import exported_overlays
from her2core.serving.services import Services
from her2core.xai.fidelity_report import checked_maps
from pages.shell import exposure, session, ui

_log = logging.getLogger(__name__)
_NAME = "her2-review-log"


def draw(here: Services, log: ReviewLog, entries: int, wanted: ReviewFilter) -> None:
    """Buttons that export exactly the reviews that pass the filter.

    Args:
        here: the services.
        log: what this person may see.
        entries: how many pass the filter.
        wanted: the filter, for the manifest, too.
    """
    desk = session.desk(here.store)
    if not desk.may(Permission.EXPORT):
        st.caption(f"As {desk.identity.role} you may not {Permission.EXPORT}.")
        return
    mark = exposure.marker(here, insist=ui.blind_mode())
    with st.expander(f"Export these {entries} entries", icon=":material/download:"):
        options = ExportOptions(
            include_names=st.checkbox(
                "Include original file names (they may identify patients)",
                key="log_include_names",
                help="File names often hold case numbers or patients' names. Without them a patch "
                "is named by its sha256 alone. Comments and reviewers' names are always exported; "
                "read them before you pass a file on.",
            )
        )
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            for one in FORMATS:
                st.download_button(
                    one.title,
                    data=partial(_handed_out, desk, mark, one, log, wanted, options),
                    file_name=f"{_NAME}.{one.ending}",
                    mime=one.media_type,
                    icon=":material/download:",
                    on_click="ignore",
                    key=f"log_export_{one.ending}",
                )
            _zip(here, log, wanted, options)


def _zip(here: Services, log: ReviewLog, wanted: ReviewFilter, options: ExportOptions) -> None:
    """Build the ZIP when asked; any click meanwhile, "Stop" among them, ends the building."""
    # the filter stands in the manifest: two that choose the same entries are two files
    asked_for = (here.store.head(), session.identity(), ui.blind_mode(), options, wanted)
    ready = st.session_state.get("log_zip")
    if ready is not None and ready[0] == asked_for:
        st.download_button(
            f"Download ZIP ({_size(len(ready[1]))})",
            data=ready[1],
            file_name=f"{_NAME}.zip",
            mime="application/zip",
            type="primary",
            icon=":material/folder_zip:",
            on_click="ignore",
            key="log_export_zip",
        )
        return
    st.session_state.pop("log_zip", None)
    loading = not here.workbench.state().finished
    place = st.empty()
    if not place.button(
        "Prepare ZIP with images and overlays",
        icon=":material/folder_zip:",
        disabled=loading,
        help="The models are still loading; the overlays need them."
        if loading
        else "The log, every patch, Grad-CAM and SHAP overlays with the verdicts written on them, "
        "and a manifest with sha256 sums. A review takes about two seconds where its overlays "
        "were not computed before.",
        key="log_zip_prepare",
    ):
        return
    place.button("Stop", icon=":material/stop_circle:", key="log_zip_stop")
    bar = st.progress(0.0, "Preparing…")

    def progress(done: int, total: int) -> bool:
        # A click elsewhere ends this run here, by an exception of streamlit's; to_zip cleans up.
        bar.progress(done / max(1, total), f"{done} of {total} entries")
        return True

    reviews, _ = log.everything(wanted)
    exposure.mark(here, {review.patch.sha256 for review in reviews})
    used = {verdict.model_id for review in reviews for verdict in review.verdicts}
    cards = {
        entry.card.model_id: {"model_id": entry.card.model_id, **asdict(entry.card)}
        for entry in find_bundles(here.settings)
        if entry.card is not None and entry.card.model_id in used
    }
    names = {review.patch.sha256: review.patch.name for review in reviews}
    try:
        with to_zip(
            reviews,
            lambda sha256: here.images.load(sha256, names[sha256]),
            partial(
                exported_overlays,
                here.workbench,
                include_name=options.include_names,
                checked=checked_maps(here.settings),
            ),
            cards.values(),
            options,
            progress,
            used_filter=wanted,
        ) as file:
            content = file.read()
            session.desk(here.store).note_export("ZIP", len(reviews))
            st.session_state["log_zip"] = (asked_for, content)
    except OSError:
        _log.exception("The ZIP could not be written")
        bar.empty()
        st.error("The ZIP could not be written. Free disk space for temporary files, then retry.")
        return
    st.rerun()


def _handed_out(
    desk: Desk,
    mark: Callable[[Iterable[str]], None],
    wanted_format: ExportFormat,
    log: ReviewLog,
    wanted: ReviewFilter,
    options: ExportOptions,
) -> bytes:
    """The file, once the audit says who took it, and that its verdicts were shown."""
    reviews, _ = log.everything(wanted)
    desk.note_export(wanted_format.title, len(reviews))
    mark({review.patch.sha256 for review in reviews})
    return wanted_format.make(reviews, options)


def _size(count: int) -> str:
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{max(1, count // 1024)} KiB"
