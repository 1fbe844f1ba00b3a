"""Maps for recorded verdicts: only the model that gave a verdict may explain it.

The models in use change; the log does not. A map by another bundle over an old verdict would look
like a reason and be none, so it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Patch
from her2core.reviews.records import Review
from her2core.serving.workbench import Workbench
from her2core.xai.explanation import Explanation, Method
from her2core.xai.fidelity_report import FidelityReport
from her2core.xai.methods import RECORDED
from her2core.xai.overlay import annotate, draw_map, map_line, part_line, verdict_line

_OPACITY = 0.55
_SHORTEST, _LONGEST = 448, 1024


class OtherModelLoadedError(RuntimeError):
    """The model which gave the verdict is not the one loaded now; str(error) says which is."""


def explain_recorded(
    workbench: Workbench, patch: Patch, verdict: Verdict, method: Method
) -> Explanation:
    """The map of a recorded verdict, for the score it gave.

    Args:
        workbench: the models; this waits for them.
        patch: the image with the square that was reviewed.
        verdict: as recorded.
        method: one of RECORDED.

    Raises:
        OtherModelLoadedError: another model, or none, of this architecture is loaded.
    """
    workbench.wait()
    card = workbench.cards().get(verdict.architecture)
    now = card.model_id if card is not None else None
    if now == verdict.model_id:
        explanation = workbench.explain(patch, verdict.architecture, method, verdict.score)
        now = explanation.model_id  # the bundle may have been changed while it was computed
        if now == verdict.model_id:
            return explanation
    instead = f"{now} is loaded now" if now else "no model of this kind is loaded now"
    raise OtherModelLoadedError(
        f"This verdict came from {verdict.model_id}; {instead}. A map by another model would not "
        "explain it; choose the recorded model on the Models page."
    )


def overlay(patch: Patch, explanation: Explanation, opacity: float) -> npt.NDArray[np.uint8]:
    """The square with its map, 448 to 1,024 pixels wide: uint8 (s, s, 3). `opacity` in [0, 1]."""
    field = patch.field()
    size = min(max(field.shape[0], _SHORTEST), _LONGEST)
    if size != field.shape[0]:
        how = cv2.INTER_AREA if size < field.shape[0] else cv2.INTER_CUBIC
        field = np.asarray(cv2.resize(field, (size, size), interpolation=how), dtype=np.uint8)
    return draw_map(field, patch.square, explanation, opacity)


def exported_overlays(
    workbench: Workbench,
    review: Review,
    patch: Patch,
    *,
    include_name: bool,
    checked: FidelityReport,
) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    """Every map of a review's verdicts, with the verdicts and the page's warnings written below.

    Args:
        workbench: the models; this waits for them.
        review: the review exported.
        patch: its image with the square that was reviewed.
        include_name: write the file name too; otherwise the patch is named by its sha256.
        checked: what is known of the maps' truth; a failed check is written below its map.

    Yields:
        "<architecture>_<method>" and the picture, uint8 (h, w, 3).

    Raises:
        OtherModelLoadedError: after all others, where a verdict came from a model not loaded now.
    """
    name = review.patch.name if include_name else f"Patch {review.patch.sha256[:16]}"
    verdicts = [verdict_line(verdict) for verdict in review.verdicts]
    refused: OtherModelLoadedError | None = None
    for verdict in review.verdicts:
        for method in RECORDED:
            try:
                explanation = explain_recorded(workbench, patch, verdict, method)
            except OtherModelLoadedError as error:
                refused = error
                continue
            picture = overlay(patch, explanation, _OPACITY)
            title = [f"{name}, entry {review.id}", map_line(explanation)]
            title += filter(None, [part_line(patch.square, explanation)])
            warning = checked.warning(explanation.model_id, method)
            warnings = [f"Warning: {warning}"] if warning else []
            yield f"{verdict.architecture}_{method}", annotate(picture, title, verdicts, warnings)
    if refused is not None:
        raise refused
