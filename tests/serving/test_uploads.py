"""What a browser sends goes on in the background: archives, tables, and bad ones of both."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from her2core.scores import HER2Score
from her2core.serving import uploaded_zip
from her2core.serving.services import Services
from her2core.serving.uploads import SentFile, UploadState
from her2core.serving.workbench import Workbench
from tests.page_server import services_of
from tests.tiny_bundles import noise, settings

WHO = "Dr. Ada"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Services]:
    """A server that takes patches in; no model reads them."""
    chosen = settings(tmp_path / "home", tmp_path)
    made = services_of(chosen, Workbench(chosen, [], maps=False))
    yield made
    made.queue.wait(60)
    made.store.close()


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(noise(1, seed)[0]).save(buffer, "PNG")
    return buffer.getvalue()


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def take(here: Services, **files: bytes) -> UploadState:
    return take_all(here, [SentFile(name.replace("__", "."), data) for name, data in files.items()])


def take_all(here: Services, files: list[SentFile]) -> UploadState:
    here.uploads.add(WHO, files)
    assert here.uploads.wait(WHO, 120)
    state = here.uploads.state(WHO)
    assert state is not None
    return state


def names(here: Services) -> list[str]:
    return [patch.name for patch in here.store.patches()]


def test_a_zip_with_a_table_names_slide_or_case_and_label_of_each_patch(here):
    table = b"File;Case ID;Label\na/x.png;M 17;2+\nb/x.png;M 18;\ny.png;;3\n"
    state = take(
        here,
        all__zip=packed(
            {
                "a/x.png": png(1),
                "b/x.png": png(2),
                "y.png": png(3),
                "cases.csv": table,
                "__MACOSX/._y.png": b"not shown",
                "a/": b"",
            }
        ),
    )
    assert [taken.outcome for taken in state.results] == ["new"] * 3
    assert [(one.case, one.label) for one in here.store.patches()] == [
        ("M 17", HER2Score.TWO_PLUS),
        ("M 18", None),
        ("", HER2Score.THREE_PLUS),
    ]
    assert state.remarks == ("“cases.csv” told slide, case or label of 3 patches.",)
    assert here.uploads.state("Dr. Bo") is None, "it is nobody else's"


def test_a_table_that_comes_later_finds_its_patches_and_nothing_known_is_written_over(here):
    take_all(here, [SentFile("x.png", png(1)), SentFile("y.png", png(2))])
    take(here, first__csv=b"file,group,label\nx.png,A,1+\n")
    state = take(
        here,
        second__csv=(
            b"file,group,label\nx.png,B,2+\ny.png,A,5+\ny.png,A,2\ny.png,A,3\n"
            b'nowhere.png,A,0\n"folder\\y.png",C,\n'
        ),
    )
    assert [(one.case, one.label) for one in here.store.patches()] == [("A", 1), ("A", 2)]
    said = "\n".join(state.remarks)
    assert "“5+” is no HER2 score from 0 to 3+" in said
    assert "line 5: “y.png” is 3+ here and 2+ before, which stands" in said
    assert "line 7: “folder\\y.png” is of “C” here, of “A” before, which stands" in said
    assert "1 of 6 lines of “second.csv” name no patch that is here (line 6: nowhere.png)" in said
    assert "slide or case “A” already, which stands" in said
    assert "label 1+ already, which stands" in said
    broken = take(here, bad__csv=b"name\nx.png\n")
    assert "needs the columns file, group" in broken.remarks[0]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ({"../out.png": b"x"}, "leads outside"),
        ({"/etc/out.png": b"x"}, "leads outside"),
        ({"C:\\out.png": b"x"}, "leads outside"),
        ({"inner.zip": packed({"a.png": b"x"})}, "is an archive itself"),
        ({"bomb.png": bytes(3 * 2**20)}, "is larger than 1 MiB"),
        ({"notes.png": b"no picture"}, "notes.png"),
    ],
)
def test_what_in_a_zip_would_harm_is_refused_in_a_sentence_and_the_others_go_on(
    here, tmp_path, harm, said
):
    small = replace(here.settings, limits=replace(here.settings.limits, max_bytes=2**20))
    there = replace(here, settings=small)
    state = take(there, all__zip=packed({**harm, "good.png": png(1)}))
    assert [taken.outcome for taken in state.results] == ["refused", "new"]
    assert said in state.results[0].message
    assert names(there) == ["good.png"]
    assert not list(tmp_path.rglob("out.png")), "nothing is unpacked to disk"


def test_an_archive_that_lies_or_lists_too_much_is_refused_and_other_files_go_on(here, monkeypatch):
    lying = bytearray(packed({"a.png": png(1)}))
    at = lying.find(b"PK\x01\x02")
    lying[at + 24 : at + 28] = struct.pack("<I", 10)  # smaller than it is
    state = take(here, lying__zip=bytes(lying), cut__zip=packed({"a.png": png(1)})[:-9])
    assert [taken.outcome for taken in state.results] == ["refused"] * 2
    monkeypatch.setattr(uploaded_zip, "MOST_LISTED", 99)
    many = packed({f"{number}.png": b"" for number in range(100)})
    state = take_all(here, [SentFile("many.zip", many), SentFile("good.png", png(2))])
    assert "lists more than 99 files" in state.results[0].message
    assert names(here) == ["good.png"]


def test_an_archive_without_files_is_named(here):
    state = take(here, empty__zip=packed({}))
    assert "“empty.zip” holds no files; pack the pictures into it." in state.results[0].message


def test_an_upload_can_be_stopped_and_what_was_taken_in_stays(here):
    here.uploads.add(WHO, [SentFile(f"{seed}.png", png(seed)) for seed in range(30)])
    first = here.uploads.wait_for_first(WHO, 60)
    here.uploads.stop(WHO)
    assert here.uploads.wait(WHO, 60)
    state = here.uploads.state(WHO)
    assert state is not None
    assert state.stopped
    assert first == here.store.patches()[0].sha256
    assert len(state.results) == len(here.store.patches()) < 30
    here.uploads.forget(WHO)
    assert here.uploads.state(WHO) is None


def test_more_files_than_one_upload_may_have_are_left_out_and_told(here):
    few = replace(
        here, settings=replace(here.settings, limits=replace(here.settings.limits, max_files=2))
    )
    files = {f"{seed}.png": png(seed) for seed in range(3)}
    state = take(few, all__zip=packed(files))
    assert len(state.results) == 2
    assert state.remarks == (
        "“all.zip”: 1 file beyond the limit of one upload left out; upload them next.",
    )
