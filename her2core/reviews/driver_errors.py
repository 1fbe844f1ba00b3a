"""What a database driver says, and what a reviewer should read instead: always one calm sentence.

SQLite is told by its words, PostgreSQL by its five-letter state, so that a server which speaks
another language is understood too. Only a refused connection has no state; those few are told by
the words of the client library.
"""

from collections.abc import Mapping

BUSY = (
    "The review database is busy with another program's work; nothing was changed, try again "
    "in a moment."
)
AWAY = (
    "The review database does not answer; nothing is lost, try again in a moment, and tell who "
    "runs this server if it stays so."
)
_FULL = (
    "The disk that holds the review database is full; nothing was changed, free some space and "
    "try again."
)
_READ_ONLY = (
    "The review database is read-only; nothing was changed, give this program the right to "
    "write to the file and its folder."
)
_DAMAGED = "The review database is damaged; restore it from a backup."
_DISK_ERROR = (
    "The disk that holds the review database reports an error; check it before going on, then "
    "try again."
)

_SQLITE: tuple[tuple[str, str], ...] = (
    ("locked", BUSY),
    ("disk is full", _FULL),
    ("readonly", _READ_ONLY),
    (
        "unable to open",
        "The review database could not be opened; check that its folder exists and may be read "
        "and written.",
    ),
    (
        "not a database",
        "The file set as review database is not a database; set DATABASE_URL to another file or "
        "restore a backup.",
    ),
    ("malformed", _DAMAGED),
    ("disk i/o", _DISK_ERROR),
)

_POSTGRESQL_READ_ONLY = (
    "The review database takes no changes now; nothing was changed, ask who runs the database "
    "server (a standby, or a database set to read-only)."
)
_POSTGRESQL_RIGHTS = (
    "The user of DATABASE_URL may not do this in the review database; nothing was changed, give "
    "that user the rights to its tables."
)
_REFUSED = "The database server refuses the user name or the password of DATABASE_URL."
_ABSENT = "The database named in DATABASE_URL does not exist; create it on the database server."
_POSTGRESQL: Mapping[str, str] = {
    "55P03": BUSY,  # lock_not_available: lock_timeout ran out
    "53300": BUSY,  # too_many_connections
    "40001": BUSY,  # serialization_failure
    "40P01": BUSY,  # deadlock_detected
    "53100": _FULL,
    "25006": _POSTGRESQL_READ_ONLY,
    "42501": _POSTGRESQL_RIGHTS,
    "28000": _REFUSED,
    "28P01": _REFUSED,
    "3D000": _ABSENT,
    "58030": _DISK_ERROR,
    "XX001": _DAMAGED,  # data_corrupted
    "XX002": _DAMAGED,  # index_corrupted
}
# whole classes: connection exceptions, and an operator's intervention (shutdown, start-up)
_POSTGRESQL_AWAY = ("08", "57P")
_CONNECTING: tuple[tuple[str, str], ...] = (
    ("password", _REFUSED),
    ("no pg_hba.conf entry", _REFUSED),
    ("role", _REFUSED),
    ("too many clients", BUSY),
    ("remaining connection slots", BUSY),
    ("does not exist", _ABSENT),
)


def sentence(cause: BaseException) -> str:
    """One sentence for what a driver raised. Says nothing of hosts, users, names or comments."""
    message = str(cause).lower()
    if type(cause).__module__.split(".")[0] == "psycopg":
        known = _of_postgresql(getattr(cause, "sqlstate", None), message, type(cause).__name__)
    else:
        known = next((text for key, text in _SQLITE if key in message), None)
    return known or (
        f"The review database refused ({type(cause).__name__}); nothing was changed. "
        "The server's log has the details."
    )


def _of_postgresql(state: str | None, message: str, kind: str) -> str | None:
    if state is None:
        # no answer of a server: the connection could not be made, or broke
        refused = next((text for key, text in _CONNECTING if key in message), None)
        return refused or (AWAY if kind in {"OperationalError", "ConnectionTimeout"} else None)
    if state.startswith(_POSTGRESQL_AWAY):
        return AWAY
    return _POSTGRESQL.get(state)
