"""How far the models of a server are, in words and for pages to wait on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Phase = Literal["idle", "loading", "ready", "failed"]


@dataclass(frozen=True)
class ModelState:
    """How far one architecture is.

    Attributes:
        architecture: registry name.
        phase: "failed" means that it cannot be used; the sentence says why.
        sentence: for people.
        folder: of the bundle that is loaded, None while none is.
        model_id: of the model that is loaded, None while none is.
    """

    architecture: str
    phase: Phase
    sentence: str
    folder: Path | None = None
    model_id: str | None = None


@dataclass(frozen=True)
class LoadState:
    """How far all models are.

    Attributes:
        phase: "ready" as soon as every model is either ready or failed and at least one is ready.
        models: one state per architecture.
    """

    phase: Phase
    models: tuple[ModelState, ...]

    @property
    def finished(self) -> bool:
        """Nothing is left to wait for: verdicts come at once, or no model is usable."""
        return self.phase in ("ready", "failed")

    @property
    def ready(self) -> tuple[str, ...]:
        """Architectures that can read patches."""
        return tuple(model.architecture for model in self.models if model.phase == "ready")

    @property
    def model_ids(self) -> dict[str, str]:
        """Architecture -> id of the model that is loaded."""
        return {model.architecture: model.model_id for model in self.models if model.model_id}

    @property
    def failures(self) -> tuple[str, ...]:
        """One sentence for each architecture that cannot be used."""
        return tuple(model.sentence for model in self.models if model.phase == "failed")
