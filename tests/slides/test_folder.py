"""The slides of a folder: each once, and whatever else lies there named."""

from __future__ import annotations

import struct
from pathlib import Path

from her2core.slides.folder import find_slides


def dicom(series: str, size: int, refers_to: str = "") -> bytes:
    """The head of a DICOM file of a series, and so many bytes of pixels."""

    def element(group: int, number: int, kind: bytes, value: bytes) -> bytes:
        value += b"\0" * (len(value) % 2)
        return struct.pack("<HH2sH", group, number, kind, len(value)) + value

    other = element(0x20, 0xE, b"UI", refers_to.encode()) if refers_to else b""
    own = element(0x20, 0xE, b"UI", series.encode())
    head = element(8, 0x60, b"CS", b"SM") + other + own
    return bytes(128) + b"DICM" + head + element(0x28, 2, b"US", b"\3\0") + bytes(size)


def names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in find_slides(folder).pictures]


def test_the_files_of_a_dicom_series_are_one_slide_called_by_the_largest(tmp_path):
    for name, series, size in (
        ("a/level0.dcm", "1.2.3", 900),
        ("a/level1.dcm", "1.2.3", 400),
        ("a/label.dcm", "1.2.3", 90),
        ("a/second.dcm", "1.2.4", 500),
        ("b/copy.dcm", "1.2.3", 100),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(dicom(series, size))
    assert names(tmp_path) == ["a/level0.dcm", "a/second.dcm", "b/copy.dcm"]


def test_slides_that_refer_to_one_series_stay_apart(tmp_path):
    for number in (1, 2):
        (tmp_path / f"{number}.dcm").write_bytes(dicom(f"1.2.{number}", 100, refers_to="1.9"))
    assert names(tmp_path) == ["1.dcm", "2.dcm"]


def test_the_folder_beside_an_mrxs_file_belongs_to_it(tmp_path):
    (tmp_path / "a.mrxs").touch()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "Data0000.dat").touch()
    (tmp_path / "a" / "overview.jpg").touch()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.svs").touch()
    assert names(tmp_path) == ["a.mrxs", "b/c.svs"]
    assert find_slides(tmp_path).left_out == ()


def test_what_is_no_slide_is_named_with_the_reason(tmp_path):
    for name in ("a.SVS", "b.jp2", ".c.svs", "@eaDir/d.tif", "e.czi", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert names(tmp_path) == ["a.SVS", "b.jp2"]
    assert {one.path.name: one.reason for one in find_slides(tmp_path).left_out} == {
        ".c.svs": "hidden",
        "@eaDir": "the system's own, not data",
        "e.czi": "slide, which is not read",
        "notes.txt": "no picture",
    }
