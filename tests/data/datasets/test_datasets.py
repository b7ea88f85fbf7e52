"""Datasets of any library: the same arrays, and what cannot be used."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_support import load

import kerasbatch as kb
from kerasbatch.data.datasets.examples import as_array

HEAD = """
import numpy as np
X = np.arange(60, dtype="float32").reshape(30, 2)
Y = np.arange(30) % 3
"""


def spec(folder: Path, body: str, **data: Any) -> dict[str, Any]:
    (folder / "mine.py").write_text(HEAD + body, encoding="utf-8")
    return {
        "data": {"dataset": "mine.py:load", **data},
        "model": "mlp",
        "optimizer": "adam",
        "loss": "sparse_categorical_crossentropy",
        "epochs": 1,
        "batch_size": 4,
        "validation": "none",
    }


SOURCES = {
    "generator": """
def load():
    yield from zip(X, Y)
""",
    "generator function": """
def load():
    def examples():
        yield from zip(X, Y)
    return examples
""",
    "list": """
def load():
    return list(zip(X, Y))
""",
    "tf.data": """
def load():
    import tensorflow as tf
    return tf.data.Dataset.from_tensor_slices((X, Y))
""",
    "tf.data of unknown shape": """
def load():
    import tensorflow as tf
    data = tf.data.Dataset.from_tensor_slices((X, Y))
    return data.map(lambda x, y: (tf.py_function(lambda x: x, [x], x.dtype), y))
""",
    "items": """
class Items:
    def __len__(self):
        return 30
    def __getitem__(self, number):
        return X[number], int(Y[number])
def load():
    return Items()
""",
    "tensors": """
class Tensor:
    def __init__(self, value):
        self.value = value
    def detach(self):
        return self
    def cpu(self):
        return self.value
class Items:
    def __len__(self):
        return 30
    def __getitem__(self, number):
        return Tensor(X[number]), Tensor(Y[number])
def load():
    return Items()
""",
    "columns": """
class Columns:
    features = ["pixels", "label"]
    def __len__(self):
        return 30
    def __getitem__(self, number):
        return {"pixels": X[number].tolist(), "label": int(Y[number])}
def load():
    return Columns()
""",
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_library_gives_the_same_arrays(tmp_path: Path, source: str) -> None:
    loaded = load(tmp_path, spec(tmp_path, SOURCES[source]), trusted=True)
    np.testing.assert_array_equal(loaded.x_train, np.arange(60, dtype="float32").reshape(30, 2))
    assert loaded.x_train.dtype == np.float32
    assert loaded.y_train.tolist() == (np.arange(30) % 3).tolist()
    assert loaded.classes == 3


def test_equal_datasets_have_one_fingerprint(tmp_path: Path) -> None:
    found = {
        load(tmp_path, spec(tmp_path, SOURCES[source]), trusted=True).fingerprint
        for source in ("generator", "list", "tf.data", "items")
    }
    assert len(found) == 1


def test_parts_weights_and_labels_of_text(tmp_path: Path) -> None:
    body = """
def load():
    def part(n):
        for x, y in zip(X[:n], Y[:n]):
            yield x, ["cat", "dog", "longer"][y], 1.0 + y
    return {"test": lambda: ((x, y) for x, y, w in part(6)), "train": lambda: part(30)}
"""
    loaded = load(tmp_path, spec(tmp_path, body) | {"validation": "test"}, trusted=True)
    assert loaded.preprocessing["labels"] == ("cat", "dog", "longer")
    assert loaded.w_train is not None
    assert loaded.w_train.tolist() == [1.0 + n % 3 for n in range(30)]
    assert loaded.y_val is not None
    assert loaded.y_val.tolist() == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            "def load():\n    import tensorflow as tf\n"
            "    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)",
            "it is batched; a spec has the batch size",
        ),
        (
            "def load():\n    import tensorflow as tf\n    return tf.data.Dataset."
            "from_tensor_slices((X, Y)).batch(4, drop_remainder=True).prefetch(1)",
            "it is batched",
        ),
        (
            "def load():\n    import tensorflow as tf\n"
            "    return tf.data.Dataset.from_tensor_slices(X)",
            r"its elements are TensorSpec; must be \(x, y\)",
        ),
        (
            "def load():\n    import tensorflow as tf\n"
            "    return tf.data.Dataset.from_tensor_slices((X, Y)).repeat()",
            "it never ends; write examples: N",
        ),
        (
            "class DataLoader:\n    pass\ndef load():\n    return DataLoader()",
            "it is a DataLoader, which yields batches",
        ),
        ("def load():\n    return 7", "it is int; must be a dataset"),
        ("def load():\n    return [('a text', 0)]", "x has type <U6; must be numbers; for text"),
        (
            "def load():\n    import tensorflow as tf\n    data = tf.data.Dataset."
            "from_tensor_slices((X, Y)).batch(4, drop_remainder=True)\n"
            "    return data.map(lambda x, y: (x + 1, y))",
            "it is batched",
        ),
        ("def load():\n    return []", "it has no example"),
        ("def load():\n    yield 7", r"it is int; must be \(x, y\)"),
        ("def load():\n    yield {'a': 1, 'b': 2}", "it has the columns a, b"),
        (
            "def load():\n    for n in range(30):\n        yield X[n][:2 - (n == 17)], 0",
            r"example 18 has x of shape \(1,\), the first one of \(2,\)",
        ),
        (
            "def load():\n    for n in range(300):\n        yield X[0], 0 if n < 290 else 0.5",
            "example 291 has y of type float64, the first one of int64",
        ),
        (
            "def load():\n    return {'train': [], 'extra': []}",
            "returned a mapping of train, extra",
        ),
        ("def load():\n    return {'test': []}", "its keys must be train"),
        (
            "def load():\n    return {'train': [], 'val': [], 'validation': []}",
            "its keys must be train",
        ),
    ],
)
def test_what_is_no_dataset_of_examples(tmp_path: Path, body: str, words: str) -> None:
    with pytest.raises(kb.SpecError, match=words):
        load(tmp_path, spec(tmp_path, body), trusted=True)


def test_an_error_in_the_middle_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example and the user's line are named."""
    monkeypatch.setenv("KERASBATCH_CACHE", str(tmp_path / "cache"))
    body = """
def load():
    for n in range(1000):
        if n == 699:
            raise OSError("the disk is on fire")
        yield X[0], 0
"""
    with pytest.raises(kb.SpecError) as error:
        load(tmp_path, spec(tmp_path, body), trusted=True)
    text = str(error.value)
    assert "mine.py failed after example 699 of train: OSError: the disk is on fire" in text
    assert 'raise OSError("the disk is on fire")' in text
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["locks"]


def test_random_examples_are_told(tmp_path: Path) -> None:
    body = "def load():\n    return list(zip(X + np.random.default_rng().random(), Y))"
    first = load(tmp_path, spec(tmp_path, body), trusted=True)
    second = load(tmp_path, spec(tmp_path, body), trusted=True)
    assert first.notice is None
    assert first.fingerprint != second.fingerprint
    assert "yields other examples than the last time, from the same code" in str(second.notice)


def test_examples_limit_an_endless_dataset(tmp_path: Path) -> None:
    body = "def load():\n    import itertools\n    return lambda: ((X[n % 30], n % 3) for n in "
    endless = spec(tmp_path, body + "itertools.count())", examples=50)
    assert load(tmp_path, endless, trusted=True).x_train.shape == (50, 2)
    short = spec(tmp_path, body + "range(40))", examples=50)
    with pytest.raises(kb.SpecError, match="it ended after 40 examples, and examples asks for 50"):
        load(tmp_path, short, trusted=True)


def test_a_function_is_read_anew_unless_it_is_kept(tmp_path: Path) -> None:
    body = """
from pathlib import Path
from helper import OFFSET
def load():
    count = Path(__file__).with_name("count")
    count.write_text(str(1 + int(count.read_text())))
    yield from zip(X + OFFSET, Y)
"""
    (tmp_path / "count").write_text("0")
    (tmp_path / "helper.py").write_text("OFFSET = 1.0\n")

    def calls(**data: Any) -> int:
        loaded = load(tmp_path, spec(tmp_path, body, **data), trusted=True)
        notices.append(loaded.notice)
        return int((tmp_path / "count").read_text())

    notices: list[str | None] = []
    assert [calls(), calls()] == [1, 2]
    assert [calls(cache=True), calls(cache=True)] == [2, 2]
    assert "was read on 20" in str(notices[-1])
    assert notices[:2] == [None] * 2
    (tmp_path / "helper.py").write_text("OFFSET = 2.0\n")
    assert calls(cache=True) == 3


def test_large_numbers_keep_their_spread(tmp_path: Path) -> None:
    """float32 cannot hold them, which is told as for arrays."""
    body = "def load():\n    return [(np.array([1e9 + n]), n % 3) for n in range(30)]"
    with pytest.raises(kb.SpecError, match="loses its spread in float32"):
        load(tmp_path, spec(tmp_path, body), trusted=True)


def test_it_needs_trust(tmp_path: Path) -> None:
    with pytest.raises(kb.SpecError, match="runs Python code; add --trust"):
        load(tmp_path, spec(tmp_path, SOURCES["list"]))
    with pytest.raises(kb.SpecError, match="runs Python code; add --trust"):
        load(tmp_path, spec(tmp_path, SOURCES["list"], cache=True))


def test_values_as_arrays() -> None:
    assert as_array(3).dtype == np.int64
    assert as_array(0.5).dtype == np.float64
    assert as_array(b"cat").item() == "cat"
    assert as_array(np.float16(1)).dtype == np.float16
