"""Data, models and callbacks as objects: the same runs as from a spec."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.datasets import load_iris

import kerasbatch as kb
from kerasbatch.runs.spec_of_python import spec_of_python
from kerasbatch.spec.sweep.expand import expand

X, Y = load_iris(return_X_y=True)
LAYERS = {"layers": [{"Dense": {"units": 3, "activation": "softmax"}}]}
KEYS: dict[str, Any] = {
    "optimizer": {"name": "sgd", "learning_rate": 0.1},
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
    "epochs": 2,
    "batch_size": 16,
}


def build(input_shape: tuple[int, ...], classes: int) -> keras.Model:
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(classes, "softmax")])


def table() -> pd.DataFrame:
    names = ["small" if row[2] < 3 else "large" for row in X]
    return pd.DataFrame(X, columns=list("abcd")).assign(size=names, count=np.arange(150) % 7)


class Counter(keras.callbacks.Callback):
    """Counts epochs."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs += 1


def test_arrays_and_a_function_are_as_a_file_and_layers(tmp_path: Path) -> None:
    """Losses and weights are equal; only the names of the runs differ."""
    np.savez(tmp_path / "iris.npz", x_train=X, y_train=Y)
    spec = {"data": {"npz": str(tmp_path / "iris.npz")}, "model": LAYERS} | KEYS
    of_file = kb.run(spec, results=tmp_path / "a", trust=True)
    of_objects = kb.run(data=(X, Y), model=build, results=tmp_path / "b", **KEYS)
    columns = ["step", "loss", "val_loss", "val_accuracy"]
    pd.testing.assert_frame_equal(of_objects.history[columns], of_file.history[columns])
    assert of_objects.record["data_fingerprint"] == of_file.record["data_fingerprint"]


def test_a_frame_is_as_a_file(tmp_path: Path) -> None:
    """Words, numbers, target and split; the target is a Series, a column or in the frame."""
    frame, labels = table(), pd.Series(np.where(Y == 2, "yes", "no"), name="bought")
    frame.assign(bought=labels).to_csv(tmp_path / "t.csv", index=False)
    spec = {"data": {"csv": str(tmp_path / "t.csv"), "target": "bought"}, "model": "mlp"} | KEYS
    expected = kb.run(spec, results=tmp_path / "a", trust=True).history["val_loss"]
    whole = frame.assign(bought=labels)
    for number, data in enumerate(
        ({"x": frame, "y": labels}, (frame, labels.to_numpy()), {"x": whole, "y": "bought"})
    ):
        result = kb.run(data=data, model="mlp", results=tmp_path / str(number), **KEYS)
        pd.testing.assert_series_equal(result.history["val_loss"], expected)


def test_spec_yaml_says_what_it_does_not_hold(tmp_path: Path) -> None:
    """It is refused with the keys to pass again, with which it runs."""
    result = kb.run(data=(X, Y), model=build, results=tmp_path, **KEYS)
    file = result.directory / "spec.yaml"
    stored = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert stored["data"]["note"].startswith("x (150, 4), y (150,); passed from Python")
    assert stored["model"]["object"].startswith("build-")
    with pytest.raises(kb.SpecError, match=r"pass it again, like kerasbatch.run.spec, data="):
        kb.run(file, results=tmp_path)
    again = kb.run(file, data=(X, Y), model=build, results=tmp_path)
    assert again.reused
    assert again.directory == result.directory


@pytest.mark.slow
def test_a_sweep_in_workers(tmp_path: Path) -> None:
    """A list, a range and an array sweep; the functions of this file reach the workers."""
    results = kb.sweep(
        data=(X.tolist(), list(Y)),
        model=build,
        results=tmp_path,
        **KEYS | {"batch_size": 2 ** np.arange(4, 6), "seed": range(2)},
    )
    assert [result.row["batch_size"] for result in results] == [16, 16, 32, 32]
    assert [result.status for result in results] == ["done"] * 4
    compared = kb.compare(results)
    assert compared.table["seeds"].tolist() == [2, 2]
    assert not compared.problems
    alone = kb.run(data=(X, Y), model=build, results=tmp_path / "alone", **KEYS)
    pd.testing.assert_series_equal(alone.history["val_loss"], results[0].history["val_loss"])


@pytest.mark.slow
def test_a_sweep_over_models_and_rates(tmp_path: Path) -> None:
    """A model begins every run with its own weights, and is not changed."""
    keras.utils.set_random_seed(7)
    model = build((4,), 3)
    before = model.get_weights()
    results = kb.sweep(
        data=(X, Y),
        model=[model, build],
        learning_rate=[0.1, 0.2],
        results=tmp_path,
        **KEYS | {"optimizer": "sgd"},
    )
    assert len({result.directory for result in results}) == 4
    assert [result.row["learning_rate"] for result in results] == [0.1, 0.2] * 2
    starts = [result.history["val_loss"].iloc[0] for result in results]
    assert starts[0] == starts[1] != starts[2] == starts[3]
    np.testing.assert_array_equal(before[0], model.get_weights()[0])


def test_callbacks_are_those_of_the_caller(tmp_path: Path) -> None:
    """A single run trains with the callback itself, the workers of a sweep with copies."""
    counter = Counter()
    keys: dict[str, Any] = {"data": (X, Y), "model": build} | KEYS
    kb.run(callbacks=[counter, "TerminateOnNaN"], results=tmp_path, **keys)
    assert counter.epochs == 2
    results = kb.sweep(callbacks=[Counter()], results=tmp_path, **keys | {"seed": [0, 1]})
    assert [result.status for result in results] == ["done"] * 2


def test_validation_and_weights(tmp_path: Path) -> None:
    """The parts of a mapping; a weight of 0 leaves a row out."""
    data = {"x": X, "y": Y, "validation": (X[:30], Y[:30]), "weight": (Y > 0).astype(float)}
    result = kb.run(data=data, model=build, results=tmp_path, **KEYS)
    assert result.record["data_description"]["validation"] == "30 rows of their own"
    assert result.row["train_examples"] == 150
    frame = {"x": table(), "y": Y, "validation": (table()[:30], Y[:30]), "weight": np.ones(150)}
    framed = kb.run(data=frame, model=build, results=tmp_path / "frame", **KEYS)
    assert framed.record["data_description"]["columns"] == "5 numbers, size (2 words)"


@pytest.mark.parametrize(
    ("y", "model", "loss"),
    [
        (Y, "mlp", "sparse_categorical_crossentropy"),
        (Y.astype(str), build, "sparse_categorical_crossentropy"),
        (Y == 1, LAYERS, "sparse_categorical_crossentropy"),
        ((Y == 1).astype(float), {"layers": [{"Dense": {"units": 1}}]}, "binary_crossentropy"),
        (X[:, 0], "mlp", "mse"),
        (np.arange(150), "mlp", "mse"),
        (np.eye(3)[Y], build, "sparse_categorical_crossentropy"),
        (X[:, :2], build, "mse"),
    ],
)
def test_keys_that_are_left_out(y: Any, model: Any, loss: str) -> None:
    """The loss fits labels and outputs; each key that is added is told."""
    with pytest.warns(UserWarning, match="not given, so these are used: optimizer='adam'"):
        source = spec_of_python(None, keys={"data": (X, y), "model": model})
    assert source.spec.loss.name == loss
    assert (source.spec.batch_size, source.spec.length.amount) == (32, 1)


FAULTS = {
    "three parts": ({"data": (X, Y, Y)}, "found tuple of 3; must be"),
    "no labels": ({"data": {"x": X}}, "has x and no y"),
    "a generator": ({"data": (n for n in X)}, "trained by kerasbatch.fit"),
    "lengths": ({"data": (X, Y[:100])}, "150"),
    "a key of tables": ({"data": {"x": X, "y": Y, "exclude": ["a"]}}, "DataFrame"),
    "no model": ({"model": lambda: 3}, "returned int; must return"),
    "a failing function": ({"model": lambda: 1 / 0}, "failed: ZeroDivisionError"),
    "no callback": ({"callbacks": [3]}, "returned int; must return a keras.callbacks"),
    "an open file": ({"model": open(__file__).read}, "cannot be told apart"),  # noqa: PTH123, SIM115
}


def test_a_function_is_called_once_for_the_keys_that_are_left_out() -> None:
    """For the loss, and whether the model is compiled; and for the start of a search of rates."""
    calls = []

    def compiled(input_shape: tuple[int, ...], classes: int) -> keras.Model:
        calls.append(classes)
        model = build(input_shape, classes)
        model.compile(keras.optimizers.SGD(0.25), "sparse_categorical_crossentropy")
        return model

    with pytest.warns(UserWarning, match="not given"):
        source = spec_of_python(
            None,
            (),
            {"data": (X, Y), "model": compiled, "batch_size": [8, 16], "learning_rate": "auto"},
            sweeps=True,
        )
    assert calls == [3]
    assert source.spec.epochs == 1


@pytest.mark.filterwarnings("ignore:unclosed file")
@pytest.mark.parametrize("name", FAULTS)
def test_faults(tmp_path: Path, name: str) -> None:
    """Each is met with the place and what to write."""
    keys, message = FAULTS[name]
    with pytest.raises(kb.SpecError, match=message):
        kb.run(results=tmp_path, **{"data": (X, Y), "model": build} | KEYS | keys)
    assert not list(tmp_path.glob("*/*/record.json"))


PREDICTS = """
import sys
import pandas as pd
import kerasbatch as kb
result = kb.load_run(sys.argv[1])
print(result.status, *result.predict(pd.read_csv(sys.argv[2])))
"""


def test_a_kept_model_in_another_process(tmp_path: Path) -> None:
    """It is made from its file; layers of the user's own need trust."""
    frame = table()
    labels = np.array(["setosa", "versicolor", "virginica"])[Y]
    result = kb.run(data=(frame, labels), model=build, save="best", results=tmp_path, **KEYS)
    frame.to_csv(tmp_path / "new.csv", index=False)
    arguments = [str(result.directory), str(tmp_path / "new.csv")]
    command = [sys.executable, "-c", PREDICTS, *arguments]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert output == ["done", *result.predict(frame)]
    assert result.model().count_params() == 24


class Doubled(keras.layers.Dense):
    """A layer of the user's own."""


def test_own_layers_need_trust(tmp_path: Path) -> None:
    """A file may come from a stranger."""

    def own(input_shape: tuple[int, ...], classes: int) -> keras.Model:
        return keras.Sequential([keras.Input(input_shape), Doubled(classes, "softmax")])

    made = kb.run(data=(X, Y), model=own, save="last", results=tmp_path, **KEYS)
    assert made.predict(X).shape == (150,)  # this process has the function
    with pytest.raises(kb.SpecError, match="names Doubled, which is none of Keras' own"):
        kb.load_run(made.directory).predict(X)


def test_load_run_of_another_folder(tmp_path: Path) -> None:
    """A folder without a record, or of several runs, is named."""
    with pytest.raises(kb.SpecError, match="holds no run"):
        kb.load_run(tmp_path)


def test_other_names_of_columns_are_other_data(tmp_path: Path) -> None:
    """A finished run keeps the names of its own columns."""
    frame = pd.DataFrame(X[:, :2], columns=["a", "b"])
    swapped = frame.rename(columns={"a": "b", "b": "a"})
    keys: dict[str, Any] = {"model": build, "save": "last", "results": tmp_path} | KEYS
    first, second = (kb.run(data=(data, Y), **keys) for data in (frame, swapped))
    assert not second.reused
    np.testing.assert_array_equal(first.predict(frame), second.predict(swapped))


ACTIVATION = ["relu"]


def test_a_function_that_changed_does_not_build_the_trained_model(tmp_path: Path) -> None:
    """The model is then made from its file."""

    def hidden(input_shape: tuple[int, ...], classes: int) -> keras.Model:
        layers = [keras.layers.Dense(8, ACTIVATION[0]), keras.layers.Dense(classes, "softmax")]
        return keras.Sequential([keras.Input(input_shape), *layers])

    result = kb.run(data=(X, Y), model=hidden, save="last", results=tmp_path, **KEYS)
    before = result.model().predict(X, verbose=0)
    ACTIVATION[0] = "tanh"
    np.testing.assert_array_equal(result.model().predict(X, verbose=0), before)


def test_a_model_is_built_for_each_run(tmp_path: Path) -> None:
    """A function that returns one model again would train it further."""
    model = build((4,), 3)
    for _ in range(2):
        with pytest.raises(kb.SpecError, match="returned the same model again; build it inside"):
            kb.run(data=(X, Y), model=lambda: model, results=tmp_path, **KEYS)
    assert not any(tmp_path.iterdir())


class Sub(keras.Model):
    """A model of the user's own."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(3, "softmax")

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)


def test_subclassed_models(tmp_path: Path) -> None:
    """Their class builds them; an instance that cannot be copied is a fault."""
    result = kb.run(data=(X, Y), model=Sub, results=tmp_path, **KEYS)
    assert 0 < result.history["val_accuracy"].iloc[-1] <= 1
    with pytest.raises(kb.SpecError, match=r"pass a function that builds it|told apart"):
        kb.run(data=(X, Y), model=Sub(), results=tmp_path, **KEYS)


def test_a_model_with_weights_and_standardized_data() -> None:
    """Its weights may belong to the data as they are."""
    with pytest.warns(UserWarning, match="x is standardized, and the model has weights already"):
        spec_of_python(None, keys={"data": (X, Y), "model": build((4,), 3)} | KEYS)


def test_rows_that_belong_together(tmp_path: Path) -> None:
    """Equal indexes in another order, and masked labels, are faults."""
    frame, labels = table(), pd.Series(Y, name="kind")
    for y, message in (
        (labels.sample(frac=1, random_state=0), "the same index in another order"),
        (np.ma.masked_equal(Y, 2), "is a masked array"),
    ):
        with pytest.raises(kb.SpecError, match=message):
            kb.run(data=(frame, y), model="mlp", results=tmp_path, **KEYS)


def test_objects_of_a_spec_that_is_read_already() -> None:
    """They stay beside further keys; a rate belongs to each swept optimizer."""
    source = spec_of_python(None, keys={"data": (X, Y), "model": build} | KEYS)
    again = spec_of_python(source, keys={"seed": 3})
    assert again.objects.values.keys() == source.objects.values.keys()
    keys = KEYS | {"optimizer": ["sgd", "adam"], "learning_rate": 0.5}
    swept = spec_of_python(None, keys={"data": (X, Y), "model": build} | keys, sweeps=True)
    rates = [run.spec.optimizer.arguments["learning_rate"] for run in expand(swept)]
    assert rates == [0.5, 0.5]
