"""Speed, one patch at a time: verdicts against the plain way, maps, stain report, SHAP.

Where there are two sides they take turns, so that what else the machine does hits both alike;
medians count. How much faster maps, stain and SHAP are than the plain way: docs/decisions.md.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from benchmarks.rows import Row, a_patch, faster, medians, share
from her2core.models.architectures import ARCHITECTURES
from her2core.preprocessing.patches import Patch
from her2core.scores import HER2Score
from her2core.serving.workbench import Workbench

SHAP_SAMPLES = 50


def verdict_rows(workbench: Workbench, classifiers: dict[str, Any], repeats: int) -> Iterator[Row]:
    """Both verdicts of one patch, from its pixels, against keras predict."""
    networks = [classifier.bundle.model for classifier in classifiers.values()]

    def plain(turn: int) -> None:
        pixels = a_patch(turn).pixels()[None]
        for network in networks:
            network.predict(pixels, verbose=0)

    def compiled(turn: int) -> None:
        pixels = a_patch(turn).pixels()[None]
        for classifier in classifiers.values():
            classifier.read(pixels)

    ours, peer, tensorflow = medians(
        [lambda turn: workbench.verdicts(a_patch(turn)), plain, compiled], repeats
    )
    backends = {verdict.backend for verdict in workbench.verdicts(a_patch(0))}
    name = "both verdicts of one patch"
    against = f"keras predict for each model; ours by {' and '.join(sorted(backends))}"
    yield faster(name, against, peer, ours, 7.0)
    yield faster(name, "the same by TensorFlow, compiled", tensorflow, ours, None)


def reviewer_rows(
    workbench: Workbench, alone: float, reviewers: int = 10, each: int = 3
) -> Iterator[Row]:
    """Several reviewers at once: the longest wait for a patch against everybody's fair turn.

    Args:
        workbench: reads the patches.
        alone: seconds for both verdicts of one patch when nobody else asks.
        reviewers: how many ask at once.
        each: patches each of them opens, one after the other.
    """
    waits: list[float] = []
    together = threading.Barrier(reviewers)

    def reviewer(number: int) -> None:
        patches = [a_patch(10**7 + number * each + n) for n in range(each)]
        together.wait()
        for patch in patches:
            started = time.perf_counter()
            workbench.verdicts(patch)
            waits.append(time.perf_counter() - started)

    threads = [threading.Thread(target=reviewer, args=(number,)) for number in range(reviewers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    against = f"{reviewers} times the seconds one patch takes alone"
    name = f"longest wait among {reviewers} reviewers"
    yield share(name, against, reviewers * alone, max(waits), 2.0)


def whole_page_row(workbench: Workbench, patches: list[Patch], repeats: int) -> Row:
    """Everything the Review page shows of a new patch at once: verdicts, maps, stain report."""
    from her2core.stain.report import measure_membranes

    def ours(turn: int) -> None:
        # another key than those of other rows: what was read before must not be handed out
        patch = replace(patches[turn % len(patches)], sha256=f"{10**9 + turn:064x}")
        for verdict in workbench.verdicts(patch):
            workbench.explain(patch, verdict.architecture, "grad_cam", verdict.score)
        measure_membranes(patch.field())

    (seconds,) = medians([ours], repeats)
    measured = "the samples, each under a key of its own at every turn"
    return Row("both verdicts, Grad-CAM, stain report", measured, None, seconds, "s")


def grad_cam_rows(classifiers: dict[str, Any], repeats: int) -> Iterator[Row]:
    """Grad-CAM after the verdict, as a share of a forward pass."""
    from her2core.xai.class_activation import ClassActivation

    pixels = a_patch(1).pixels()[None]
    for name, classifier in classifiers.items():
        inner = classifier.read(pixels)
        grad_cam = ClassActivation(classifier.model_id, classifier.head)
        forward, ours = medians(
            [
                lambda _: classifiers["densenet121"].read(pixels),
                lambda _: grad_cam(inner.features, inner.hidden, HER2Score.TWO_PLUS),  # noqa: B023
            ],
            repeats,
        )
        title = f"Grad-CAM of {ARCHITECTURES[name].title} after the verdict"
        yield share(title, "one compiled DenseNet121 forward pass", forward, ours, 0.1)


def shap_rows(classifiers: dict[str, Any], repeats: int) -> Iterator[Row]:
    """SHAP for the class on the screen."""
    from her2core.xai.shap_values import ShapExplainer

    patch = a_patch(1).pixels()
    for name, classifier in classifiers.items():
        explainer = ShapExplainer(classifier)
        (seconds,) = medians(
            [lambda _: explainer(patch, HER2Score.TWO_PLUS, SHAP_SAMPLES)],  # noqa: B023
            repeats,
        )
        title = f"SHAP of {ARCHITECTURES[name].title}, shown class"
        yield Row(title, f"{SHAP_SAMPLES} samples", None, seconds, "s")
