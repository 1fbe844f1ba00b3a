"""One bundle in use: read by its backend, explained from what the reading left, SHAP on demand.

Reading and class-activation maps need no TensorFlow where OpenVINO reads; SHAP does, so its network
is loaded a second time, in the background or when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from her2core.common.fair_lock import FairLock
from her2core.models.backends.choose import open_reader
from her2core.models.backends.reader import BackendError
from her2core.models.bundles.bundle_files import read_files
from her2core.models.bundles.card import BundleError, ModelCard
from her2core.models.head import Head
from her2core.models.ood.appearance import appearance
from her2core.models.ood.novelty import pooled
from her2core.models.ood.novelty_file import load_novelty
from her2core.models.reading_grid import PartRead, squares_read, strongest
from her2core.models.verdict import Verdict, verdict_of
from her2core.preprocessing.patches import Patch
from her2core.scores import HER2Score
from her2core.serving.cache import Recent
from her2core.settings import Settings
from her2core.xai.class_activation import ClassActivation
from her2core.xai.explanation import Explanation, Method
from her2core.xai.methods import METHODS
from her2core.xai.progress import Progress

if TYPE_CHECKING:
    from her2core.models.backends.reader import Reader
    from her2core.xai.shap_values import ShapExplainer

Floats = npt.NDArray[np.float32]
READINGS_KEPT = 256
_MAPS_KEPT = 128


@dataclass(frozen=True)
class Reading:
    """What one pass left of one patch.

    Attributes:
        verdict: what the model says.
        features: float32 (h, w, c), the last feature map of the square that decided.
        hidden: float32 (units,), the hidden layer after its ReLU, of that square.
        probabilities: float32 (k, 4), of each of `squares_read`.
        decided: which of them the verdict is taken from.
    """

    verdict: Verdict
    features: Floats
    hidden: Floats
    probabilities: Floats
    decided: int


class LoadedModel:
    """A bundle ready to read and to explain. Safe to use from several threads."""

    def __init__(
        self, folder: Path, settings: Settings, appearances: Recent[str, Floats] | None = None
    ) -> None:
        """Verify the bundle and open it in the backend of the settings.

        Args:
            folder: the bundle.
            settings: which backend, and where its agreement is noted.
            appearances: how patches look, by `Patch.key`; the models of a server share them.

        Raises:
            BundleError: the bundle, or the backend that the settings name, cannot be used.
        """
        files = read_files(folder)
        try:
            self._reader: Reader = open_reader(files, settings.backend, settings.cache_dir)
        except BackendError as error:
            raise BundleError(
                f"{error} Model bundle “{folder.name}” cannot be read; set HER2_BACKEND to auto."
            ) from error
        self.card: ModelCard = files.card
        self.head = Head.from_tensors(files.tensors, files.feature_shape)
        self._folder = folder
        self._novelty = load_novelty(folder, self.card)
        self._appearances = Recent(READINGS_KEPT) if appearances is None else appearances
        self._activation = ClassActivation(self.card.model_id, self.head)
        self._shap: ShapExplainer | None = None
        self._readings: Recent[str, Reading] = Recent(READINGS_KEPT)
        self._maps: Recent[tuple[object, ...], Explanation] = Recent(_MAPS_KEPT)
        self._reading = FairLock()
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="appearance")
        self._explaining = FairLock()

    @property
    def model_id(self) -> str:
        """As in the card."""
        return self.card.model_id

    @property
    def backend(self) -> str:
        """What runs the network, as its verdicts name it."""
        return self._reader.backend

    def pixels(self, patch: Patch) -> Floats:
        """What the network sees of a patch's square, float32 (224, 224, 3)."""
        return patch.pixels(self.card.input.white_balance)

    def inputs(self, patch: Patch) -> Floats:
        """The square and, of a wide field, its parts (models.reading_grid): (k, 224, 224, 3)."""
        squares = squares_read(patch, self.card.input.reading)
        return np.stack([self.pixels(patch.with_square(square)) for square in squares])

    def read(self, patch: Patch) -> Reading:
        """Read one patch, or hand out what was read of it before."""
        known = self._readings.get(patch.key)
        return known or self.read_many([(patch.key, self.inputs(patch))])[0]

    def parts(self, patch: Patch) -> tuple[PartRead, ...]:
        """What it says of each part of the patch's square; empty where it is read whole."""
        reading = self.read(patch)
        squares = squares_read(patch, self.card.input.reading)
        return tuple(
            PartRead(square, verdict_of(self.card, row, "").probabilities, at == reading.decided)
            for at, (square, row) in enumerate(zip(squares, reading.probabilities, strict=True))
            if at
        )

    def read_many(self, patches: Sequence[tuple[str, Floats]]) -> list[Reading]:
        """Readings of (key, inputs) pairs; what is not known yet is read in one go and kept.

        Args:
            patches: `Patch.key`, and what `inputs` gives.
        """
        with self._reading.turn():
            kept = {key: self._readings.get(key) for key, _ in patches}
            new = {key: inputs for key, inputs in patches if kept[key] is None}
            if new:
                looks = self._looks(new)
                output = self._reader.read(np.concatenate(list(new.values())))
                firsts = [0, *accumulate(len(inputs) for inputs in new.values())]
                # the verdict, and whether its input is familiar, is the strongest part's
                chosen = [
                    first + strongest(output.probabilities[first:end])
                    for first, end in pairwise(firsts)
                ]
                strange = self._novelties(looks, chosen, output.features)
                ends = zip(new, pairwise(firsts), chosen, strange, strict=True)
                for key, (first, end), part, novelty in ends:
                    row = output.probabilities[part]
                    reading = Reading(
                        verdict_of(self.card, row, self.backend, novelty),
                        # Copies: views would keep the whole batch in memory.
                        output.features[part].copy(),
                        output.hidden[part].copy(),
                        output.probabilities[first:end].copy(),
                        part - first,
                    )
                    self._readings.put(key, reading)
                    kept[key] = reading
        return [known for key, _ in patches if (known := kept[key]) is not None]

    def explain(
        self,
        patch: Patch,
        method: Method,
        target: HER2Score,
        against: HER2Score | None = None,
        progress: Progress | None = None,
    ) -> Explanation:
        """The heat map of a patch for one class, made once and handed out again.

        Of a square that is read in parts it is the map of the part whose reading is the verdict.

        Args:
            patch: the patch.
            method: how it is explained.
            target: the class explained.
            against: for a contrast, the other class.
            progress: of SHAP: told how far it is; may stop it.

        Raises:
            StoppedError: through `progress`.
            BundleError: SHAP only: the bundle was changed on disk since it was loaded.
        """
        key = (patch.key, method, target, against)
        kept = self._maps.get(key)
        if kept is not None:
            return kept
        reading = self.read(patch)
        square = squares_read(patch, self.card.input.reading)[reading.decided]
        part = square if reading.decided else None
        if METHODS[method].from_features is not None:
            made = self._activation(reading.features, reading.hidden, target, method, against)
            made = replace(made, part=part)
            self._maps.put(key, made)
            return made
        with self._explaining.turn():
            kept = self._maps.get(key)  # another session may just have asked for the same
            if kept is not None:
                return kept
            pixels = self.pixels(patch.with_square(square))
            made = self._shap_explainer()(pixels, target, against=against, progress=progress)
            made = replace(made, part=part)
            self._maps.put(key, made)
            return made

    def prepare_shap(self) -> None:
        """Load and compile what SHAP needs, so that the first map need not wait for it.

        Raises:
            BundleError: the bundle was changed on disk since it was loaded.
        """
        with self._explaining.turn():
            self._shap_explainer()

    def _looks(self, new: Mapping[str, Floats]) -> list[Future[Floats]]:
        """How each new input looks, found out while the network reads: it waits for memory a lot.

        Empty where the bundle cannot tell the unfamiliar anyway.
        """

        def look(key: str, place: int, pixels: Floats) -> Floats:
            # two models may see the same patch in different colours
            name = f"{self.card.input.white_balance}:{place}:{key}"
            known = self._appearances.get(name)
            if known is None:
                known = appearance(pixels[None])[0]
                self._appearances.put(name, known)
            return known

        if self._novelty is None:
            return []
        return [
            self._beside.submit(look, key, place, pixels)
            for key, inputs in new.items()
            for place, pixels in enumerate(inputs)
        ]

    def _novelties(
        self, looks: Sequence[Future[Floats]], chosen: Sequence[int], features: Floats
    ) -> list[float | None]:
        """How unlike the known patches each chosen input is; None where the bundle cannot tell."""
        if self._novelty is None:
            return [None] * len(chosen)
        appearances = np.stack([looks[place].result() for place in chosen])
        of_network = pooled(features[list(chosen)])
        return [float(value) for value in self._novelty.of(of_network, appearances)]

    def _shap_explainer(self) -> ShapExplainer:
        if self._shap is None:
            from her2core.models.backends.tensorflow_backend import Classifier
            from her2core.models.bundles.bundle import as_keras
            from her2core.xai.shap_values import ShapExplainer

            classifier = self._reader
            if not isinstance(classifier, Classifier):
                files = read_files(self._folder)
                if files.card != self.card:
                    raise BundleError(
                        f"Model bundle “{self._folder.name}” was changed on disk; choose it again "
                        "on the Models page."
                    )
                classifier = Classifier(as_keras(files))
            self._shap = ShapExplainer(classifier)
        return self._shap
