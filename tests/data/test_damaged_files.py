"""CSV and npz files that are damaged, unusual or made to do harm."""

import io
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
from own_support import CLASSES, REGRESSION, csv, load, npz, python

import kerasbatch as kb
from kerasbatch.data import memory


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\na,b,y\n1,2,3\n", "begins with a blank line"),
        ('a,y\n"1\n",2\nx,3\n', "column 'a' holds numbers and, in 1 row, none: 'x' in line 4"),
        ("," * 5_000_000 + "\n", "has more than 100,000 columns"),
    ],
)
def test_tables_that_are_not_what_they_seem(tmp_path: Path, text: str, words: str) -> None:
    """Said with the line."""
    with pytest.raises(kb.SpecError, match=words):
        load(tmp_path, REGRESSION | csv(tmp_path, text))


def test_a_column_that_is_named_twice(tmp_path: Path) -> None:
    """It would be trained on twice."""
    spec = REGRESSION | csv(tmp_path, "a,b,y\n1,2,3\n4,5,6\n", columns=["a", "a"])
    with pytest.raises(kb.SpecError, match="a is listed twice"):
        load(tmp_path, spec)


def _archive(folder: Path, **members: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(folder / "t.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return CLASSES | {"data": {"npz": "t.npz"}}


def _npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_npz_members_that_are_no_arrays(tmp_path: Path) -> None:
    """Or whose headers promise what cannot be."""
    good = _npy(np.ones((4, 2)))
    impossible = good.replace(b"(4, 2)", b"(-4, 2)").replace(b"), }  ", b"), } ")
    for x in (b"no array at all", impossible, good.replace(b"(4, 2)", b"(4, 9)"), good[:-9]):
        with pytest.raises(kb.SpecError, match="cannot be read"):
            load(tmp_path, _archive(tmp_path, x_train=x, y_train=_npy(np.arange(4))))


def test_a_zip_bomb_is_refused_before_it_grows(tmp_path: Path, monkeypatch: Any) -> None:
    """By what its members say that they take."""
    memory = SimpleNamespace(available=1_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    spec = _archive(tmp_path, x_train=_npy(np.zeros((10_000_000, 2))), y_train=_npy(np.arange(4)))
    with pytest.raises(kb.SpecError, match=r"its arrays take 0\.2 GB, more than 50% of"):
        load(tmp_path, spec)


def test_examples_without_values_are_refused(tmp_path: Path) -> None:
    """TensorFlow would end the process."""
    spec = CLASSES | npz(tmp_path, x_train=np.ones((4, 0)), y_train=np.arange(4))
    with pytest.raises(kb.SpecError, match=r"x_train is empty \(its shape is \(4, 0\)\)"):
        load(tmp_path, spec)


def test_labels_that_are_dates_make_no_layer_of_millions(tmp_path: Path) -> None:
    """They are no classes."""
    spec = CLASSES | npz(tmp_path, x_train=np.ones((4, 2)), y_train=20240101 + np.arange(4))
    with pytest.raises(kb.SpecError, match="the labels go up to 20,240,104, and only 4 of them"):
        load(tmp_path, spec)


def test_a_single_class_is_said(tmp_path: Path) -> None:
    """It trains, and tells nothing apart."""
    spec = CLASSES | npz(tmp_path, x_train=np.ones((10, 2)), y_train=np.ones(10, int))
    assert "all 8 training examples are of one class" in str(load(tmp_path, spec).notice)


def test_masked_arrays_are_refused(tmp_path: Path) -> None:
    """Their gaps would be trained on."""
    text = (
        "import numpy as np\n"
        "def load():\n    return np.ma.masked_invalid(np.full((4, 2), np.nan)), np.arange(4)\n"
    )
    with pytest.raises(kb.SpecError, match="returned a masked array"):
        load(tmp_path, CLASSES | python(tmp_path, text), trusted=True)


def test_a_relative_path_in_own_code_starts_at_the_spec(tmp_path: Path) -> None:
    """Wherever the command is called."""
    (tmp_path / "numbers.txt").write_text("1 2\n3 4\n", encoding="utf-8")
    text = (
        "import numpy as np\ndef load():\n    return np.loadtxt('numbers.txt'), np.array([0, 1])\n"
    )
    spec = CLASSES | python(tmp_path, text) | {"validation": "none"}
    assert len(load(tmp_path, spec, trusted=True).x_train) == 2


def test_a_data_folder_that_is_not_there_is_named(tmp_path: Path, monkeypatch: Any) -> None:
    """And not passed over for a download."""
    monkeypatch.setenv("KERASBATCH_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(kb.SpecError, match=r"KERASBATCH_DATA is .*nowhere, and there is no such"):
        load(tmp_path, CLASSES | {"data": "mnist"})


def test_a_broken_mnist_leads_to_the_fallback(tmp_path: Path, monkeypatch: Any) -> None:
    """Loudly."""
    (tmp_path / "mnist.npz").write_bytes(b"PK\x03\x04 broken")
    monkeypatch.setenv("KERASBATCH_DATA", str(tmp_path))
    loaded = load(tmp_path, CLASSES | {"data": {"name": "mnist", "fallback": "digits"}})
    assert loaded.used == "digits"
    assert "MNIST IS NOT AVAILABLE" in str(loaded.notice)


def test_tables_that_are_larger_than_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are measured before they are read: 20 KB of Parquet may be gigabytes of zeros."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    zeros = pa.table({"a": np.zeros(10**6), "y": np.zeros(10**6)})
    with pq.ParquetWriter(tmp_path / "t.parquet", zeros.schema, compression="zstd") as writer:
        for _ in range(10):
            writer.write_table(zeros)
    assert (tmp_path / "t.parquet").stat().st_size < 10**6
    (tmp_path / "t.csv").write_text("a,y\n" + "\n" * 10**6, encoding="utf-8")
    monkeypatch.setattr(memory, "free_bytes", lambda: 10**8)
    for kind, words in (
        ("parquet", "has 10,000,000 rows, which take 0.8 GB, more than 50% of the 0.1 GB of free"),
        ("csv", "has about 2,000,004 cells, which take 0.1 GB, more than 50% of the 0.1 GB"),
    ):
        spec = REGRESSION | {"data": {kind: f"t.{kind}", "target": "y"}}
        with pytest.raises(kb.SpecError, match=words):
            load(tmp_path, spec)


def test_a_limit_of_the_process_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ulimit -v` leaves less than the machine has."""
    free = memory.free_bytes()
    limit = psutil.Process().memory_info().vms + 10**6
    monkeypatch.setattr("resource.getrlimit", lambda _: (limit, limit))
    assert memory.free_bytes() < 10**7 < free


def test_damaged_headers(tmp_path: Path) -> None:
    """Of an npy file, and the metadata that pandas keeps in Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    np.save(tmp_path / "x.npy", np.zeros((4, 2), np.float32))
    content = bytearray((tmp_path / "x.npy").read_bytes())
    content[60:62] = b"(("
    (tmp_path / "x.npy").write_bytes(content)
    np.save(tmp_path / "y.npy", np.zeros(4))
    npy = {"npy": {"x_train": "x.npy", "y_train": "y.npy"}}
    with pytest.raises(kb.SpecError, match=r"x\.npy is not a complete npy file"):
        load(tmp_path, REGRESSION | {"data": npy, "validation": "none"})
    table = pa.table({"a": [1.0, 2], "y": [1.0, 2]}).replace_schema_metadata({b"pandas": b"[1]"})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(kb.SpecError, match="is not a readable Parquet file"):
        load(tmp_path, REGRESSION | {"data": {"parquet": "t.parquet", "target": "y"}})
