"""What a workstation does, for the processes that are killed or set to write at once."""

import io
from datetime import UTC, datetime

import numpy as np
from PIL import Image

from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Square
from her2core.reviews.records import PatchRecord, ReviewDraft
from her2core.scores import HER2Score

SIDE = 96
SQUARE = Square(0, 0, SIDE)


def picture(seed: int) -> bytes:
    """A PNG of SIDE x SIDE pixels, brown rings on pale ground; another one for each seed."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    rgb = np.full((SIDE, SIDE, 3), (225, 220, 230), np.float64)
    for _ in range(9):
        y, x = random.uniform(12, SIDE - 12, 2)
        distance = np.hypot(rows - y, columns - x)
        rgb[distance < 7] = (90, 90, 160)
        rgb[(distance >= 7) & (distance < 9)] = (130, 80, 40)
    rgb += random.normal(0, 4, rgb.shape)
    output = io.BytesIO()
    Image.fromarray(rgb.clip(0, 255).astype(np.uint8)).save(output, "PNG")
    return output.getvalue()


def patch(number: int) -> PatchRecord:
    """The record of a patch without a picture."""
    return PatchRecord(f"{number:064x}", f"{number}.png", SIDE, SIDE, datetime.now(UTC))


def answer(sha256: str, reviewer: str, number: int) -> ReviewDraft:
    """A complete answer; another one for each number."""
    score = HER2Score(number % len(HER2Score))
    return ReviewDraft(
        patch_sha256=sha256,
        square=SQUARE,
        reviewer=reviewer,
        verdicts=(
            Verdict("cnn", "cnn-reliability", (0.1, 0.2, 0.3, 0.4), True),
            Verdict("densenet121", "densenet121-reliability", (0.4, 0.3, 0.2, 0.1), True),
        ),
        agrees={"cnn": score == HER2Score.THREE_PLUS, "densenet121": score == HER2Score.ZERO},
        own_score=score,
        confidence="high",
        comment=f"answer {number}",
        seconds=float(number % 60),
    )
