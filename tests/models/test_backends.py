"""Another backend is only another way to run the same network: same answers, or it is not used."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from her2core.models import backends
from her2core.models.architectures import ARCHITECTURES
from her2core.models.backends import parity
from her2core.models.backends.choose import backend_names, check_backend, open_reader
from her2core.models.backends.openvino_backend import OpenVinoReader
from her2core.models.backends.openvino_graph import build_graph, build_parts
from her2core.models.backends.parity import largest_difference
from her2core.models.backends.reader import TOLERANCE, BackendError
from her2core.models.backends.tensorflow_backend import Classifier
from her2core.models.bundles.bundle import as_keras
from her2core.models.bundles.bundle_files import BundleFiles, read_files
from her2core.settings import PROJECT_ROOT
from tests.tiny_bundles import NAMES, bundle_root, classifier, pixels


@cache
def files(name: str) -> BundleFiles:
    return read_files(bundle_root() / name)


@cache
def reader(name: str) -> OpenVinoReader:
    return OpenVinoReader(files(name))


def unlike_any_default(here: BundleFiles) -> BundleFiles:
    """The bundle with every vector moved: fresh batch normalisation would hide a mixed-up one."""
    random = np.random.default_rng(3)
    moved: dict[str, Any] = {
        path: (tensor * random.uniform(0.6, 1.4, tensor.shape)).astype(np.float32)
        + np.float32(0.1) * random.random(tensor.shape, np.float32)
        if tensor.ndim == 1
        else tensor
        for path, tensor in dict[str, Any](here.tensors).items()
    }
    return replace(here, tensors=moved)


@pytest.mark.parametrize("name", NAMES)
def test_openvino_answers_as_keras_does(name):
    import keras

    here = unlike_any_default(files(name))
    model = as_keras(here).model
    layers = [model.get_layer(layer).output for layer in ("logits", "features", "hidden")]
    batch = pixels(2, seed=5)
    logits, features, hidden = (
        np.asarray(values) for values in keras.Model(model.inputs[0], layers)(batch)
    )
    powers = np.exp((logits - logits.max(axis=1, keepdims=True)) / here.card.temperature)
    found = OpenVinoReader(here, exact=True).read(batch)
    assert np.allclose(found.probabilities, powers / powers.sum(axis=1, keepdims=True), atol=1e-4)
    for got, wanted in ((found.features, features), (found.hidden, hidden)):
        assert got.shape == wanted.shape
        assert got.dtype == np.float32
        assert np.allclose(got, wanted, atol=1e-4 * np.abs(wanted).max())
    assert np.ptp(found.probabilities, axis=0).max() > 1e-3  # the patches do differ
    # at the precision this processor is fastest with, which may be bfloat16
    usual = OpenVinoReader(here).read(batch).probabilities
    assert np.allclose(usual, found.probabilities, atol=5 * TOLERANCE)


@pytest.mark.parametrize("name", NAMES)
def test_the_three_parts_of_a_network_make_the_whole(name):
    import openvino as ov

    here = unlike_any_default(files(name))
    network = (ARCHITECTURES[name], here.tensors)
    batch = pixels(1, seed=7)

    def run(graph, given):
        options = {"INFERENCE_PRECISION_HINT": "f32"}
        found = ov.Core().compile_model(graph, "CPU", options)([given])
        return [found[number].copy() for number in range(len(graph.outputs))]

    whole, value = run(build_graph(*network), batch), [batch]
    for part in build_parts(*network):
        value = run(part, value[0])
    for got, wanted in zip(value, whole, strict=True):
        assert np.allclose(got, wanted, atol=1e-5 * np.abs(wanted).max())


def test_every_backend_says_which_it_is():
    assert reader("cnn").backend.startswith("openvino 20")
    assert classifier("cnn").backend.startswith("tensorflow ")


@pytest.mark.parametrize("name", NAMES)
def test_a_patch_reads_the_same_alone_and_among_others(name):
    batch = pixels(4, seed=6)
    together = reader(name).read(batch).probabilities
    alone = [reader(name).read(batch[n : n + 1]).probabilities[0] for n in range(4)]
    assert np.allclose(together, alone, atol=1e-5)


def test_what_is_no_model_input_is_refused():
    for wrong in (pixels(1)[0], pixels(1) * 255, pixels(0)):
        with pytest.raises(ValueError, match="Models read"):
            reader("cnn").read(wrong)


def test_a_bundle_carries_tensorflow_s_logits_and_the_backend_reproduces_them(tmp_path):
    here = files("cnn")
    temperature = here.card.temperature
    powers = np.exp(here.logits / temperature)
    expected = powers / powers.sum(axis=1, keepdims=True)
    shown = here.background[: len(here.logits)].astype(np.float32) / np.float32(255)
    assert np.allclose(classifier("cnn").read(shown).probabilities, expected, atol=1e-5)
    assert largest_difference(here, reader("cnn"), tmp_path) < TOLERANCE


def test_what_agreed_once_is_not_tried_again_unless_the_note_is_damaged(tmp_path, monkeypatch):
    found = largest_difference(files("cnn"), reader("cnn"), tmp_path)
    (note,) = tmp_path.iterdir()
    asked = []
    reference = parity._reference
    monkeypatch.setattr(parity, "_reference", lambda f: asked.append(1) or reference(f))
    assert largest_difference(files("cnn"), reader("cnn"), tmp_path) == found
    assert not asked
    data = json.loads(note.read_text())
    for damaged in ("{", json.dumps({**data, "largest_difference": 0.0}), json.dumps([1])):
        note.write_text(damaged)
        assert largest_difference(files("cnn"), reader("cnn"), tmp_path) == found
    assert len(asked) == 3
    assert json.loads(note.read_text()) == data
    colder = replace(files("cnn"), card=replace(files("cnn").card, temperature=1.25))
    largest_difference(colder, reader("cnn"), tmp_path)
    assert len(asked) == 4


def test_a_bundle_without_logits_is_compared_with_tensorflow_itself(tmp_path):
    older = replace(files("cnn"), logits=None)
    assert largest_difference(older, reader("cnn"), tmp_path) < TOLERANCE


def test_a_backend_that_answers_otherwise_is_not_used(tmp_path):
    odd = replace(files("cnn"), logits=files("cnn").logits[:, ::-1].copy())
    assert isinstance(open_reader(odd, "auto", tmp_path), Classifier)
    with pytest.raises(BackendError, match="differs from TensorFlow by"):
        open_reader(odd, "openvino", tmp_path)


def test_the_settings_choose(tmp_path, monkeypatch):
    assert isinstance(open_reader(files("cnn"), "auto", tmp_path), OpenVinoReader)
    assert isinstance(open_reader(files("cnn"), "tensorflow", tmp_path), Classifier)
    monkeypatch.setitem(sys.modules, "her2core.models.backends.openvino_backend", None)
    assert isinstance(open_reader(files("cnn"), "auto", tmp_path), Classifier)
    with pytest.raises(BackendError, match="not installed"):
        open_reader(files("cnn"), "openvino", tmp_path)


FURTHER = """
from her2core.models.backends.openvino_backend import OpenVinoReader


def readers(files, *, exact):
    yield OpenVinoReader(files, exact=True)
"""


def test_a_further_backend_is_one_file(tmp_path, monkeypatch):
    (tmp_path / "further_backend.py").write_text(FURTHER)
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(tmp_path)])
    assert "further" in backend_names()
    check_backend("further")
    assert open_reader(files("cnn"), "further", tmp_path).backend.endswith("float32")


def test_a_backend_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match="must be one of auto, openvino, tensorflow, not 'cuda'"):
        check_backend("cuda")
    with pytest.raises(BackendError, match="no backend 'cuda'"):
        open_reader(files("cnn"), "cuda", tmp_path)


def test_an_unwritable_cache_costs_only_time(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert largest_difference(files("cnn"), reader("cnn"), blocked) < TOLERANCE


def test_verdicts_and_grad_cam_need_no_tensorflow(tmp_path):
    code = """
import sys
from pathlib import Path
from her2core.scores import HER2Score
from her2core.serving.workbench import Workbench
from tests.tiny_bundles import a_patch, settings
bench = Workbench(settings(Path(sys.argv[1]), Path(sys.argv[2])), maps=False)
verdicts = bench.verdicts(a_patch(1))
assert [v.backend.split()[0] for v in verdicts] == ["openvino"] * 2, verdicts
assert bench.explain(a_patch(1), "cnn", "grad_cam", HER2Score.ZERO).heat.shape == (224, 224)
list(bench.score_batch([a_patch(2), a_patch(3)]))
assert not {"tensorflow", "keras"} & set(sys.modules)
"""
    command = [sys.executable, "-c", code, str(tmp_path), str(bundle_root())]
    subprocess.run(command, cwd=PROJECT_ROOT, check=True)
    assert len(list((tmp_path / "cache").glob("parity-*.json"))) == 2
