"""Make the sample patches that "Try a sample" loads: synthetic, in mixed order, truth in truth.csv.

    python -m training.make_samples --out data/demo [--sheet docs/synthetic.jpg]

The sheet shows a row of patches per class as training sees them, for docs/synthetic.md. The names
of the samples do not tell the class, so that a blind reading of them stays blind.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from her2core.common.commands import command_parser
from her2core.scores import HER2Score
from her2core.training.synthetic import GeneratorConfig, make_patch
from training.patch_sets import write_truth

CONFIG = GeneratorConfig(size=448, field_um=(110.0, 200.0), variety=0.5, stroma_only=0.0)
# (class, draw): picked by eye so that two fields of each class show different growth patterns
SAMPLES = (
    (HER2Score.TWO_PLUS, 2),
    (HER2Score.ZERO, 0),
    (HER2Score.THREE_PLUS, 1),
    (HER2Score.ONE_PLUS, 4),
    (HER2Score.ZERO, 4),
    (HER2Score.TWO_PLUS, 6),
    (HER2Score.ONE_PLUS, 5),
    (HER2Score.THREE_PLUS, 0),
)


def sheet() -> Image.Image:
    """A row per class of patches with training's variety and fields of 50 to 600 µm."""
    config = GeneratorConfig(field_um=(50.0, 600.0))
    rows = [
        np.hstack(
            [
                make_patch(score, np.random.default_rng([9, int(score), draw]), config).rgb
                for draw in range(7)
            ]
        )
        for score in HER2Score
    ]
    return Image.fromarray(np.vstack(rows))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0."""
    parser = command_parser("training.make_samples", __doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--sheet", type=Path, help="also write a contact sheet there")
    args = parser.parse_args(arguments)
    if args.sheet is not None:
        sheet().save(args.sheet, quality=85)
    args.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, (score, draw) in enumerate(SAMPLES, start=1):
        patch = make_patch(score, np.random.default_rng([77, int(score), draw]), CONFIG)
        name = f"synthetic-sample-{number}.png"
        Image.fromarray(patch.rgb).save(args.out / name, optimize=True)
        rows.append({"file": name, "label": score.key, "field_um": round(patch.field_um, 1)})
    write_truth(args.out, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
