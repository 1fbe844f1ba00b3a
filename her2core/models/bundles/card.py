"""The model card: what a bundle says of itself, read strictly. Free of tensorflow.

A card which lacks a field, has one too many or holds the wrong kind of value is refused with a
sentence: a model whose origin cannot be told must not read patches.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass, replace
from datetime import date as calendar_date
from pathlib import Path
from typing import Any, Literal, NoReturn

from her2core.common import strict_json
from her2core.common.refusal import RefusalError
from her2core.models.bundles.card_records import Adaptation, KnownPatches, ProvenanceFacts
from her2core.models.conformal import COVERAGE, ConformalSets
from her2core.models.temperature import Temperature, is_valid
from her2core.preprocessing.glass import WhiteBalance
from her2core.scores import CLASS_KEYS

CARD_FILE = "card.json"
_MAX_CARD_BYTES = 1024 * 1024
# what describes a model and changes nothing that it says; every other field is in its id
_DESCRIPTIVE = (
    "name", "training_data", "licence", "split", "metrics", "date", "code_version", "notes",
    "digest",
)  # fmt: skip
# names of how a wide field is read in parts; a change of the method gets a new one
PartReading = Literal["grid-1"]
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


class BundleError(RefusalError, ValueError):
    """A model bundle cannot be used; str(error) names the bundle, the reason and what to do."""


@dataclass(frozen=True)
class Metric:
    """One measured figure.

    Attributes:
        name: what was measured, e.g. "exact agreement".
        set: the images it was measured on.
        value: the figure.
        ci_low: lower end of its 95 % confidence interval, None where none was computed.
        ci_high: upper end, None where none was computed.
        n: number of images (or cores) measured on.
    """

    name: str
    set: str
    value: float
    ci_low: float | None
    ci_high: float | None
    n: int


@dataclass(frozen=True)
class ModelInput:
    """What the network takes: a square of `size` pixels, values in `range`, in `colour`.

    `white_balance` says how the square is brought to one colour before (preprocessing.glass) and
    `reading` how a wide field is read in parts (models.reading_grid). Where they are None they are
    not done, and not in card.json.
    """

    size: int = 224
    range: tuple[float, float] = (0.0, 1.0)
    colour: str = "RGB"
    white_balance: WhiteBalance | None = None
    reading: PartReading | None = None


@dataclass(frozen=True)
class ModelCard:
    """What card.json holds.

    Attributes:
        name: the bundle's own name, for people.
        architecture: registry name, "cnn" or "densenet121".
        training_data: what the network was trained on.
        licence: licence of the training data and the weights.
        split: how training and test images were kept apart.
        metrics: measured figures, as they came out.
        temperature: divides the logits before softmax (Guo et al., ICML 2017); 1 changes nothing.
        date: day of training, YYYY-MM-DD.
        code_version: version of this project that trained it.
        demo: a demonstration bundle.
        notes: further sentences for the reader.
        parameters: number of weights; filled in when the bundle is written.
        weights_sha256: of weights.safetensors; filled in when the bundle is written.
        background_sha256: of background.safetensors; filled in when the bundle is written.
        classes: class names in the order of the network's outputs.
        input: what the network takes.
        conformal: thresholds of the prediction sets; None where none were calibrated, and then
            the field is not in card.json.
        novelty: what tells unfamiliar inputs; None, and not in card.json, where nothing does.
        adapted: what the bundle was fitted to after its training; None, and not in card.json,
            where it is as it was trained.
        provenance: which patches it knows, as sums; None, and not in card.json, in bundles written
            before these were kept.
        digest: the `decisive_digest` as it stands in card.json; None in bundles written before
            it was, and in a card that was not read from one. `to_json` writes it anew.
    """

    name: str
    architecture: str
    training_data: str
    licence: str
    split: str
    metrics: tuple[Metric, ...]
    temperature: Temperature
    date: str
    code_version: str
    demo: bool
    notes: tuple[str, ...] = ()
    parameters: int = 0
    weights_sha256: str = ""
    background_sha256: str = ""
    classes: tuple[str, ...] = CLASS_KEYS
    input: ModelInput = dataclasses.field(default_factory=ModelInput)
    conformal: ConformalSets | None = None
    novelty: KnownPatches | None = None
    adapted: Adaptation | None = None
    provenance: ProvenanceFacts | None = None
    digest: str | None = dataclasses.field(default=None, compare=False)

    @property
    def model_id(self) -> str:
        """Architecture and the first 12 hex digits of `decisive_digest`."""
        return f"{self.architecture}-{self.decisive_digest[:12]}"

    @property
    def decisive_digest(self) -> str:
        """sha256 over all that changes a prediction, a warning or an explanation.

        That is the files' sums and every field but those that only describe. A field which is as
        it is by default is left out at any depth, so that a field added later leaves the digests
        of cards without it as they are: a default must mean what was done before it existed.
        """
        fields = _changed(self)
        for name in _DESCRIPTIVE:
            fields.pop(name, None)
        spelled = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(spelled.encode("ascii")).hexdigest()

    @property
    def measured_coverage(self) -> Metric | None:
        """How often the prediction sets held the true score on held-out data, if measured."""
        return next((metric for metric in self.metrics if metric.name == COVERAGE), None)

    @classmethod
    def read(cls, path: Path) -> ModelCard:
        """Read a bundle's card.json.

        Raises:
            BundleError: the file is missing, is no JSON, or is not exactly a card.
        """
        bundle = path.parent.name
        try:
            text = strict_json.text_of(path, _MAX_CARD_BYTES, "a card")
        except strict_json.ShapeError as error:
            _refuse(bundle, str(error))
        return cls.from_json(text, bundle)

    @classmethod
    def from_json(cls, text: str, bundle: str = "card") -> ModelCard:
        """Read a card from JSON text.

        Args:
            text: the JSON.
            bundle: name of the bundle, for the error sentence.

        Raises:
            BundleError: the text is no JSON, or not exactly a card.
        """
        try:
            card = strict_json.read_text(cls, text, "the card", CARD_FILE)
            _check(card)
        except strict_json.ShapeError as error:
            _refuse(bundle, str(error))
        return card

    def to_json(self) -> str:
        """The card as indented JSON text, which `from_json` reads back unchanged."""
        fields = {**dataclasses.asdict(self), "digest": self.decisive_digest}
        for name in ("conformal", "novelty", "adapted", "provenance"):
            if fields[name] is None:
                del fields[name]
        for name in ("white_balance", "reading"):
            if fields["input"][name] is None:
                del fields["input"][name]
        return json.dumps(fields, indent=2, ensure_ascii=False) + "\n"


def _changed(record: Any) -> dict[str, Any]:
    """The fields of a dataclass that are not as they are by default, as JSON can hold them."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        default = (
            field.default
            if field.default_factory is dataclasses.MISSING
            else field.default_factory()
        )
        if value != default:
            found[field.name] = _changed(value) if dataclasses.is_dataclass(value) else value
    return found


def _refuse(bundle: str, reason: str) -> NoReturn:
    raise BundleError(
        f"Model bundle “{bundle}” cannot be used: {reason}; copy the whole bundle again."
    )


def _check(card: ModelCard) -> None:
    """What each field may hold beyond its type."""
    if card.classes != CLASS_KEYS:
        raise strict_json.ShapeError("its classes are not 0, 1+, 2+, 3+ in this order")
    if replace(card.input, white_balance=None, reading=None) != ModelInput():
        raise strict_json.ShapeError("its input is not 224 pixels, RGB, in [0, 1]")
    if not is_valid(card.temperature):
        raise strict_json.ShapeError("its temperature is not above zero")
    for name in ("weights_sha256", "background_sha256"):
        if not _SHA256.match(getattr(card, name)):
            raise strict_json.ShapeError(f"“{name}” is not a sha256 sum in lower-case hex digits")
    if card.digest and card.digest != card.decisive_digest:
        raise strict_json.ShapeError(
            "its card was changed after it was written (a field that decides what the model says "
            "is not the one its digest was made of)"
        )
    try:
        calendar_date.fromisoformat(card.date)
    except ValueError:
        raise strict_json.ShapeError("its date is not written YYYY-MM-DD") from None
    if card.conformal is not None:
        _check_conformal(card.conformal)
    for part, field in (
        ("novelty", "sha256"),
        ("provenance", "sha256"),
        ("adapted", "frozen_sha256"),
    ):
        record = getattr(card, part)
        if record is not None and not _SHA256.match(getattr(record, field)):
            raise strict_json.ShapeError(f"the “{field}” of its “{part}” is no sha256 sum")
    for metric in card.metrics:
        low, high = metric.ci_low, metric.ci_high
        if (low is None) != (high is None):
            raise strict_json.ShapeError(f"the interval of “{metric.name[:60]}” has one end only")
        if low is not None and high is not None and low > high:
            raise strict_json.ShapeError(f"the interval of “{metric.name[:60]}” is upside down")


def _check_conformal(sets: ConformalSets) -> None:
    if not 0 < sets.alpha < 1:
        raise strict_json.ShapeError("the “alpha” of its “conformal” sets is not between 0 and 1")
    if not all(0 <= threshold <= 1 for threshold in sets.thresholds):
        raise strict_json.ShapeError("a threshold of its “conformal” sets is not in [0, 1]")
