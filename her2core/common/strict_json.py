"""JSON into typed frozen dataclasses, strictly: nothing missing, nothing unknown, no wrong kind.

Cards and reports decide what a pathologist is shown, so a file which is not exactly what was
written is refused with a sentence rather than read with guesses.
"""

import contextlib
import dataclasses
import json
import math
import types
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import (
    Any,
    Literal,
    NoReturn,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

T = TypeVar("T")
_Reader = Callable[[Any, str], Any]


class ShapeError(ValueError):
    """Why data is refused: a phrase such as "“n” is not a whole number"."""


def parse(text: str) -> Any:
    """JSON text to plain values; NaN and Infinity are no JSON.

    Raises:
        ValueError: the text is no JSON, or nested too deeply to be read.
    """
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def text_of(path: Path, most_bytes: int, what: str) -> str:
    """The text of a file.

    Raises:
        ShapeError: it is missing, cannot be read, or is larger than `what` (as "a card") can be.
    """
    try:
        if path.stat().st_size > most_bytes:
            raise ShapeError(f"{path.name} is larger than {what} can be")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ShapeError(f"{path.name} is missing") from None
    except (OSError, UnicodeDecodeError):
        raise ShapeError(f"{path.name} cannot be read") from None


def read_file(kind: type[T], path: Path, most_bytes: int, what: str) -> T:
    """An instance of a dataclass from a file of JSON; `what` it is, as "report". See `read`.

    Raises:
        ShapeError: the file is missing, too large, no JSON, or not exactly of this kind.
    """
    return read_text(kind, text_of(path, most_bytes, f"a {what}"), f"the {what}", path.name)


def read_text(kind: type[T], text: str, where: str, file_name: str) -> T:
    """An instance of a dataclass from JSON text; see `read`.

    Raises:
        ShapeError: the text is no JSON, or not exactly of this kind.
    """
    try:
        data = parse(text)
    except ValueError:
        raise ShapeError(f"{file_name} is not valid JSON") from None
    return read(kind, data, where)


def read(kind: type[T], data: Any, where: str) -> T:
    """An instance of a dataclass from a JSON object.

    Known kinds of fields: str, bool, int (whole, not negative), float (finite), Literal of texts,
    an IntEnum by its number, datetime (ISO 8601 in UTC, with microseconds), `X | Y | None` (the
    first that fits), `tuple[X, ...]`, tuples of fixed length, dict[str, X] and dataclasses. Only a
    field whose default is None may be missing.

    Args:
        kind: the dataclass.
        data: as `parse` gives it.
        where: what to call it, e.g. "the card".

    Raises:
        ShapeError: data is not exactly of this kind.
    """
    if not isinstance(data, dict):
        raise ShapeError(f"{where} is not an object")
    readers, may_lack = _fields(cast(Hashable, kind))
    for problem, names in (
        ("lacks", readers.keys() - data.keys() - may_lack),
        ("has the unknown field", data.keys() - readers.keys()),
    ):
        if names:
            raise ShapeError(f"{where} {problem} “{sorted(names)[0][:60]}”")
    return kind(
        **{
            name: reader(data[name], f"“{name}”")
            for name, reader in readers.items()
            if name in data
        }
    )


@cache
def _fields(kind: Any) -> tuple[Mapping[str, _Reader], frozenset[str]]:
    hints = get_type_hints(kind)
    fields = dataclasses.fields(kind)
    may_lack = frozenset(field.name for field in fields if field.default is None)
    return {field.name: _reader(hints[field.name]) for field in fields}, may_lack


def _reader(hint: Any) -> _Reader:
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        kinds = [_reader(argument) for argument in arguments if argument is not type(None)]
        return lambda value, where: _first_that_fits(value, where, kinds, type(None) in arguments)
    if origin is Literal:
        return lambda value, where: _one_of(value, where, arguments)
    if origin is tuple and arguments[-1] is Ellipsis:
        item = _reader(arguments[0])
        return lambda value, where: tuple(_items(value, where, [item] * _length(value)))
    if origin is tuple:
        items = [_reader(argument) for argument in arguments]
        return lambda value, where: tuple(_items(value, where, items))
    if origin is dict:
        inside = _reader(arguments[1])
        return lambda value, where: _mapping(value, where, inside)
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return lambda value, where: _member(value, where, hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return lambda value, where: read(hint, value, where)
    raise TypeError(f"{hint} cannot be read from JSON.")


def _first_that_fits(value: Any, where: str, kinds: Sequence[_Reader], may_be_none: bool) -> Any:
    if value is None and may_be_none:
        return None
    for kind in kinds[:-1]:
        with contextlib.suppress(ShapeError):
            return kind(value, where)
    return kinds[-1](value, where)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ShapeError(f"{where} is not text")
    return value


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise ShapeError(f"{where} is neither true nor false")
    return value


def _whole(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ShapeError(f"{where} is not a whole number")
    return value


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ShapeError(f"{where} is not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ShapeError(f"{where} is not a finite number")
    return number


def _moment(value: Any, where: str) -> datetime:
    text = _text(value, where)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ShapeError(f"{where} is no time") from None
    if moment.tzinfo is None or moment.astimezone(UTC).isoformat(timespec="microseconds") != text:
        raise ShapeError(f"{where} is not spelled in UTC")
    return moment


_PLAIN: dict[Any, _Reader] = {
    str: _text, bool: _flag, int: _whole, float: _number, datetime: _moment,
}  # fmt: skip


def _one_of(value: Any, where: str, allowed: tuple[Any, ...]) -> Any:
    if value not in allowed or not isinstance(value, str):
        raise ShapeError(f"{where} is none of {', '.join(map(str, allowed))}")
    return value


def _member(value: Any, where: str, kind: type[IntEnum]) -> IntEnum:
    number = _whole(value, where)
    if number not in {int(member) for member in kind}:
        raise ShapeError(f"{where} is none of {', '.join(str(int(member)) for member in kind)}")
    return kind(number)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list) else 0


def _items(value: Any, where: str, readers: list[_Reader]) -> list[Any]:
    if not isinstance(value, list):
        raise ShapeError(f"{where} is not a list")
    if len(value) != len(readers):
        raise ShapeError(f"{where} does not hold {len(readers)} entries")
    inside = f"an entry of {where}"
    return [reader(item, inside) for reader, item in zip(readers, value, strict=True)]


def _mapping(value: Any, where: str, reader: _Reader) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ShapeError(f"{where} is not an object")
    return {key: reader(item, f"“{key[:60]}” of {where}") for key, item in value.items()}


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
