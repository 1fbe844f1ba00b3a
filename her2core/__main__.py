"""`python -m her2core`: the library's commands, one line each."""

from pathlib import Path

from her2core.common.commands import command_lines

if __name__ == "__main__":
    print(*command_lines(Path(__file__).parent, "her2core"), sep="\n")
