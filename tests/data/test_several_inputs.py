"""Several inputs, by name or in a tuple: from functions, npz files, datasets, Python."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml
from own_support import load

import kerasbatch as kb

RANDOM = np.random.RandomState(0)
N = 40
IMAGES = RANDOM.randint(0, 256, (N, 4, 4, 1)).astype(np.uint8)
TABLE = RANDOM.normal(size=(N, 3)).astype(np.float32)
LABELS = np.arange(N) % 2

MODEL = """
import keras
def build(input_shape, classes):
    inputs = {name: keras.Input(shape, name=name) for name, shape in input_shape.items()}
    flat = [keras.layers.Flatten()(each) for each in inputs.values()]
    both = keras.layers.Concatenate()(flat)
    return keras.Model(inputs, keras.layers.Dense(classes, "softmax")(both))
def build_tuple(input_shape, classes):
    inputs = [keras.Input(shape) for shape in input_shape]
    both = keras.layers.Concatenate()([keras.layers.Flatten()(each) for each in inputs])
    return keras.Model(inputs, keras.layers.Dense(classes, "softmax")(both))
"""
DATA = """
import numpy as np
with np.load(__file__.replace("mine.py", "data.npz")) as data:
    IMAGES, TABLE, LABELS = data["images"], data["table"], data["labels"]
def by_name():
    return {"image": IMAGES, "table": TABLE}, LABELS
def in_a_tuple():
    return (IMAGES, TABLE), LABELS, np.ones(len(LABELS))
def parts():
    x = {"image": IMAGES, "table": TABLE}
    return (x, LABELS), ({name: array[:8] for name, array in x.items()}, LABELS[:8])
def examples():
    for number in range(len(LABELS)):
        yield {"image": IMAGES[number], "table": TABLE[number]}, LABELS[number]
def pairs():
    for number in range(len(LABELS)):
        yield (IMAGES[number], TABLE[number]), LABELS[number]
def dataset():
    import tensorflow as tf
    return tf.data.Dataset.from_tensor_slices(({"image": IMAGES, "table": TABLE}, LABELS))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(MODEL + DATA, encoding="utf-8")
    np.savez(tmp_path / "data.npz", images=IMAGES, table=TABLE, labels=LABELS)
    arrays: dict[str, Any] = {"x_train.image": IMAGES, "x_train.table": TABLE, "y_train": LABELS}
    np.savez(tmp_path / "parts.npz", **arrays)
    for name, array in (("image", IMAGES), ("table", TABLE), ("label", LABELS)):
        np.save(tmp_path / f"{name}.npy", array)
    return tmp_path


def spec(data: dict[str, Any], build: str = "build") -> dict[str, Any]:
    return {
        "data": data,
        "model": {"python": f"mine.py:{build}"},
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "loss": "sparse_categorical_crossentropy",
        "epochs": 2,
        "batch_size": 8,
        "validation": "none",
    }


NPY = {"x_train": {"image": "image.npy", "table": "table.npy"}, "y_train": "label.npy"}
NAMED = [
    {"python": "mine.py:by_name"},
    {"npz": "parts.npz"},
    {"npy": NPY},
    {"dataset": "mine.py:examples"},
    {"dataset": "mine.py:dataset"},
]


@pytest.mark.parametrize("data", NAMED)
def test_inputs_by_name(folder: Path, data: dict[str, Any]) -> None:
    loaded = load(folder, spec(data), trusted=True)
    assert isinstance(loaded.x_train, dict)
    assert list(loaded.x_train) == ["image", "table"]
    np.testing.assert_array_equal(loaded.x_train["image"], IMAGES)
    np.testing.assert_array_equal(loaded.x_train["table"], TABLE)
    assert loaded.input_shape == {"image": (4, 4, 1), "table": (3,)}
    assert loaded.scale == 1 / 255


@pytest.mark.parametrize("data", [{"python": "mine.py:in_a_tuple"}, {"dataset": "mine.py:pairs"}])
def test_inputs_in_a_tuple(folder: Path, data: dict[str, Any]) -> None:
    loaded = load(folder, spec(data), trusted=True)
    assert isinstance(loaded.x_train, tuple)
    np.testing.assert_array_equal(loaded.x_train[0], IMAGES)
    np.testing.assert_array_equal(loaded.x_train[1], TABLE)


def run(folder: Path, keys: dict[str, Any], **options: Any) -> list[kb.Result]:
    (folder / "s.yaml").write_text(yaml.safe_dump(keys), encoding="utf-8")
    return kb.run_all(folder / "s.yaml", results=folder / "results", trust=True, **options)


@pytest.mark.parametrize("data", [{"python": "mine.py:by_name"}, {"npy": NPY}])
@pytest.mark.parametrize("engine", ["fused", "keras"])
def test_the_numbers_are_those_of_keras(folder: Path, engine: str, data: dict[str, Any]) -> None:
    """Bytes are divided by 255, and nothing else is changed."""
    keys = spec(data) | {"sampling": "sequential", "engine": engine}
    (result,) = run(folder, keys | {"save": "last"})
    assert result.row["step_check"] == "ok"
    x = {"image": IMAGES.astype("float32") / np.float32(255), "table": TABLE}
    keras.utils.set_random_seed(0)
    namespace: dict[str, Any] = {}
    exec(MODEL, namespace)  # noqa: S102  # the model of the test
    model = namespace["build"]({"image": (4, 4, 1), "table": (3,)}, 2)
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    model.fit(x, LABELS, batch_size=8, epochs=2, shuffle=False, verbose=0)
    trained = kb.load_model(result.directory, trust=True)
    for mine, theirs in zip(trained.weights, model.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    expected = model.predict(x, verbose=0).argmax(axis=1)
    found = result.predict({"image": IMAGES, "table": TABLE}, trust=True)
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(kb.SpecError, match="found shapes"):
        result.predict({"image": IMAGES}, trust=True)


@pytest.mark.parametrize(
    ("data", "build"),
    [
        ({"python": "mine.py:in_a_tuple"}, "build_tuple"),
        pytest.param({"npz": "parts.npz"}, "build", marks=pytest.mark.slow),
    ],
)
def test_workers_share_them(folder: Path, data: dict[str, Any], build: str) -> None:
    keys = spec(data, build) | {"sweep": {"batch_size": [8, 16]}, "record": ["noise"]}
    del keys["validation"]
    results = run(folder, keys, jobs=2)
    assert [result.row["step_check"] for result in results] == ["ok", "ok"]


def test_they_need_a_model_of_ones_own(folder: Path) -> None:
    with pytest.raises(kb.SpecError, match=r"several inputs, image of shape \(4, 4, 1\) and table"):
        run(folder, spec({"python": "mine.py:by_name"}) | {"model": "mlp"})


def test_parts_must_have_the_same_inputs(folder: Path) -> None:
    arrays: dict[str, Any] = {"x_train.image": IMAGES, "x_train.table": TABLE, "y_train": LABELS}
    arrays |= {"x_test.image": IMAGES, "y_test": LABELS}
    np.savez(folder / "parts.npz", **arrays)
    with pytest.raises(kb.SpecError, match="x_train and x_test have other inputs"):
        load(folder, spec({"npz": "parts.npz"}))
    arrays |= {"x_test.table": TABLE[:, :2]}
    np.savez(folder / "parts.npz", **arrays)
    with pytest.raises(kb.SpecError, match=r"shape \(3,\) in x_train, \(2,\) in x_test.table"):
        load(folder, spec({"npz": "parts.npz"}))


def test_arrays_of_python(tmp_path: Path) -> None:
    def build(input_shape: Any, classes: int) -> keras.Model:
        inputs = {name: keras.Input(shape, name=name) for name, shape in input_shape.items()}
        flat = [keras.layers.Flatten()(each) for each in inputs.values()]
        outputs = keras.layers.Dense(classes, "softmax")(keras.layers.Concatenate()(flat))
        return keras.Model(inputs, outputs)

    result = kb.run(
        data=({"image": IMAGES, "table": TABLE}, LABELS),
        model=build,
        optimizer="adam",
        loss="sparse_categorical_crossentropy",
        batch_size=8,
        epochs=1,
        results=tmp_path,
    )
    assert result.row["step_check"] == "ok"


def test_faults_of_npy_files_by_name(folder: Path) -> None:
    np.save(folder / "wide.npy", TABLE.astype(np.float64))
    x_train = {"image": "gone.npy", "table": "wide.npy"}
    with pytest.raises(kb.SpecError) as error:
        load(folder, spec({"npy": {"x_train": x_train, "y_train": "label.npy"}}), trusted=True)
    assert "data.npy.x_train.image: there is no file gone.npy" in str(error.value)
    assert "data.npy.x_train.table: wide.npy has type float64" in str(error.value)
    with pytest.raises(
        kb.SpecError, match=r"data\.npy\.x_train: found a mapping; must be a file, or"
    ):
        load(folder, spec({"npy": {"x_train": {"image": 3}, "y_train": "label.npy"}}))
