"""The Slides page as a reviewer meets it: empty, not read yet, read, hidden from a blind reader."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from her2core.common.palette import GRADES, css
from her2core.preprocessing.patches import Square
from her2core.reviews.records import Origin
from her2core.scores import HER2Score
from her2core.serving.pictures import NoPictureError, draw
from her2core.serving.services import Services
from her2core.serving.slide_runs import SlideJob, key_of
from her2core.serving.slide_shelf import SlideState
from her2core.serving.workbench import Workbench
from her2core.settings import PROJECT_ROOT, load_settings
from her2core.slides.folder import SLIDE_ENDINGS
from her2core.slides.readings import SlideReading, to_json
from her2core.slides.slide import SlideFacts
from tests import slide_samples
from tests.page_server import layer_titles, scene_of, serve, services_of, text_of
from tests.slides.test_score import region


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """A server with a folder of slides that is still empty."""
    monkeypatch.setenv("HER2_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HER2_SLIDES", str(tmp_path / "slides"))
    (tmp_path / "slides").mkdir()
    settings = load_settings()
    settings.home.mkdir()
    made = serve(monkeypatch, services_of(settings, Workbench(settings)))
    yield made
    made.store.close()


@pytest.fixture
def app(here: Services) -> AppTest:
    """The application on its Slides page, not run yet."""
    return AppTest.from_file(str(PROJECT_ROOT / "pages" / "main.py"), default_timeout=120)


def opened(app: AppTest) -> AppTest:
    app.run()
    app.switch_page(str(PROJECT_ROOT / "pages" / "slides.py"))
    return app.run()


def test_an_empty_page_says_what_to_do(app):
    assert "Upload a whole slide" in text_of(opened(app))
    assert not app.exception
    # what would be kept but never listed is refused before it is sent
    (field,) = app.get("file_uploader")
    assert set(field.proto.type) == SLIDE_ENDINGS


def test_a_slide_can_be_read_and_one_that_was_read_shows_its_scores(app, here):
    rgb = slide_samples.painted_cores([(1600, 400)], 380, (3200, 800))
    path = slide_samples.write_tiff(here.settings.slide_dir / "a <b>.tif", rgb)
    app.session_state["reviewer"] = "Dr. Ada"
    assert "Read this slide" in [button.label for button in opened(app).button]
    was_read(here, path)
    opened(app)
    assert not app.exception
    assert [(one.label, one.value) for one in app.metric] == [
        ("Middle reader", "3+"),
        ("CNN", "3+"),
        ("DenseNet121", "3+"),
        ("Stain measurement", "3+"),
    ]
    assert "A note" in text_of(app)
    assert layer_titles(app) == ["Regions: Networks together"]
    scene = scene_of(app)
    assert (scene["width"], scene["um"]) == (3200, {"perPixel": 0.25, "about": False})
    regions = json.loads(draw(here, scene["layers"][0]["path"]).data)
    assert [(one["x"], one["size"]) for one in regions] == [(n * 800, 800) for n in range(4)]
    assert regions[0]["colour"] == css(GRADES[HER2Score.THREE_PLUS])
    assert "CNN 3+" in regions[0]["lines"][0]
    assert draw(here, f"{scene['tiles']}/0/0/0").kind == "image/jpeg"
    record_an_own_score(app, here)
    app.session_state["blind"] = True
    app.run()
    assert not app.metric
    assert "stays hidden" in text_of(app)
    assert scene_of(app)["tiles"]
    assert layer_titles(app) == []


def was_read(here: Services, path: Path, cores: tuple[str, ...] = ()) -> None:
    """A slide of 3200 x 800 pixels was read before: two regions 3+, two 0."""
    regions = tuple(
        region(i, 3 if i < 2 else 0, (20, 0, 0, 10), cores[i // 2] if cores else "")
        for i in range(4)
    )
    facts = SlideFacts("TIFF", 3200, 800, 3, 0.25)
    glass = (233.0, 232.0, 241.0)
    reading = SlideReading(path.name, facts, 0.25, "file", glass, 0.5, ("A note.",), cores, regions)
    kept = here.settings.home / "slides" / "readings"
    kept.mkdir(parents=True)
    key = key_of(SlideJob(path), here.slides.options())
    (kept / f"{key}.json").write_bytes(to_json(reading))


def test_a_core_is_scored_blind_only_before_its_scores_were_shown(app, here):
    rgb = slide_samples.painted_cores([(800, 400), (2400, 400)], 380, (3200, 800))
    was_read(here, slide_samples.write_tiff(here.settings.slide_dir / "a.tif", rgb), ("A1", "A2"))
    app.session_state["reviewer"] = "Dr. Ben"
    app.session_state["blind"] = True
    opened(app)
    button(app, "1+").click().run()
    button(app, "Save").click().run()
    (first,) = here.store.reviews()
    assert (first.blind, first.own_score) == (True, HER2Score.ONE_PLUS)
    assert first.patch.origin == Origin("a.tif", 0, 0, 1600, 0.25, "A1", whole=True)
    app.session_state["blind"] = False
    app.run()  # the scores of both cores come up
    assert [row["CNN"] for row in app.dataframe[0].value.to_dict("records")] == ["3+", "0"]
    app.session_state["blind"] = True
    app.run()
    next(one for one in app.selectbox if one.label == "Core").set_value("A2").run()
    button(app, "0").click().run()
    button(app, "Save").click().run()
    assert not app.exception
    second = here.store.reviews()[0]
    assert (second.blind, second.patch.origin.core) == (False, "A2")
    assert (second.patch.origin.x, second.patch.origin.size) == (1600, 1600)


def record_an_own_score(app: AppTest, here: Services) -> None:
    """A slide is scored, which is exported with its place, and the score is corrected."""
    button(app, "2+").click().run()
    app.text_area[0].set_value("heterogeneous").run()
    button(app, "Save").click().run()
    assert not app.exception
    (first,) = here.store.reviews()
    assert (first.own_score, first.comment) == (HER2Score.TWO_PLUS, "heterogeneous")
    assert (first.verdicts, first.stain, first.blind) == ((), None, False)
    assert first.patch.origin == Origin("a <b>.tif", 0, 0, 3200, 0.25, whole=True)
    assert first.square == Square(0, 0, 1400)
    assert "Your score of this slide" in text_of(app)
    button(app, "Correct this review").click().run()
    button(app, "3+").click().run()
    button(app, "Save correction").click().run()
    (second,) = here.store.reviews()
    assert (second.own_score, second.supersedes) == (HER2Score.THREE_PLUS, first.id)
    assert not here.store.unsaved.find("Dr. Ada", second.patch.sha256)


def test_it_is_said_what_a_slide_waits_for(app, here):
    rgb = slide_samples.painted_cores([(400, 400)], 380, (800, 800))
    slide_samples.write_tiff(here.settings.slide_dir / "a.tif", rgb)
    (slide,) = here.slides.listing()
    said = []
    for state in (SlideState("waiting"), SlideState("reading"), SlideState("reading", None, 9)):
        here.slides._set(slide, state)
        (bar,) = opened(app).get("progress")
        said.append(bar.proto.text)
    assert "the slide before" in said[0]
    assert "tissue" in said[1]
    assert "9 regions found" in said[2]


def button(app: AppTest, label: str) -> Button:
    return next(one for one in app.button if one.label == label)


def test_an_unread_slide_is_shown_and_a_file_that_is_none_is_refused(app, here):
    rgb = slide_samples.painted_cores([(400, 400)], 380, (800, 800))
    slide_samples.write_tiff(here.settings.slide_dir / "a.tif", rgb, um_per_pixel=None)
    assert scene_of(opened(app))["um"] is None
    (here.settings.slide_dir / "a.tif").write_bytes(b"no slide")
    opened(app)
    assert not app.exception
    assert "no slide and no picture" in text_of(app)


@pytest.mark.parametrize(
    "rest", ["tiles/0/9/9", "tiles/0/0", "tiles/-1/0/0", "regions/cnn/4", "../../image"]
)
def test_a_slide_has_no_other_pictures(here, rest):
    rgb = slide_samples.painted_cores([(400, 400)], 380, (800, 800))
    slide_samples.write_tiff(here.settings.slide_dir / "a.tif", rgb)
    (slide,) = here.slides.listing()
    for key in (slide.key, "0" * 16):
        with pytest.raises(NoPictureError):
            draw(here, f"/pictures/slides/{key}/{rest}")
