"""Review and Worklist as a reviewer meets them, with the real store, images and networks."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from sqlalchemy import and_
from streamlit.testing.v1 import AppTest

from her2core.people import visible, worklist
from her2core.people.worklist import Screen, Worklist
from her2core.preprocessing.image_store import MemoryImages
from her2core.preprocessing.patches import Patch, Square
from her2core.preprocessing.quality import assessment as quality
from her2core.reviews import cases
from her2core.reviews.records import Review, ReviewFilter
from her2core.reviews.state_tables import PatchStateRow
from her2core.reviews.store import ReviewStore, StoreError
from her2core.reviews.worklist import reader_gap, unfamiliar
from her2core.scores import RESEARCH_NOTICE, HER2Score
from her2core.serving.intake import take_in
from her2core.serving.reading_queue import ReadingQueue
from her2core.serving.services import Services
from her2core.serving.workbench import Workbench
from her2core.settings import PROJECT_ROOT, Settings
from pages.review_parts import viewer
from pages.shell import ui
from pages.viewer import component
from tests import hostile
from tests.page_server import (
    cards_of,
    cards_say,
    layer_titles,
    scene_of,
    serve,
    services_of,
    text_of,
)
from tests.tiny_bundles import bundle_root, classifier, noise, pixels
from tests.whole_worklist import whole_worklist

ROOT = PROJECT_ROOT
HIDDEN_CARD: tuple[list[str], str, str] = ([], "", "verdicts hidden")
HOSTILE = "<img src=x onerror=alert(1)>.png"


def png(seed: int, height: int = 224, width: int = 224) -> bytes:
    """A small PNG; each seed has its own pixels."""
    rgb = np.resize(noise(1, seed)[0], (height, width, 3))
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """Both networks, loaded once."""
    home = tmp_path_factory.mktemp("models")
    loaded = Workbench(Settings(home, "sqlite://", (bundle_root(),)))
    assert loaded.wait().ready == ("cnn", "densenet121")
    yield loaded
    # TensorFlow must not be compiling any more when the interpreter ends.
    for thread in threading.enumerate():
        if thread.name == "models":
            thread.join(timeout=300)


@pytest.fixture
def here(
    workbench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Services]:
    """The services of a server with an empty workspace."""
    settings = Settings(tmp_path, f"sqlite:///{tmp_path / 'reviews.sqlite3'}", (bundle_root(),))
    made = serve(monkeypatch, services_of(settings, workbench))
    yield made
    assert made.queue.wait(60)
    made.store.close()


@pytest.fixture
def app(here: Services) -> AppTest:
    """The application, not run yet."""
    return AppTest.from_file(str(ROOT / "pages" / "main.py"), default_timeout=60)


@pytest.fixture
def three(here: Services) -> list[str]:
    """Three patches taken in; their sha256 in order of arrival."""
    keys = []
    for seed in (1, 2, 3):
        taken = take_in(png(seed), f"p{seed}.png", here.images, here.store, here.settings.limits)
        keys.append(str(taken.sha256))
    return keys


def button(app: AppTest, label: str):
    """The first button with this label."""
    return next(one for one in app.button if one.label == label)


def labels(app: AppTest) -> list[str]:
    return [one.label for one in app.button]


def sign_in(app: AppTest, name: str = "Dr. Ada") -> AppTest:
    app.session_state["reviewer"] = name
    return app.run()


def reviews(here: Services) -> list[Review]:
    return here.store.reviews(ReviewFilter(include_superseded=True))


def import_statements(path: Path) -> list[str]:
    """The module's import statements, one a line."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        ast.unparse(node)
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom) and "__future__" not in ast.unparse(node)
    ]


# the first page ----------------------------------------------------------------------------------


def test_what_the_first_page_imports_loads_nothing_that_takes_its_time():
    imports = [
        line
        for path in (
            "app.py",
            "pages/main.py",
            *(f"pages/{name}.py" for name in ("review", "worklist")),
        )
        for line in import_statements(ROOT / path)
    ]
    heavy = (
        "{'tensorflow', 'keras', 'shap', 'openvino', 'matplotlib', 'sklearn', 'skimage',"
        " 'tifffile', 'imagecodecs', 'zxcvbn', 'xlsxwriter'}"
    )
    code = "\n".join(["import sys", *imports, f"print(sorted({heavy} & set(sys.modules)))"])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_drawing_pages_clears_nothing_of_keras_under_the_networks(app):
    import keras

    from her2core.xai.shap_values import ShapExplainer

    explainer = ShapExplainer(classifier("cnn"))
    before = explainer(pixels(1), HER2Score.TWO_PLUS, samples=4).heat
    first = keras.layers.Dense(1).name
    with keras.name_scope("being_built"):
        app.run()
        app.switch_page(ui.MODELS_PAGE).run()
    assert not app.exception
    assert keras.layers.Dense(1).name != first, "names begin anew where all is cleared"
    after = explainer(pixels(1), HER2Score.TWO_PLUS, samples=4).heat
    np.testing.assert_allclose(after, before, atol=1e-6)


def test_an_empty_workspace_says_what_this_is_and_how_to_begin(app):
    app.run()
    assert not app.exception
    assert "HER2 IHC" in text_of(app)
    assert RESEARCH_NOTICE in text_of(app)
    assert "Try a sample" in labels(app)
    assert app.file_uploader


def test_the_worklist_of_an_empty_workspace_tells_the_next_step(app):
    app.run()
    app.switch_page(ui.WORKLIST_PAGE).run()
    assert "Upload some on the Review page" in text_of(app)


@pytest.mark.parametrize(
    "page", [ui.REVIEW_LOG_PAGE, ui.EVALUATION_PAGE, ui.MODELS_PAGE], ids=lambda p: Path(p).stem
)
def test_every_other_page_can_be_opened_from_the_first(app, page):
    app.run()
    app.switch_page(page).run()
    assert not app.exception
    assert app.title[0].value == Path(page).stem.replace("_", " ").capitalize()


# uploading ---------------------------------------------------------------------------------------


def upload(app: AppTest, here: Services, files: list[tuple[str, bytes]]) -> AppTest:
    app.file_uploader[0].set_value([(name, data, "") for name, data in files])
    app.run()
    assert here.uploads.wait("", 60)
    return app.run()


def test_a_batch_with_bad_files_goes_on_and_says_what_was_wrong(app, here):
    app.run()
    upload(
        app,
        here,
        [
            ("good.png", png(1)),
            ("notes.png", b"this is no image"),
            ("empty %22a%22.tif", b""),  # as browsers send quotes
            ("again.png", png(1)),
            (HOSTILE, png(2)),
        ],
    )
    assert [patch.name for patch in here.store.patches()] == ["good.png", HOSTILE]
    said = "\n".join(str(one.value) for one in app.info)
    assert "2 patches taken in" in said
    assert "2 files could not be used" in said
    assert "same bytes" in said
    assert '“empty "a".tif”' in said.replace("\\", "")
    assert "Traceback" not in text_of(app)
    assert not app.exception


def test_a_hostile_name_is_shown_letter_by_letter_and_never_as_html(app, here):
    take_in(png(1), HOSTILE, here.images, here.store, here.settings.limits)
    app.run()
    said = text_of(app)
    assert "onerror" in said
    assert "<img" not in said.replace("\\<img", "")


def test_the_same_upload_is_not_taken_in_twice_when_the_page_is_drawn_again(app, here):
    app.run()
    upload(app, here, [("good.png", png(1))])
    assert "1 patch taken in." in text_of(app)
    first = here.store.patches()
    app.run()
    assert here.store.patches() == first
    assert "already" not in text_of(app)


def test_more_files_than_allowed_are_left_out_and_named(app, here, monkeypatch):
    limits = here.settings.limits
    fewer = replace(here, settings=replace(here.settings, limits=replace(limits, max_files=2)))
    monkeypatch.setattr(ui, "services", lambda: fewer)
    app.run()
    upload(app, fewer, [(f"{seed}.png", png(seed)) for seed in range(3)])
    assert len(here.store.patches()) == 2
    assert "1 file beyond the limit" in text_of(app)


# verdicts and answers ----------------------------------------------------------------------------


def test_a_warning_kept_by_an_earlier_version_is_told_once(app, here, monkeypatch):
    glass = np.full((448, 448, 3), 243, np.uint8)
    glass[:160, :192] = hostile.brown_patch(192, 160)
    monkeypatch.setattr(quality, "percent_text", lambda share: f"{share:.0%}")
    data = hostile.as_png(glass)
    take_in(data, "p.png", here.images, here.store, here.settings.limits)
    monkeypatch.undo()
    monkeypatch.setattr(ui, "services", lambda: here)
    (kept,) = here.store.patches()
    assert "% tissue" in kept.warnings[0].replace(" %", "")
    app.run()
    told = "".join(one.value for one in app.warning)
    assert told.count("mostly background") == 1
    assert " % tissue" in told.replace("\\", "")


def test_both_verdicts_stand_side_by_side(app, three, here):
    app.run()
    verdicts = here.workbench.verdicts(here.images.load(three[0], "p1.png"))
    assert cards_say(app) == [verdict.score.label for verdict in verdicts]
    said = text_of(app)
    assert "**CNN**" in said
    assert "**DenseNet121**" in said
    assert "[demo]" in said
    assert ("The models agree" in said) or ("The models differ" in said)
    for verdict in verdicts:
        # noise is no HER2 in brown DAB, so nothing is said to follow from its verdicts
        assert verdict.score.meaning not in said
    assert "**1 of 3** · 3 to review" in said


def test_agreeing_with_another_score_than_ones_own_is_asked_about_and_may_be_meant(
    app, three, here
):
    sign_in(app)
    cnn = here.workbench.verdicts(here.images.load(three[0], "p1.png"))[0].score
    other = HER2Score((int(cnn) + 1) % 4)
    button(app, other.label).click().run()
    assert not app.info
    button(app, "Agree").click().run()
    assert app.info[0].value.startswith(f"You score {other.label}, but agree with CNN’s")
    button(app, cnn.label).click().run()
    assert not app.info
    button(app, other.label).click().run()
    button(app, "Save").click().run()
    assert not reviews(here)
    assert any("but agree with CNN’s" in one.value for one in app.warning)
    assert not app.info, "it is said once"
    button(app, "Save").click().run()
    assert reviews(here)[0].agrees["cnn"] is True


def test_a_saved_answer_is_recorded_and_the_next_unreviewed_patch_comes_up(app, three, here):
    sign_in(app)
    cnn = here.workbench.verdicts(here.images.load(three[0], "p1.png"))[0].score
    same = cnn is HER2Score.TWO_PLUS
    button(app, "2+").click().run()
    button(app, "Agree" if same else "Disagree").click().run()
    button(app, "High").click().run()
    app.text_area[0].set_value("=1+1 <b>bold</b>").run()
    button(app, "Save").click().run()

    (review,) = reviews(here)
    assert review.patch.sha256 == three[0]
    assert review.reviewer == "Dr. Ada"
    assert review.own_score is HER2Score.TWO_PLUS
    assert review.confidence == "high"
    assert review.comment == "=1+1 <b>bold</b>"
    assert dict(review.agrees) == {"cnn": same, "densenet121": None}
    assert [verdict.architecture for verdict in review.verdicts] == ["cnn", "densenet121"]
    assert not review.blind
    assert review.stain is not None
    assert review.stain == here.stain.reading(here.images.load(three[0], "any name"))
    assert review.seconds > 0
    assert "Saved: 2" in text_of(app)
    assert app.query_params["patch"] == three[1]
    assert "**2 of 3** · 2 to review" in text_of(app)


def test_nothing_is_saved_without_a_name_and_the_answer_stays(app, three, here):
    earlier = AppTest.from_file(str(ROOT / "pages" / "main.py"), default_timeout=60)
    earlier.query_params["patch"] = three[1]
    sign_in(earlier)
    button(earlier, "1+").click().run()
    button(earlier, "Save").click().run()  # so that her name is among those to choose

    app.query_params["patch"] = three[0]
    app.run()
    button(app, "3+").click().run()
    assert not led_to_the_name(app)
    button(app, "Save").click().run()
    assert "Give your name" in text_of(app)
    assert led_to_the_name(app)
    app.selectbox(key="reviewer").select("Dr. Ada").run()
    assert "Give your name" not in text_of(app)
    assert not led_to_the_name(app)
    assert button(app, "3+").proto.type == "primary"
    button(app, "Save").click().run()
    scores = {review.patch.sha256: review.own_score for review in reviews(here)}
    assert scores == {three[0]: HER2Score.THREE_PLUS, three[1]: HER2Score.ONE_PLUS}, text_of(app)


def led_to_the_name(app: AppTest) -> bool:
    """Whether the browser is asked to bring the keyboard to the name field."""
    return any(one.proto.component_name == "her2_ask_name" for one in app.get("bidi_component"))


def test_when_the_store_fails_the_answer_is_kept_and_can_be_saved_later(
    app, three, here, monkeypatch
):
    sign_in(app)
    button(app, "1+").click().run()
    app.text_area[0].set_value("weak, apical").run()

    def refuse(*_: object, **__: object) -> Review:
        raise StoreError("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(here.store, "save_review", refuse)
        button(app, "Save").click().run()
        assert "Not saved" in "\n".join(one.value for one in app.warning)
        assert "Saved:" not in text_of(app)
        assert app.text_area[0].value == "weak, apical"
        assert button(app, "1+").proto.type == "primary"
    button(app, "Save").click().run()
    assert [review.comment for review in reviews(here)] == ["weak, apical"]


def test_a_draft_waits_while_the_reviewer_looks_at_another_patch(app, three):
    sign_in(app)
    button(app, "2+").click().run()
    app.text_area[0].set_value("to be decided").run()
    button(app, "Next").click().run()
    assert app.text_area[0].value == ""
    button(app, "Previous").click().run()
    assert app.text_area[0].value == "to be decided"
    assert button(app, "2+").proto.type == "primary"


@pytest.mark.parametrize(("first", "leave"), [(0, "Next"), (1, "Previous")])
def test_a_comment_that_comes_with_the_click_away_is_kept(app, three, first, leave):
    app.query_params["patch"] = three[first]
    sign_in(app)
    # typed and not left: the browser hands the text in together with the click
    app.text_area[0].set_value("typed last")
    button(app, leave).click().run()
    assert app.text_area[0].value == ""
    app.query_params["patch"] = three[first]
    app.run()
    assert app.text_area[0].value == "typed last"


@pytest.mark.parametrize("name", ["1+", "Agree", "High"])
def test_what_was_wrong_with_the_answer_is_dropped_once_it_changes(app, three, name):
    sign_in(app)
    button(app, "Save").click().run()
    assert any("own score first" in one.value for one in app.warning)
    button(app, name).click().run()
    assert not any("own score first" in one.value for one in app.warning)


def test_a_comment_that_comes_with_a_page_link_is_kept(app, three):
    sign_in(app)
    app.text_area[0].set_value("typed last")
    app.switch_page("worklist.py").run()
    app.switch_page("review.py").run()
    assert app.text_area[0].value == "typed last"


def test_blind_mode_hides_every_verdict_until_the_own_score_is_saved(app, three, here):
    app.session_state["blind"] = True
    sign_in(app)
    said = text_of(app)
    assert "**CNN**" not in said
    assert not cards_say(app)
    assert "Agree" not in labels(app)
    assert not [one for one in app.button_group if one.key == "overlay"]
    assert not layer_titles(app)

    button(app, "0").click().run()
    button(app, "Save").click().run()
    (review,) = reviews(here)
    assert review.blind
    assert set(review.agrees.values()) == {None}
    # the same patch, now with its verdicts and how they compare
    assert app.query_params["patch"] == three[0]
    assert cards_say(app) == [v.score.label for v in review.verdicts]
    assert "Your review: 0" in text_of(app)
    assert "Cells (stain measurement)" in layer_titles(app)
    button(app, "Next patch").click().run()
    assert app.query_params["patch"] == three[1]
    assert not cards_say(app)


def test_a_patch_whose_verdicts_were_seen_cannot_be_reviewed_blind_any_more(app, three, here):
    sign_in(app)
    app.session_state["blind"] = True
    app.run()
    assert "not blind" in text_of(app)
    button(app, "1+").click().run()
    button(app, "Save").click().run()
    assert [review.blind for review in reviews(here)] == [False]


def restarted(monkeypatch: pytest.MonkeyPatch, here: Services) -> Services:
    """Another server program at the same database and images."""
    store = ReviewStore(here.settings.database_url)
    again = replace(here, store=store, recorded=set())
    monkeypatch.setattr(ui, "services", lambda: again)
    return again


def opened_anew(name: str, blind: bool = True) -> AppTest:
    """The application in a session of its own, its reader reading blind."""
    app = AppTest.from_file(str(ROOT / "pages" / "main.py"), default_timeout=60)
    app.session_state["blind"] = blind
    return sign_in(app, name)


@pytest.mark.parametrize("first_name", ["Dr. Ada", ""], ids=["by name", "before a name was given"])
def test_what_was_seen_yesterday_is_seen_after_a_restart_too(
    app, three, here, monkeypatch, first_name
):
    sign_in(app, first_name)
    again = restarted(monkeypatch, here)
    app = opened_anew("Dr. Ada")
    assert "shown before" in text_of(app)
    assert cards_say(app)
    button(app, "1+").click().run()
    button(app, "Save").click().run()
    assert [review.blind for review in reviews(here)] == [False]
    # the next one was not shown to anybody
    assert app.query_params["patch"] == three[1]
    assert not cards_say(app)
    assert again.store.showings.seen("Dr. Ada", three) == {three[0]}
    again.store.close()


def test_what_one_reviewer_saw_another_has_not_seen(app, three, here, monkeypatch):
    sign_in(app, "Dr. Ada")
    again = restarted(monkeypatch, here)
    app = opened_anew("Dr. Bo")
    assert not cards_say(app)
    button(app, "1+").click().run()
    button(app, "Save").click().run()
    assert [review.blind for review in reviews(here)] == [True]
    again.store.close()


def test_an_answer_that_cannot_be_blind_any_more_is_kept_and_saved_as_not_blind(app, three, here):
    app.session_state["blind"] = True
    sign_in(app)
    button(app, "2+").click().run()
    app.text_area[0].set_value("own view").run()
    # the same person in another window, or at another server
    with closing(ReviewStore(here.settings.database_url)) as other:
        other.showings.record("Dr. Ada", [three[0]])
    button(app, "Save").click().run()
    assert not app.exception
    assert reviews(here) == []
    said = text_of(app)
    assert "cannot be recorded as blind" in said
    assert "recorded as not blind" in said
    assert cards_say(app), "what was seen is not hidden"
    assert app.text_area[0].value == "own view"
    button(app, "Save").click().run()
    (review,) = reviews(here)
    assert (review.blind, review.own_score, review.comment) == (
        False,
        HER2Score.TWO_PLUS,
        "own view",
    )


def full() -> NoReturn:
    raise StoreError("The disk that holds the review database is full.")


def test_verdicts_come_up_unrecorded_only_for_who_does_not_read_blind(
    app, three, here, monkeypatch
):
    app.session_state["blind"] = True
    sign_in(app)
    with monkeypatch.context() as away:
        away.setattr(here.store.showings, "_writing", full)
        button(app, "0").click().run()
        button(app, "Save").click().run()
        (review,) = reviews(here)
        assert review.blind
        # its verdicts are due now, but cannot be recorded as shown
        assert not cards_say(app)
        assert "The disk that holds the review database is full" in text_of(app)
        assert not app.exception

        assert cards_say(opened_anew("Dr. Bo", blind=False))
    with closing(ReviewStore(here.settings.database_url)) as other:
        assert other.showings.seen("Dr. Bo", three) == frozenset()
        # this server knows, and writes it with the next one
        assert here.store.showings.seen("Dr. Bo", three) == {three[0]}
        here.store.showings.record("Dr. Cy", [three[1]])
        assert other.showings.seen("Dr. Bo", three) == {three[0]}


def test_no_map_is_drawn_before_the_showing_is_recorded(app, three, here, monkeypatch):
    order: list[str] = []
    record, draw = here.store.showings.record, viewer.draw
    monkeypatch.setattr(
        here.store.showings, "record", lambda *a, **k: (order.append("record"), record(*a, **k))
    )
    monkeypatch.setattr(viewer, "draw", lambda *a, **k: (order.append("draw"), draw(*a, **k)))
    sign_in(app)
    assert order == ["record", "draw"]


def test_a_correction_supersedes_and_keeps_the_first_entry(app, three, here):
    sign_in(app)
    button(app, "1+").click().run()
    button(app, "Save").click().run()
    button(app, "Previous").click().run()
    button(app, "Correct this review").click().run()
    button(app, "2+").click().run()
    button(app, "Save correction").click().run()
    later, first = reviews(here)
    assert (first.own_score, later.own_score) == (HER2Score.ONE_PLUS, HER2Score.TWO_PLUS)
    assert later.supersedes == first.id
    assert first.superseded_by == later.id


def test_a_link_opens_its_patch_and_a_wrong_one_says_so(app, three):
    app.query_params["patch"] = three[2]
    app.run()
    assert "**3 of 3**" in text_of(app)
    app.query_params["patch"] = "0" * 64
    app.run()
    assert "not in this workspace" in text_of(app)
    assert not app.exception


@pytest.mark.parametrize(("method", "word"), [("grad_cam", "Grad-CAM"), ("shap", "SHAP")])
def test_maps_of_both_models_come_with_a_reading(app, three, method, word):
    app.run()
    overlay = next(one for one in app.button_group if one.key == "overlay")
    overlay.set_value(method).run()
    wait([asked.future for asked in app.session_state["maps"].values()])
    app.run()
    captions = "\n".join(one.value for one in app.caption)
    assert f"CNN, {word} for" in captions
    assert f"DenseNet121, {word} for" in captions
    assert captions.count("**CNN.**") == 1
    assert scene_of(app)["beside"] == ["CNN", "DenseNet121"]
    assert [title.split(" for")[0] for title in layer_titles(app)[:4]] == [
        f"CNN, {word}",
        f"Contours of CNN, {word}",
        f"DenseNet121, {word}",
        f"Contours of DenseNet121, {word}",
    ]
    assert not app.exception


def test_the_square_of_an_oblong_image_can_be_moved_and_the_verdicts_follow(app, here):
    taken = take_in(
        png(5, height=224, width=448), "wide.png", here.images, here.store, here.settings.limits
    )
    sign_in(app)
    assert "Not square" in "\n".join(one.label for one in app.expander)
    number = next(one for one in app.number_input if one.label == "From left (px)")
    assert number.value == 112
    number.set_value(0).run()
    scene = scene_of(app)
    assert scene["square"] == {"x": 0, "y": 0, "size": 224}
    assert scene["movable"]
    button(app, "0").click().run()
    button(app, "Save").click().run()
    (review,) = reviews(here)
    assert (review.square.x, review.square.y, review.square.size) == (0, 0, 224)
    patch = here.images.load(str(taken.sha256), "wide.png").with_square(review.square)
    assert review.verdicts == here.workbench.verdicts(patch)


def test_with_another_side_the_middle_stays_and_a_recorded_square_cannot_be_moved(app, here):
    take_in(png(5, 300, 448), "wide.png", here.images, here.store, here.settings.limits)
    app.session_state["blind"] = True  # the patch stays in front once it is saved
    sign_in(app)
    next(one for one in app.number_input if one.label == "Side (px)").set_value(200).run()
    assert scene_of(app)["square"] == {"x": 124, "y": 50, "size": 200}
    assert scene_of(app)["movable"]
    button(app, "0").click().run()
    button(app, "Save").click().run()
    assert scene_of(app)["square"] == {"x": 124, "y": 50, "size": 200}
    assert not scene_of(app)["movable"]
    assert not app.number_input


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"x": 10, "y": 20, "size": 100}, Square(10, 20, 100)),
        ({"x": -5, "y": 10**30, "size": 1}, Square(0, 160, 64)),
        ({"x": 0.5, "y": 0, "size": 100}, None),
        ({"x": "1", "y": 0, "size": 100}, None),
        ([1, 2, 3], None),
        ("<script>", None),
        (None, None),
    ],
)
def test_what_a_browser_says_of_the_square_is_one_of_the_image_or_nothing(said, found):
    rgb = np.zeros((224, 448, 3), np.uint8)
    patch = Patch("a.png", "0" * 64, rgb, Square.centred(448, 224))
    assert component._square(said, patch) == found


# the worklist ------------------------------------------------------------------------------------


def read_all(here: Services) -> None:
    here.queue.refill()
    assert here.queue.wait(60)


def table(app: AppTest):
    return app.dataframe[0].value


def test_the_worklist_shows_state_and_verdicts_of_every_patch(app, three, here):
    read_all(here)
    sign_in(app)
    button(app, "2+").click().run()
    button(app, "Save").click().run()
    app.switch_page(ui.WORKLIST_PAGE).run()
    frame = table(app)
    assert list(frame["State"]) == ["reviewed", "to review", "to review"]
    expected = {item.patch.sha256: item.verdicts for item in whole_worklist(here.store, "Dr. Ada")}
    assert list(frame["CNN"]) == [expected[key][0].score.label for key in three]
    assert list(frame["DenseNet121"]) == [expected[key][1].score.label for key in three]
    assert "**2** to review" in text_of(app)


def test_blind_mode_hides_the_verdicts_in_the_worklist_too(app, three, here):
    read_all(here)
    app.session_state["blind"] = True
    sign_in(app)
    app.switch_page(ui.WORKLIST_PAGE).run()
    frame = table(app)
    for column in ("CNN", "DenseNet121", "Stain", "Model gap", "Reader gap", "Confidence"):
        assert set(frame[column]) == {"hidden"}, column
    assert here.store.showings.seen("Dr. Ada", three) == frozenset()


def test_the_worklist_shows_a_blind_reader_what_was_seen_before_and_asks_once(
    app, three, here, monkeypatch
):
    read_all(here)
    with closing(ReviewStore(here.settings.database_url)) as other:
        other.showings.record("Dr. Ada", [three[1]])
    app.session_state["blind"] = True
    sign_in(app)
    asked: list[int] = []
    seen = here.store.showings.seen
    monkeypatch.setattr(
        here.store.showings, "seen", lambda who, keys: asked.append(1) or seen(who, keys)
    )
    app.switch_page(ui.WORKLIST_PAGE).run()
    assert [value == "hidden" for value in table(app)["CNN"]] == [True, False, True]
    assert asked == [1]


def given_to_others(monkeypatch: pytest.MonkeyPatch, *keys: str) -> None:
    """From now on these patches are in nobody's worklist."""
    theirs = visible.theirs
    left = PatchStateRow.sha256.not_in(keys)
    monkeypatch.setattr(worklist, "theirs", lambda *asked: and_(theirs(*asked), left))


def click_row(app: AppTest, row: int, key: str = "worklist-0-arrival-") -> AppTest:
    app.session_state[key] = {"selection": {"rows": [row], "columns": [], "cells": []}}
    return app.run()


def test_a_click_opens_the_patch_that_stood_there_when_it_was_clicked(
    app, three, here, monkeypatch
):
    sign_in(app)
    app.switch_page(ui.WORKLIST_PAGE).run()
    # the first one was given to others since the table was drawn
    given_to_others(monkeypatch, three[0])
    click_row(app, 1)
    assert app.session_state["last_patch"] == three[1]


def test_a_patch_given_to_others_is_not_opened_and_nothing_in_its_place(
    app, three, here, monkeypatch
):
    sign_in(app)
    before = app.session_state["last_patch"]
    app.switch_page(ui.WORKLIST_PAGE).run()
    given_to_others(monkeypatch, three[1])
    click_row(app, 1)
    assert not app.exception
    assert app.title[0].value == "Worklist"
    assert list(table(app)["Patch"]) == ["p1.png", "p3.png"]
    app.run()
    assert app.session_state["last_patch"] == before


def test_a_worklist_that_becomes_empty_while_it_is_drawn_says_so(app, three, here, monkeypatch):
    sign_in(app)
    screen = Worklist.screen

    def given_away(asked: Worklist, start: str | None = None) -> Screen:
        given_to_others(monkeypatch, *three)
        return screen(asked, start)

    monkeypatch.setattr(Worklist, "screen", given_away)
    app.switch_page(ui.WORKLIST_PAGE).run()
    assert not app.exception
    assert not app.error
    assert "No patches yet" in text_of(app)


def test_a_worklist_in_sight_is_recorded_as_shown(app, three, here):
    read_all(here)
    sign_in(app)
    app.switch_page(ui.WORKLIST_PAGE).run()
    with closing(ReviewStore(here.settings.database_url)) as other:
        assert other.showings.seen("Dr. Ada", three) == set(three)


def test_the_worklist_says_of_each_patch_why_it_comes_early_by_doubt(app, three, here):
    read_all(here)
    sign_in(app)
    app.switch_page(ui.WORKLIST_PAGE).run()
    frame = table(app)
    for key, (_, row) in zip(three, frame.iterrows(), strict=True):
        item = next(i for i in whole_worklist(here.store, "") if i.patch.sha256 == key)
        gap = reader_gap(item.verdicts, item.stain)
        assert row["Stain"] == ("no score" if item.stain.score is None else item.stain.score.label)
        assert (row["Reader gap"] == "agree") == (gap == 0)
        assert (row.get("Unfamiliar") == "unfamiliar") == unfamiliar(item.verdicts)
    order = next(one for one in app.button_group if one.key == "order")
    said = order.help.index
    assert (
        said("two grades or more apart") < said("unlike what a model knows") < said("gap between")
    )


def test_after_a_change_of_model_the_worklist_waits_for_the_present_ones(app, three, here):
    for key in three[1:]:
        patch = here.images.load(key, "p.png")
        earlier = [
            replace(read, model_id=f"{read.architecture}-earlier", probabilities=(1, 0, 0, 0))
            for read in here.workbench.verdicts(patch)
        ]
        here.store.record_verdicts(key, patch.square, earlier)
        here.store.record_stain(key, patch.square, here.stain.reading(patch))
    sign_in(app)
    app.switch_page(ui.WORKLIST_PAGE).run()
    assert list(table(app)["CNN"])[1:] == ["earlier model", "earlier model"]  # one was opened
    assert "**2** read by an earlier model only" in text_of(app)
    read_all(here)
    app.run()
    read = {item.patch.sha256: item.verdicts for item in whole_worklist(here.store, "")}
    assert list(table(app)["CNN"]) == [read[key][0].score.label for key in three]
    assert all(v.model_id in here.workbench.state().model_ids.values() for v in read[three[1]])


def test_the_order_of_the_worklist_is_the_order_of_the_review_page(app, here):
    for seed, name in ((1, "b10.png"), (2, "b9.png"), (3, "a.png")):
        take_in(png(seed), name, here.images, here.store, here.settings.limits)
    app.run()
    app.switch_page(ui.WORKLIST_PAGE).run()
    order = next(one for one in app.button_group if one.key == "order")
    order.set_value("name").run()
    assert list(table(app)["Patch"]) == ["a.png", "b9.png", "b10.png"]
    app.switch_page(ui.REVIEW_PAGE).run()
    assert "**3 of 3**" in text_of(app)  # b10.png, in front from before, is now the last


def test_the_gallery_shows_what_the_table_does_and_hides_it_from_a_blind_reader(app, three, here):
    read_all(here)
    with here.store.writing() as session:
        cases.note(session, three[1], "M 17", HER2Score.THREE_PLUS)
    app.session_state["view"] = "gallery"
    app.session_state["blind"] = True
    sign_in(app)
    button(app, "2+").click().run()
    button(app, "Save").click().run()
    app.switch_page(ui.WORKLIST_PAGE).run()
    assert [card["key"] for card in cards_of(app)] == three
    assert [card["state"] for card in cards_of(app)] == ["reviewed", "to review", "to review"]
    items = whole_worklist(here.store, "")
    shown, *kept = cards_of(app)
    assert shown["scores"][0] == ["CNN", items[0].verdicts[0].score.label]
    assert all((one["scores"], one["doubt"], one["sure"]) == HIDDEN_CARD for one in kept)
    assert (kept[0]["case"], kept[0]["label"]) == ("M 17", "")
    app.session_state["blind"] = False
    app.run()
    assert cards_of(app)[1]["label"] == "3+"
    assert [dict(card["scores"])["CNN"] for card in cards_of(app)] == [
        item.verdicts[0].score.label for item in items
    ]


def test_a_link_narrows_the_worklist_and_what_in_it_is_no_filter_is_said(app, three, here):
    sign_in(app)
    app.switch_page(ui.WORKLIST_PAGE)
    for name, value in {"text": "P2", "gap": "9", "view": "gallery", "order": "name"}.items():
        app.query_params[name] = value
    app.run()
    assert [card["name"] for card in cards_of(app)] == ["p2.png"]
    assert "in the address is no filter" in text_of(app)
    assert app.query_params["text"] == "P2"
    assert "gap" not in app.query_params
    button(app, "Clear filters").click().run()
    assert len(cards_of(app)) == 3
    assert "no filter" not in text_of(app)
    assert "text" not in app.query_params


def test_previous_and_next_go_through_the_chosen_until_another_patch_is_asked_for(app, three):
    app.session_state["chosen_to_review"] = (three[0], three[2])
    sign_in(app)
    assert "**1 of 2** chosen" in text_of(app)
    button(app, "Next").click().run()
    assert (app.session_state["last_patch"], "**2 of 2** chosen" in text_of(app)) == (
        three[2],
        True,
    )
    app.query_params["patch"] = three[1]
    app.run()
    assert "**2 of 3** ·" in text_of(app)


# when something is broken ------------------------------------------------------------------------


def test_a_store_that_does_not_answer_is_one_calm_sentence(app, here, monkeypatch):
    def down(*_: object) -> Callable[[], None]:
        raise StoreError("The review store does not answer; try again in a moment.")

    monkeypatch.setattr(here.store, "derived", down)
    app.run()
    assert "does not answer" in "\n".join(one.value for one in app.error)
    assert not app.exception
    assert "Try again" in labels(app)


def test_an_image_that_is_gone_is_told_and_the_others_go_on(app, three, here):
    for file in here.settings.image_dir.rglob(f"{three[0]}*"):
        file.unlink()
    sign_in(app)
    assert "p1" in "\n".join(one.value for one in app.warning)
    assert not app.exception
    button(app, "Next").click().run()
    assert cards_say(app)


def test_where_nothing_is_stored_the_page_says_so_and_the_review_is_recorded(
    app, here, workbench, monkeypatch
):
    images = MemoryImages()
    queue = ReadingQueue(workbench, images, here.store)
    settings = replace(here.settings, store_images=False)
    told = replace(here, settings=settings, images=images, queue=queue)
    monkeypatch.setattr(ui, "services", lambda: told)
    take_in(png(7), "p7.png", images, told.store, settings.limits)
    sign_in(app)
    assert "Pictures are not stored here" in text_of(app)
    button(app, "3+").click().run()
    button(app, "Save").click().run()
    assert [review.own_score for review in reviews(told)] == [HER2Score.THREE_PLUS]
    assert list(settings.image_dir.iterdir()) == []

    later = replace(told, images=MemoryImages())
    st.cache_resource.clear()
    monkeypatch.setattr(ui, "services", lambda: later)
    app.run()
    assert "none are stored here" in text_of(app)
