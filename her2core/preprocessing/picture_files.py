"""Which files of a folder are pictures to be read, and what is left out, with the reason.

One place for every command: the system's own folders (thumbnails of a storage device, recycle bins)
are never patches, and nothing is left out without a word. A file's ending says whether it is meant
as a picture; what it really is, its content says when it is decoded. A picture without such an
ending is named and not read: most often it is some program's copy.
"""

import os
import re
import stat
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from her2core.common.text import printable
from her2core.preprocessing.image_formats import (
    EXTENSIONS,
    SIGNATURE_BYTES,
    format_by_content,
    other_format,
)

NAMED = 3
_SYSTEM = frozenset(
    {
        *("$recycle.bin", "recycler", "recycled", "#recycle", "@recycle", "trash", "lost+found"),
        *("@eadir", "@tmp", "@sharebin", "@__thumb", "@recently-snapshot", "#snapshot"),
        *("@snapshot", "@appstore", "@database", "@synologydrive", "system volume information"),
        *("__macosx", "network trash folder", "temporary items", "lost.dir", "found.000"),
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "desktop.db", "icon\r"),
        *("picasa.ini", "$extend", "$winreagent", "dumpstack.log.tmp", "pagefile.sys"),
    }
)
_SYSTEM_PART = re.compile(r"@syno|SYNO(?:PHOTO|FILE)_|thumbs\.db:|trash-\d+$|~\$", re.IGNORECASE)
# Endings of pictures that are left out, with what they are.
_OTHER_PICTURES: Mapping[str, str] = {
    **dict.fromkeys((".heic", ".heif", ".hif"), "HEIC"),
    **dict.fromkeys((".avif",), "AVIF"),
    **dict.fromkeys((".gif",), "GIF"),
    **dict.fromkeys((".jxl",), "JPEG XL"),
    **dict.fromkeys((".psd", ".psb"), "Photoshop"),
    **dict.fromkeys((".dcm", ".dicom"), "DICOM"),
    **dict.fromkeys((".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".czi", ".qptiff"), "slide"),
    **dict.fromkeys((".lif", ".vsi", ".oib", ".nd2", ".lsm", ".mpo", ".ppm", ".tga"), "picture"),
    **dict.fromkeys((".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf"), "camera raw"),
    **dict.fromkeys((".svg", ".eps", ".pdf", ".emf", ".wmf"), "drawing"),
}


@dataclass(frozen=True)
class LeftOut:
    """A file or folder that is not read.

    Attributes:
        path: of it.
        reason: completes "left out: ...", e.g. "HEIC, which is not read".
        picture: it is, or seems to be, a picture somebody may have wanted read.
    """

    path: Path
    reason: str
    picture: bool = False


@dataclass(frozen=True)
class Listing:
    """What lies in a folder: `folders` and `pictures` to be read, and what is left out; sorted."""

    folders: tuple[Path, ...]
    pictures: tuple[Path, ...]
    left_out: tuple[LeftOut, ...]


def list_folder(folder: Path, endings: Container[str] = EXTENSIONS) -> Listing:
    """What lies in the folder itself; a folder in it may be a link.

    Args:
        folder: to look into.
        endings: of files that are read, lower case with the dot.

    Raises:
        OSError: it cannot be opened.
    """
    folders, pictures, left_out = [], [], []
    for path in sorted(folder.iterdir()):
        left = _left_out(path, endings)
        if left is not None:
            left_out.append(left)
        elif path.is_dir():
            folders.append(path)
        else:
            pictures.append(path)
    return Listing(tuple(folders), tuple(pictures), tuple(left_out))


def walk(folder: Path, endings: Container[str] = EXTENSIONS) -> Listing:
    """All pictures in the folder and its subfolders; `folders` is empty.

    Links to folders are not followed, so that no loop is entered and no picture comes twice.

    Raises:
        OSError: the folder itself cannot be opened; subfolders that cannot are left out.
    """
    listing = list_folder(folder, endings)
    pictures, left_out = list(listing.pictures), list(listing.left_out)
    waiting = list(listing.folders)
    while waiting:
        path = waiting.pop()
        if path.is_symlink():
            left_out.append(LeftOut(path, "links to folders, which are not followed", True))
            continue
        try:
            inner = list_folder(path, endings)
        except OSError as error:
            left_out.append(LeftOut(path, f"cannot be opened ({error.strerror})", True))
            continue
        pictures += inner.pictures
        left_out += inner.left_out
        waiting += inner.folders
    return Listing((), tuple(sorted(pictures)), tuple(sorted(left_out, key=lambda one: one.path)))


def left_out_lines(left_out: Iterable[LeftOut], root: Path) -> list[str]:
    """One line for each reason: how many were left out, why, and the first of them.

    Args:
        left_out: what was left out.
        root: names are written relative to it.
    """
    by_reason: dict[str, list[str]] = {}
    for one in left_out:
        by_reason.setdefault(one.reason, []).append(shown(one.path, root))
    return [
        f"{len(names)} left out: {reason}: {some(names)}." for reason, names in by_reason.items()
    ]


def counted_reasons(left_out: Iterable[LeftOut]) -> str:
    """The reasons with their counts and without names, for what is passed on."""
    counts: dict[str, int] = {}
    for one in left_out:
        counts[one.reason] = counts.get(one.reason, 0) + 1
    return "; ".join(f"{count} {reason}" for reason, count in counts.items())


def some(names: Sequence[str]) -> str:
    """The first few names in quotation marks, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(f"“{name}”" for name in names[:NAMED]) + more


def shown(path: Path, root: Path) -> str:
    """The path below `root` as it may be printed."""
    return printable(path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path))


def no_data(name: str) -> str | None:
    """Why a file or folder of this name is none of somebody's data; None where it may be."""
    if name.casefold() in _SYSTEM or _SYSTEM_PART.match(name):
        return "the system's own, not data"
    return "hidden" if name.startswith(".") else None


def _left_out(path: Path, endings: Container[str]) -> LeftOut | None:
    """Why this entry of a folder is not read; None where it is."""
    if reason := no_data(path.name):
        return LeftOut(path, reason)
    ending = path.suffix.lower().rstrip()
    wanted = ending in endings
    try:
        kind = path.stat().st_mode
    except OSError as error:
        reason = "links that lead nowhere" if path.is_symlink() else f"not there ({error.strerror})"
        return LeftOut(path, reason, wanted)
    if stat.S_ISDIR(kind):
        return None
    if not stat.S_ISREG(kind):
        return LeftOut(path, "not regular files", wanted)
    return None if wanted else _other_file(path, ending)


def _other_file(path: Path, ending: str) -> LeftOut:
    """A file without the ending of a picture that is read."""
    if ending in _OTHER_PICTURES:
        return LeftOut(path, f"{_OTHER_PICTURES[ending]}, which is not read", True)
    try:
        content = _content(path)
    except OSError as error:
        return LeftOut(path, f"cannot be opened ({error.strerror})", True)
    if content is None:
        return LeftOut(path, "no picture")
    named = f"named “{ending}”" if ending else "without an ending"
    return LeftOut(path, f"{content} by content but {named}; rename to have it read", True)


def _content(path: Path) -> str | None:
    with open(path, "rb", opener=_at_once) as file:
        start = file.read(SIGNATURE_BYTES)
    known = format_by_content(start)
    return other_format(start) if known is None else known.name


def _at_once(path: str, flags: int) -> int:
    # a pipe that took the file's place meanwhile must not block
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
