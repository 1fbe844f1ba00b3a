"""What can be wrong with a patch: a code, how much it matters, and a sentence on what to do."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing about the square. A "warning" puts the verdict in doubt; a "note" does not."""

    code: str
    message: str
    severity: Literal["note", "warning"]


def warning(code: str, message: str) -> Finding:
    """A finding that puts the verdict in doubt."""
    return Finding(code, message, "warning")


_DISREGARD = "the models know HER2 IHC only, so disregard their verdicts."
BLANK = warning(
    "blank", "The square shows hardly any tissue; move it onto tumour or choose another patch."
)
GREY = warning(
    "grey", "The image has no colour, so brown DAB cannot be told from blue; use the colour image."
)
EOSIN = warning("h_and_e", f"The pink looks like eosin (H&E), not IHC; {_DISREGARD}")
NOT_IHC = warning("not_ihc", f"The colours are not those of DAB and haematoxylin; {_DISREGARD}")
BROWN_NUCLEI = warning(
    "brown_nuclei", "The brown lies on nuclei, not on membranes: is this a HER2 stain?"
)
BLURRED = warning("blurred", "The square is out of focus; rescan it or choose a sharper patch.")
DARK = warning("dark", "The square is under-exposed; export it again with brighter settings.")
CLIPPED = warning(
    "overexposed",
    "Much of the square is pure white, which hides faint staining; export it with less exposure "
    "or choose a part with more tissue.",
)

FOLD = warning(
    "fold",
    "A band in the square is darker in both stains, as where tissue lies folded; move the square "
    "beside it.",
)
DENSE_DAB = warning(
    "dense_dab",
    "The brown is too dark for its grades to be told; export it brighter, or have the slide "
    "stained again.",
)
DENSE_COUNTERSTAIN = warning(
    "dense_counterstain",
    "The counterstain is dark enough to hide faint brown; have the slide stained again.",
)
PALE_COUNTERSTAIN = warning(
    "pale_counterstain",
    "The counterstain is hardly visible, so cells cannot be told; check the stain, or choose "
    "another part.",
)
