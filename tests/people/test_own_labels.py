"""Which reviews count as labels: settled ones only."""

from dataclasses import replace

import pytest

from her2core.people.own_labels import own_patches, reviewed_patches
from her2core.preprocessing.image_store import MemoryImages
from her2core.reviews.double_reads import DoubleRead, GivenScore, Plan
from her2core.reviews.records import Origin, Review
from her2core.scores import HER2Score
from her2core.training.own_patches import AdaptError
from tests.review_samples import patch, review
from tests.tiny_bundles import a_patch

ADA, BEN = "Ada", "Ben"


def given(sha256: str, reviewer: str, score: int, number: int = 1, **other: object) -> Review:
    return review(
        id=number,
        patch=patch(sha256, name=f"K-{sha256[:2]}-7.png"),
        reviewer=reviewer,
        own_score=HER2Score(score),
        **other,
    )


def double(sha256: str, *answers: tuple[str, int], decision: int | None = None) -> Plan:
    told = {name: GivenScore(n, name, HER2Score(score)) for n, (name, score) in enumerate(answers)}
    third = None if decision is None else GivenScore(9, "Dee", HER2Score(decision))
    read = DoubleRead(sha256, (ADA, BEN), True, told, "Dee" if third else None, third)
    return Plan(double_reads={sha256: read})


def test_a_patch_counts_by_the_score_that_all_its_readers_gave():
    a, b = "a" * 64, "b" * 64
    log = [given(a, ADA, 2, 1), given(a, BEN, 2, 2), given(b, ADA, 1, 3), given(b, BEN, 2, 4)]
    found, others = reviewed_patches(log, Plan())
    assert [(one.sha256, one.score) for one in found] == [(a, HER2Score.TWO_PLUS)]
    assert others == 1


def test_a_corrected_answer_counts_no_more():
    a = "a" * 64
    log = [given(a, ADA, 1, 1, superseded_by=2), given(a, ADA, 3, 2, supersedes=1)]
    found, _ = reviewed_patches(log, Plan())
    assert [one.score for one in found] == [HER2Score.THREE_PLUS]


@pytest.mark.parametrize(
    ("plan", "score"),
    [
        (double("a" * 64, (ADA, 1)), None),  # sealed
        (double("a" * 64, (ADA, 1), (BEN, 2)), None),  # nobody has decided
        (double("a" * 64, (ADA, 1), (BEN, 2), decision=2), HER2Score.TWO_PLUS),
        (double("a" * 64, (ADA, 3), (BEN, 3)), HER2Score.THREE_PLUS),
    ],
)
def test_a_double_read_counts_by_the_score_it_ended_with(plan: Plan, score: HER2Score | None):
    # whatever stands in the log, a sealed answer must not be learnt from
    log = [given("a" * 64, ADA, 1, 1), given("a" * 64, ADA, 1, 2)]
    found, others = reviewed_patches(log, plan)
    assert [one.score for one in found] == ([] if score is None else [score])
    assert others == (score is None)


def test_the_score_of_a_whole_core_is_no_label_of_a_patch():
    origin = Origin("slide.svs", 0, 0, 4000, 0.25, "B3", whole=True)
    core = given("a" * 64, ADA, 2)
    log = [replace(core, patch=replace(core.patch, origin=origin))]
    assert reviewed_patches(log, Plan()) == ([], 0)


def test_the_group_is_found_in_the_name_and_the_square_is_the_reviewed_one():
    images, seen = MemoryImages(), a_patch(3, 300, 200)
    images.put(seen)
    log = [given(seen.sha256, ADA, 2, square=seen.square)]
    found, _ = reviewed_patches(log, Plan())
    own = own_patches(found, images, r"^K-(\w+)-")[0]
    assert own.group == seen.sha256[:2]
    assert own.load().square == seen.square
    assert own_patches(found, images)[0].group == ""
    with pytest.raises(AdaptError, match="exactly one capture group"):
        own_patches(found, images, "no group")
