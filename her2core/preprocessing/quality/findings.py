"""What can be wrong with a patch: a code and a sentence on what to do."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing about the square.

    Attributes:
        code: its name in reports.
        message: what is wrong and what to do, one sentence.
        disregard: the square shows no HER2 that could be scored, whatever the networks say.
        confirmable: networks that agreed on such squares were right as often as on others
            (docs/external.md). Where it is False, what they agree on may be no HER2 at all.
    """

    code: str
    message: str
    confirmable: bool = False
    disregard: bool = False


# Codes of the findings that tell how much of the square is under ink, or is tissue.
PEN, LITTLE_TISSUE = "pen", "little_tissue"
_DISREGARD = "the models know HER2 IHC only, so disregard their verdicts."
BLANK = Finding(
    "blank",
    "The square shows hardly any tissue; move it onto tumour or choose another patch.",
    disregard=True,
)
GREY = Finding(
    "grey",
    "The image has no colour, so brown DAB cannot be told from blue; use the colour image.",
    disregard=True,
)
EOSIN = Finding(
    "h_and_e", f"The pink looks like eosin (H&E), not IHC; {_DISREGARD}", disregard=True
)
NOT_IHC = Finding(
    "not_ihc", f"The colours are not those of DAB and haematoxylin; {_DISREGARD}", disregard=True
)
BROWN_NUCLEI = Finding(
    "brown_nuclei",
    "The brown lies on nuclei, not on membranes: is this a HER2 stain?",
    disregard=True,
)
BLURRED = Finding("blurred", "The square is out of focus; rescan it or choose a sharper patch.")
DARK = Finding("dark", "The square is under-exposed; export it again with brighter settings.")
CLIPPED = Finding(
    "overexposed",
    "Much of the square is pure white, which hides faint staining; export it with less exposure "
    "or choose a part with more tissue.",
)

FOLD = Finding(
    "fold",
    "A band in the square is darker in both stains: where it is a fold and no dense tissue, move "
    "the square beside it.",
    confirmable=True,
)
DENSE_DAB = Finding(
    "dense_dab",
    "The brown is very dark: intense staining, or a slide stained or exposed too darkly; compare "
    "it with the control tissue.",
    confirmable=True,
)
DENSE_COUNTERSTAIN = Finding(
    "dense_counterstain",
    "The counterstain is dark enough to hide faint brown; have the slide stained again.",
)
PALE_COUNTERSTAIN = Finding(
    "pale_counterstain",
    "The counterstain is hardly visible, so cells cannot be told; check the stain, or choose "
    "another part.",
)
