"""The register: a second hash chain, over what reviews rest on and no review's hash covers.

Patches with their names, double reads and their readers, showings and the audit: whoever adds such
a row through the store's session adds its line here in the same transaction. A line holds the hash
of its row, and the line's own hash covers the line before, so that a changed, a removed and a
slipped-in row show, and so does a shortened register, by where the log says that it ends.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, column, event, insert, select, table, update
from sqlalchemy.orm import Session, UOWTransaction

from her2core.reviews.chain import GENESIS, ChainHead, missing
from her2core.reviews.schema import Base, LogHeadRow, RegisterRow, utc_text

_VERSION = 1
_LINES = ("Line {} of the register", "Lines {} to {} of the register")
Row = tuple[str, str]  # subject and key


@dataclass(frozen=True)
class _Subject:
    """A kind of row that is registered, by the names of its table and columns.

    Names alone, because the tables of accounts and assignments are none of this package's.

    Attributes:
        name: as it stands in the register.
        table: where the rows are.
        columns: what is hashed.
        key: columns that name a row.
        words: how a sentence calls it.
        only: column and the value it must have; None where every row is registered.
    """

    name: str
    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    words: str
    only: tuple[str, str] | None = None


_SUBJECTS = (
    _Subject(
        "patch",
        "patch",
        ("sha256", "name", "width", "height", "received_at", "warnings"),
        ("sha256",),
        "What is recorded of patch {key:.12}",
    ),
    _Subject(
        "double read",
        "double_read",
        ("id", "patch_id", "blind", "created_at"),
        ("id",),
        "Double read {key}",
    ),
    _Subject(
        "reader",
        "assignment",
        (
            "id", "patch_id", "account_id", "double_read_id", "kind", "assigned_by", "assigned_at",
        ),
        ("id",),
        "Assignment {key} to a reader of a double read",
        only=("kind", "double"),  # others may be withdrawn
    ),
    _Subject(
        "showing",
        "shown_verdicts",
        ("reviewer", "patch_sha256", "shown_at"),
        ("patch_sha256", "reviewer"),
        # without the reader's name: the page shows these sentences, too
        "A showing of patch {key:.12}",
    ),
    _Subject(
        "figures",
        "shown_figures",
        ("id", "reviewer", "last_review_id", "shown_at"),
        ("id",),
        "A showing of figures (number {key})",
    ),
    _Subject(
        "audit",
        "audit",
        ("id", "happened_at", "actor", "action", "detail"),
        ("id",),
        "Audit entry {key}",
    ),
)  # fmt: skip
_BY_NAME = {subject.name: subject for subject in _SUBJECTS}


class RegisteringSession(Session):
    """A session whose new rows of these kinds are registered when they are flushed."""


@event.listens_for(RegisteringSession, "after_flush")
def _register_new(session: Session, _flush: UOWTransaction) -> None:
    new = sorted(_lines(session.new))
    if not new:
        return
    connection = session.connection()
    number, previous = connection.execute(
        select(LogHeadRow.register_id, LogHeadRow.register_hash)
    ).one()
    lines = []
    for _place, key, subject, row_hash in new:
        number += 1
        previous = _line_hash(previous, number, subject, key, row_hash)
        lines.append(
            {
                "id": number,
                "subject": subject,
                "key": key,
                "row_hash": row_hash,
                "line_hash": previous,
            }
        )
    connection.execute(insert(RegisterRow), lines)
    connection.execute(update(LogHeadRow).values(register_id=number, register_hash=previous))


def check(session: Session) -> list[str]:
    """One sentence for each row that is not as it was registered, and each line that is not.

    Args:
        session: of one transaction that sees one state of the database.
    """
    rows = dict(_rows(session))
    sentences: list[str] = []
    number, previous = 0, GENESIS
    registered: set[Row] = set()
    for line in session.execute(select(RegisterRow).order_by(RegisterRow.id)).scalars():
        sentences += _line_sentences(line, number, previous, rows)
        number, previous = line.id, line.line_hash
        registered.add((line.subject, line.key))
    sentences += [
        f"{_words(row)} was added outside this program." for row in rows if row not in registered
    ]
    return sentences + _end(session, number, previous)


def check_lines(session: Session, after: ChainHead, most: int) -> tuple[list[str], ChainHead]:
    """The same for the lines that follow one that was checked, so many at most.

    A row that was slipped in without a line is found by `check` alone.

    Returns:
        The sentences, and the last line that was looked at.
    """
    sentences: list[str] = []
    wanted = select(RegisterRow).where(RegisterRow.id > after.last_id).order_by(RegisterRow.id)
    lines = session.scalars(wanted.limit(most)).all()
    rows: dict[Row, str] = {}
    for subject in _SUBJECTS:
        if keys := [line.key for line in lines if line.subject == subject.name]:
            rows |= dict(_rows_of(session, subject, keys))
    number, previous = after.last_id, after.last_hash
    for line in lines:
        sentences += _line_sentences(line, number, previous, rows)
        number, previous = line.id, line.line_hash
    if len(lines) < most:
        sentences += _end(session, number, previous)
    return sentences, ChainHead(number, previous)


def head(session: Session) -> ChainHead | None:
    """Number and hash of the last line; None where the log does not say where it ends."""
    end = session.execute(select(LogHeadRow.register_id, LogHeadRow.register_hash)).one_or_none()
    return None if end is None else ChainHead(end[0], end[1])


def has_line(session: Session, line_hash: str) -> bool:
    """Whether a line with this hash, noted earlier elsewhere, is still there."""
    wanted = select(RegisterRow.id).where(RegisterRow.line_hash == line_hash)
    return session.scalar(wanted) is not None


# -------------------------------------------------------------------------------------------------


def _lines(new: Iterable[object]) -> Iterator[tuple[tuple[int, int], str, str, str]]:
    """Place, key, subject and hash of each new row that is registered; the place sorts them."""
    for row in new:
        for place, subject in enumerate(_SUBJECTS):
            if not isinstance(row, Base) or row.__tablename__ != subject.table:
                continue
            if subject.only and getattr(row, subject.only[0]) != subject.only[1]:
                continue
            values = {name: getattr(row, name) for name in (*subject.columns, *subject.key)}
            number = getattr(row, "id", 0)
            yield (place, number), _key(subject, values), subject.name, _row_hash(subject, values)


def _line_sentences(
    line: RegisterRow, number: int, previous: str, rows: Mapping[Row, str]
) -> list[str]:
    """What is wrong with a line that should follow this number and hash, and with its row."""
    sentences = missing(number + 1, line.id - 1, *_LINES)
    own_hash = _line_hash(previous, line.id, line.subject, line.key, line.row_hash)
    if line.line_hash != own_hash and line.id == number + 1:
        sentences.append(
            f"Line {line.id} of the register was changed after it was recorded, "
            "or the one before it was."
        )
    row = (line.subject, line.key)
    if row not in rows:
        sentences.append(f"{_words(row)} is missing.")
    elif rows[row] != line.row_hash:
        sentences.append(f"{_words(row)} was changed after it was recorded.")
    return sentences


def _rows(session: Session) -> Iterator[tuple[Row, str]]:
    """Every row that should be registered, with its hash, however it was tampered with."""
    for subject in _SUBJECTS:
        yield from _rows_of(session, subject)


def _rows_of(
    session: Session, subject: _Subject, keys: Sequence[str] | None = None
) -> Iterator[tuple[Row, str]]:
    """The rows of one kind; of these keys, or all."""
    # columns without a type come as the database holds them: what is no time, no truth and no
    # JSON must not stop a check
    columns: list[ColumnElement[Any]] = [column(name) for name in subject.columns]
    wanted = select(*columns).select_from(table(subject.table))
    if subject.only:
        name, value = subject.only
        wanted = wanted.where(column(name) == value)
    if keys is not None:
        # the first column of a key is enough: it leaves few rows beside those asked for
        first = [key.split(" ", 1)[0] for key in keys]
        of_key = list(map(int, first)) if subject.key[0] == "id" else first
        wanted = wanted.where(column(subject.key[0]).in_(of_key))
    for mapping in session.execute(wanted).mappings():
        row = {str(name): value for name, value in mapping.items()}
        yield (subject.name, _key(subject, row)), _row_hash(subject, row)


def _key(subject: _Subject, values: Mapping[str, Any]) -> str:
    return " ".join(str(values[name]) for name in subject.key)


def _row_hash(subject: _Subject, values: Mapping[str, Any]) -> str:
    return _sha256([_VERSION, subject.name, *(_plain(values[name]) for name in subject.columns)])


def _line_hash(previous: str, number: int, subject: str, key: str, row_hash: str) -> str:
    return _sha256([_VERSION, previous, number, subject, key, row_hash])


def _plain(value: Any) -> Any:
    """A value as the database holds it."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (list, tuple)):
        return json.dumps(list(value))
    return utc_text(value) if hasattr(value, "astimezone") else value


def _sha256(facts: list[Any]) -> str:
    # default=repr: a tampered row may hold what JSON cannot (a blob); it must hash, not crash.
    spelled = json.dumps(facts, separators=(",", ":"), default=repr)
    return hashlib.sha256(spelled.encode("ascii")).hexdigest()


def _words(row: Row) -> str:
    name, key = row
    subject = _BY_NAME.get(name)
    return "A row of an unknown kind" if subject is None else subject.words.format(key=key)


def _end(session: Session, number: int, line_hash: str) -> list[str]:
    end = head(session)
    if end is None or end == ChainHead(number, line_hash):
        return []  # a missing end has its own sentence
    if end.last_id > number:
        return missing(number + 1, end.last_id, *_LINES)
    return ["The register does not end where the log says: lines were added or replaced."]
