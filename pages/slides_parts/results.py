"""What was read of a slide: scores side by side, the map, the hottest regions, downloads."""

import streamlit as st

from her2core.charts.slide_map import KINDS, Kind, legend
from her2core.charts.slide_plot import slide_figure
from her2core.common.csv_table import csv_table
from her2core.common.text import markdown_text
from her2core.models.bundles.registry import ARCHITECTURES
from her2core.serving.services import Services
from her2core.serving.slide_pictures import take_region
from her2core.serving.slide_shelf import ShelfSlide
from her2core.slides.geojson import written
from her2core.slides.readings import RegionReading, SlideReading
from her2core.slides.score import SlideScore
from her2core.slides.slide import SlideError
from her2core.slides.tables import region_shapes, score_row, slide_columns
from pages.review_parts import navigation
from pages.shell import seen, session, ui

_NONE = "None"


def draw_scores(scores: tuple[SlideScore, ...]) -> None:
    """Every reader's score: side by side for a slide, a table for a microarray."""
    if len(scores) > 1:
        rows = [
            {"Core": one.core, "Score": _label(one)}
            | {
                _reader(reader.reader): "no score" if reader.score is None else reader.score.label
                for reader in one.readers
            }
            | {"Regions": one.assessable}
            for one in scores
        ]
        st.dataframe(rows, hide_index=True, width="stretch")
        return
    (score,) = scores
    columns = st.columns(len(score.readers) + 1)
    columns[0].metric("Middle of the readers", _label(score), border=True)
    for column, one in zip(columns[1:], score.readers, strict=True):
        column.metric(
            _reader(one.reader),
            "no score" if one.score is None else one.score.label,
            border=True,
            help=one.reason,
        )
        counted = "cells" if one.reader == "stain" else "regions"
        shares = " · ".join(
            f"{label}: {100 * share:.0f}\u00a0%"
            for label, share in zip(("0", "1+", "2+", "3+"), one.shares or (), strict=False)
        )
        h_score = "" if one.h_score is None else f", H-score {one.h_score:.0f}"
        column.caption(f"{one.n} {counted}{h_score}  \n{shares}")


def draw_map(here: Services, slide: ShelfSlide, reading: SlideReading) -> None:
    """The slide with one of its maps; a click on a region opens it."""
    titles = {_NONE: "Slide alone"} | {str(kind): title for kind, title in KINDS.items()}
    kind = st.segmented_control(
        "Map",
        list(titles),
        default="grade",
        required=True,
        format_func=titles.__getitem__,
        key="slide_map",
    )
    shown: Kind | None = next((one for one in KINDS if one == kind), None)
    try:
        overview = here.slides.pictures.overview(slide.path)
    except SlideError as error:
        st.error(markdown_text(str(error)), icon=":material/error:")
        return
    figure = slide_figure(reading, overview, shown, ui.is_dark())
    event = st.plotly_chart(
        figure,
        width="stretch",
        theme=None,
        on_select="rerun",
        selection_mode="points",
        key=f"slide-map-{slide.key}-{st.session_state.get('slide_map_round', 0)}",
        config={"scrollZoom": True, "displaylogo": False, "displayModeBar": False},
    )
    if shown is not None:
        st.markdown(
            " ".join(
                f"<span style='color:#{bytes(colour).hex()}'>■</span> {label}"
                for label, colour in legend(shown)
            ),
            unsafe_allow_html=True,
        )
    st.caption("Wheel zooms, dragging moves; a click opens a region on the Review page.")
    points = event.selection.points if event else []
    if points:
        st.session_state["slide_map_round"] = st.session_state.get("slide_map_round", 0) + 1
        number = int(points[0]["point_index"])
        if 0 <= number < len(reading.regions):
            _open(here, slide, reading, reading.regions[number])


def draw_hottest(
    here: Services, slide: ShelfSlide, reading: SlideReading, scores: tuple[SlideScore, ...]
) -> None:
    """The regions that weigh most, as pictures with a way to the Review page."""
    hottest = sorted((one for score in scores for one in score.hottest), key=_heat)[:6]
    if not hottest:
        return
    st.subheader("Hottest regions", anchor=False)
    for number, (column, one) in enumerate(zip(st.columns(6), hottest, strict=False)):
        try:
            picture = here.slides.pictures.region(slide.path, reading, one.region)
        except SlideError as error:
            column.caption(markdown_text(str(error)))
            continue
        column.image(picture, width="stretch")
        said = ", ".join(verdict.score.label for verdict in one.verdicts)
        column.caption(f"{one.region.core} {said} · stain {one.stain.verdict}".strip())
        if column.button("Open", key=f"hot-{number}", icon=":material/biotech:"):
            _open(here, slide, reading, one)


def _heat(one: RegionReading) -> float:
    return -one.mean_grade


def _open(here: Services, slide: ShelfSlide, reading: SlideReading, one: RegionReading) -> None:
    """Take a region into the worklist as a patch and open it; its verdicts were shown here."""
    session.desk(here.store).require_take_in()
    limits, pictures = here.settings.limits, here.slides.pictures
    try:
        taken = take_region(
            pictures, slide.path, reading, one.region, here.images, here.store, limits
        )
    except SlideError as error:
        st.error(markdown_text(str(error)), icon=":material/error:")
        return
    if taken.sha256 is None:
        st.error(markdown_text(taken.message), icon=":material/error:")
        return
    seen.mark(here, [taken.sha256])
    if taken.outcome == "new":
        here.queue.add(taken.sha256, taken.name)
    navigation.to_review(taken.sha256)


def offer_downloads(reading: SlideReading, scores: tuple[SlideScore, ...]) -> None:
    columns = slide_columns(tuple(ARCHITECTURES))
    rows = [score_row(reading, one) for one in scores]
    table = csv_table([columns, *([row.get(name) for name in columns] for row in rows)])
    with st.container(horizontal=True):
        st.download_button(
            "GeoJSON for QuPath",
            written(region_shapes(reading)),
            "regions.geojson",
            "application/geo+json",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "Scores as CSV",
            table,
            "slides.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )


def _label(score: SlideScore) -> str:
    return "not assessable" if score.score is None else score.score.label


def _reader(name: str) -> str:
    return "Stain measurement" if name == "stain" else ui.model_title(name)
