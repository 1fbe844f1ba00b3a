"""One object per server: the models, loaded in the background, and what they have said so far.

Networks are loaded only in a thread of their own, so that the first page is drawn before them. The
command line reads patches through the same object, so that it gives the same verdicts.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from her2core.common.refusal import RefusalError
from her2core.models.architectures import ARCHITECTURES, model_name
from her2core.models.bundles.card import BundleError, ModelCard
from her2core.models.bundles.registry import choose, chosen
from her2core.models.reading_grid import PartRead
from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Patch
from her2core.scores import HER2Score
from her2core.serving.batches import read_in_batches
from her2core.serving.cache import Recent
from her2core.serving.load_state import LoadState, ModelState
from her2core.serving.loaded_model import READINGS_KEPT, Floats, LoadedModel
from her2core.settings import Settings
from her2core.xai.explanation import Explanation, Method
from her2core.xai.progress import Progress

_log = logging.getLogger(__name__)


class NoModelError(RefusalError, RuntimeError):
    """No model can answer; str(error) is one sentence saying why."""


class Workbench:
    """The models of one server. Safe to use from several threads."""

    def __init__(
        self,
        settings: Settings,
        architectures: Iterable[str] = tuple(ARCHITECTURES),
        *,
        maps: bool = True,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            settings: where bundles are.
            architectures: registry names of the models wanted.
            maps: compile SHAP as soon as the models are ready, instead of at its first use.

        Raises:
            ValueError: an architecture is not known.
        """
        self._settings = settings
        self._maps_wanted = maps
        self._wanted = tuple(dict.fromkeys(architectures))
        for name in self._wanted:
            if name not in ARCHITECTURES:
                raise ValueError(f"“{name}” is no model; known are {', '.join(ARCHITECTURES)}.")
        self._lock = threading.Lock()
        self._attempted = threading.Event()
        self._started = False
        self._models: dict[str, LoadedModel] = {}
        self._appearances: Recent[str, Floats] = Recent(READINGS_KEPT)
        self._states = {
            name: ModelState(name, "idle", f"{model_name(name)} is not loaded yet.")
            for name in self._wanted
        }

    def start_loading(self) -> None:
        """Start the thread that loads the models; further calls change nothing."""
        with self._lock:
            if self._started:
                return
            self._started = True
            for name in self._wanted:
                self._states[name] = ModelState(name, "loading", f"{model_name(name)} is loading.")
        threading.Thread(target=self._load_all, name="models", daemon=True).start()

    def state(self) -> LoadState:
        """How far loading is; returns at once."""
        with self._lock:
            models, started = tuple(self._states.values()), self._started
        if not self._attempted.is_set():
            return LoadState("loading" if started else "idle", models)
        usable = any(model.phase == "ready" for model in models)
        return LoadState("ready" if usable else "failed", models)

    def wait(self, timeout: float | None = None) -> LoadState:
        """Load if nobody has asked for it yet, and wait until it is finished or time is up."""
        self.start_loading()
        self._attempted.wait(timeout)
        return self.state()

    def cards(self) -> dict[str, ModelCard]:
        """Architecture -> card of the model in use; only models that are loaded."""
        return {name: model.card for name, model in self._loaded().items()}

    def verdicts(self, patch: Patch) -> tuple[Verdict, ...]:
        """What each usable model says of the patch's square; waits for the models.

        Raises:
            NoModelError: no model could be loaded.
        """
        models = self._usable()
        return tuple(model.read(patch).verdict for model in models.values())

    def parts(self, patch: Patch) -> dict[str, tuple[PartRead, ...]]:
        """Model id -> what it says of each part, of those in use that read the square in parts."""
        read = {model.model_id: model.parts(patch) for model in self._loaded().values()}
        return {model_id: parts for model_id, parts in read.items() if parts}

    def score_batch(self, patches: Iterable[Patch]) -> Iterator[tuple[Verdict, ...]]:
        """The verdicts of many patches, in their order, a few read at a time.

        Patches are taken from the iterable only as they are needed, and let go at once.

        Raises:
            NoModelError: no model could be loaded.
        """
        yield from read_in_batches(tuple(self._usable().values()), patches)

    def explain(
        self,
        patch: Patch,
        architecture: str,
        method: Method,
        target: HER2Score,
        against: HER2Score | None = None,
        progress: Progress | None = None,
    ) -> Explanation:
        """The heat map of one model for one class; waits for the models.

        Args:
            patch: what to explain.
            architecture: of the model.
            method: how.
            target: the class explained.
            against: the contrast with this class, "why not 3+?".
            progress: of SHAP: told how far it is; may stop it.

        Raises:
            StoppedError: through `progress`.
            NoModelError: this model is not usable.
            ValueError: the method gives no contrast, or both classes are the same.
        """
        model = self._usable().get(architecture)
        if model is None:
            raise NoModelError(self._why_not(architecture))
        try:
            return model.explain(patch, method, target, against, progress)
        except BundleError as error:
            raise NoModelError(str(error)) from error

    def use(self, architecture: str, folder: Path) -> None:
        """Load another bundle, then record it as the chosen one and put it in use.

        Raises:
            BundleError: the bundle cannot be used or the choice not be recorded; nothing changed.
        """
        if architecture not in self._wanted:
            raise BundleError(f"“{architecture}” is not among the models used here.")
        self.wait()
        model = self._load(architecture, folder)
        choose(self._settings, architecture, folder)
        self._put(model, folder)

    def _load_all(self) -> None:
        """Body of the loading thread: whatever happens, nobody is left waiting."""
        try:
            folders = chosen(self._settings)
            for name in self._wanted:
                self._load_one(name, folders.get(name))
        except BundleError as error:
            for name in self._wanted:
                self._fail(name, str(error))
        finally:
            self._attempted.set()
        if self._maps_wanted:
            self._prepare_shap()

    def _load_one(self, name: str, folder: Path | None) -> None:
        if folder is None:
            self._fail(name, _no_bundle(name))
            return
        try:
            self._put(self._load(name, folder), folder)
        except BundleError as error:
            self._fail(name, str(error))
        except Exception:
            _log.exception("%s could not be loaded from %s", name, folder)
            self._fail(
                name,
                f"{model_name(name)} could not be started from bundle “{folder.name}”; "
                "the server's log says why.",
            )

    def _prepare_shap(self) -> None:
        """Compile SHAP while nobody waits for it; where that fails, asking for a map tells."""
        for model in self._loaded().values():
            try:
                model.prepare_shap()
            except Exception:
                _log.exception("SHAP could not be prepared for %s", model.model_id)

    def _put(self, model: LoadedModel, folder: Path) -> None:
        name = model.card.architecture
        with self._lock:
            self._models[name] = model
            sentence = f"{model_name(name)} is ready."
            self._states[name] = ModelState(name, "ready", sentence, folder, model.model_id)

    def _fail(self, name: str, sentence: str) -> None:
        with self._lock:
            self._states[name] = ModelState(name, "failed", sentence)

    def _loaded(self) -> dict[str, LoadedModel]:
        with self._lock:
            return {name: self._models[name] for name in self._wanted if name in self._models}

    def _usable(self) -> dict[str, LoadedModel]:
        self.wait()
        models = self._loaded()
        if not models:
            raise NoModelError(" ".join(self.state().failures))
        return models

    def _why_not(self, architecture: str) -> str:
        state = self._states.get(architecture)
        return state.sentence if state else f"“{architecture}” is not among the models used here."

    def _load(self, architecture: str, folder: Path) -> LoadedModel:
        """Verify and open one bundle.

        Raises:
            BundleError: the bundle cannot be used.
        """
        model = LoadedModel(folder, self._settings, self._appearances)
        if model.card.architecture != architecture:
            raise BundleError(
                f"Model bundle “{folder.name}” is a {model.card.architecture}, not a "
                f"{architecture}; choose one of the same architecture."
            )
        return model


def _no_bundle(architecture: str) -> str:
    return (
        f"No bundle of {model_name(architecture)} was found; put one into a folder named by "
        "HER2_BUNDLES, or choose one on the Models page."
    )
