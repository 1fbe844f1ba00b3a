"""Speed against the plain way, one patch at a time: verdicts, maps, stain report, SHAP.

The plain way of each row is what one writes first with the same libraries (`plain.py`). Both sides
take turns, so that what else the machine does hits both alike; medians count.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.plain import eager_grad_cam, stain_report
from benchmarks.rows import Row, a_patch, faster, medians, share
from her2core.models.bundles.registry import ARCHITECTURES
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


def whole_page_rows(
    workbench: Workbench, classifiers: dict[str, Any], patches: list[Patch], repeats: int
) -> Iterator[Row]:
    """Everything the Review page shows of a new patch at once: verdicts, maps, stain report."""
    from her2core.stain import measure_membranes

    networks = {name: classifier.bundle.model for name, classifier in classifiers.items()}
    eager = {name: eager_grad_cam(network) for name, network in networks.items()}
    # Other keys than those of other rows: what was read before must not be handed out.
    fresh = iter(range(10**6))

    def renamed(turn: int) -> Patch:
        patch = patches[turn % len(patches)]
        return replace(patch, sha256=f"{10**9 + next(fresh):064x}")

    def ours(turn: int) -> None:
        patch = renamed(turn)
        for verdict in workbench.verdicts(patch):
            workbench.explain(patch, verdict.architecture, "grad_cam", verdict.score)
        measure_membranes(patch.field())

    def plain(turn: int) -> None:
        patch = renamed(turn)
        pixels = patch.pixels()[None]
        for name, network in networks.items():
            probabilities = network.predict(pixels, verbose=0)[0]
            eager[name](pixels, int(np.argmax(probabilities)))
        stain_report(patch.field())

    mine, peer = medians([ours, plain], repeats)
    against = "keras predict, eager Grad-CAM, scikit-image's rgb2hed, Otsu, watershed and rings"
    yield faster("both verdicts, Grad-CAM, stain report", against, peer, mine, 5.0)


def grad_cam_rows(classifiers: dict[str, Any], repeats: int) -> Iterator[Row]:
    """Grad-CAM after the verdict: as a share of a forward pass, and against the eager way."""
    from her2core.xai.class_activation import ClassActivation

    pixels = a_patch(1).pixels()[None]
    for name, classifier in classifiers.items():
        title = ARCHITECTURES[name].title
        inner = classifier.read(pixels)
        grad_cam = ClassActivation(classifier.model_id, classifier.head)
        eager = eager_grad_cam(classifier.bundle.model)
        forward, ours, plain = medians(
            [
                lambda _: classifiers["densenet121"].infer(pixels),
                lambda _: grad_cam(inner.features, HER2Score.TWO_PLUS, inner.hidden),  # noqa: B023
                lambda _: eager(pixels, 2),  # noqa: B023
            ],
            repeats,
        )
        forward_text = "one compiled DenseNet121 forward pass"
        yield share(f"Grad-CAM of {title} after the verdict", forward_text, forward, ours, 0.1)
        eager_text = "eager tape through a second model"
        yield faster(f"Grad-CAM of {title} after the verdict", eager_text, plain, ours, None)


def shap_rows(classifiers: dict[str, Any], repeats: int) -> Iterator[Row]:
    """SHAP for the class on the screen against shap.GradientExplainer for all it has.

    A page shows the maps of both models, so the goal is for both together. Equal samples are the
    harder comparison: left to itself shap draws 200.
    """
    import shap

    from her2core.xai.shap_values import ShapExplainer

    patch = a_patch(1).pixels()
    total_ours = total_peer = 0.0
    against = (
        f"shap.GradientExplainer(model, background).shap_values(x, nsamples={SHAP_SAMPLES}): "
        "its default of all four classes, at equal samples"
    )
    for name, classifier in classifiers.items():
        background = classifier.bundle.background.astype(np.float32) / np.float32(255)
        plain = shap.GradientExplainer(classifier.scaled, background)
        explainer = ShapExplainer(classifier)
        ours, peer = medians(
            [
                lambda _: explainer(patch, HER2Score.TWO_PLUS, SHAP_SAMPLES),  # noqa: B023
                lambda _: plain.shap_values(patch[None], nsamples=SHAP_SAMPLES),  # noqa: B023
            ],
            repeats,
        )
        title = ARCHITECTURES[name].title
        yield faster(f"SHAP of {title}, shown class", against, peer, ours, None)
        total_ours, total_peer = total_ours + ours, total_peer + peer
    yield faster("SHAP of both models, shown class", against, total_peer, total_ours, 5.0)
