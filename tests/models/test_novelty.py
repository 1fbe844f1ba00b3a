"""A bundle that knows what it learnt from says when an input is unlike it, and is verified."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from benchmarks.unfamiliar import blank, crops, screenshot, unfamiliar
from her2core.models.bundles.card import CARD_FILE, BundleError, ModelCard
from her2core.models.bundles.card_records import KnownPatches
from her2core.models.ood.appearance import appearance
from her2core.models.ood.novelty import (
    FAMILIAR,
    LESS,
    UNLIKE,
    KnownSpace,
    Novelty,
    calibrated,
    familiarity,
    known_space,
    warning,
)
from her2core.models.ood.novelty_file import (
    NOVELTY_FILE,
    from_bytes,
    load_novelty,
    save_novelty,
    to_bytes,
)
from her2core.models.ood.other_stains import fit_other_stains
from her2core.scores import HER2Score
from her2core.training.data.datasets import LabelledFile
from her2core.training.data.restained import fluorescence, h_and_e, red_chromogen, restained
from her2core.training.known_patches import PatchLooks, Vectors, fit_novelty
from her2core.training.novelty_patches import choose_patches, grouped
from her2core.training.synthetic import GeneratorConfig, make_patch
from tests.review_samples import verdict
from tests.tiny_bundles import a_card, bundle_root, noise, settings

FACTS = KnownPatches("", 40, 20, ("core-1",), 0.05)


def cloud(count: int, dimensions: int, seed: int, spread: float = 1.0) -> np.ndarray:
    """Two clusters, each a line in many dimensions with a little noise."""
    rng = np.random.default_rng(seed)
    along = rng.normal(0, spread, (count, 1)) * np.eye(dimensions)[0]
    side = np.where(np.arange(count) % 2, 8.0, -8.0)[:, None] * np.eye(dimensions)[1]
    return (along + side + rng.normal(0, 0.1, (count, dimensions))).astype(np.float32)


def a_novelty(channels: int = 6) -> Novelty:
    spaces = (known_space(cloud(60, channels, 1), 3), known_space(cloud(60, 5, 2)))
    held_out = (cloud(40, channels, 3), cloud(40, 5, 4))
    return calibrated(*spaces, held_out, ("a", "b") * 20, 0.1)


@pytest.fixture(scope="module")
def tissue() -> list[np.ndarray]:
    """Sixteen synthetic patches of all scores, uint8 (224, 224, 3)."""
    rng, config = np.random.default_rng(3), GeneratorConfig()
    return [make_patch(HER2Score(i % 4), rng, config).rgb for i in range(16)]


class TestSpace:
    def test_what_lies_between_two_known_clusters_is_far_from_both(self):
        space = known_space(cloud(80, 2, 0))
        known, between = (
            space.distance(cloud(20, 2, 9)),
            space.distance(np.zeros((1, 2), np.float32)),
        )
        assert between[0] > 3 * np.median(known)

    def test_what_the_components_cannot_show_counts_too(self):
        space = known_space(cloud(80, 6, 0), 2)
        beside = cloud(1, 6, 5) + 3 * np.eye(6, dtype=np.float32)[5]
        assert space.residual > 0
        assert space.distance(beside)[0] > 3 * space.distance(cloud(20, 6, 9)).max()

    @given(st.integers(2, 30), st.integers(1, 8), st.integers(0, 5))
    def test_known_vectors_are_near_whatever_their_number(self, count, dimensions, seed):
        vectors = np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)
        distance = known_space(vectors, 4).distance(vectors)
        assert distance.shape == (count,)
        assert np.isfinite(distance).all()

    def test_a_patch_does_not_depend_on_those_measured_with_it(self):
        space, vectors = known_space(cloud(80, 6, 0), 3), cloud(70, 6, 1)
        alone = np.concatenate([space.distance(one[None]) for one in vectors])
        assert np.allclose(space.distance(vectors), alone, rtol=1e-3)


class TestCalibration:
    def test_the_share_named_is_flagged_however_unequal_the_groups(self):
        features, looks = cloud(200, 6, 3), cloud(200, 5, 4)
        groups = ("large",) * 150 + ("small",) * 50
        spaces = (known_space(cloud(60, 6, 1), 3), known_space(cloud(60, 5, 2)))
        found = calibrated(*spaces, (features, looks), groups, 0.1)
        flagged = found.of(features, looks) > 1
        by_group = (flagged[:150].mean() + flagged[150:].mean()) / 2
        assert 0.05 <= by_group <= 0.1

    def test_too_few_patches_are_refused(self):
        with pytest.raises(ValueError, match="20"):
            calibrated(*a_spaces(), (cloud(5, 6, 1), cloud(5, 5, 1)), ("a",) * 5, 0.05)


def a_spaces() -> tuple[KnownSpace, KnownSpace]:
    novelty = a_novelty()
    return novelty.features, novelty.appearance


class TestOtherStains:
    def test_a_stain_that_differs_in_one_way_only_is_told_by_example(self):
        """In eleven coordinates of noise a distance does not see it."""
        rng = np.random.default_rng(0)
        known, held_out = (rng.normal(size=(300, 11)).astype(np.float32) for _ in range(2))
        way = 3 * np.eye(11, dtype=np.float32)[4]
        other = rng.normal(size=(2, 200, 11)).astype(np.float32) + way
        space = known_space(known)
        limit = np.quantile(space.distance(held_out), 0.97)
        assert (space.distance(other[1]) > limit).mean() < 0.7
        shown = fit_other_stains(known, other[0])
        assert (shown.chance(other[1]) > shown.threshold).mean() > 0.85
        assert (shown.chance(held_out) > shown.threshold).mean() < 0.15

    def test_its_threshold_follows_the_held_out_patches(self):
        found = with_other_stains(a_novelty())
        assert found.other is not None
        vectors = (cloud(40, 6, 3), cloud(40, 5, 4))
        assert (found.of(*vectors) > 1).mean() <= 0.15
        strange = (cloud(40, 6, 3), cloud(40, 5, 4) + 9 * np.eye(5, dtype=np.float32)[3])
        assert (found.of(*strange) > 1).all()

    def test_a_red_chromogen_needs_brown_to_replace(self, tissue):
        rng = np.random.default_rng(2)
        red = red_chromogen(tissue[3], rng)
        assert red.shape == tissue[3].shape
        assert np.abs(red.astype(int) - tissue[3]).mean() > 5
        made = restained([np.full((224, 224, 3), 240, np.uint8)], 2, rng)
        assert made["red chromogen"] == []
        assert len(made["H&E"]) == 2


def with_other_stains(novelty: Novelty) -> Novelty:
    """The same, shown some vectors that differ in one figure of their look."""
    held_out = (cloud(40, 6, 3), cloud(40, 5, 4))
    other = (cloud(60, 6, 11), cloud(60, 5, 12) + 9 * np.eye(5, dtype=np.float32)[3])
    known = (cloud(60, 6, 1), cloud(60, 5, 2))
    shown = fit_other_stains(novelty.placed(*known), novelty.placed(*other))
    return calibrated(*a_spaces(), held_out, ("a", "b") * 20, 0.1, shown)


class TestFile:
    @pytest.mark.parametrize("shown", [False, True])
    def test_it_comes_back_as_it_was_stored(self, shown: bool):
        before = with_other_stains(a_novelty()) if shown else a_novelty()
        after = from_bytes(to_bytes(before))
        vectors = (cloud(30, 6, 7, 3.0), cloud(30, 5, 8, 3.0))
        assert np.allclose(before.of(*vectors), after.of(*vectors), rtol=0.02)

    @pytest.mark.parametrize("spoil", ["torn", "missing", "other", "no card"])
    def test_a_bundle_is_verified_before_it_is_believed(self, tmp_path: Path, spoil: str):
        card = save_novelty(*a_bundle(tmp_path), a_novelty(), FACTS)
        file = tmp_path / NOVELTY_FILE
        assert ModelCard.read(tmp_path / CARD_FILE) == card
        assert load_novelty(tmp_path, card) is not None
        if spoil == "torn":
            file.write_bytes(file.read_bytes()[:-1])
        elif spoil == "missing":
            file.unlink()
        elif spoil == "other":
            file.write_bytes(to_bytes(a_novelty(7)))
        else:
            assert load_novelty(tmp_path, replace(card, novelty=None)) is None
            return
        with pytest.raises(BundleError, match=NOVELTY_FILE):
            load_novelty(tmp_path, card)

    @pytest.mark.parametrize(
        "lacking", ["features.basis", "appearance.threshold", "version", "other.bias"]
    )
    def test_numbers_that_are_missing_are_named(self, lacking: str):
        from safetensors.numpy import load, save

        tensors = load(to_bytes(with_other_stains(a_novelty())))
        del tensors[lacking]
        with pytest.raises(ValueError, match=NOVELTY_FILE):
            from_bytes(save(tensors))


def a_bundle(folder: Path) -> tuple[Path, ModelCard]:
    """A folder that holds a card; the other files of a bundle have nothing to do with it."""
    card = replace(a_card(), weights_sha256="0" * 64, background_sha256="1" * 64)
    (folder / CARD_FILE).write_text(card.to_json(), encoding="utf-8")
    return folder, card


class TestAppearance:
    def test_it_is_finite_for_anything(self, tissue):
        rng = np.random.default_rng(0)
        flat = [np.full((224, 224, 3), level, np.uint8) for level in (0, 128, 255)]
        pictures = [*flat, *noise(2), blank(rng), screenshot(rng), tissue[0]]
        figures = appearance(np.stack(pictures).astype(np.float32) / np.float32(255))
        assert figures.shape[0] == len(pictures)
        assert np.isfinite(figures).all()
        assert np.abs(figures).max() < 20

    def test_other_stains_and_no_tissue_look_unlike_her2(self, tissue):
        known = appearance(np.stack(tissue).astype(np.float32) / np.float32(255))
        space = known_space(known)
        rng = np.random.default_rng(1)
        strange = [h_and_e(tissue[2], rng), fluorescence(tissue[3], rng), screenshot(rng)]
        distance = space.distance(appearance(np.asarray(strange, np.float32) / np.float32(255)))
        usual = [make_patch(HER2Score.TWO_PLUS, rng, GeneratorConfig()).rgb for _ in range(4)]
        near = space.distance(appearance(np.stack(usual).astype(np.float32) / np.float32(255)))
        assert distance.min() > 1.5 * near.max()

    def test_every_kind_of_the_benchmark_can_be_made(self, tissue):
        made = unfamiliar([*tissue[:2], tissue[3]], 3, 0)
        for name in ("H&E", "nuclear DAB stain", "red chromogen", "noise", "photographs"):
            assert len(made[name]) == 3, name
        for pictures in made.values():
            assert all((p.shape, p.dtype) == ((224, 224, 3), np.uint8) for p in pictures)
        assert len(crops(np.zeros((50, 300, 3), np.uint8), 2, np.random.default_rng(0))) == 2


def test_a_set_with_a_group_for_each_patch_counts_as_one_group():
    """Else a synthetic set would outweigh the real cores, and fill the card with its names."""
    apart = [LabelledFile(Path(f"{i}.png"), HER2Score.ZERO, f"slide-{i}") for i in range(6)]
    cores = [replace(file, group=f"core-{i % 2}") for i, file in enumerate(apart)]
    assert {file.group for file in grouped(Path("synthetic-val"), apart)} == {"synthetic-val"}
    assert {file.group for file in grouped(Path("real"), cores)} == {"core-0", "core-1"}


def a_table(folder: Path, groups: list[str]) -> Path:
    """A folder of patches with a table of their groups, '' for none."""
    folder.mkdir(parents=True)
    rows = [f"{number}.png,{number % 4},{group}" for number, group in enumerate(groups)]
    (folder / "labels.csv").write_text("\n".join(["file,label,group", *rows]) + "\n")
    for number in range(len(groups)):
        Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(folder / f"{number}.png")
    return folder


def test_who_is_left_out_of_the_calibration_is_whatever_else_lies_in_the_folder(tmp_path: Path):
    known = a_table(tmp_path / "known" / "patches", ["P1", "P2", "P3"] * 8)
    mixed = a_table(tmp_path / "mixed" / "patches", [*(["P1", "P4"] * 10), ""])
    with pytest.raises(ValueError, match="P1 is among the known patches and among those"):
        choose_patches([known], [mixed], [], 700, 0)
    chosen = choose_patches([known], [mixed], ["P4"], 700, 0)
    assert (len(chosen.known), len(chosen.held_out)) == (24, 10)
    assert {file.group for file in chosen.held_out} == {"P4"}
    assert chosen.groups == ("P1", "P2", "P3", "P4")
    with pytest.raises(ValueError, match="No calibration patch is of the group P9"):
        choose_patches([known], [mixed], ["P9"], 700, 0)
    # all of the wanted group are drawn from, not what is left of it in a draw from everybody
    assert len(choose_patches([known], [mixed], ["P4"], 10, 0).held_out) == 10

    one_each = a_table(tmp_path / "one-each", [f"Q{n}" for n in range(21)])
    with pytest.raises(ValueError, match="Q1 is among"):
        choose_patches([a_table(tmp_path / "more", ["Q1"] * 4)], [one_each], [], 700, 0)
    found = choose_patches([known], [one_each], [], 700, 0)
    assert {file.group for file in found.held_out} == {"one-each"}
    assert {"one-each", "Q0", "Q20"} <= set(found.groups)


def test_folders_of_the_same_name_and_without_groups_are_no_overlap(tmp_path: Path):
    folders = [a_table(tmp_path / side / "patches", [""] * 24) for side in ("a", "b")]
    chosen = choose_patches(folders[:1], folders[1:], [], 700, 0)
    assert (len(chosen.known), len(chosen.held_out), chosen.groups) == (24, 24, ("patches",))


def test_a_warning_names_the_model_and_how_far():
    familiar, strange = verdict("cnn", novelty=0.4), verdict("densenet121", novelty=2.34)
    assert warning((familiar, verdict("densenet121"))) is None
    sentence = warning((familiar, strange))
    assert sentence is not None
    assert "DenseNet121" in sentence
    assert "CNN" not in sentence
    assert "2.3 times" in sentence
    assert "Do not rely on" in sentence


def test_a_patch_a_little_beyond_the_limit_is_called_less_familiar():
    near, far = verdict("densenet121", novelty=1.2), verdict("cnn", novelty=1.6)
    assert "less familiar to DenseNet121" in (warning((near,)) or "")
    assert "unlike what DenseNet121 and CNN knows" in (warning((near, far)) or "")


@pytest.mark.parametrize(
    ("distances", "band"),
    [
        ((0.9,), FAMILIAR),
        ((1.001,), FAMILIAR),
        ((1.0, 1.02), LESS),
        ((0.2, 1.5), LESS),
        ((1.6, 0.1), UNLIKE),
    ],
)
def test_the_farthest_network_says_how_unfamiliar_a_patch_is(distances, band):
    verdicts = [verdict("cnn", novelty=distance) for distance in distances]
    found = familiarity([*verdicts, verdict("densenet121")])
    assert found is not None
    assert (found.band, found.distance) == (band, max(distances))
    assert familiarity([verdict("cnn")]) is None


def test_the_command_adds_it_and_verdicts_carry_it(tmp_path: Path, tissue):
    """From folders of patches to a warning: the CNN of random weights, real files throughout."""
    from training import add_novelty, score

    bundle = tmp_path / "bundles" / "cnn"
    shutil.copytree(bundle_root() / "cnn", bundle)
    rng, config = np.random.default_rng(5), GeneratorConfig()
    for part, count in (("known", 32), ("held-out", 24)):
        for i in range(count):
            folder = tmp_path / part / HER2Score(i % 4).folder
            folder.mkdir(parents=True, exist_ok=True)
            rgb = make_patch(HER2Score(i % 4), rng, config).rgb
            Image.fromarray(rgb).save(folder / f"{i}.png")
    command = [f"--bundle={bundle}", f"--known={tmp_path / 'known'}", "--most=30", "--others=8"]
    command.append(f"--calibration={tmp_path / 'held-out'}")
    assert add_novelty.main(command) == 0
    facts = json.loads((bundle / CARD_FILE).read_text())["novelty"]
    assert (facts["known"], facts["calibration"]) == (30, 24)
    assert facts["groups"] == ["held-out", "known"]
    assert facts["flagged"] <= 0.05

    patches = tmp_path / "patches"
    patches.mkdir()
    Image.fromarray(screenshot(rng)).save(patches / "screen.png")
    Image.fromarray(tissue[1]).save(patches / "tissue.png")
    out = tmp_path / "scores.csv"
    with pytest.MonkeyPatch.context() as patched:
        chosen = settings(tmp_path / "home", tmp_path / "bundles")
        patched.setattr(score, "load_settings", lambda: chosen)
        assert score.main([str(patches), "--out", str(out), "--models", "cnn"]) == 0
    screen, good = out.read_text(encoding="utf-8").splitlines()[1:]
    assert "unlike what CNN knows" in screen
    assert "unlike" not in good


def test_a_stain_that_a_bundle_was_shown_is_flagged_more_often_than_one_it_was_not():
    """Another stain that differs in one figure only, and by little."""
    rng = np.random.default_rng(3)

    def alike(count: int, off: int | None = None) -> Vectors:
        features, looks = (rng.normal(size=(count, d)).astype(np.float32) for d in (60, 8))
        if off is not None:
            looks[:, off] += 3.5
        return features, looks

    seen = PatchLooks(alike(300), alike(60), ("core",) * 60, {"red": alike(80, off=0)})
    made = alike(40, off=0)
    shown, never_shown = fit_novelty(seen, 0.05), fit_novelty(replace(seen, others={}), 0.05)
    assert (shown.of(*made) > 1).mean() > (never_shown.of(*made) > 1).mean()
