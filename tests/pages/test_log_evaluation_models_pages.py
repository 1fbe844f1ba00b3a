"""Review log, Evaluation and Models as a reviewer meets them, over a real store and bundles."""

from __future__ import annotations

import io
import json
import shutil
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Element

from her2core.charts.words import figure_text
from her2core.evaluation.comparisons import current_reviews, model_with_reviewers
from her2core.models.architectures import ARCHITECTURES
from her2core.models.bundles.card import ModelCard
from her2core.models.bundles.registry import CHOICE_FILE, choose
from her2core.models.verdict import Verdict
from her2core.preprocessing.image_store import ImageStore
from her2core.preprocessing.patches import Patch
from her2core.reviews.backup import backup
from her2core.reviews.log_columns import LogColumns
from her2core.reviews.records import PatchRecord, ReviewDraft, ReviewFilter
from her2core.reviews.store import ReviewStore
from her2core.scores import HER2Score
from her2core.serving import recorded_maps
from her2core.serving.reading_queue import ReadingQueue
from her2core.serving.services import Services
from her2core.serving.workbench import Workbench
from her2core.settings import PROJECT_ROOT, SHIPPED_DATA, Settings
from her2core.stain.reading import StainReading
from her2core.xai.fidelity_report import (
    FidelityReport,
    Measured,
    MethodFidelity,
    ModelFidelity,
)
from pages.models_parts import model_cards
from tests.page_server import layer_titles, scene_of, serve
from tests.review_samples import tamper
from tests.tiny_bundles import a_patch, bundle_root

ROOT = PROJECT_ROOT
LOG, EVALUATION, MODELS = "review_log.py", "evaluation.py", "models.py"
FROM_REVIEWS = {"evaluation_tab": "Agreement from reviews"}
COMMENT = "<script>alert(1)</script> **crush** artefact\nsecond line"
HOSTILE_NAME = "=cmd|'/c calc'!A1 <img src=x onerror=alert(1)>.png"


def services_of(home: Path, *bundle_dirs: Path) -> Services:
    """What a server with this workspace and these bundle folders holds; nothing loaded yet."""
    home.mkdir(parents=True)
    chosen = Settings(home, f"sqlite:///{home / 'reviews.sqlite3'}", bundle_dirs)
    workbench, store = Workbench(chosen), ReviewStore(chosen.database_url)
    images = ImageStore(chosen.image_dir)
    return Services(chosen, workbench, store, images, ReadingQueue(workbench, images, store))


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A server with both models, four patches and six entries, the models' verdicts real."""
    folder = tmp_path_factory.mktemp("log")
    bundles = folder / "bundles"
    shutil.copytree(bundle_root(), bundles)
    (bundles / "torn").mkdir()
    (bundles / "torn" / "card.json").write_text("{")
    made = services_of(folder / "home", bundles, folder / "home" / "bundles")
    made.workbench.wait()
    seed(made)
    yield made
    # TensorFlow must not be compiling any more when the interpreter ends.
    for thread in threading.enumerate():
        if thread.name == "models":
            thread.join(timeout=300)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, seeded: Services, tmp_path: Path) -> Iterator[Services]:
    """The seeded server with a copy of its database: what was shown to whom is never deleted."""
    copy = f"sqlite:///{tmp_path / 'copy.sqlite3'}"
    backup(seeded.settings.database_url, tmp_path / "copy.sqlite3")
    store = ReviewStore(copy)
    settings = replace(seeded.settings, database_url=copy)
    yield serve(monkeypatch, replace(seeded, store=store, settings=settings))
    store.close()


def seed(here: Services) -> None:
    """Ada reads four patches (one twice: a correction), Bo one of them blind."""
    when = datetime(2026, 3, 1, tzinfo=UTC)
    for number in range(4):
        patch = a_patch(number)
        name = HOSTILE_NAME if number == 0 else f"case-{number}.png"
        here.images.put(patch)
        here.store.add_patch(PatchRecord(patch.sha256, name, patch.width, patch.height, when))
        verdicts = here.workbench.verdicts(patch)
        if number == 3:  # read by a model which is not there any more
            old = Verdict("cnn", "cnn-000000000000", (0.1, 0.1, 0.1, 0.7), demo=False)
            verdicts = (old, verdicts[1])
        here.store.record_verdicts(patch.sha256, patch.square, verdicts)
        draft = ReviewDraft(
            patch_sha256=patch.sha256,
            square=patch.square,
            reviewer="Ada",
            verdicts=verdicts,
            agrees={v.architecture: v.score == HER2Score(number) for v in verdicts},
            own_score=HER2Score(number),
            confidence="medium",
            comment=COMMENT if number == 0 else "",
            seconds=8.0,
        )
        saved = here.store.save_review(draft)
        if number == 1:
            second = replace(draft, own_score=HER2Score.TWO_PLUS, supersedes=saved.id)
            here.store.save_review(second)
        if number == 2:
            unasked = {v.architecture: None for v in verdicts}
            here.store.save_review(replace(draft, reviewer="Bo", blind=True, agrees=unasked))


def opened(page: str, **state: object) -> AppTest:
    """A page of the app, opened in a fresh session."""
    app = AppTest.from_file(str(ROOT / "pages" / "main.py"), default_timeout=120)
    for name, value in state.items():
        app.session_state[name] = value
    return rerun(app.switch_page(page))


def rerun(changed: AppTest | Element) -> AppTest:
    """Run the app with what was changed in it or in one of its widgets."""
    app = changed.run()
    assert not app.exception, app.exception
    return app


def entries(app: AppTest) -> list[int]:
    """The numbers in the log table."""
    return list(app.dataframe[0].value["Entry"])


def by_key(elements: Any, key: str):
    return next(element for element in elements if element.key == key)


def shown_text(app: AppTest) -> str:
    """All that is written on the page."""
    parts = [*app.markdown, *app.caption, *app.text, *app.info, *app.warning, *app.error]
    return "\n".join(str(part.value) for part in parts)


# ---- review log ---------------------------------------------------------------------------------


def test_log_lists_current_entries_newest_first(here):
    app = opened(LOG)
    assert entries(app) == [6, 5, 4, 3, 1]
    assert entries(app) == sorted(entries(app), reverse=True)
    assert "Log intact: 6 entries" in shown_text(app)


def test_the_times_of_the_log_say_their_zone(here):
    assert "Recorded (UTC)" in opened(LOG).dataframe[0].proto.columns


def test_a_table_has_no_download_of_its_own_and_its_text_is_inert(here):
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["client"]["disableDataExport"] is True
    app = opened(LOG)
    files = [str(name) for name in app.dataframe[0].value["File"]]
    assert any(name.startswith("'=cmd") for name in files)
    assert not any(name.startswith("=") for name in files)
    names = opened("worklist.py").dataframe[0].value["Patch"]
    assert sum(str(name).startswith("'=cmd") for name in names) == 1


def entries_of(here: Services, wanted: ReviewFilter) -> list[int]:
    return [review.id for review in here.store.reviews(wanted)]


def test_corrected_entries_appear_when_asked_for(here):
    app = opened(LOG)
    before = entries(app)
    rerun(app.checkbox(key="log_corrected-0").check())
    assert set(entries(app)) - set(before) == {2}
    assert list(app.dataframe[0].value)[:2] == ["Entry", "Correction"]
    assert "corrected by 3" in list(app.dataframe[0].value["Correction"])


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("log_text-0", "CRUSH", ReviewFilter(text="crush")),
        ("log_reviewers-0", ["Bo"], ReviewFilter(reviewers=("Bo",))),
        ("log_scores-0", [HER2Score.TWO_PLUS], ReviewFilter(scores=(HER2Score.TWO_PLUS,))),
        ("log_agreement-0", "Differs from a model", ReviewFilter(agreement="disagrees")),
        ("log_gaps-0", [0], ReviewFilter(model_gap=(0,))),
    ],
)
def test_filters_narrow_the_log(here, key, value, wanted):
    app = opened(LOG, **{key: value})
    expected = entries_of(here, wanted)
    if expected:
        assert entries(app) == expected
    else:
        assert "No entry fits these filters." in shown_text(app)


def opened_on(day: date) -> AppTest:
    return opened(LOG, **{"log_days-0": (day, day)})


def test_filters_by_day(here):
    today = datetime.now(UTC).date()
    assert entries(opened_on(today)) == entries_of(here, ReviewFilter())
    app = opened_on(today.replace(year=today.year - 1, day=1))
    assert "No entry fits these filters." in shown_text(app)
    rerun(by_key(app.button, "log_clear").click())
    assert entries(app) == entries_of(here, ReviewFilter())


def test_a_cleared_filter_does_not_come_back_with_what_the_browser_kept(here):
    app = opened(LOG, **{"log_text-0": "no such text"})
    old = {one.key: one.id for one in (*app.text_input, *app.multiselect, *app.button_group)}
    rerun(by_key(app.button, "log_clear").click())
    new = {one.id for one in (*app.text_input, *app.multiselect, *app.button_group)}
    assert not new & set(old.values())
    # a closed popover's widgets hand in their old values under their old names
    app.session_state["log_text-0"] = "no such text"
    rerun(app)
    assert entries(app) == entries_of(here, ReviewFilter())


def test_an_opened_row_shows_image_verdicts_and_inert_comment(here):
    app = opened(LOG)
    row = entries(app).index(1)
    app.session_state[app.dataframe[0].key] = {
        "selection": {"rows": [row], "columns": [], "cells": []}
    }
    rerun(app)

    assert [head.value for head in app.subheader] == ["Entry 1"]
    assert scene_of(app)["image"]
    assert len(app.get("plotly_chart")) == 1
    assert "<script>alert(1)</script> **crush** artefact\nsecond line" in [
        text.value for text in app.text
    ]
    for words in (*app.markdown, *app.caption):
        assert "<script" not in words.value
        assert "<img" not in words.value


def test_an_entry_is_reached_by_its_address_and_shows_its_corrections(here):
    app = opened(LOG)
    app.query_params["review"] = "3"
    rerun(app)
    assert [head.value for head in app.subheader] == ["Entry 3"]
    history = app.dataframe[1].value
    assert list(history["Entry"]) == [2, 3]
    assert list(history["Own score"]) == ["1+", "2+"]


def test_networks_that_agree_where_there_is_no_tumour_are_no_agreement_in_the_log(here):
    patch = a_patch(0)
    unstained = tuple(
        Verdict(name, f"{name}-000000000000", (0.9, 0.1, 0.0, 0.0), demo=False)
        for name in ARCHITECTURES
    )
    empty = StainReading("stain-6", (0, 0, 0, 0), None, "Too few cells.", um_per_pixel=0.4)
    draft = ReviewDraft(
        patch_sha256=patch.sha256,
        square=patch.square,
        reviewer="Cy",
        verdicts=unstained,
        agrees=dict.fromkeys(ARCHITECTURES),
        own_score=HER2Score.ZERO,
        confidence="medium",
        comment="",
        stain=empty,
    )
    saved = here.store.save_review(draft)
    app = opened(LOG)
    app.query_params["review"] = str(saved.id)
    rerun(app)
    assert any("Not assessable" in one.value for one in app.warning)
    assert "The models agree" not in shown_text(app)


def test_maps_come_on_request_from_the_recorded_model(here):
    app = opened(LOG)
    app.query_params["review"] = "1"
    rerun(app)
    app.session_state["log_overlay_1"] = "grad_cam"
    rerun(app)
    assert len(layer_titles(app)) == 4
    assert "cannot" in shown_text(app)
    assert "not checked for this bundle" in shown_text(app)


def test_another_model_never_explains_a_recorded_verdict(here):
    app = opened(LOG)
    app.query_params["review"] = "6"
    rerun(app)
    app.session_state["log_overlay_6"] = "grad_cam"
    rerun(app)
    assert len(layer_titles(app)) == 2
    (said,) = [info.value for info in app.info if "would not" in info.value]
    assert "000000000000" in said


def test_zip_is_built_when_asked_and_names_no_file_unasked(here):
    app = opened(LOG, **{"log_text-0": "crush"})
    rerun(by_key(app.button, "log_zip_prepare").click())

    _, data = app.session_state["log_zip"]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        manifest = json.loads(archive.read("manifest.json"))
        text = b"".join(archive.read(n) for n in names if n.endswith((".csv", ".json")))
    sha256 = here.store.review(1).patch.sha256
    assert f"patches/{sha256}.png" in names
    assert {f"overlays/1_{a}_{m}.png" for a in ARCHITECTURES for m in ("grad_cam", "shap")} <= {
        *names
    }
    assert b"onerror" not in text
    assert manifest["filter"]["text"] == "(left out)"
    assert manifest["missing"] == []
    assert {card["model_id"] for card in manifest["models"]} == {
        card.model_id for card in here.workbench.cards().values()
    }
    assert "log_export_zip" in [button.key for button in app.download_button]

    # Another choice of rows is another export, and so is another filter that chooses the same.
    ready = app.session_state["log_zip"]
    for words, shown, same in (
        ("artefact", [1], False),
        ("", [6, 5, 4, 3, 1], False),
        ("crush", [1], True),
    ):
        app.session_state["log_zip"] = ready
        rerun(app.text_input(key="log_text-0").set_value(words))
        assert entries(app) == shown
        assert ("log_export_zip" in [one.key for one in app.download_button]) is same


def test_an_exported_map_carries_the_warning_that_the_page_shows(here, monkeypatch):
    written: dict[str, list[str]] = {}

    def annotated(picture, title, verdicts, warnings):
        written[title[1].split(" ")[0]] = list(warnings)
        return picture

    monkeypatch.setattr(recorded_maps, "annotate", annotated)
    model_id = here.workbench.cards()["densenet121"].model_id
    shap = MethodFidelity("shap", {"randomised": Measured(0.9, 0.8, 1.0, 9)}, (), ())
    grad_cam = MethodFidelity("grad_cam", {"randomised": Measured(0.0, 0.0, 0.0, 9)}, (), ())
    checked = FidelityReport("", "", (ModelFidelity(model_id, (shap, grad_cam)),))
    review = here.store.review(6)
    patch = here.images.load(review.patch.sha256, "p.png").with_square(review.square)
    with pytest.raises(recorded_maps.OtherModelLoadedError):  # of the CNN, which is another now
        list(
            recorded_maps.exported_overlays(
                here.workbench, review, patch, include_name=False, checked=checked
            )
        )
    assert written["Grad-CAM"] == []
    (warning,) = written["SHAP"]
    assert warning == f"Warning: {checked.warning(model_id, 'shap')}"
    assert "failed a check" in warning


def test_zip_says_which_overlays_could_not_be_made(here):
    app = opened(LOG, **{"log_text-0": here.store.review(6).patch.sha256})
    rerun(by_key(app.button, "log_zip_prepare").click())
    _, data = app.session_state["log_zip"]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        names = archive.namelist()
    assert "overlays/6_densenet121_shap.png" in names
    assert "overlays/6_cnn_shap.png" not in names
    assert [missing["review_id"] for missing in manifest["missing"]] == [6]


def test_file_names_are_exported_only_on_purpose(here):
    app = opened(LOG)
    box = app.checkbox(key="log_include_names")
    assert box.value is False
    assert "may identify patients" in box.label


def test_a_blind_reviewer_sees_no_entry_of_a_patch_still_to_be_read(here):
    app = opened(LOG, reviewer="Bo", blind=True)
    own = here.store.reviews(ReviewFilter(reviewers=("Bo",)))
    known = {review.patch.sha256 for review in own}
    expected = [r.id for r in here.store.reviews() if r.patch.sha256 in known]
    assert entries(app) == expected
    assert "stay hidden" in shown_text(app)


def test_no_filter_tells_a_blind_reviewer_what_the_hidden_entries_hold(here):
    def hidden(**filters: object) -> str:
        app = opened(LOG, reviewer="Bo", blind=True, **filters)
        return next(one.value for one in app.caption if "Blind mode" in one.value)

    without = hidden()
    assert "3 entries of patches" in without
    for filters in (
        {"log_scores-0": [HER2Score.ZERO]},
        {"log_scores-0": [HER2Score.THREE_PLUS]},
        {"log_text-0": "crush"},
        {"log_text-0": "no such text"},
        {"log_gaps-0": [3]},
        {"log_agreement-0": "Differs from a model"},
        {"log_reviewers-0": ["Ada"]},
        {"log_corrected-0": True},
    ):
        assert hidden(**filters) == without, filters
    app = opened(LOG, reviewer="Bo", blind=True, **{"log_text-0": "no such text"})
    assert "No entry fits these filters" in shown_text(app)
    assert "No entry fits" not in shown_text(opened(LOG, reviewer="Cy", blind=True))


def test_what_the_log_showed_is_not_blind_any_more_at_any_server(here):
    opened(LOG, reviewer="Cy")
    keys = [patch.sha256 for patch in here.store.patches()]
    with closing(ReviewStore(here.settings.database_url)) as other:
        assert other.showings.seen("Cy", keys) == set(keys)


# ---- evaluation ---------------------------------------------------------------------------------


def figures(reviews: LogColumns, architecture: str) -> list[str]:
    report = model_with_reviewers(reviews, architecture)
    return [
        figure_text(report.exact, as_percent=True),
        figure_text(report.within_one, as_percent=True),
        figure_text(report.kappa, digits=2),
    ]


def test_evaluation_shows_the_agreement_of_the_current_reviews(here):
    app = opened(EVALUATION, **FROM_REVIEWS, evaluation_version_cnn="All versions pooled")
    table = app.dataframe[0].value
    reviews = current_reviews(here.store.columns.now())

    columns = ["Same score", "At most one grade apart", "Weighted kappa"]
    assert list(table["Pairs"]) == [5, 5, 4]
    assert list(table["Patches"]) == [4, 4, 4]
    assert list(table["Not assessable"]) == [0, 0, 0]
    assert list(table.loc[0, columns]) == figures(reviews, "cnn")
    assert list(table.loc[1, columns]) == figures(reviews, "densenet121")
    assert "Agreement is not accuracy" in shown_text(app)


def test_evaluation_keeps_versions_of_a_model_apart(here):
    app = opened(EVALUATION, **FROM_REVIEWS)
    version = app.selectbox(key="evaluation_version_cnn")
    assert version.options[0] == "cnn-000000000000"
    assert list(app.dataframe[0].value["Pairs"]) == [1, 5, 1]


def test_evaluation_tells_a_blind_reader_of_no_patch_still_to_be_read(here):
    app = opened(EVALUATION, **FROM_REVIEWS, reviewer="Bo", blind=True)
    # of patch 2, which Bo has read: two reviews; the other three are left out
    assert list(app.dataframe[0].value["Pairs"]) == [2, 2, 1]
    assert "3 entries of patches you have not reviewed are left out" in shown_text(app)
    unread = opened(EVALUATION, **FROM_REVIEWS, reviewer="Cy", blind=True)
    assert not unread.dataframe
    assert "5 entries of patches" in shown_text(unread)
    assert "No review is recorded yet" not in shown_text(unread)


def test_evaluation_narrows_to_blind_reviews(here):
    app = opened(EVALUATION, **FROM_REVIEWS, evaluation_reading="Blind only")
    assert list(app.dataframe[0].value["Pairs"]) == [1, 1, 1]
    app = opened(
        EVALUATION,
        **FROM_REVIEWS,
        evaluation_reviewers=["Ada"],
        evaluation_reading="Blind only",
    )
    assert "No review fits these filters" in shown_text(app)


def test_evaluation_shows_reviewers_with_each_other_and_drift(here):
    app = opened(EVALUATION, **FROM_REVIEWS)
    text = shown_text(app)
    assert "of 2 reviewers over 1 patch that two or more scored" in text
    rerun(app.segmented_control(key="evaluation_period").set_value("By week"))
    assert len(app.get("plotly_chart")) == 6  # differences, three confusions, kappa, drift


def test_evaluation_shows_what_the_cards_state(here):
    app = opened(EVALUATION, evaluation_tab="Model cards")
    assert "not say how the model does on your laboratory" in shown_text(app)
    card_tables = [frame.value for frame in app.dataframe if "95 % interval" in frame.value]
    assert [list(table["n"]) for table in card_tables] == [[4], [4]]


# ---- models -------------------------------------------------------------------------------------


def test_models_page_shows_each_card_in_plain_words(here):
    app = opened(MODELS)
    text = shown_text(app)
    assert "19\\,265\\,348 parameters" in text
    assert text.count("Demonstration model") == 2
    assert text.count("verified]") == 2
    assert "random weights" in text
    assert [list(frame.value["95 % interval"]) for frame in app.dataframe] == [
        ["0.200 to 0.300"],
        ["0.200 to 0.300"],
    ]


def test_figures_stand_under_what_they_are_of_and_cores_say_which_crops(here, monkeypatch):
    assert "Measured on **nothing**" in shown_text(opened(MODELS))
    shipped = ModelCard.read(SHIPPED_DATA / "bundles" / "cnn-demo" / "card.json")
    drawn = model_cards.metrics
    monkeypatch.setattr(model_cards, "metrics", lambda _, key: drawn(shipped, key=key))
    app = opened(MODELS)
    assert "83 to 100 crops a core, drawn for this card alone" in shown_text(app)
    tables = [frame.value for frame in app.dataframe][:3]
    assert [len(table) for table in tables] == [13, 2, 24]
    assert list(tables[1]["Figure"]) == ["cores exact", "cores within one grade"]
    assert tables[2].columns[0] == "Measured on"


def test_a_broken_bundle_is_named_with_its_reason(here):
    warnings = "\n".join(warning.value for warning in opened(MODELS).warning)
    assert "torn" in warnings
    assert "not valid JSON" in warnings


def test_another_bundle_is_put_in_use(here, tmp_path):
    own = here.settings.home / "bundles" / "own"
    shutil.copytree(bundle_root() / "cnn", own)
    card = replace(ModelCard.read(own / "card.json"), name="<b>Own</b>", demo=False)
    (own / "card.json").write_text(card.to_json())
    try:
        app = opened(MODELS)
        (button,) = [button for button in app.button if button.label == "Use this CNN"]
        rerun(button.click())
        assert here.workbench.cards()["cnn"].name == "<b>Own</b>"
        assert "<b>" not in shown_text(app)
        assert shown_text(app).count("Demonstration model") == 2  # the demo is listed, not in use
        (back,) = [button for button in app.button if button.label == "Use this CNN"]
        rerun(back.click())
        assert here.workbench.cards()["cnn"].demo
    finally:
        shutil.rmtree(own)


def test_in_use_is_what_the_server_has_loaded_whatever_it_would_load_next(here):
    root = here.settings.bundle_dirs[0]
    shutil.copytree(root / "cnn", root / "another")
    card = json.loads((root / "another" / "card.json").read_text())
    (root / "another" / "card.json").write_text(json.dumps(card | {"date": "2000-01-01"}))
    choices = here.settings.home / CHOICE_FILE
    before = choices.read_bytes() if choices.exists() else None
    choose(here.settings, "cnn", root / "another")  # as by another server of this home
    try:
        app = opened(MODELS)
        text = shown_text(app)
        assert text.count("check: in use]") == 2
        assert text.count("at the next start") == 1, "a restart will change the reader"
        assert text.count("verified]") == 2
        assert text.count("not loaded]") == 1
        (button,) = [button for button in app.button if button.label == "Use this CNN"]
        assert not button.disabled
    finally:
        shutil.rmtree(root / "another")
        choices.unlink()
        if before is not None:
            choices.write_bytes(before)


# ---- nothing there yet, or not right -------------------------------------------------------------


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Services:
    """A server without models and reviews."""
    made = services_of(tmp_path / "home", tmp_path / "home" / "bundles")
    made.workbench.wait()
    return serve(monkeypatch, made)


def test_empty_pages_say_what_to_do_next(bare):
    assert "No review is recorded yet" in shown_text(opened(LOG))
    evaluation = shown_text(opened(EVALUATION, **FROM_REVIEWS))
    assert "No review is recorded yet" in evaluation
    cards = shown_text(opened(EVALUATION, evaluation_tab="Model cards"))
    assert "No model bundle was found" in cards
    models = opened(MODELS)
    assert "No CNN bundle was found" in shown_text(models)
    assert str(bare.settings.home / "bundles") in models.code[0].value


def answered(patch: Patch) -> ReviewDraft:
    """Ada's 1+, without verdicts."""
    return ReviewDraft(
        patch_sha256=patch.sha256,
        square=patch.square,
        reviewer="Ada",
        verdicts=(),
        agrees={},
        own_score=HER2Score.ONE_PLUS,
        confidence="low",
    )


def test_a_log_changed_from_outside_is_said_aloud(bare, tmp_path):
    patch = a_patch(1)
    bare.store.add_patch(
        PatchRecord(patch.sha256, "x.png", patch.width, patch.height, datetime.now(UTC))
    )
    bare.store.save_review(answered(patch))
    assert "Log intact: 1 entry" in shown_text(opened(LOG))

    tamper(tmp_path, "UPDATE review SET own_score = 3")
    st.cache_data.clear()
    app = opened(LOG)
    assert "changed outside this program" in app.error[0].value
    assert "intact" not in shown_text(app)


def test_a_lost_image_does_not_hide_its_entry(bare):
    patch = a_patch(1)
    bare.store.add_patch(
        PatchRecord(patch.sha256, "x.png", patch.width, patch.height, datetime.now(UTC))
    )
    bare.store.save_review(answered(patch))
    app = opened(LOG)
    app.query_params["review"] = "1"
    rerun(app)
    assert "missing" in app.warning[0].value
    assert "No verdict was recorded" in shown_text(app)
