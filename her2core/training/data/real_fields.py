"""Real fields from elsewhere (`her2core.evaluation.fields`) for calibration: never for training."""

from pathlib import Path

from her2core.evaluation.fields import ExternalDataError, read_fields
from her2core.training.data.datasets import DatasetError, LabelledFile, PatchSet, load_patches


def labelled_fields(folder: Path) -> PatchSet:
    """The fields of a folder whose label may be believed; their group is their source.

    Sources, not patients, are what differs most, and each is to count the same.

    Args:
        folder: with fields.csv.

    Raises:
        DatasetError: the folder cannot be used, or no field is left.
    """
    try:
        fields = read_fields(folder)
    except ExternalDataError as error:
        raise DatasetError(str(error)) from error
    chosen = [
        LabelledFile(field.path, field.label, field.source)
        for field in fields
        if field.label is not None and field.fits is not False
    ]
    if not chosen:
        raise DatasetError(f"{folder} holds no field whose label may be believed.")
    return load_patches(chosen)
