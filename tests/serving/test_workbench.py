"""One workbench serves all sessions: it loads once, in the background, and says what it can do."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from her2core.models.bundles.card import CARD_FILE, BundleError, ModelInput
from her2core.models.bundles.registry import CHOICE_FILE, chosen
from her2core.preprocessing.patches import Patch, Square
from her2core.scores import HER2Score
from her2core.serving.workbench import NoModelError, Workbench
from tests.tiny_bundles import (
    NAMES,
    a_card,
    a_patch,
    bundle_root,
    classifier,
    noise,
    settings,
    usual_reader,
)


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    bench = Workbench(settings(tmp_path_factory.mktemp("home"), bundle_root()), maps=False)
    assert bench.state().phase == "idle"
    bench.start_loading()
    assert bench.state().phase in ("loading", "ready")
    assert bench.wait().phase == "ready"
    return bench


def copies(target: Path) -> Path:
    """Both bundles under another root; files are shared until a test replaces one."""
    return Path(shutil.copytree(bundle_root(), target / "bundles", copy_function=os.link))


def break_weights(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()
    (folder / "weights.safetensors").write_bytes(b"not weights")


def model_threads() -> int:
    return sum(thread.name == "models" for thread in threading.enumerate())


def test_both_models_read_a_patch_as_the_library_does(workbench: Workbench) -> None:
    patch = a_patch(1, width=300, height=200)
    verdicts = workbench.verdicts(patch)
    assert [verdict.architecture for verdict in verdicts] == list(NAMES)
    for verdict in verdicts:
        expected = usual_reader(verdict.architecture).read(patch.pixels()[None])
        assert np.allclose(verdict.probabilities, expected.probabilities[0], atol=1e-5)
        assert verdict.model_id == classifier(verdict.architecture).model_id
    assert workbench.verdicts(patch) == verdicts


def test_another_square_of_the_same_image_is_read_anew(workbench: Workbench) -> None:
    patch = a_patch(2, width=400, height=300)
    moved = patch.with_square(Square(0, 0, 100))
    assert workbench.verdicts(patch) != workbench.verdicts(moved)
    target = HER2Score.ZERO
    first, second = (
        workbench.explain(each, "densenet121", "grad_cam", target) for each in (patch, moved)
    )
    assert not np.array_equal(first.heat, second.heat)


def test_a_batch_gives_what_single_readings_give_and_in_order(workbench: Workbench) -> None:
    patches = [a_patch(seed) for seed in (30, 31, 32, 30, 33, 34, 35, 36, 37, 38)]
    batch = list(workbench.score_batch(iter(patches)))
    assert len(batch) == len(patches)
    assert batch[0] == batch[3]
    for patch, verdicts in zip(patches, batch, strict=True):
        for verdict in verdicts:
            alone = usual_reader(verdict.architecture).read(patch.pixels()[None])
            assert np.allclose(verdict.probabilities, alone.probabilities[0], atol=1e-5)
    assert list(workbench.score_batch([])) == []


def test_a_batch_takes_patches_only_as_it_needs_them(workbench: Workbench) -> None:
    taken: list[int] = []

    def patches():  # type: ignore[no-untyped-def]
        for seed in range(40, 80):
            taken.append(seed)
            yield a_patch(seed)

    next(workbench.score_batch(patches()))
    assert len(taken) < 30  # three batches of eight are on their way at most


def test_maps_are_made_once_and_handed_out_again(workbench: Workbench) -> None:
    patch = a_patch(3)
    for method in ("grad_cam", "shap"):
        first = workbench.explain(patch, "cnn", method, HER2Score.ONE_PLUS)  # type: ignore[arg-type]
        assert first.method == method
        assert workbench.explain(patch, "cnn", method, HER2Score.ONE_PLUS) is first  # type: ignore[arg-type]
        other = workbench.explain(patch, "cnn", method, HER2Score.ZERO)  # type: ignore[arg-type]
        assert other.target == HER2Score.ZERO


def test_sessions_may_ask_at_the_same_time(workbench: Workbench) -> None:
    patches = [a_patch(seed) for seed in range(70, 76)]
    found: dict[int, object] = {}

    def session(number: int) -> None:
        patch = patches[number % len(patches)]
        found[number] = (
            workbench.verdicts(patch),
            workbench.explain(patch, "densenet121", "grad_cam", HER2Score.ZERO).scale,
        )

    threads = [threading.Thread(target=session, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(6):
        assert found[number] == found[number + 6]


def test_starting_twice_loads_once(workbench: Workbench) -> None:
    before = workbench.state()
    workbench.start_loading()
    assert model_threads() == 0
    assert workbench.state() == before
    assert before.finished
    assert before.ready == NAMES
    assert before.failures == ()
    assert set(workbench.cards()) == set(NAMES)


def test_a_broken_bundle_leaves_the_other_model_usable(tmp_path: Path) -> None:
    root = copies(tmp_path)
    break_weights(root / "densenet121")
    bench = Workbench(settings(tmp_path, root), maps=False)
    state = bench.wait()
    assert state.phase == "ready"
    assert state.ready == ("cnn",)
    assert "“densenet121” cannot be used: weights.safetensors is not" in state.failures[0]
    assert [verdict.architecture for verdict in bench.verdicts(a_patch(1))] == ["cnn"]
    with pytest.raises(NoModelError, match=r"weights\.safetensors is not"):
        bench.explain(a_patch(1), "densenet121", "grad_cam", HER2Score.ZERO)


def test_without_any_bundle_the_answer_is_a_sentence_not_a_wait(tmp_path: Path) -> None:
    bench = Workbench(settings(tmp_path, tmp_path / "nothing"))
    state = bench.wait()
    assert state.phase == "failed"
    assert state.finished
    assert len(state.failures) == 2
    with pytest.raises(NoModelError, match=r"No bundle of CNN was found.*No bundle of DenseNet121"):
        bench.verdicts(a_patch(1))
    with pytest.raises(NoModelError):
        list(bench.score_batch([a_patch(1)]))


def test_a_damaged_record_of_choices_fails_calmly(tmp_path: Path) -> None:
    (tmp_path / CHOICE_FILE).write_text("{", encoding="utf-8")
    state = Workbench(settings(tmp_path, bundle_root())).wait()
    assert state.phase == "failed"
    assert all("damaged" in sentence for sentence in state.failures)


def test_another_bundle_takes_over_only_when_it_works(tmp_path: Path) -> None:
    root = copies(tmp_path)
    (root / "cnn-renamed").mkdir()
    other = root / "cnn-renamed"
    for file in (root / "cnn").iterdir():
        os.link(file, other / file.name)
    here = settings(tmp_path, root)
    bench = Workbench(here, ["cnn"], maps=False)
    before = bench.verdicts(a_patch(1))
    broken = Path(shutil.copytree(root / "cnn", root / "cnn-broken", copy_function=os.link))
    break_weights(broken)
    with pytest.raises(BundleError, match="cnn-broken"):
        bench.use("cnn", broken)
    with pytest.raises(BundleError, match="is a densenet121, not a cnn"):
        bench.use("cnn", root / "densenet121")
    with pytest.raises(BundleError, match="not among the models"):
        bench.use("densenet121", root / "densenet121")
    assert chosen(here)["cnn"] == root / "cnn"
    assert bench.verdicts(a_patch(1)) == before
    bench.use("cnn", other)
    assert bench.state().ready == ("cnn",)
    assert chosen(here)["cnn"] == other
    assert bench.verdicts(a_patch(1)) == before  # the same weights under another name
    (other / CARD_FILE).unlink()
    with pytest.raises(BundleError, match=r"card\.json is missing"):
        bench.use("cnn", other)
    assert bench.verdicts(a_patch(1)) == before


def test_only_known_models_can_be_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="“vit” is no model"):
        Workbench(settings(tmp_path), ["cnn", "vit"])


@pytest.fixture(scope="module")
def in_parts(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """A network whose card asks for large squares to be read in parts."""
    from her2core.models.bundles.bundle import load_bundle, write_bundle

    home = tmp_path_factory.mktemp("parts")
    card = a_card("cnn", input=ModelInput(reading="grid-1"))
    write_bundle(load_bundle(bundle_root() / "cnn").model, card, home / "own" / "cnn", noise(6))
    bench = Workbench(settings(home, home / "own"), ("cnn",), maps=False)
    assert bench.wait().ready == ("cnn",)
    return bench


@pytest.mark.parametrize("method", ["grad_cam", "shap"])
def test_a_map_of_a_square_read_in_parts_is_of_the_part_that_decided(
    in_parts: Workbench, method: str
) -> None:
    quarters = [noise(1, seed)[0] for seed in range(4)]
    rgb = np.vstack([np.hstack(quarters[:2]), np.hstack(quarters[2:])])
    patch = Patch("wide.png", "a" * 64, rgb, Square.centred(448, 448))
    (verdict,) = in_parts.verdicts(patch)
    (parts,) = in_parts.parts(patch).values()
    decided = [part for part in parts if part.decides]
    assert len(parts) == 4
    assert [part.probabilities for part in decided] == [verdict.probabilities]

    found = in_parts.explain(patch, "cnn", method, verdict.score)
    assert found.part == decided[0].square
    alone = in_parts.explain(patch.with_square(decided[0].square), "cnn", method, verdict.score)
    assert alone.part is None
    assert np.allclose(found.heat, alone.heat, atol=1e-4)


def test_a_square_read_whole_has_no_parts(in_parts: Workbench, workbench: Workbench) -> None:
    assert in_parts.parts(a_patch(1)) == {}
    assert workbench.parts(a_patch(1, width=448, height=448)) == {}
    target = HER2Score.ZERO
    assert in_parts.explain(a_patch(1), "cnn", "grad_cam", target).part is None
