"""What was read of a slide: scores side by side, the map, the hottest regions, downloads."""

from functools import partial

import streamlit as st

from her2core.accounts.records import Permission
from her2core.common.csv_table import csv_table
from her2core.common.palette import css
from her2core.common.text import markdown_text
from her2core.models.architectures import ARCHITECTURES, model_name
from her2core.people.access import Desk
from her2core.people.review_log import ReviewLog
from her2core.reviews.records import ReviewFilter
from her2core.scores import CLASS_LABELS, HER2Score
from her2core.serving.pictures import regions_path
from her2core.serving.services import Services
from her2core.serving.slide_shelf import ShelfSlide
from her2core.slides.geojson import written
from her2core.slides.readings import RegionReading, SlideReading
from her2core.slides.region_map import GRADE, KINDS, legend, words
from her2core.slides.scale import plausible
from her2core.slides.score import SlideScore
from her2core.slides.slide import SlideError
from her2core.slides.tables import region_shapes, review_shapes, score_row, slide_columns
from pages.review_parts import navigation
from pages.shell import exposure, session
from pages.viewer.component import Layer, Legend, show_slide

_OPACITY = 45


def draw_scores(scores: tuple[SlideScore, ...]) -> None:
    """Every reader's score: side by side for a slide, a table for a microarray."""
    if len(scores) > 1 or scores[0].core:
        rows = [
            {"Core": one.core, "Score": _label(one.score)}
            | {_reader(reader.reader): _label(reader.score) for reader in one.readers}
            | {"Regions": one.assessable}
            for one in scores
        ]
        st.dataframe(rows, hide_index=True, width="stretch")
        return
    (score,) = scores
    grid = st.grid(2, min_column_width=100)
    grid.metric(
        "Middle reader",
        _label(score.score),
        border=True,
        help="The median of the scores of the networks and the stain measurement.",
    )
    for one in score.readers:
        counted = "cells" if one.reader == "stain" else "regions"
        shares = " · ".join(
            f"{label}: {100 * share:.0f}\u00a0%"
            for label, share in zip(CLASS_LABELS, one.shares or (), strict=False)
        )
        h_score = "" if one.h_score is None else f", H-score {one.h_score:.0f}"
        with grid.cell():
            st.metric(_reader(one.reader), _label(one.score), border=True, help=one.reason)
            st.caption(f"{one.n} {counted}{h_score}  \n{shares}")


def remarks(scores: tuple[SlideScore, ...]) -> list[str]:
    """What puts the scores in doubt; of a microarray with the cores it is said of."""
    cores: dict[str, list[str]] = {}
    for score in scores:
        for remark in score.remarks:
            cores.setdefault(remark, []).append(score.core)
    return [f"{', '.join(names)}: {said}" if any(names) else said for said, names in cores.items()]


def draw_slide(
    here: Services, slide: ShelfSlide, reading: SlideReading | None, hidden: bool
) -> None:
    """The slide, with a map of what is read of it; a click on a region opens it.

    Args:
        here: the services.
        slide: which.
        reading: what is read so far; None: nothing is.
        hidden: no map may give the verdicts away.
    """
    try:
        facts = here.slides.pictures.facts(slide.path)
    except SlideError as error:
        st.error(markdown_text(str(error)), icon=":material/error:")
        return
    layers: list[Layer] = []
    shown = reading if reading is not None and reading.regions and not hidden else None
    if shown is not None:
        kind = st.segmented_control(
            "Map",
            list(KINDS),
            default=GRADE,
            required=True,
            format_func=KINDS.__getitem__,
            key="slide_map",
            label_visibility="collapsed",
        )
        layers = [_layer(slide, shown, kind)]
    um = facts.um_per_pixel if plausible(facts.um_per_pixel) else None
    if reading is not None:
        um = reading.um_per_pixel
    estimated = reading is not None and reading.scale_source == "nuclei"
    corner = show_slide(slide.key, facts, um, layers, estimated=estimated)
    if shown is None:
        return
    st.caption("A click opens a region on the Review page.")
    one = next((one for one in shown.regions if (one.region.x, one.region.y) == corner), None)
    if one is not None:
        _open(here, slide, shown, one)


def _layer(slide: ShelfSlide, reading: SlideReading, kind: str) -> Layer:
    """The regions in the colours of one kind of map."""
    swatches = [(css(colour), meaning) for meaning, colour in legend(kind)]
    return Layer(
        "regions",
        f"Regions: {KINDS[kind]}",
        regions_path(slide.key, kind, len(reading.regions)),
        None,
        Legend(swatches=swatches),
        shown=True,
        opacity=_OPACITY,
    )


def draw_hottest(
    here: Services, slide: ShelfSlide, reading: SlideReading, scores: tuple[SlideScore, ...]
) -> None:
    """The regions that weigh most, as pictures with a way to the Review page."""
    hottest = [one for score in scores for one in score.hottest]
    hottest = sorted(hottest, key=lambda one: -one.mean_grade)[:6]
    if not hottest:
        return
    st.subheader("Hottest regions", anchor=False)
    grid = st.grid(6, min_column_width=130)
    for number, one in enumerate(hottest):
        with grid.cell():
            try:
                picture = here.slides.pictures.region(slide.path, reading, one.region)
            except SlideError as error:
                st.caption(markdown_text(str(error)))
                continue
            st.image(picture, width="stretch")
            st.caption("  \n".join(map(markdown_text, words(one))))
            if st.button("Open", key=f"hot-{number}", icon=":material/biotech:"):
                _open(here, slide, reading, one)


def _open(here: Services, slide: ShelfSlide, reading: SlideReading, one: RegionReading) -> None:
    """Take a region into the worklist as a patch and open it; its verdicts were shown here."""
    session.desk(here.store).require(Permission.TAKE_IN)
    try:
        file = here.slides.pictures.region_file(slide.path, reading, one.region)
    except SlideError as error:
        st.error(markdown_text(str(error)), icon=":material/error:")
        return
    taken = here.take_in(*file)
    if taken.sha256 is None:
        st.error(markdown_text(taken.message), icon=":material/error:")
        return
    exposure.mark(here, [taken.sha256])
    navigation.to_review(taken.sha256)


def offer_downloads(
    here: Services, slide: ShelfSlide, reading: SlideReading, scores: tuple[SlideScore, ...]
) -> None:
    """Scores as a table; regions and reviews of the slide for QuPath."""
    desk = session.desk(here.store)
    if not desk.may(Permission.EXPORT):
        return
    named = st.checkbox("Include the file's name (it may identify a patient)", key="slide_named")
    with st.container(horizontal=True):
        st.download_button(
            "GeoJSON for QuPath",
            partial(_geojson, desk, exposure.log(here), slide, reading),
            "regions.geojson",
            "application/geo+json",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "Scores as CSV",
            partial(_table, desk, reading, scores, named=named),
            "slides.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )


def _table(
    desk: Desk, reading: SlideReading, scores: tuple[SlideScore, ...], *, named: bool
) -> bytes:
    """Made when it is asked for, once the audit says who took it."""
    desk.note_export("CSV of a slide", len(scores))
    columns = slide_columns(tuple(ARCHITECTURES))
    rows = [score_row(reading, one) | ({} if named else {"slide": ""}) for one in scores]
    return csv_table([columns, *([row.get(name) for name in columns] for row in rows)])


def _geojson(desk: Desk, log: ReviewLog, slide: ShelfSlide, reading: SlideReading) -> bytes:
    """Made when it is asked for, once the audit says who took the reviews."""
    found, _ = log.everything(ReviewFilter(text=slide.path.stem))
    reviews = [one for one in found if one.patch.origin and one.patch.origin.slide == slide.name]
    desk.note_export("GeoJSON", len(reviews))
    return written((*region_shapes(reading), *review_shapes(reading, reviews)))


def _label(score: HER2Score | None) -> str:
    return "no score" if score is None else score.label


def _reader(name: str) -> str:
    return "Stain measurement" if name == "stain" else model_name(name)
