"""The commands of a package and what each is for, read from their docstrings, nothing imported."""

import ast
from collections.abc import Iterator
from pathlib import Path


def command_lines(folder: Path, package: str) -> Iterator[str]:
    """One line a command that `python -m` starts: its name and the first line of its docstring.

    Args:
        folder: the package's folder. A module of it is a command where its file holds a
            `__name__` check; a package of it where it holds `__main__.py`.
        package: its dotted name.
    """
    files = {path.stem: path for path in folder.glob("*.py") if path.stem != "__main__"}
    files |= {path.parent.name: path for path in folder.glob("*/__main__.py")}
    rows = [
        (f"python -m {package}.{name}", _purpose(text))
        for name, path in sorted(files.items())
        if '__name__ == "__main__"' in (text := path.read_text(encoding="utf-8"))
    ]
    width = max((len(name) for name, _ in rows), default=0)
    return (f"{name:<{width}}  {purpose}" for name, purpose in rows)


def _purpose(text: str) -> str:
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
