"""The model card: what a bundle says of itself, read strictly. Free of tensorflow.

A card which lacks a field, has one too many or holds the wrong kind of value is refused with a
sentence: a model whose origin cannot be told must not read patches.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date as calendar_date
from pathlib import Path
from typing import Any, NoReturn

from her2core.scores import CLASS_LABELS

CARD_FILE = "card.json"
_MAX_CARD_BYTES = 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


class BundleError(ValueError):
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
    """What the network takes: a square of `size` pixels, values in `range`, in `colour`."""

    size: int = 224
    range: tuple[float, float] = (0.0, 1.0)
    colour: str = "RGB"


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
    """

    name: str
    architecture: str
    training_data: str
    licence: str
    split: str
    metrics: tuple[Metric, ...]
    temperature: float
    date: str
    code_version: str
    demo: bool
    notes: tuple[str, ...] = ()
    parameters: int = 0
    weights_sha256: str = ""
    background_sha256: str = ""
    classes: tuple[str, ...] = CLASS_LABELS
    input: ModelInput = dataclasses.field(default_factory=ModelInput)

    @property
    def model_id(self) -> str:
        """Architecture and the first 12 hex digits of the weights' sha256."""
        return f"{self.architecture}-{self.weights_sha256[:12]}"

    @classmethod
    def read(cls, path: Path) -> ModelCard:
        """Read a bundle's card.json.

        Raises:
            BundleError: the file is missing, is no JSON, or is not exactly a card.
        """
        bundle = path.parent.name
        try:
            if path.stat().st_size > _MAX_CARD_BYTES:
                _refuse(bundle, f"{path.name} is larger than a card can be")
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            _refuse(bundle, f"{path.name} is missing")
        except (OSError, UnicodeDecodeError):
            _refuse(bundle, f"{path.name} cannot be read")
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
            data = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            _refuse(bundle, f"{CARD_FILE} is not valid JSON")
        try:
            card = cls(**_fields(data, _CARD_FIELDS, "the card"))
            _check(card)
        except _CardProblemError as error:
            _refuse(bundle, str(error))
        return card

    def to_json(self) -> str:
        """The card as indented JSON text, which `from_json` reads back unchanged."""
        return json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False) + "\n"


class _CardProblemError(Exception):
    """Why a card is refused, without the bundle's name."""


def _refuse(bundle: str, reason: str) -> NoReturn:
    raise BundleError(
        f"Model bundle “{bundle}” cannot be used: {reason}; copy the whole bundle again."
    )


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


_Reader = Callable[[Any, str], Any]


def _fields(data: Any, readers: Mapping[str, _Reader], where: str) -> dict[str, Any]:
    """The fields of a JSON object, each through its reader; none missing, none unknown."""
    if not isinstance(data, dict):
        raise _CardProblemError(f"{where} is not an object")
    for problem, names in (
        ("lacks", readers.keys() - data.keys()),
        ("has the unknown field", data.keys() - readers.keys()),
    ):
        if names:
            raise _CardProblemError(f"{where} {problem} “{sorted(names)[0][:60]}”")
    return {name: reader(data[name], f"“{name}”") for name, reader in readers.items()}


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _CardProblemError(f"{where} is not text")
    return value


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise _CardProblemError(f"{where} is neither true nor false")
    return value


def _whole(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _CardProblemError(f"{where} is not a whole number")
    return value


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _CardProblemError(f"{where} is not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _CardProblemError(f"{where} is not a finite number")
    return number


def _number_or_none(value: Any, where: str) -> float | None:
    return None if value is None else _number(value, where)


def _list_of(reader: _Reader) -> _Reader:
    def read(value: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _CardProblemError(f"{where} is not a list")
        return tuple(reader(item, f"an entry of {where}") for item in value)

    return read


def _metric(value: Any, where: str) -> Metric:
    return Metric(**_fields(value, _METRIC_FIELDS, where))


def _input(value: Any, where: str) -> ModelInput:
    return ModelInput(**_fields(value, _INPUT_FIELDS, where))


_METRIC_FIELDS: dict[str, _Reader] = {
    "name": _text,
    "set": _text,
    "value": _number,
    "ci_low": _number_or_none,
    "ci_high": _number_or_none,
    "n": _whole,
}
_INPUT_FIELDS: dict[str, _Reader] = {"size": _whole, "range": _list_of(_number), "colour": _text}
_CARD_FIELDS: dict[str, _Reader] = {
    "name": _text,
    "architecture": _text,
    "training_data": _text,
    "licence": _text,
    "split": _text,
    "metrics": _list_of(_metric),
    "temperature": _number,
    "date": _text,
    "code_version": _text,
    "demo": _flag,
    "notes": _list_of(_text),
    "parameters": _whole,
    "weights_sha256": _text,
    "background_sha256": _text,
    "classes": _list_of(_text),
    "input": _input,
}


def _check(card: ModelCard) -> None:
    """What each field may hold beyond its type."""
    if card.classes != CLASS_LABELS:
        raise _CardProblemError("its classes are not 0, 1+, 2+, 3+ in this order")
    if card.input != ModelInput():
        raise _CardProblemError("its input is not 224 pixels, RGB, in [0, 1]")
    if card.temperature <= 0:
        raise _CardProblemError("its temperature is not above zero")
    for name in ("weights_sha256", "background_sha256"):
        if not _SHA256.match(getattr(card, name)):
            raise _CardProblemError(f"“{name}” is not a sha256 sum in lower-case hex digits")
    try:
        calendar_date.fromisoformat(card.date)
    except ValueError:
        raise _CardProblemError("its date is not written YYYY-MM-DD") from None
    for metric in card.metrics:
        low, high = metric.ci_low, metric.ci_high
        if (low is None) != (high is None):
            raise _CardProblemError(f"the interval of “{metric.name[:60]}” has one end only")
        if low is not None and high is not None and low > high:
            raise _CardProblemError(f"the interval of “{metric.name[:60]}” is upside down")
