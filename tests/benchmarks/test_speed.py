"""The benchmark compares like with like and reports a missed goal as missed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.rows import (
    Row,
    a_patch,
    faster,
    machine,
    medians,
    rate,
    settings_at,
    share,
    table,
    write,
)
from benchmarks.scoring import write_patches
from her2core.models.bundles.registry import chosen
from her2core.settings import SHIPPED_DATA
from tests.tiny_bundles import NAMES, bundle_root


def test_ratios_and_goals() -> None:
    assert faster("n", "a", peer=1.0, ours=0.25, goal=4.0).holds is True
    assert faster("n", "a", peer=1.0, ours=0.26, goal=4.0).holds is False
    assert faster("n", "a", peer=1.0, ours=0.5, goal=None).holds is None
    assert share("n", "a", peer=1.0, ours=0.1, goal=0.1).holds is True
    missed = share("n", "a", peer=1.0, ours=0.2, goal=0.1)
    assert (missed.ratio, missed.holds) == (pytest.approx(0.2), False)
    assert rate("n", "a", peer=10.0, ours=9.0, goal=0.9).holds is True
    assert rate("n", "a", peer=10.0, ours=8.9, goal=0.9).holds is False


def test_the_table_shows_every_row_and_every_miss() -> None:
    rows = [
        faster("quick thing", "slow thing", 1.0, 0.2, 4.0),
        share("small part", "the whole", 1.0, 0.2, 0.1),
        Row("alone", "without a peer", None, 1.0, "s"),
    ]
    text = table(rows)
    assert "quick thing" in text
    assert "5.00x" in text
    assert "the whole" in text
    assert text.count("NO") == 1


def test_results_are_a_list_of_rows_which_name_the_machine(tmp_path: Path) -> None:
    write([faster("quick thing", "slow thing", 1.0, 0.2, 4.0)], tmp_path / "results.json")
    (row,) = json.loads((tmp_path / "results.json").read_text())
    assert {"name", "peer", "ours", "unit", "ratio", "goal", "holds"} < row.keys()
    assert "cores" in row["machine"]
    assert "openvino" in machine()


def test_both_sides_take_turns_and_the_first_turn_does_not_count() -> None:
    calls: list[tuple[str, int]] = []
    times = medians([lambda n: calls.append(("a", n)), lambda n: calls.append(("b", n))], 2)
    assert calls == [("a", -1), ("b", -1), ("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    assert all(seconds >= 0 for seconds in times)


def test_every_turn_reads_another_patch() -> None:
    assert a_patch(1).key != a_patch(2).key
    assert not np.array_equal(a_patch(1).rgb, a_patch(2).rgb)


def test_installed_bundles_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HER2_BUNDLES", str(bundle_root()))
    assert chosen(settings_at(tmp_path)) == {name: bundle_root() / name for name in NAMES}
    assert not any(tmp_path.iterdir())


def test_every_file_that_is_scored_is_another_patch(tmp_path: Path) -> None:
    files = write_patches(tmp_path / "in", 5, SHIPPED_DATA / "demo")
    assert len({path.read_bytes() for path in files}) == 5
