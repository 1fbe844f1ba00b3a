"""Splits never share a group or a picture, and copies across sides are found and named."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from her2core.scores import HER2Score
from her2core.training.data.datasets import DatasetError, LabelledFile
from her2core.training.data.duplicates import Fingerprints, fingerprints, near_duplicates
from her2core.training.data.prepare import Request, prepare, record
from her2core.training.data.splits import LEFT_OUT, TEST, TRAIN, VALIDATION, Split, split_files


def a_file(row: int, label: int, group: str = "", part: str = "") -> LabelledFile:
    return LabelledFile(Path(f"{row}.png"), HER2Score(label), group, part)  # type: ignore[arg-type]


FILES = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["", *"abcdefgh"]), st.integers(0, 60)),
    min_size=4,
    max_size=80,
)


def split_or_none(files: list[LabelledFile], sums: list[str], seed: int) -> Split | None:
    try:
        return split_files(files, sums, 0.2, 0.2, seed)
    except DatasetError:
        return None  # too few groups, checked elsewhere


@settings(deadline=None)
@given(FILES, st.integers(0, 3))
def test_no_group_and_no_picture_is_on_two_sides(drawn, seed):
    files = [a_file(row, label, group) for row, (label, group, _) in enumerate(drawn)]
    sums = [str(picture) for _, _, picture in drawn]
    split = split_or_none(files, sums, seed)
    if split is None:
        return
    sides: dict[str, set[int]] = {}
    for file, digest, side in zip(files, sums, split.side.tolist(), strict=True):
        sides.setdefault(f"picture {digest}", set()).add(side)
        if file.group:
            sides.setdefault(f"group {file.group}", set()).add(side)
    assert all(len(its) == 1 for its in sides.values())
    assert {TRAIN, VALIDATION} <= set(split.side.tolist())
    learnt = {files[row].label for row in split.rows(TRAIN)}
    assert learnt == {file.label for file in files}
    again = split_files(files, sums, 0.2, 0.2, seed)
    assert np.array_equal(split.side, again.side)


@settings(deadline=None)
@given(FILES, st.data())
def test_a_dataset_s_own_parts_are_kept(drawn, data):
    parts = {g: data.draw(st.sampled_from(["train", "test"])) for g in "abcdefgh"}
    files = [
        a_file(row, label, group, parts[group] if group else "train")
        for row, (label, group, _) in enumerate(drawn)
    ]
    sums = [str(picture) for _, _, picture in drawn]
    split = split_or_none(files, sums, 0)
    if split is None:
        return
    learnt = {d for d, f in zip(sums, files, strict=True) if f.part == "train"}
    for file, digest, side in zip(files, sums, split.side.tolist(), strict=True):
        if file.part == "test":
            assert side == (LEFT_OUT if digest in learnt else TEST)
        else:
            assert side in ((TRAIN, VALIDATION) if split.from_layout else (TRAIN, VALIDATION, TEST))


def test_single_patches_are_shared_out_by_class():
    files = [a_file(row, row % 4) for row in range(400)]
    split = split_files(files, [str(row) for row in range(400)], 0.15, 0.15)
    for side, wanted in ((TRAIN, 70), (VALIDATION, 15), (TEST, 15)):
        labels = [int(files[row].label) for row in split.rows(side)]
        assert np.bincount(labels).tolist() == [wanted] * 4
    other = split_files(files, [str(row) for row in range(400)], 0.15, 0.15, seed=1)
    assert not np.array_equal(split.side, other.side)


def single_class_groups(sizes: list[list[int]]) -> list[LabelledFile]:
    """Files of groups that hold one class each: sizes[score] are those of the class's groups."""
    return [
        a_file(row, score, f"{score}-{group}")
        for score, groups in enumerate(sizes)
        for group, size in enumerate(groups)
        for row in range(size)
    ]


@pytest.mark.parametrize(("count", "per_side"), [(3, [1, 1, 1]), (4, [2, 1, 1])])
def test_few_equal_groups_of_a_class_are_shared_out_over_all_sides(count, per_side):
    files = single_class_groups([[20] * count] * 4)
    split = split_files(files, [str(row) for row in range(len(files))])
    for side, wanted in zip((TRAIN, VALIDATION, TEST), per_side, strict=True):
        there = {files[row].group for row in split.rows(side).tolist()}
        assert np.bincount([int(group[0]) for group in there]).tolist() == [wanted] * 4


def test_two_groups_of_a_class_are_too_few_for_three_sides_and_enough_for_two():
    files = single_class_groups([[20, 20]] * 4)
    sums = [str(row) for row in range(len(files))]
    # no class can be on all sides, so that each side beside training gets one group
    assert np.bincount(split_files(files, sums).side).tolist() == [120, 20, 20]
    split = split_files(files, sums, test_share=0.0)
    assert np.bincount(split.side).tolist() == [80, 80]


@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 12), min_size=3, max_size=6), min_size=4, max_size=4),
    st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=9), max_size=4),
    st.tuples(st.floats(0.01, 0.4), st.sampled_from([0.0, 0.01, 0.15, 0.4])),
    st.integers(0, 3),
)
def test_every_side_gets_every_class_that_has_a_group_for_each(sizes, mixed, shares, seed):
    files = single_class_groups(sizes)
    for number, labels in enumerate(mixed):
        files += [a_file(row, label, f"mixed-{number}") for row, label in enumerate(labels)]
    names = [str(row) for row in range(len(files))]
    split = split_files(files, names, shares[0], shares[1], seed)
    for side in (TRAIN, VALIDATION, TEST)[: 3 if shares[1] else 2]:
        assert {int(files[row].label) for row in split.rows(side).tolist()} == {0, 1, 2, 3}


def test_a_group_on_both_own_parts_is_refused():
    files = [a_file(0, 0, "p1", "train"), a_file(1, 1, "p1", "test")]
    with pytest.raises(DatasetError, match=r"both in training and test, e\.g\. “p1”"):
        split_files(files, ["a", "b"])


def texture(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 7, 3), dtype=np.uint8)
    return cv2.resize(coarse, (64, 64), interpolation=cv2.INTER_CUBIC)


def test_near_copies_are_found_and_other_pictures_are_not():
    pictures = [texture(seed) for seed in range(40)]
    jpeg = cv2.imdecode(cv2.imencode(".jpg", pictures[3], [1, 60])[1], cv2.IMREAD_COLOR)
    small = cv2.resize(cv2.resize(pictures[5], (40, 40)), (64, 64))
    bright = np.clip(pictures[7].astype(int) + 12, 0, 255).astype(np.uint8)
    glass = np.full((2, 64, 64, 3), 240, np.uint8)
    images = np.stack([*pictures, jpeg, small, bright, *glass, pictures[9]])
    side = np.array([0] * 40 + [2, 2, 2, 0, 2, 2])
    found = near_duplicates(fingerprints(images), side)
    assert found == [(3, 40), (5, 41), (7, 42)]  # exact copies are told apart by their sum


def test_twenty_thousand_patches_are_compared_in_seconds():
    rng = np.random.default_rng(0)
    count = 20_000
    prints = Fingerprints(
        tuple(map(str, range(count))),
        rng.integers(0, 1 << 63, count, dtype=np.uint64),
        rng.integers(0, 256, (count, 16, 16), dtype=np.uint8),
    )
    prints.dhash[19_999] = prints.dhash[0] ^ np.uint64(0b1010001)
    prints.thumbs[19_999] = prints.thumbs[0]
    started = time.perf_counter()
    found = near_duplicates(prints, np.repeat([0, 2], [17_000, 3_000]))
    assert found == [(0, 19_999)]
    assert time.perf_counter() - started < 20


def save(path: Path, rgb: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgb).save(path)


@pytest.fixture
def forty_x(tmp_path) -> Path:
    """A HER2-IHC-40x folder with an exact copy and a near copy on the test side."""
    root = tmp_path / "set"
    for score in HER2Score:
        for number in range(4):
            rgb = texture(10 * int(score) + number)
            save(root / "train_data_patch" / score.folder / f"{number}.png", rgb)
            rgb = texture(500 + 10 * int(score) + number)
            save(root / "test_data_patch" / score.folder / f"{number}.png", rgb)
    save(root / "test_data_patch" / "class_2+" / "same.png", texture(21))
    near = np.clip(texture(32).astype(int) + 9, 0, 255).astype(np.uint8)
    save(root / "test_data_patch" / "class_3+" / "near.png", near)
    return root


def test_copies_across_sides_are_left_out_or_named(forty_x, tmp_path):
    prepared = prepare(Request(((forty_x, 1.0),), validation_share=0.25), 64)
    told = "\n".join(prepared.warnings)
    assert "34 of 34 patches have no known group" in told
    assert "OPTIMISTIC" in told
    assert "1 exact copies" in told
    assert "1 near copies" in told
    assert ".png" not in told  # it goes onto the card, and names may be patients'
    assert "same.png" not in {file.path.name for file in prepared.files_of(TEST)}
    assert len(prepared.files_of(TEST)) == 17
    assert "dataset's own test part" in prepared.describe_split()
    record(prepared, tmp_path / "run", started=False)
    named = (tmp_path / "run" / "duplicates.csv").read_text()
    assert "exact," in named
    assert "test_data_patch/class_2+/same.png" in named
    assert "test_data_patch/class_3+/near.png" in named
    record(prepared, tmp_path / "run", started=True)
    moved = prepare(Request(((forty_x, 1.0),), validation_share=0.25, seed=4), 64)
    with pytest.raises(DatasetError, match="not those the run"):
        record(moved, tmp_path / "run", started=True)


def test_one_picture_under_two_labels_is_refused(forty_x):
    save(forty_x / "train_data_patch" / "class_0" / "torn.png", texture(31))
    with pytest.raises(DatasetError, match=r"torn\.png \(0\) and .*class_3\+/1\.png \(3\+\)"):
        prepare(Request(((forty_x, 1.0),)), 64)


def test_an_empty_class_is_named_before_anything_is_read(forty_x):
    for path in (forty_x / "train_data_patch" / "class_1+").iterdir():
        path.write_bytes(b"")
        path.unlink()
    with pytest.raises(DatasetError, match=r"Class 1\+ is empty"):
        prepare(Request(((forty_x, 1.0),)), 64)


def test_shares_must_leave_something_to_learn_from():
    files = [a_file(row, row % 4) for row in range(8)]
    with pytest.raises(DatasetError, match="together below 1"):
        split_files(files, list("abcdefgh"), 0.5, 0.5)
    grouped = [replace(file, group="p") for file in files]
    with pytest.raises(DatasetError, match=r"1 groups are too few: .* nothing is left"):
        split_files(grouped, list("abcdefgh"))
