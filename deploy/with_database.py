"""Run a Python program with DATABASE_URL made from a password file: `with_database.py -m MODULE`.

A container gets its password as a file; an address with a password in it would stand in the
compose file and in every listing of the environment. Environment: DATABASE_HOST,
DATABASE_PASSWORD_FILE, and where they differ from her2, DATABASE_USER and DATABASE_NAME.
"""

import os
import sys
from pathlib import Path
from urllib.parse import quote


def database_url() -> str:
    """The SQLAlchemy URL of the PostgreSQL database.

    Raises:
        KeyError: the environment does not say where it is.
        OSError: the password cannot be read.
    """
    password = Path(os.environ["DATABASE_PASSWORD_FILE"]).read_text(encoding="utf-8").strip()
    user = os.environ.get("DATABASE_USER", "her2")
    name = os.environ.get("DATABASE_NAME", "her2")
    host = os.environ["DATABASE_HOST"]
    return f"postgresql+psycopg://{quote(user, safe='')}:{quote(password, safe='')}@{host}/{name}"


if __name__ == "__main__":
    try:
        os.environ["DATABASE_URL"] = database_url()
    except (KeyError, OSError) as error:
        sys.exit(f"The database is not described: {error}")
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
