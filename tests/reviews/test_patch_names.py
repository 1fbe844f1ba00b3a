"""Patches of the same file name are told apart wherever they are listed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from her2core.reviews.patch_names import distinct_names

A, B, C = "a" * 64, "a" * 8 + "b" * 56, "c" * 64


def test_a_name_of_its_own_stays_as_it_is():
    assert distinct_names({A: "one.png", C: "two.png"}) == {A: "one.png", C: "two.png"}


def test_equal_names_carry_as_much_of_the_sum_as_tells_them_apart():
    named = distinct_names({A: "core.png", C: "core.png", B: "core.png"})
    assert named == {
        A: "core.png (aaaaaaaaa)",
        B: "core.png (aaaaaaaab)",
        C: "core.png (ccccccccc)",
    }


def test_names_that_only_look_the_same_count_as_equal():
    for other in (
        "CORE é.png",
        "core e\u0301.png",
        "core  é.png",
        "core\u00a0é.png",
        "ｃore é.png",
    ):
        named = distinct_names({A: "core é.png", C: other})
        assert all("(" in name for name in named.values()), other


@given(st.dictionaries(st.integers(0, 15**8).map(lambda n: f"{n:064x}"), st.text(max_size=3)))
def test_no_two_patches_are_ever_shown_under_one_name(names):
    shown = distinct_names(names)
    assert shown.keys() == names.keys()
    alike = {" ".join(name.casefold().split()) for name in shown.values()}
    assert len(alike) == len(names)
