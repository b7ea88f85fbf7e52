"""Saved models from a stranger: every one is loaded or named, and none reads another file."""

import hashlib
import io
import json
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from forge import change, forged_count, sign
from small_specs import SMALL

import kerasbatch as kb


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kb.run(SMALL | {"save": "last"}, results=tmp_path_factory.mktemp("trained")).directory


def _signed_copy(run: Path, folder: Path, name: str, content: bytes) -> Path:
    """Copy a run with another content of a file, and with its hash in the record."""
    copy = folder / run.name
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(run, copy)
    (copy / name).write_bytes(content)
    record = json.loads((copy / "record.json").read_bytes())
    record["files"][name] = hashlib.sha256(content).hexdigest()
    sign(copy, record)
    return copy


def _forged(run: Path, seed: int) -> tuple[str, bytes]:
    """Return a file of a run with random changes: bytes of the model, values of the JSON."""
    chance = random.Random(seed)  # noqa: S311  # no secret
    if seed % 2:
        content = bytearray((run / "model.keras").read_bytes())
        for _ in range(chance.choice((1, 10, 100))):
            content[chance.randrange(len(content))] = chance.randrange(256)
        return "model.keras", bytes(content[: chance.choice((len(content), len(content) // 2))])
    facts = json.loads((run / "preprocessing.json").read_bytes())
    for _ in range(chance.randint(1, 3)):
        change(facts, chance)
    return "preprocessing.json", json.dumps(facts).encode()


def _is_named(run: Path) -> bool:
    """Predict with a model; return whether it is refused."""
    from kerasbatch.inference.encode import encode_examples
    from kerasbatch.inference.outputs import model_outputs
    from kerasbatch.inference.saved_model import load_saved_model

    try:
        saved = load_saved_model(run)
        model_outputs(saved, encode_examples(saved, np.ones((2, 4)))[0])
    except kb.SpecError:
        return True
    return False


def test_forged_models(trained: Path, tmp_path: Path) -> None:
    """Thirty of them: most are refused, and none is a traceback."""
    copies = (_signed_copy(trained, tmp_path, *_forged(trained, seed)) for seed in range(30))
    assert sum(map(_is_named, copies)) > 15


@pytest.mark.slow
def test_many_forged_models(trained: Path, tmp_path: Path) -> None:
    """100 of them; or as many as $KERASBATCH_FORGED says."""
    for seed in range(100, 100 + forged_count(100)):
        _is_named(_signed_copy(trained, tmp_path, *_forged(trained, seed)))


def _with_weights(run: Path, write: Callable[[h5py.File], None]) -> bytes:
    """Return the model of a run with other weights."""
    stream, weights = io.BytesIO(), io.BytesIO()
    with h5py.File(weights, "w") as file:
        write(file)
    with (
        zipfile.ZipFile(run / "model.keras") as old,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            is_weights = name == "model.weights.h5"
            new.writestr(name, weights.getvalue() if is_weights else old.read(name))
    return stream.getvalue()


def test_weights_in_other_files_are_refused(trained: Path, tmp_path: Path) -> None:
    """A link, and numbers that lie elsewhere: they could be any file of the reader."""
    (tmp_path / "secret").write_bytes(b"secret" * 100)

    def link(file: h5py.File) -> None:
        file["layers"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/")

    def elsewhere(file: h5py.File) -> None:
        external = [(str(tmp_path / "secret"), 0, 400)]
        file.create_dataset("layers/dense/vars/0", (100,), "f4", external=external)

    for write, words in ((link, "has a link in place of layers"), (elsewhere, "in another file")):
        run = _signed_copy(trained, tmp_path / "x", "model.keras", _with_weights(trained, write))
        with pytest.raises(kb.SpecError, match=f"its model.keras .*{words}"):
            kb.load_model(run)


def test_weights_that_unpack_to_gigabytes_are_refused(trained: Path, tmp_path: Path) -> None:
    """A few KB of them."""

    def zeros(file: h5py.File) -> None:
        file.create_dataset("a", (2**30,), "f4", chunks=(2**20,), compression="gzip")

    content = _with_weights(trained, zeros)
    assert len(content) < 10**6
    run = _signed_copy(trained, tmp_path, "model.keras", content)
    with pytest.raises(kb.SpecError, match="unpacks to 4,294,967,296 bytes, more than the model"):
        kb.load_model(run)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"input_shape": [10**9]}, "input_shape.0"),
        ({"input_shape": [10**4, 10**4]}, "more than 67,108,864 values"),
        ({"classes": 10**9}, "classes"),
        ({"scale": "1"}, "scale"),
        ({"preprocessing": {"columns": 7}}, "columns"),
        ({"preprocessing": {"words": {"x": ["a"]}}}, "its words and columns differ"),
    ],
)
def test_impossible_preprocessing_is_named(
    trained: Path, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    """Before a model is built, which would take all memory."""
    facts = json.loads((trained / "preprocessing.json").read_bytes())
    for key, value in changes.items():
        facts[key] = facts[key] | value if isinstance(value, dict) else value
    run = _signed_copy(trained, tmp_path, "preprocessing.json", json.dumps(facts).encode())
    with pytest.raises(kb.SpecError, match=f"preprocessing.json is damaged .*{words}"):
        kb.load_model(run)


def test_weights_with_endless_paths_are_refused(trained: Path, tmp_path: Path) -> None:
    """Two names for every group: forty levels would be a million million paths."""

    def doubled(file: h5py.File) -> None:
        group = file
        for _ in range(40):
            inner = group.create_group("a")
            group["b"] = inner
            group = inner

    run = _signed_copy(trained, tmp_path, "model.keras", _with_weights(trained, doubled))
    with pytest.raises(kb.SpecError, match="has a link in place of b"):
        kb.load_model(run)
