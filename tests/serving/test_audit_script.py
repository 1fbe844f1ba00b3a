"""deploy/audit.sh says of each part whether it is clean, has findings or was not done, and why."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from her2core.settings import PROJECT_ROOT

ROOT = PROJECT_ROOT
CLEAN = {
    "pip-audit": "echo 'No known vulnerabilities found' >&2",
    "pip-licenses": "echo 'Name,Version,License'",
    "cyclonedx-py": "echo '{}'",
    "hadolint": "true",
}


def audit(folder: Path, **tools: str) -> tuple[int, list[str]]:
    """Run the script with these tools instead of the installed ones."""
    programs = folder / "tools" / "bin"
    programs.mkdir(parents=True)
    for name, body in {**CLEAN, **{k.replace("_", "-"): v for k, v in tools.items()}}.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    os.utime(folder / "tools", (2**31, 2**31))  # newer than requirements-audit.txt
    done = subprocess.run(
        ["bash", ROOT / "deploy" / "audit.sh", sys.executable],
        env={
            **os.environ,
            "AUDIT_OUT": str(folder / "out"),
            "AUDIT_TOOLS": str(folder / "tools"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()


def test_all_done_and_clean(tmp_path):
    status, lines = audit(tmp_path)
    assert status == 0, lines
    assert [line.split(" (")[0] for line in lines if "out/" in line] == [
        "Known vulnerabilities: clean",
        "Licences: written",
        "Parts",
        "Containerfile: clean",
    ]
    assert lines[-1] == "All parts were audited and are clean."


@pytest.mark.parametrize(
    ("tools", "says"),
    [
        (
            {"pip_audit": "echo 'Found 2 known vulnerabilities in 1 package' >&2; exit 1"},
            "Known vulnerabilities: found something",
        ),
        (
            {"hadolint": "echo 'deploy/Containerfile:3 DL3006 tag the version'; exit 1"},
            "Containerfile: found something",
        ),
    ],
)
def test_a_finding_is_called_one(tmp_path, tools, says):
    status, lines = audit(tmp_path, **tools)
    assert status == 1
    assert any(line.startswith(says) for line in lines), lines
    assert lines[-1] == "All parts were audited; something was found."


@pytest.mark.parametrize(
    ("tools", "says"),
    [
        (
            {"pip_audit": "echo 'ConnectionError: out of reach' >&2; exit 1"},
            "Known vulnerabilities: not done: ConnectionError: out of reach",
        ),
        ({"pip_audit": "exit 3"}, "Known vulnerabilities: not done: it ended with status 3"),
        ({"pip_audit": "exit 124"}, "Known vulnerabilities: not done: it took too long"),
        (
            {"pip_audit": "echo 'Name Skip Reason'; echo 'x not found on PyPI'"},
            "Known vulnerabilities: not done for every package",
        ),
        ({"pip_licenses": "true"}, "Licences: not done: nothing was written"),
        ({"cyclonedx_py": "echo broken >&2; exit 1"}, "Parts (CycloneDX): not done: broken"),
        ({"hadolint": "echo 'no such file' >&2; exit 1"}, "Containerfile: not done: no such file"),
        ({"hadolint": "exit 127"}, "Containerfile: not done: it ended with status 127"),
        # what was found elsewhere does not hide it
        (
            {
                "pip_audit": "echo 'Found 2 known vulnerabilities in 1 package' >&2; exit 1",
                "pip_licenses": "exit 1",
            },
            "Licences: not done",
        ),
    ],
)
def test_what_was_not_done_is_no_clean_result(tmp_path, tools, says):
    status, lines = audit(tmp_path, **tools)
    assert status == 2
    assert any(line.startswith(says) for line in lines), lines
    assert lines[-1] == "Not all parts were audited: this is no clean result."
    assert sum("out/" in line for line in lines) == 4, "the other parts were done all the same"
