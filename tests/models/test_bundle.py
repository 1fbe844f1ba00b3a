"""A bundle is exactly what its card says, or it is refused with a sentence."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save

from her2core.models.architectures import ARCHITECTURES
from her2core.models.bundles.bundle import load_bundle, write_bundle
from her2core.models.bundles.bundle_files import BACKGROUND_FILE, WEIGHTS_FILE
from her2core.models.bundles.card import CARD_FILE, BundleError, Metric, ModelCard, ModelInput
from her2core.models.bundles.card_records import Adaptation, KnownPatches, ProvenanceFacts
from her2core.models.bundles.registry import CHOICE_FILE, choose, chosen, find_bundles
from her2core.models.conformal import ConformalSets
from her2core.settings import Settings, load_settings
from tests.tiny_bundles import NAMES, a_card, bundle_root, classifier, noise, settings

FINISHED = a_card(parameters=7, weights_sha256="0" * 64, background_sha256="f" * 64)
WORDS = st.text(max_size=30)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def linked_bundle(target: Path, name: str = "cnn") -> Path:
    """A copy of a bundle that shares the large files until a test replaces one."""
    return Path(shutil.copytree(bundle_root() / name, target / name, copy_function=os.link))


def replace_file(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


def change_card(folder: Path, **changes: object) -> None:
    """Change fields as a bundle written before cards had a digest could be changed."""
    card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    card.pop("digest", None)
    replace_file(folder / CARD_FILE, json.dumps({**card, **changes}).encode())


@given(
    name=WORDS,
    notes=st.lists(WORDS, max_size=3).map(tuple),
    temperature=st.floats(1e-6, 1e6),
    metrics=st.lists(
        st.builds(Metric, WORDS, WORDS, NUMBERS, st.none(), st.none(), st.integers(0, 10**9)),
        max_size=3,
    ).map(tuple),
    demo=st.booleans(),
    conformal=st.none()
    | st.builds(
        ConformalSets,
        st.floats(0.01, 0.5),
        st.tuples(*[st.floats(0, 1)] * 4),
        st.tuples(*[st.integers(0, 10**6)] * 4),
        WORDS,
    ),
)
def test_every_card_reads_back_unchanged(
    name: str,
    notes: tuple[str, ...],
    temperature: float,
    metrics: tuple[Metric, ...],
    demo: bool,
    conformal: ConformalSets | None,
) -> None:
    card = dataclasses.replace(
        FINISHED,
        name=name,
        notes=notes,
        temperature=temperature,
        metrics=metrics,
        demo=demo,
        conformal=conformal,
    )
    assert ("conformal" in json.loads(card.to_json())) == (conformal is not None)
    assert ModelCard.from_json(card.to_json()) == card


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(ModelCard)])
def test_a_card_with_a_missing_or_wrong_field_is_refused(field: str) -> None:
    data = json.loads(FINISHED.to_json())
    wrong = {**data, field: {"neither": "nor"}}
    missing = {key: value for key, value in data.items() if key != field}
    # what only some bundles have may be missing
    optional = ("conformal", "novelty", "adapted", "provenance", "digest")
    for broken in (wrong,) if field in optional else (wrong, missing):
        with pytest.raises(BundleError, match=f"“b” cannot be used.*“{field}”.*copy"):
            ModelCard.from_json(json.dumps(broken), "b")


@pytest.mark.parametrize(
    "change",
    [
        {"surprise": 1},
        {"demo": 1},
        {"parameters": True},
        {"parameters": -1},
        {"temperature": 0},
        {"temperature": 10**400},
        {"classes": ["3+", "2+", "1+", "0"]},
        {"input": {"size": 96, "range": [0, 1], "colour": "RGB"}},
        {"weights_sha256": "../../etc/passwd"},
        {"date": "yesterday"},
        {"metrics": [{"name": "kappa"}]},
        {"conformal": {"alpha": 0.1, "thresholds": [0.5] * 3, "n": [9] * 4, "calibration_set": ""}},
        {"conformal": {"alpha": 0.1, "thresholds": [2] * 4, "n": [9] * 4, "calibration_set": ""}},
        {"conformal": {"alpha": 1, "thresholds": [0.5] * 4, "n": [9] * 4, "calibration_set": ""}},
        {"metrics": [{"name": "k", "set": "s", "value": 1, "ci_low": 0.9, "ci_high": 0.1, "n": 2}]},
        {
            "metrics": [
                {"name": "k", "set": "s", "value": 1, "ci_low": None, "ci_high": 0.1, "n": 2}
            ]
        },
    ],
)
def test_values_a_card_cannot_hold_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(BundleError):
        ModelCard.from_json(json.dumps({**json.loads(FINISHED.to_json()), **change}))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"name": NaN}', "[" * 100_000])
def test_what_is_no_card_is_refused(text: str) -> None:
    with pytest.raises(BundleError):
        ModelCard.from_json(text)


def test_a_written_bundle_loads_with_weights_rounded_to_float16_once() -> None:
    folder = bundle_root() / "cnn"
    loaded = classifier("cnn").bundle
    stored = load_file(folder / WEIGHTS_FILE)
    assert stored["hidden/kernel"].dtype == np.float16
    assert stored["hidden/bias"].dtype == np.float32
    kernel = stored["conv2/kernel"].astype(np.float32)
    assert not (kernel.view(np.uint32) & 0xFFFF).any()  # bfloat16 has them without rounding
    assert (stored["hidden/kernel"].astype(np.float32).view(np.uint32) & 0xFFFF).any()
    assert loaded.card.parameters == 19_265_348
    sha256 = hashlib.sha256((folder / WEIGHTS_FILE).read_bytes()).hexdigest()
    assert loaded.card.weights_sha256 == sha256
    assert loaded.card.model_id == f"cnn-{loaded.card.decisive_digest[:12]}"
    assert np.array_equal(loaded.background, noise(6, seed=99))
    for weight in loaded.model.weights:
        assert np.array_equal(weight.numpy(), stored[weight.path].astype(np.float32))


def test_densenet_keeps_its_batch_norm_statistics_exactly() -> None:
    stored = load_file(bundle_root() / "densenet121" / WEIGHTS_FILE)
    statistics = [path for path in stored if "moving_" in path]
    assert len(statistics) == 2 * 121
    assert all(stored[path].dtype == np.float32 for path in statistics)


def test_a_finished_bundle_is_never_overwritten() -> None:
    folder = bundle_root() / "cnn"
    before = (folder / CARD_FILE).read_bytes()
    with pytest.raises(BundleError, match="already holds files"):
        write_bundle(classifier("cnn").bundle.model, a_card(), folder, noise(1))
    assert (folder / CARD_FILE).read_bytes() == before


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    model = classifier("cnn").bundle.model
    for card, background in (
        (a_card(architecture="densenet121"), noise(1)),
        (a_card(architecture="vit"), noise(1)),
        (a_card(date="soon"), noise(1)),
        (a_card(), noise(1)[:, :100]),
        (a_card(), noise(1).astype(np.float32)),
    ):
        with pytest.raises(BundleError):
            write_bundle(model, card, tmp_path / "new", background)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", [WEIGHTS_FILE, BACKGROUND_FILE])
def test_one_changed_bit_is_noticed(tmp_path: Path, file: str) -> None:
    folder = linked_bundle(tmp_path)
    data = bytearray((folder / file).read_bytes())
    data[-1] ^= 1
    replace_file(folder / file, bytes(data))
    with pytest.raises(BundleError, match=f"“cnn” cannot be used: {file} is not the file"):
        load_bundle(folder)


@pytest.mark.parametrize("file", [WEIGHTS_FILE, BACKGROUND_FILE, CARD_FILE])
def test_a_missing_file_is_named(tmp_path: Path, file: str) -> None:
    folder = linked_bundle(tmp_path)
    (folder / file).unlink()
    with pytest.raises(BundleError, match=f"{file} is missing; copy the whole bundle again"):
        load_bundle(folder)


def test_weights_of_another_network_are_refused_even_with_a_true_sum(tmp_path: Path) -> None:
    folder = linked_bundle(tmp_path)
    other = (bundle_root() / "densenet121" / WEIGHTS_FILE).read_bytes()
    replace_file(folder / WEIGHTS_FILE, other)
    change_card(folder, weights_sha256=hashlib.sha256(other).hexdigest())
    with pytest.raises(BundleError, match="not those of this architecture"):
        load_bundle(folder)


def test_a_weight_of_the_wrong_shape_or_without_a_value_is_refused(tmp_path: Path) -> None:
    folder = linked_bundle(tmp_path)
    tensors = load_file(bundle_root() / "cnn" / WEIGHTS_FILE)
    for bias in (np.zeros(5, np.float32), np.full(4, np.nan, np.float32), np.zeros(4, np.int32)):
        data = save({**tensors, "logits/bias": bias})
        replace_file(folder / WEIGHTS_FILE, data)
        change_card(folder, weights_sha256=hashlib.sha256(data).hexdigest())
        with pytest.raises(BundleError, match="weight logits/bias"):
            load_bundle(folder)


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    folder = linked_bundle(tmp_path)
    data = b"cos\nsystem\n(S'touch owned'\ntR."
    replace_file(folder / WEIGHTS_FILE, data)
    change_card(folder, weights_sha256=hashlib.sha256(data).hexdigest())
    with pytest.raises(BundleError, match="not a safetensors file"):
        load_bundle(folder)


def test_bundles_are_listed_with_the_broken_ones_explained(tmp_path: Path) -> None:
    linked_bundle(tmp_path, "densenet121")
    (tmp_path / "broken").mkdir()
    (tmp_path / ".hidden").mkdir()
    strange = linked_bundle(tmp_path / "more")
    change_card(strange, architecture="vit")
    here = settings(
        tmp_path / "home", tmp_path, strange, tmp_path / "absent", bundle_root() / "cnn"
    )
    entries = find_bundles(here)
    assert [entry.folder.name for entry in entries] == [
        "broken",
        "more",
        "densenet121",
        "cnn",
        "cnn",
    ]
    assert [entry.card is None for entry in entries] == [True, True, False, True, False]
    assert "card.json is missing" in (entries[0].problem or "")
    assert "architecture is not known here" in (entries[3].problem or "")
    assert set(chosen(here)) == set(ARCHITECTURES) == set(NAMES)


def test_the_chosen_bundle_stays_chosen_even_when_it_is_gone(tmp_path: Path) -> None:
    own = linked_bundle(tmp_path / "own")
    here = settings(tmp_path / "home", bundle_root(), tmp_path / "own")
    assert chosen(here)["cnn"] == bundle_root() / "cnn"
    choose(here, "cnn", own)
    assert chosen(here)["cnn"] == own
    shutil.rmtree(own)
    assert chosen(here)["cnn"] == own
    with pytest.raises(BundleError, match="missing"):
        load_bundle(chosen(here)["cnn"])


def test_a_bundle_that_is_copied_in_takes_over_only_when_it_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("her2core.settings.SHIPPED_DATA", tmp_path / "shipped")
    shipped = linked_bundle(tmp_path / "shipped" / "bundles")
    change_card(shipped, date="2026-05-01")
    own = tmp_path / "home" / "bundles"
    mine = linked_bundle(own)
    change_card(mine, date="2026-03-01")
    network = linked_bundle(own, "densenet121")

    def here(**more: str) -> Settings:
        return load_settings({"HER2_HOME": str(tmp_path / "home"), **more}, tmp_path / "no file")

    before = chosen(here())
    assert before == {"cnn": shipped, "densenet121": network}, "its own where there is no other"
    newer = shutil.copytree(network, own / "a-newer-one")
    change_card(newer, date="2026-06-01")
    assert chosen(here()) == before
    assert not (tmp_path / "home" / CHOICE_FILE).exists(), "a home may be read-only"
    assert chosen(here(HER2_BUNDLES=str(mine)))["cnn"] == mine, "who names it has chosen it"
    choose(here(), "densenet121", newer)
    assert chosen(here()) == before | {"densenet121": newer}


def test_only_a_readable_bundle_of_that_architecture_can_be_chosen(tmp_path: Path) -> None:
    here = settings(tmp_path, bundle_root())
    with pytest.raises(BundleError, match="is a densenet121, not a cnn"):
        choose(here, "cnn", bundle_root() / "densenet121")
    with pytest.raises(BundleError, match="is missing"):
        choose(here, "cnn", tmp_path / "nothing")
    assert not (tmp_path / CHOICE_FILE).exists()


@pytest.mark.parametrize("text", ["", "[]", '{"cnn": 3}', "\xff"])
def test_a_damaged_record_of_choices_is_told_and_repaired_by_choosing(
    tmp_path: Path, text: str
) -> None:
    here = settings(tmp_path, bundle_root())
    (tmp_path / CHOICE_FILE).write_text(text, encoding="latin-1")
    with pytest.raises(BundleError, match="damaged; delete it or choose"):
        chosen(here)
    choose(here, "cnn", bundle_root() / "cnn")
    assert chosen(here)["cnn"] == bundle_root() / "cnn"


# the model's id ----------------------------------------------------------------------------------

SETS = ConformalSets(0.1, (0.5,) * 4, (9,) * 4, "validation patches")
KNOWN = KnownPatches("a" * 64, 10, 5, ("core 1",), 0.03)
ADAPTED = Adaptation("cnn-0123456789ab", "a" * 64, 40, 10, (10, 10, 10, 10), 0.3)
PROVENANCE = ProvenanceFacts("a" * 64, 40, 10)
WHOLE = dataclasses.replace(
    FINISHED, conformal=SETS, novelty=KNOWN, adapted=ADAPTED, provenance=PROVENANCE
)
DECISIVE: dict[str, tuple[object, ...]] = {
    "architecture": ("densenet121",),
    "temperature": (FINISHED.temperature + 1e-9, 40.0),
    "demo": (not FINISHED.demo,),
    "parameters": (8,),
    "weights_sha256": ("1" * 64,),
    "background_sha256": ("e" * 64,),
    "classes": (("3+", "2+", "1+", "0"),),
    "input": (ModelInput(size=96), ModelInput(range=(0.0, 2.0)), ModelInput(colour="BGR")),
    "conformal": (None, dataclasses.replace(SETS, thresholds=(0.5, 0.5, 0.5, 0.6))),
    "novelty": (None, dataclasses.replace(KNOWN, sha256="b" * 64)),
    "adapted": (None, dataclasses.replace(ADAPTED, base="cnn-000000000000")),
    "provenance": (None, dataclasses.replace(PROVENANCE, sha256="d" * 64)),
}
DESCRIPTIVE: dict[str, Any] = {
    "name": "other",
    "training_data": "other",
    "licence": "other",
    "split": "other",
    "metrics": (),
    "date": "2020-01-01",
    "code_version": "0.0.0",
    "notes": ("other",),
    "digest": "c" * 64,
}


def test_every_field_of_a_card_is_decided_about() -> None:
    """A new field must be put into one of the tables above; in the product it counts by itself."""
    fields = {field.name for field in dataclasses.fields(ModelCard)}
    assert fields == DECISIVE.keys() | DESCRIPTIVE.keys()


@pytest.mark.parametrize(
    ("field", "value"), [(name, value) for name, values in DECISIVE.items() for value in values]
)
def test_each_field_that_decides_changes_the_id_by_itself(field: str, value: Any) -> None:
    assert dataclasses.replace(WHOLE, **{field: value}).model_id != WHOLE.model_id


@pytest.mark.parametrize("field", DESCRIPTIVE)
def test_what_only_describes_does_not(field: str) -> None:
    assert dataclasses.replace(WHOLE, **{field: DESCRIPTIVE[field]}).model_id == WHOLE.model_id


def test_a_field_added_later_counts_where_it_is_not_as_it_was_before_it_existed() -> None:
    @dataclasses.dataclass(frozen=True)
    class Later(ModelCard):
        white_balance: str = "none"

    plain = {field.name: getattr(WHOLE, field.name) for field in dataclasses.fields(WHOLE)}
    assert Later(**plain).model_id == WHOLE.model_id
    assert Later(**plain, white_balance="glass").model_id != WHOLE.model_id


@pytest.mark.parametrize("name", NAMES)
def test_a_written_bundle_whose_card_is_changed_is_refused(tmp_path: Path, name: str) -> None:
    folder = linked_bundle(tmp_path, name)
    text = (folder / CARD_FILE).read_text(encoding="utf-8")
    card = json.loads(text)
    replace_file(folder / CARD_FILE, json.dumps({**card, "temperature": 40.0}).encode())
    with pytest.raises(BundleError, match="its card was changed after it was written"):
        load_bundle(folder)
    replace_file(folder / CARD_FILE, json.dumps({**card, "name": "another name"}).encode())
    assert load_bundle(folder).card.model_id == ModelCard.from_json(text).model_id


def test_shipped_bundles_carry_their_digest(tmp_path: Path) -> None:
    shipped = find_bundles(load_settings({"HER2_HOME": str(tmp_path)}))
    assert {entry.card.architecture for entry in shipped if entry.card} == {"cnn", "densenet121"}
    for entry in shipped:
        assert entry.card is not None
        assert entry.card.digest == entry.card.decisive_digest
        assert entry.card.model_id.endswith(entry.card.decisive_digest[:12])


def test_an_older_bundle_with_another_temperature_is_another_model(tmp_path: Path) -> None:
    folder = linked_bundle(tmp_path)
    change_card(folder)
    before = load_bundle(folder).card
    change_card(folder, temperature=40.0)
    assert before.digest is None
    assert load_bundle(folder).card.model_id != before.model_id
