"""BCI, the public set of HER2 patches with their H&E: its folders, names and parts."""

import re
from pathlib import Path

from PIL import Image

from her2core.preprocessing.picture_files import walk
from her2core.scores import HER2Score
from her2core.training.data.datasets import PARTS, Contents, DatasetError, LabelledFile, outside

_BCI_NAME = re.compile(r"\d+_(train|test|val)_(0|[123]\+)", re.IGNORECASE)


def read_bci(folder: Path) -> Contents | None:
    """BCI as it is passed on, told by its names: IHC/train, train/IHC, or train beside test.

    The parts come from the names too, and HE is left out. None where the folder is no BCI.
    """
    everything = walk(folder)
    h_and_e = [path for path in everything.pictures if _of_h_and_e(path.relative_to(folder))]
    pictures = sorted(set(everything.pictures) - set(h_and_e))
    inner = {part.lower() for path in pictures for part in path.relative_to(folder).parts[:-1]}
    names = [path for path in everything.pictures if _BCI_NAME.fullmatch(path.stem)]
    if not inner <= {"ihc", *PARTS} or not (names or "ihc" in inner or folder.name == "IHC"):
        return None
    if names and (not pictures or _of_h_and_e(Path(*folder.resolve().parts[-2:], "name"))):
        raise DatasetError(f"{folder} holds the H&E pictures of BCI; name the folder of IHC.")
    odd = [path for path in pictures if not _BCI_NAME.fullmatch(path.stem)]
    if odd:
        raise DatasetError(f"{odd[0]} is not named like a BCI patch, e.g. 00001_train_2+.png.")
    files = [_bci_file(path, folder) for path in pictures]
    files.sort(key=lambda file: ("train", "validation", "test").index(file.part))
    left_out = [*everything.left_out, *outside(h_and_e, "the H&E pictures of BCI")]
    return Contents("BCI", files, left_out)


def _of_h_and_e(path: Path) -> bool:
    return any(part.lower() in ("he", "h&e") for part in path.parts[:-1])


def _bci_file(path: Path, folder: Path) -> LabelledFile:
    match = _BCI_NAME.fullmatch(path.stem)
    assert match is not None
    part = PARTS[match[1].lower()]
    for name in path.relative_to(folder).parts[:-1]:
        if PARTS.get(name.lower(), part) != part:
            raise DatasetError(f"{path} lies in {name} but is named {match[1]}.")
    if _is_pair(path):
        raise DatasetError(
            f"{path} shows two fields side by side, as BCI's pairs of H&E and IHC; name the folder "
            "of the IHC pictures alone."
        )
    return LabelledFile(path, HER2Score.from_label(match[2]), "", part)


def _is_pair(path: Path) -> bool:
    """Whether the picture is twice as wide as high; what cannot be opened is said when read."""
    try:
        with Image.open(path) as image:
            return image.width >= 2 * image.height
    except Exception:  # decoders fail on damaged files in ways no list would cover
        return False
