"""Speed against the plain way, in one run: ratios, their goals, and whether they hold.

The plain way of each row is what one writes first with the same libraries: keras `predict` for each
model, Grad-CAM in an eager gradient tape through a second model, shap.GradientExplainer as it
comes. Both sides take turns, so that what else the machine does hits both alike; medians count.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.startup import seconds_to_first_verdict, seconds_to_page
from her2core.models.registry import ARCHITECTURES, chosen
from her2core.patches import Patch, Square
from her2core.scores import HER2Score
from her2core.settings import PROJECT_ROOT, Settings, load_settings

RESULTS = Path(__file__).with_name("results.json")
SHAP_SAMPLES = 50


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        name: what was timed.
        against: the plain way it is compared with.
        peer: time of the plain way, None where there is none.
        ours: time of the project.
        unit: of both times.
        ratio: peer / ours (how many times faster), or for a share ours / peer.
        goal: what the ratio should reach ("share": should stay below); None without a goal.
        holds: whether it does; None without a goal.
        share: the ratio is a share.
    """

    name: str
    against: str
    peer: float | None
    ours: float
    unit: str
    ratio: float | None = None
    goal: float | None = None
    holds: bool | None = None
    share: bool = False


def faster(name: str, against: str, peer: float, ours: float, goal: float | None) -> Row:
    """A row whose ratio says how many times faster than the peer we are."""
    ratio = peer / ours
    return Row(name, against, peer, ours, "s", ratio, goal, None if goal is None else ratio >= goal)


def share(name: str, against: str, peer: float, ours: float, goal: float) -> Row:
    """A row whose ratio says what part of the peer's time we take."""
    ratio = ours / peer
    return Row(name, against, peer, ours, "s", ratio, goal, ratio <= goal, share=True)


def medians(ways: Sequence[Callable[[int], object]], repeats: int) -> list[float]:
    """Median seconds of each way; they take turns, after one turn that does not count.

    Args:
        ways: each takes the number of the turn, -1 for the one which does not count.
        repeats: turns that count.
    """
    for way in ways:
        way(-1)
    times: list[list[float]] = [[] for _ in ways]
    for turn in range(repeats):
        for way, seconds in zip(ways, times, strict=True):
            started = time.perf_counter()
            way(turn)
            seconds.append(time.perf_counter() - started)
    return [statistics.median(seconds) for seconds in times]


def a_patch(number: int) -> Patch:
    """A patch of 448 x 448 random colour blocks; each number is another one."""
    blocks = np.random.default_rng(abs(number)).integers(0, 256, (28, 28, 3), dtype=np.uint8)
    rgb = blocks.repeat(16, axis=0).repeat(16, axis=1)
    return Patch(f"{number}.png", f"{number % 2**256:064x}", rgb, Square(0, 0, 448))


def verdict_rows(settings: Settings, classifiers: dict[str, Any], repeats: int) -> Iterator[Row]:
    """Both verdicts of one patch, from its pixels, against keras predict."""
    from her2core.workbench import Workbench

    workbench = Workbench(settings, maps=False)
    state = workbench.wait()
    if set(state.ready) != set(ARCHITECTURES):
        raise SystemExit(" ".join(state.failures))
    networks = [classifier.bundle.model for classifier in classifiers.values()]

    def plain(turn: int) -> None:
        pixels = a_patch(turn).pixels()[None]
        for network in networks:
            network.predict(pixels, verbose=0)

    ours, peer = medians([lambda turn: workbench.verdicts(a_patch(turn)), plain], repeats)
    yield faster("both verdicts of one patch", "keras predict for each model", peer, ours, 2.5)


def grad_cam_rows(classifiers: dict[str, Any], repeats: int) -> Iterator[Row]:
    """Grad-CAM after the verdict: as a share of a forward pass, and against the eager way."""
    from her2core.xai.class_activation import ClassActivation

    pixels = a_patch(1).pixels()[None]
    for name, classifier in classifiers.items():
        title = ARCHITECTURES[name].title
        seen = classifier.read(pixels)
        grad_cam = ClassActivation(classifier.model_id, classifier.head)
        eager = _eager_grad_cam(classifier.bundle.model)
        forward, ours, plain = medians(
            [
                lambda _: classifiers["densenet121"].infer(pixels),
                lambda _: grad_cam(seen.features, HER2Score.TWO_PLUS, seen.hidden),  # noqa: B023
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
    yield faster("SHAP of both models, shown class", against, total_peer, total_ours, 4.0)


def startup_rows(settings: Settings) -> Iterator[Row]:
    """Seconds from the start of a process, without a peer and without a goal."""
    page = seconds_to_page(settings)
    if page is not None:
        yield Row("server start to first page", page.measured, None, page.seconds, "s")
    verdict = seconds_to_first_verdict(settings)
    yield Row("process start to first verdicts", verdict.measured, None, verdict.seconds, "s")


def bundles(home: Path) -> tuple[Settings, str]:
    """Settings with a bundle of each architecture, and where they come from.

    What is installed is used; for an architecture without a bundle, one with seeded random weights
    is written into `home` (speed does not depend on the values).
    """
    import keras

    from her2core.models.bundle import write_bundle
    from her2core.models.card import ModelCard

    installed = load_settings()
    settings = replace(
        installed,
        home=home,
        database_url=f"sqlite:///{home / 'reviews.sqlite3'}",
        bundle_dirs=(*installed.bundle_dirs, home / "bundles"),
    )
    missing = [name for name in ARCHITECTURES if name not in chosen(settings)]
    for name in missing:
        keras.utils.set_random_seed(0)
        text = "None: random weights, for timing only."
        card = ModelCard(name, name, text, "CC0", "none", (), 1.0, "2026-01-01", "0", demo=True)
        background = np.stack([(255 * a_patch(n).pixels()).astype(np.uint8) for n in range(16)])
        write_bundle(ARCHITECTURES[name].build(), card, home / "bundles" / name, background)
    return settings, f"random weights for {' and '.join(missing)}" if missing else "installed"


def table(rows: Sequence[Row]) -> str:
    """The rows as text, one line each."""
    lines = [f"{'':46}{'plain':>10}{'ours':>10}{'ratio':>9}{'goal':>9}  holds"]
    for row in rows:
        peer = "" if row.peer is None else f"{row.peer:.4f} s"
        ratio = (
            "" if row.ratio is None else f"{row.ratio:.3f}" if row.share else f"{row.ratio:.2f}x"
        )
        sign = "<=" if row.share else ">="
        goal = "" if row.goal is None else f"{sign} {row.goal:g}"
        holds = {None: "", True: "yes", False: "NO"}[row.holds]
        lines.append(f"{row.name:46}{peer:>10}{row.ours:>8.4f} s{ratio:>9}{goal:>9}  {holds}")
        lines.append(f"    {row.against}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything once, print the table and write the results; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--repeats", type=int, default=15, help="turns of each quick row")
    parser.add_argument("--shap-repeats", type=int, default=3, help="turns of each SHAP row")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file to write")
    args = parser.parse_args(arguments)
    if args.repeats < 1 or args.shap_repeats < 1:
        parser.error("at least one turn is needed")
    home = Path(tempfile.mkdtemp(prefix="her2-bench-"))
    try:
        rows, facts = _run(home, args.repeats, args.shap_repeats)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print(table(rows))
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    text = json.dumps({"machine": facts, "rows": [asdict(row) for row in rows]}, indent=2)
    args.out.write_text(text + "\n", encoding="utf-8")
    return 0 if all(row.holds is not False for row in rows) else 1


def _run(home: Path, repeats: int, shap_repeats: int) -> tuple[list[Row], dict[str, object]]:
    load_before = round(os.getloadavg()[0], 2)
    settings, source = bundles(home)
    rows = list(startup_rows(settings))

    import keras
    import shap
    import tensorflow as tf

    from her2core.models.bundle import load_bundle
    from her2core.models.classifier import Classifier

    folders = chosen(settings)
    classifiers = {name: Classifier(load_bundle(folders[name])) for name in ARCHITECTURES}
    rows += verdict_rows(settings, classifiers, repeats)
    rows += grad_cam_rows(classifiers, repeats)
    rows += shap_rows(classifiers, shap_repeats)
    facts: dict[str, object] = {
        "cores": os.cpu_count(),
        "load before": load_before,
        "bundles": source,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "shap": shap.__version__,
    }
    return rows, facts


def _eager_grad_cam(model: Any) -> Callable[[Any, int], Any]:
    """Grad-CAM as tutorials write it: a second model, an eager tape, no compilation."""
    import keras
    import tensorflow as tf

    outputs = [model.get_layer("features").output, model.get_layer("logits").output]
    second = keras.Model(model.inputs[0], outputs)

    def explain(pixels: Any, target: int) -> Any:
        with tf.GradientTape() as tape:
            features, logits = second(tf.constant(pixels), training=False)
            score = logits[:, target]
        weights = tf.reduce_mean(tape.gradient(score, features), axis=(1, 2))
        cam = tf.nn.relu(tf.einsum("nhwc,nc->nhw", features, weights))
        large = tf.image.resize(cam[..., None], (224, 224))[..., 0]
        return (large / tf.reduce_max(large)).numpy()

    return explain


if __name__ == "__main__":
    os.chdir(PROJECT_ROOT)
    sys.exit(main())
