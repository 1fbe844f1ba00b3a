"""Commands that `python -m` starts: what there is in a package, and how each describes itself."""

import argparse
import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def command_parser(name: str, doc: str | None, **more: Any) -> argparse.ArgumentParser:
    """The parser of a command, which says of itself the first line of its docstring.

    Args:
        name: dotted, as behind `python -m`.
        doc: the docstring of its module.
        more: further arguments of argparse.ArgumentParser.
    """
    purpose = (doc or "").partition("\n")[0]
    return argparse.ArgumentParser(prog=f"python -m {name}", description=purpose, **more)


def command_lines(folder: Path, package: str) -> Iterator[str]:
    """One line a command: its name and the first line of its docstring; nothing is imported.

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
