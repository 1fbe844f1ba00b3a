"""The reviewer's maps: which, of what, drawn how, on what tissue, and whether to be believed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from her2core.preprocessing.image_store import ImageStore
from her2core.preprocessing.patches import Patch
from her2core.reviews.store import ReviewStore
from her2core.scores import HER2Score
from her2core.serving.reading_queue import ReadingQueue
from her2core.serving.services import Services
from her2core.serving.workbench import Workbench
from her2core.settings import Settings
from her2core.xai.fidelity_report import FidelityReport, Measured, MethodFidelity, ModelFidelity
from her2core.xai.methods import CLASS_ACTIVATION, METHODS
from tests.page_server import scene_of
from tests.tiny_bundles import a_patch, bundle_root

GOOD = Measured(0.9, 0.8, 1.0, 9)
UNRELATED = Measured(0.0, -0.1, 0.1, 9)


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """The CNN alone, without SHAP."""
    home = tmp_path_factory.mktemp("models")
    loaded = Workbench(Settings(home, "sqlite://", (bundle_root(),)), ["cnn"], maps=False)
    assert loaded.wait().ready == ("cnn",)
    return loaded


@pytest.fixture
def here(workbench: Workbench, tmp_path: Path) -> Iterator[Services]:
    """A server with the CNN, where no bundle has been checked."""
    chosen = Settings(
        tmp_path,
        f"sqlite:///{tmp_path / 'reviews.sqlite3'}",
        (bundle_root(),),
        fidelity_file=tmp_path / "explanations.json",
    )
    store, images = ReviewStore(chosen.database_url), ImageStore(chosen.image_dir)
    st.cache_data.clear()
    yield Services(chosen, workbench, store, images, ReadingQueue(workbench, images, store))
    store.close()


def opened(here: Services, patch: Patch, **state: object) -> AppTest:
    """The viewer alone, with these choices made."""

    def page(here, patch, hidden):  # runs as a script of its own
        from pages.review_parts import viewer

        verdicts = here.workbench.verdicts(patch)
        viewer.draw(here, patch, verdicts, hidden=hidden, stain=True, movable=True)

    app = AppTest.from_function(
        page, args=(here, patch, bool(state.pop("hidden", False))), default_timeout=60
    )
    for name, value in state.items():
        app.session_state[name] = value
    return settled(app)


def settled(app: AppTest) -> AppTest:
    """Run, wait for the maps asked for, and draw them."""
    app.run()
    if "maps" in app.session_state:
        for asked in app.session_state["maps"].values():
            asked.future.result(60)
        app.run()
    assert not app.exception, app.exception
    return app


def captions(app: AppTest) -> str:
    return "\n".join(one.value for one in app.caption).replace("\\", "")


def control(app: AppTest, key: str):
    return next(one for one in app.button_group if one.key == key)


def report(here: Services, method: str, **figures: Measured) -> None:
    """Let the benchmark have found these figures for the CNN in use."""
    found = MethodFidelity(method, figures, (1.0, 0.0), (0.0, 1.0))
    model_id = here.workbench.cards()["cnn"].model_id
    FidelityReport("patches", "2026-01-01", (ModelFidelity(model_id, (found,)),)).write(
        here.settings.fidelity_file
    )


def other_than(score: HER2Score) -> HER2Score:
    return HER2Score.THREE_PLUS if score < HER2Score.THREE_PLUS else HER2Score.TWO_PLUS


def test_the_map_comes_with_a_legend_a_reading_and_where_it_lies(here):
    patch = a_patch(1)
    (verdict,) = here.workbench.verdicts(patch)
    app = opened(here, patch, overlay="grad_cam")
    said = captions(app)
    assert f"CNN, Grad-CAM for {verdict.score.label}" in said
    layers = scene_of(app)["layers"]
    heat, contours = layers[:2]
    assert heat["title"] == f"CNN, Grad-CAM for {verdict.score.label}"
    assert heat["shown"]
    assert not contours["shown"]
    assert heat["legend"]["high"] == "most weight for the class"
    assert [layer["name"] for layer in layers[2:]] == ["membrane", "cells"]
    explanation = here.workbench.explain(patch, "cnn", "grad_cam", verdict.score)
    if explanation.scale > 0:
        assert "On stained membrane" in said
    assert "not checked for this bundle" in said


def test_why_not_another_class_is_a_map_of_the_difference(here):
    patch = a_patch(2)
    (verdict,) = here.workbench.verdicts(patch)
    other = other_than(verdict.score)
    app = opened(here, patch, overlay="grad_cam")
    control(app, "against").set_value(other)
    said = captions(settled(app))
    assert f"CNN, Grad-CAM for {verdict.score.label}, not {other.label}" in said
    legend = scene_of(app)["layers"][0]["legend"]
    assert (legend["low"], legend["high"]) == (f"for {other.label}", f"for {verdict.score.label}")
    assert scene_of(app)["layers"][0]["grey"]
    assert f"rather than {other.label}" in said
    # the class itself is no contrast: its own map stays
    control(app, "against").set_value(verdict.score)
    said = captions(settled(app))
    assert f"CNN, Grad-CAM for {verdict.score.label}" in said
    assert "rather than" not in said
    assert f"asks nothing of CNN: {verdict.score.label} is the class explained" in said
    assert scene_of(app)["layers"][0]["legend"]["high"] == "most weight for the class"


@pytest.mark.parametrize(
    ("activation", "title", "contrasts"),
    [(name, METHODS[name].title, METHODS[name].contrasts) for name in CLASS_ACTIVATION[1:]],
)
def test_the_other_methods_are_an_option_and_contrast_where_they_can(
    here, activation, title, contrasts
):
    app = opened(here, a_patch(1), overlay="grad_cam", activation=activation)
    assert f"CNN, {title} for" in captions(app)
    assert control(app, "against").disabled != contrasts
    assert app.radio[0].value == activation


def test_a_failed_check_is_told_beside_the_map_and_a_passed_one_is_not(here):
    patch = a_patch(1)
    report(here, "grad_cam", shift=GOOD, jpeg=GOOD, randomised=UNRELATED)
    said = captions(opened(here, patch, overlay="grad_cam"))
    assert "failed a check" not in said
    assert "not checked" not in said
    report(here, "grad_cam", shift=GOOD, jpeg=GOOD, randomised=GOOD)
    said = captions(opened(here, patch, overlay="grad_cam"))
    assert "failed a check on this bundle" in said
    assert "random weights" in said


def test_without_an_overlay_there_is_nothing_to_ask_but_the_image_has_its_place(here):
    """The controls above the image are there whatever is chosen, so that it never moves."""
    app = opened(here, a_patch(1))
    assert control(app, "target").disabled
    assert control(app, "against").disabled
    app = opened(here, a_patch(1), overlay="grad_cam")
    assert not control(app, "target").disabled
    assert not control(app, "against").disabled


def test_blind_there_is_no_way_to_a_map(here):
    app = opened(here, a_patch(1), overlay="grad_cam", hidden=True)
    assert not app.button_group
    assert not app.button
    assert not app.caption
    scene = scene_of(app)
    assert scene["layers"] == scene["parts"] == scene["beside"] == []


def test_the_models_page_shows_the_figures_of_a_bundle_or_that_there_are_none(here):
    def page(here, model_id):  # runs as a script of its own
        from pages.models_parts import map_fidelity

        map_fidelity.draw(here, model_id, key="one")

    model_id = here.workbench.cards()["cnn"].model_id
    app = AppTest.from_function(page, args=(here, model_id), default_timeout=60).run()
    assert "not checked for this bundle" in captions(app)
    good = {"gain_over_random": GOOD, "randomised": UNRELATED, "shift": GOOD, "jpeg": GOOD}
    report(here, "shap", **good, mass_over_area=replace(GOOD, low=0.9))
    app = AppTest.from_function(page, args=(here, model_id), default_timeout=60).run()
    assert not app.exception, app.exception
    assert "0 of 1 methods pass every check" in app.expander[0].label
    (row,) = app.dataframe[0].value.to_dict("records")
    assert row["Method"] == "SHAP"
    assert row["Checks"] == "fails: on stained membranes"
    assert "no more than chance" in "\n".join(one.value for one in app.markdown)
