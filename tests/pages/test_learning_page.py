"""The Learning page fits a bundle to the reviews: compared first, put in use, taken back."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from her2core.accounts.store import AccountStore
from her2core.models.bundles.card import CARD_FILE, ModelCard
from her2core.reviews.records import PatchRecord, ReviewDraft
from her2core.scores import HER2Score
from her2core.serving.services import Services
from her2core.serving.workbench import Workbench
from her2core.training.own_patches import LEAST_PATCHES
from tests.page_server import serve, services_of, text_of
from tests.pages.test_log_evaluation_models_pages import opened, rerun
from tests.tiny_bundles import bundle_root, settings
from tests.training.test_adapt import brown_patch

LEARNING = "learning.py"
WHEN = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def here(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Services]:
    """A server with the CNN and forty reviewed patches of ten slides, or as many as are asked."""
    chosen = settings(tmp_path / "home", bundle_root(), tmp_path / "home" / "bundles")
    chosen.home.mkdir()
    made = services_of(chosen, Workbench(chosen, ["cnn"], maps=False))
    made.workbench.wait()
    for number in range(getattr(request, "param", 40)):
        patch = brown_patch(number)
        made.images.put(patch)
        made.store.add_patch(PatchRecord(patch.sha256, patch.name, 64, 64, WHEN))
        verdicts = made.workbench.verdicts(patch)
        made.store.record_verdicts(patch.sha256, patch.square, verdicts)
        made.store.save_review(
            ReviewDraft(
                patch_sha256=patch.sha256,
                square=patch.square,
                reviewer="Ada",
                verdicts=verdicts,
                agrees={"cnn": verdicts[0].score == HER2Score(number % 4)},
                own_score=HER2Score(number % 4),
                confidence="high",
            )
        )
    yield serve(monkeypatch, made)
    made.store.close()


def said(app: AppTest) -> str:
    """The page's text without what keeps it from being read as markup."""
    return text_of(app).replace("\\", "").replace("\N{WORD JOINER}", "")


def asked(pattern: str) -> AppTest:
    """The page after the button was pressed."""
    app = opened(LEARNING)
    assert "40 reviewed patches count: 10 of 0" in said(app)
    (field,) = [one for one in app.text_input if one.label.startswith("Which part")]
    field.set_value(pattern)
    (button,) = [one for one in app.button if one.label == "Fit and compare"]
    return rerun(button.click())


def fitted(here: Services) -> AppTest:
    """The page when the fit has ended."""
    app = asked(r"^(S\d+)_")
    app.session_state["adapting"].future.exception(timeout=240)
    return rerun(app)


def test_what_is_better_is_written_put_in_use_and_noted(here: Services):
    before = here.workbench.cards()["cnn"].model_id
    app = fitted(here)
    text = said(app)
    assert "Better on slides or cases that it had not learnt from." in text
    assert "Each of 40 patches (10 slides or cases)" in text
    assert "McNemar p = " in text
    assert here.workbench.cards()["cnn"].model_id == before, "nothing changes before it is asked"
    table = app.dataframe[-1].value
    assert list(table.columns) == ["Figure", "Before", "After"]
    (use,) = [one for one in app.button if one.label == "Write and use"]
    app = rerun(use.click())
    card = here.workbench.cards()["cnn"]
    assert card.adapted is not None
    assert card.adapted.base == before
    assert ModelCard.read(here.settings.home / "bundles" / "cnn-adapted" / CARD_FILE) == card
    assert "is in use now" in said(app)
    assert f"to 40 own patches of 10 slides or cases, from {before}" in said(app).replace("`", "")
    assert [(one.label, one.value) for one in app.metric] == [("Reviews since it was fitted", "0")]
    noted = [(one.action, one.detail) for one in AccountStore(here.store).audit(10)]
    assert ("model chosen", card.model_id) in noted
    assert any(action == "model adapted" and before in detail for action, detail in noted)


def test_it_is_taken_back(here: Services):
    before = here.workbench.cards()["cnn"].model_id
    app = fitted(here)
    (use,) = [one for one in app.button if one.label == "Write and use"]
    app = rerun(use.click())
    assert here.workbench.cards()["cnn"].model_id != before
    (back,) = [one for one in app.button if one.label == "Take back"]
    app = rerun(back.click())
    assert here.workbench.cards()["cnn"].model_id == before
    noted = [(one.action, one.detail) for one in AccountStore(here.store).audit(10)]
    assert ("adaptation taken back", before) in noted
    assert "it has learnt nothing here" in said(app)


def test_the_learning_curve_stands_beside_before_and_after(here: Services):
    app = fitted(here)
    found = app.session_state["adapting"].future.result()
    sizes = [point.patches for point in found.curve]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (0, 36)  # ten folds of 40 patches
    exact = next(metric.value for metric in found.after if metric.name == "exact")
    assert found.curve[-1].exact.value == pytest.approx(exact)
    assert "The learning curve" in said(app)


def test_reviews_made_beside_the_verdicts_can_be_left_out(here: Services):
    app = opened(LEARNING)
    (blind,) = [one for one in app.toggle if one.label == "Blind reviews only"]
    assert "0 reviewed patches count" in said(rerun(blind.set_value(True)))


def test_it_can_be_discarded(here: Services):
    before = here.workbench.cards()["cnn"].model_id
    app = fitted(here)
    (discard,) = [one for one in app.button if one.label == "Discard"]
    app = rerun(discard.click())
    assert here.workbench.cards()["cnn"].model_id == before
    assert not (here.settings.home / "bundles").exists()
    assert any(one.label == "Fit and compare" for one in app.button)


def test_a_pattern_that_is_none_is_said(here: Services):
    assert "is not valid" in said(asked("("))


@pytest.mark.parametrize("here", [5], indirect=True)
def test_too_few_reviews_are_said(here: Services):
    app = opened(LEARNING)
    (button,) = [one for one in app.button if one.label == "Fit and compare"]
    assert button.disabled
    assert f"{LEAST_PATCHES - 5} more are wanted to begin" in said(app)
