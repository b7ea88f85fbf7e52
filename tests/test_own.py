"""Own data and own models: read where they may be, refused with reasons where not."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kerasbatch as kb
from kerasbatch.spec import specfile
from kerasbatch.spec.access import Access
from kerasbatch.workload import data

REGRESSION: dict[str, Any] = {
    "model": {"layers": [{"Dense": {"units": 1}}]},
    "optimizer": "adam",
    "loss": "mse",
    "epochs": 1,
    "batch_size": 2,
}
CLASSES = REGRESSION | {
    "model": {"layers": [{"Dense": {"units": 3, "activation": "softmax"}}]},
    "loss": "sparse_categorical_crossentropy",
}
TABLE = "a,b,y\n" + "".join(f"{i},{i * i},{2 * i + 0.5}\n" for i in range(10))


def load(folder: Path, spec: dict[str, Any], *, trusted: bool = False) -> data.Data:
    return data.load(specfile.from_dict(spec).spec, Access(folder, trusted))


def csv(folder: Path, text: str, **keys: Any) -> dict[str, Any]:
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return {"data": {"csv": "t.csv", "target": "y"} | keys}


def npz(folder: Path, **arrays: Any) -> dict[str, Any]:
    np.savez(folder / "t.npz", **arrays)
    return {"data": {"npz": "t.npz"}}


def python(folder: Path, text: str, name: str = "load") -> dict[str, Any]:
    (folder / "own.py").write_text(text, encoding="utf-8")
    return {"data": {"python": f"own.py:{name}"}}


def test_a_csv_of_numbers(tmp_path: Path) -> None:
    """Columns but the target, standardised by the training part; a fifth for validation."""
    loaded = load(tmp_path, REGRESSION | csv(tmp_path, TABLE + "\n\n"))
    assert loaded.x_train.shape == (8, 2)
    assert loaded.classes is None
    assert abs(float(loaded.x_train.mean())) < 1e-6
    one = load(tmp_path, REGRESSION | csv(tmp_path, TABLE, columns=["b"], standardise=False))
    assert one.x_train.shape == (8, 1)
    assert {int(x) for x in one.x_train[:, 0]} <= {i * i for i in range(10)}


def test_labels_as_text_become_classes(tmp_path: Path) -> None:
    """In alphabetical order, stratified like any classes."""
    text = "a,y\n" + "".join(f"{i},{['cat', 'dog', 'emu'][i % 3]}\n" for i in range(30))
    loaded = load(tmp_path, CLASSES | csv(tmp_path, text))
    assert loaded.classes == 3
    assert np.bincount(loaded.y_train).tolist() == [8, 8, 8]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("a,b,y\n", "has a header but no rows"),
        ("a,b\n1,2\n", r"no column 'y'; it has a, b"),
        ("a,Y\n1,2\n", "did you mean Y?"),
        ("a,y\n1,2\nx,3\n4,5\n", "column 'a' has no number in line 3"),
        ("a,y\n1,2\n,3\n4,5\n", "column 'a' has an empty cell in line 3"),
        ("a,y\n1,2\n3,\n4,5\n", "target column 'y' has an empty cell in line 3"),
        ("a,y\n1,2\n3,inf\n4,5\n", "has numbers and, in line 3, none"),
        ("a,y\n1,2\n3\n4,5\n", "target column 'y' has an empty cell in line 3"),
        ("a,y\n1,2\n3,4,5\n4,5\n", "Expected 2 fields in line 3, saw 3"),
        ("a,y\n1,2\n", "leaves none of the 1 examples"),
        ("y\n1\n2\n", "no column beside the target"),
        ("a,a,y\n1,2,3\n", "two columns of the file have the same name"),
        ("a,y\nsecret,2\nsecret,2\n", "column 'a' has no number"),
    ],
)
def test_csv_files_that_are_no_data(tmp_path: Path, text: str, words: str) -> None:
    """Lines and columns are named, contents never."""
    with pytest.raises(kb.SpecError, match=words) as caught:
        load(tmp_path, REGRESSION | csv(tmp_path, text))
    assert "secret" not in str(caught.value)


def test_an_npz_with_images_and_a_test_part(tmp_path: Path) -> None:
    """uint8 images stay uint8 and are scaled on their way; the test part is validation."""
    x = np.arange(2 * 16, dtype=np.uint8).reshape(2, 4, 4)
    spec = npz(tmp_path, x_train=x, y_train=[0, 1], x_test=x, y_test=np.array([[1], [0]]))
    loaded = load(tmp_path, CLASSES | spec)
    assert (loaded.x_train.dtype, loaded.scale, loaded.classes) == (np.uint8, 1 / 255, 2)
    assert loaded.y_val is not None
    assert loaded.y_val.tolist() == [1, 0]


X = np.ones((4, 2))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x_train": X}, "has no y_train; it holds x_train"),
        ({"x_train": X, "y_train": np.ones(3)}, "x_train has 4 examples and y_train 3"),
        ({"x_train": X, "y_train": np.ones(4), "x_test": X}, "only one of x_test and y_test"),
        ({"x_train": X[:0], "y_train": np.ones(0)}, "x_train is empty"),
        ({"x_train": np.ones(4), "y_train": np.ones(4)}, r"found shape \(4,\)"),
        ({"x_train": X * np.nan, "y_train": np.ones(4)}, "8 values that are no finite numbers"),
        ({"x_train": X, "y_train": [1, 2, 3, np.inf]}, "first in row 3"),
        ({"x_train": X.astype(str), "y_train": np.ones(4)}, "must be numbers"),
        ({"x_train": X, "y_train": np.array([{}] * 4, dtype=object)}, "it holds Python objects"),
        (
            {"x_train": X, "y_train": np.ones(4), "x_test": np.ones((4, 3)), "y_test": np.ones(4)},
            r"shape \(2,\) in x_train, \(3,\) in x_test",
        ),
    ],
)
def test_npz_files_that_are_no_data(tmp_path: Path, arrays: dict[str, Any], words: str) -> None:
    """Pickles are not loaded."""
    with pytest.raises(kb.SpecError, match=words):
        load(tmp_path, REGRESSION | npz(tmp_path, **arrays))


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 broken"])
def test_files_that_are_no_npz(tmp_path: Path, content: bytes) -> None:
    """Empty, text, torn."""
    (tmp_path / "t.npz").write_bytes(content)
    with pytest.raises(kb.SpecError, match="cannot be read"):
        load(tmp_path, REGRESSION | {"data": {"npz": "t.npz"}})
    plain = io.BytesIO()
    np.save(plain, X)
    (tmp_path / "t.npz").write_bytes(plain.getvalue())
    with pytest.raises(kb.SpecError, match="is a single array"):
        load(tmp_path, REGRESSION | {"data": {"npz": "t.npz"}})


def test_data_from_python_need_trust(tmp_path: Path) -> None:
    """Without it nothing is run; with it the function is called."""
    ran = tmp_path / "ran"
    text = (
        f"import numpy as np\nopen({str(ran)!r}, 'w').close()\n"
        "def load(): return np.ones((10, 2)), np.arange(10.)\n"
    )
    spec = REGRESSION | python(tmp_path, text)
    with pytest.raises(kb.SpecError, match="runs Python code; add --trust"):
        load(tmp_path, spec)
    assert not ran.exists()
    assert len(load(tmp_path, spec, trusted=True).x_train) == 8
    assert ran.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def other(): pass", "has no function load; it has other"),
        ("load = 3", "has no function load"),
        ("def load(): return 3", "returned int; must return"),
        ("def load(): return 1, 2, 3", "returned tuple of 3"),
        ("def load(): return [[1], [2, 3]], [1, 2]", "is no array"),
        ("def load(): return ([[1.0]], [1]), 5", "returned int second"),
        (
            "def load():\n    return 1 / 0",
            r"ZeroDivisionError: .*\n    own\.py:2, in load: return 1",
        ),
        ("import nothing_of_this_name", r"ModuleNotFoundError: .*\n    own\.py:1"),
        ("def load(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit"),
    ],
)
def test_python_files_that_fail(tmp_path: Path, text: str, words: str) -> None:
    """Their own lines are shown, not ours."""
    with pytest.raises(kb.SpecError, match=words) as caught:
        load(tmp_path, REGRESSION | python(tmp_path, text), trusted=True)
    assert "kerasbatch" not in str(caught.value).replace("kerasbatch_own", "")


def test_files_outside_the_folder_need_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Absolute paths, .. and links; $KERASBATCH_DATA is allowed."""
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    csv(outside, TABLE)
    (inside / "link.csv").symlink_to(outside / "t.csv")
    for name in ("../out/t.csv", str(outside / "t.csv"), "link.csv"):
        spec = REGRESSION | {"data": {"csv": name, "target": "y"}}
        with pytest.raises(kb.SpecError, match="lies outside the spec's folder"):
            load(inside, spec)
        assert len(load(inside, spec, trusted=True).x_train) == 8
        with monkeypatch.context() as patch:
            patch.setenv("KERASBATCH_DATA", str(outside))
            assert len(load(inside, spec).x_train) == 8
    with pytest.raises(kb.SpecError, match=r"there is no file none\.csv"):
        load(inside, REGRESSION | {"data": {"csv": "none.csv", "target": "y"}})
    with pytest.raises(kb.SpecError, match="is not a file"):
        load(inside, REGRESSION | {"data": {"csv": ".", "target": "y"}})


MODEL = """
import keras
def build(input_shape, classes):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(classes or 1)])
def nothing(input_shape, classes): pass
def broken(input_shape, classes):
    return keras.layers.Dense(-classes)
"""


def test_a_model_from_python(tmp_path: Path, small: dict[str, Any]) -> None:
    """Needs trust; its code enters the run's name; its mistakes are shown."""
    (tmp_path / "own.py").write_text(MODEL, encoding="utf-8")

    def run(function: str, **options: Any) -> kb.Result:
        text = kb_yaml(small | {"model": {"python": f"own.py:{function}"}})
        (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
        return kb.run(tmp_path / "s.yaml", results=tmp_path / "results", **options)

    with pytest.raises(kb.SpecError, match="add --trust"):
        run("build")
    first = run("build", trust=True)
    assert first.row["step_check"] == "ok"
    again = kb.run(first.directory / "spec.yaml", results=tmp_path / "other", trust=True)
    assert again.directory.name == first.directory.name
    with pytest.raises(kb.SpecError, match="returned NoneType; must return an uncompiled"):
        run("nothing", trust=True)
    with pytest.raises(kb.SpecError, match=r"(?s)own\.py failed: ValueError.*own\.py:7, in broken"):
        run("broken", trust=True)
    (tmp_path / "own.py").write_text(MODEL + "\n# changed\n", encoding="utf-8")
    assert run("build", trust=True).directory != first.directory


def kb_yaml(spec: dict[str, Any]) -> str:
    from kerasbatch.records.files import dump_yaml

    return dump_yaml(spec)


DENSE_1 = {"layers": [{"Dense": {"units": 1}}]}
DENSE_5 = {"layers": [{"Dense": {"units": 5, "activation": "softmax"}}]}
DENSE_2 = {"layers": [{"Dense": {"units": 2, "activation": "softmax"}}]}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"model": DENSE_2}, "the labels go from 0 to 2, and the model has 2 outputs"),
        ({"loss": "mse"}, "gives 3 numbers for an example and the target is one number"),
        ({"loss": "binary_crossentropy"}, "needs labels 0 and 1, and the target holds others"),
        ({"data": "breast_cancer", "loss": "binary_crossentropy"}, "compares one output"),
        ({"loss": "categorical_crossentropy"}, "write sparse_categorical_crossentropy"),
        ({"data": "line"}, "write mse for a regression"),
        ({"data": "diabetes", "model": DENSE_5, "loss": "mse"}, r"end the model with Dense: \{un"),
        ({"data": "digits", "model": "linear", "loss": "mse"}, "gives 8 x 1 numbers"),
        ({"metrics": ["AUC"]}, "metrics: Keras refuses this"),
        (
            {"data": "diabetes", "model": DENSE_1, "loss": {"name": "huber", "delta": "abc"}},
            "loss: Keras refuses this",
        ),
        ({"optimizer": {"name": "sgd", "momentum": "abc"}}, "optimizer: Keras refuses this"),
        ({"optimizer": {"name": "adamw", "weight_decay": "abc"}}, "optimizer: Keras refuses this"),
        ({"optimizer": {"name": "sgd", "momentum": 7}}, "optimizer: Keras refuses this"),
        (
            {
                "model": {
                    "layers": ["Flatten", "Flatten", {"Conv2D": {"filters": 1, "kernel_size": 1}}]
                }
            },
            r"model\.layers\[2\]\.Conv2D: Keras refuses this",
        ),
    ],
)
def test_labels_loss_and_model_must_fit(
    small: dict[str, Any], tmp_path: Path, keys: dict[str, Any], words: str
) -> None:
    """Said before a directory is made, with what to write instead."""
    with pytest.raises(kb.SpecError, match=words):
        kb.run(small | keys, results=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data_name", "layers", "loss"),
    [
        (
            "breast_cancer",
            [{"Dense": {"units": 1, "activation": "sigmoid"}}],
            "binary_crossentropy",
        ),
        ("diabetes", [{"Dense": {"units": 1}}], {"name": "huber", "delta": 2.0}),
        (
            "wine",
            [{"Dense": {"units": 3}}],
            {"name": "SparseCategoricalCrossentropy", "from_logits": True},
        ),
        (
            "digits",
            [
                {"LSTM": {"units": 4, "return_sequences": True}},
                {"MultiHeadAttention": {"num_heads": 2, "key_dim": 2}},
                "LayerNormalization",
                {"Bidirectional": {"layer": {"GRU": {"units": 3}}}},
                {
                    "Dense": {
                        "units": 10,
                        "activation": "softmax",
                        "kernel_regularizer": {"name": "L2", "l2": 0.01},
                    }
                },
            ],
            "sparse_categorical_crossentropy",
        ),
        (
            "digits",
            [
                {"Reshape": {"target_shape": [64]}},
                {"Embedding": {"input_dim": 17, "output_dim": 4}},
                "GlobalAveragePooling1D",
                {"Dense": {"units": 10, "activation": "softmax"}},
            ],
            "sparse_categorical_crossentropy",
        ),
    ],
)
def test_models_of_all_kinds_train(
    tmp_path: Path, data_name: str, layers: list[Any], loss: Any
) -> None:
    """Binary, regression, logits, recurrent, attention, embedding; with a schedule."""
    schedule = {"name": "CosineDecay", "initial_learning_rate": 0.01, "decay_steps": 100}
    spec = {
        "data": data_name,
        "model": {"layers": layers},
        "optimizer": {"name": "adamw", "learning_rate": schedule, "clipnorm": 1.0},
        "loss": loss,
        "steps": 3,
        "batch_size": 32,
    }
    result = kb.run(spec, results=tmp_path)
    assert (result.status, result.row["step_check"]) == ("done", "ok")
    assert result.row["learning_rate"] is None
