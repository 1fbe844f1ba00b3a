"""What a column of the exported review log is."""

from collections.abc import Callable
from dataclasses import dataclass

from her2core.reviews.records import Review

Value = str | int | float | None


@dataclass(frozen=True)
class ExportOptions:
    """What goes into an export.

    Attributes:
        include_names: also export the names of files, which may identify patients.
    """

    include_names: bool = False


@dataclass(frozen=True)
class Column:
    """A column of the export; another one is an entry here and nothing else.

    Attributes:
        name: stable, in lower case.
        description: what it means.
        value: how its value is read; None is an empty cell.
        width: in characters, of a spreadsheet; None: as its name needs.
    """

    name: str
    description: str
    value: Callable[[Review, ExportOptions], Value]
    width: int | None = None

    @property
    def title(self) -> str:
        """Its name in words, as a page heads it."""
        return self.name.replace("_", " ").capitalize()
