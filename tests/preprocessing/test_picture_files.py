"""A folder is walked in one way: its pictures, and every other thing with the reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from her2core.preprocessing.image_formats import EXTENSIONS, format_names
from her2core.preprocessing.picture_files import (
    counted_reasons,
    left_out_lines,
    list_folder,
    walk,
)

PNG = b"\x89PNG\r\n\x1a\n"
SYSTEM = (
    "@eaDir", "$RECYCLE.BIN", "$Recycle.Bin", "#recycle", "@Recycle", "System Volume Information",
    "__MACOSX", "lost+found", "RECYCLER", "Thumbs.db", "desktop.ini", "@__thumb", "ehthumbs.db",
    "SYNOPHOTO_THUMB_M.jpg", "Network Trash Folder", "#snapshot", "Icon\r",
)  # fmt: skip
HIDDEN = (
    ".DS_Store",
    ".Trash",
    ".Trash-1000",
    ".Trashes",
    ".thumbnails",
    "._p.png",
    ".git",
    ".p.png",
)


def names(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in walk(root).pictures]


@pytest.mark.parametrize("name", [*SYSTEM, *HIDDEN])
def test_the_system_s_own_is_left_out_as_file_and_as_folder(tmp_path, name):
    (tmp_path / "p.png").touch()
    (tmp_path / "a" / name).mkdir(parents=True)
    (tmp_path / "a" / name / "q.png").touch()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / name).touch()
    assert names(tmp_path) == ["p.png"]
    reason = "hidden" if name in HIDDEN else "the system's own, not data"
    assert {one.reason for one in walk(tmp_path).left_out} == {reason}
    assert [one.path.parent.name for one in walk(tmp_path).left_out] == ["a", "b"]
    assert not any(one.picture for one in walk(tmp_path).left_out)


def test_only_names_below_the_folder_count(tmp_path):
    (tmp_path / ".cache" / "lost+found").mkdir(parents=True)
    (tmp_path / ".cache" / "lost+found" / "p.png").touch()
    assert names(tmp_path / ".cache" / "lost+found") == ["p.png"]


@pytest.mark.parametrize("ending", [".png", ".PNG", ".Jpg", ".jpeg", ".JPE", ".tif", ".TIFF"])
def test_endings_count_in_any_letter_case(tmp_path, ending):
    assert ending.lower() in EXTENSIONS
    (tmp_path / f"p{ending}").touch()
    assert names(tmp_path) == [f"p{ending}"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("p.avif", b"", "AVIF, which is not read"),
        ("p.HEIC", b"", "HEIC, which is not read"),
        ("p.svs", b"", "slide, which is not read"),
        ("p", PNG, "PNG by content but without an ending; rename to have it read"),
        ("p.bak", PNG, "PNG by content but named “.bak”; rename to have it read"),
        ("p.001", b"\xff\xd8\xff\xe0", "JPEG by content but named “.001”; rename to have it read"),
        ("p", b"RIFF....WEBP", "WebP by content but without an ending; rename to have it read"),
    ],
)
def test_a_picture_that_is_not_read_is_told_as_one(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    (one,) = walk(tmp_path).left_out
    assert (one.path.name, one.reason, one.picture) == (name, reason, True)


@pytest.mark.parametrize("content", [b"", b"file,label", b"BMI,age\n21,60", b"\x89PN"])
def test_other_files_are_no_pictures(tmp_path, content):
    (tmp_path / "notes").write_bytes(content)
    (one,) = walk(tmp_path).left_out
    assert (one.reason, one.picture) == ("no picture", False)


def test_links_are_followed_to_files_and_never_round_in_circles(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "p.png").touch()
    (tmp_path / "a" / "again.png").symlink_to(tmp_path / "a" / "p.png")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "itself.png").symlink_to(tmp_path / "itself.png")
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    assert names(tmp_path) == ["a/again.png", "a/p.png"]
    assert left_out_lines(walk(tmp_path).left_out, tmp_path) == [
        "1 left out: links to folders, which are not followed: “a/loop”.",
        "2 left out: links that lead nowhere: “gone.png”, “itself.png”.",
        "2 left out: not regular files: “pipe”, “pipe.png”.",
    ]
    assert [path.name for path in list_folder(tmp_path / "a").folders] == ["loop"]


def test_a_folder_that_cannot_be_opened_is_named(tmp_path, monkeypatch):
    (tmp_path / "locked").mkdir()
    (tmp_path / "p.png").touch()
    usual = Path.iterdir

    def refuse(path):  # root may open every folder, so permissions cannot be tried
        if path.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return usual(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert names(tmp_path) == ["p.png"]
    lines = left_out_lines(walk(tmp_path).left_out, tmp_path)
    assert lines == ["1 left out: cannot be opened (Permission denied): “locked”."]


def test_many_are_counted_and_a_few_named(tmp_path):
    for number in range(5):
        (tmp_path / f"{number}\n.avif").touch()
    left_out = walk(tmp_path).left_out
    (line,) = left_out_lines(left_out, tmp_path)
    assert (
        line == "5 left out: AVIF, which is not read: “0 .avif”, “1 .avif”, “2 .avif” and 2 more."
    )
    assert counted_reasons(left_out) == "5 AVIF, which is not read"
    assert format_names().startswith("PNG, JPEG")


@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from(["p.png", "q.JPG", "w.avif", "n.txt", ".h.png", "Thumbs.db", "noending"]),
        unique=True,
    ),
    st.lists(st.sampled_from(["a", "a/b", "@eaDir", ".git", "a/#recycle"]), unique=True),
)
def test_every_file_is_read_or_lies_in_what_is_left_out(tmp_path_factory, files, folders):
    root = tmp_path_factory.mktemp("folder")
    for folder in (".", *folders):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name in files:
            (root / folder / name).touch()
    listing = walk(root)
    left = {one.path for one in listing.left_out}
    for path in root.rglob("*"):
        if path.is_file():
            assert (path in listing.pictures) != bool(left & {path, *path.parents})
