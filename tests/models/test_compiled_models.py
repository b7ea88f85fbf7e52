"""Models that their own code compiles."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kerasbatch as kb
from kerasbatch.records.files import dump_yaml

CODE = """
import keras
from keras import ops


def loss(y_true, y_pred):
    labels = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1])
    return -ops.sum(labels * ops.log(y_pred + 1e-7), axis=-1)


def model(input_shape, classes):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(classes, "softmax")])


def compiled(input_shape, classes, rate=0.1):
    made = model(input_shape, classes)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=0.01, clipnorm=1.0)
    made.compile(optimizer, loss, metrics=["accuracy"])
    return made


def scheduled(input_shape, classes):
    made = model(input_shape, classes)
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.9)
    made.compile(keras.optimizers.SGD(schedule), "mse")
    return made


def trained(input_shape, classes):
    made = compiled(input_shape, classes)
    made.fit(ops.ones((8, *input_shape)), ops.zeros((8,)), verbose=0)
    return made


class Twice(keras.Model):
    def __init__(self, classes):
        super().__init__()
        self.dense = keras.layers.Dense(classes, "softmax")

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        super().train_step(data)
        return super().train_step(data)


def own_step(classes):
    made = Twice(classes)
    made.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made
"""
SPEC: dict[str, Any] = {"data": "iris", "epochs": 2, "batch_size": 16}
NAMED: dict[str, Any] = {
    "name": "AdamW",
    "learning_rate": 0.1,
    "weight_decay": 0.01,
    "clipnorm": 1.0,
}


@pytest.fixture
def run(tmp_path: Path) -> Any:
    (tmp_path / "mine.py").write_text(CODE, encoding="utf-8")

    def run(function: str, **keys: Any) -> kb.Result:
        path = tmp_path / "compiled.yaml"
        spec = SPEC | {"model": {"python": f"mine.py:{function}"}} | keys
        path.write_text(dump_yaml(spec), encoding="utf-8")
        return kb.run(path, results=tmp_path / "results", trust=True)

    return run


def test_what_the_spec_leaves_out_is_the_models(run: Any) -> None:
    ours = run("compiled")
    theirs = run(
        "model",
        optimizer=NAMED,
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    assert ours.row["val_loss"] == pytest.approx(theirs.row["val_loss"], rel=1e-4)
    assert ours.row["val_accuracy"] == theirs.row["val_accuracy"]
    assert (ours.row["optimizer"], ours.row["learning_rate"]) == ("AdamW", pytest.approx(0.1))
    record = json.loads((ours.directory / "record.json").read_text(encoding="utf-8"))
    assert record["compiled_by_model"] == ["optimizer", "loss", "metrics"]
    assert ours.row["step_check"] == "ok"


def test_a_key_of_the_spec_replaces_the_models(run: Any) -> None:
    """Each alone: the loss, the metrics, the optimizer, its rate."""
    first = run("compiled")
    other = run("compiled", optimizer={"name": "sgd", "learning_rate": 0.01})
    named = run(
        "model",
        optimizer={"name": "sgd", "learning_rate": 0.01},
        loss="sparse_categorical_crossentropy",
    )
    assert other.row["val_loss"] == pytest.approx(named.row["val_loss"], rel=1e-4)
    assert other.row["optimizer"] == "sgd"
    slower = run("compiled", optimizer={"learning_rate": 0.001})
    assert slower.row["optimizer"] == "AdamW"
    assert slower.row["learning_rate"] == 0.001
    assert slower.row["val_loss"] > first.row["val_loss"]
    metric = run("compiled", metrics=["sparse_top_k_categorical_accuracy"])
    assert "val_accuracy" not in metric.row
    assert metric.row["val_sparse_top_k_categorical_accuracy"] == 1.0


@pytest.mark.slow
def test_rates_and_arguments_of_a_compiled_model_are_swept(tmp_path: Path, run: Any) -> None:
    spec = SPEC | {
        "model": {"python": "mine.py:compiled", "arguments": {"rate": 0.5}},
        "sweep": {"batch_size": [16, 60], "optimizer.learning_rate": [0.01, 0.1]},
        "target": {"metric": "val_accuracy", "at_least": 0.5},
    }
    (tmp_path / "s.yaml").write_text(dump_yaml(spec), encoding="utf-8")
    kb.sweep(tmp_path / "s.yaml", results=tmp_path / "results", trust=True, jobs=2)
    table = kb.load(tmp_path / "results" / "s").runs
    assert sorted(table["learning_rate"]) == [0.01, 0.01, 0.1, 0.1]
    assert (table["status"] == "done").all()
    with_rate = run("compiled", model={"python": "mine.py:compiled", "arguments": {"rate": 0.01}})
    same = table[(table["batch_size"] == 16) & (table["learning_rate"] == 0.01)]
    assert with_rate.row["val_loss"] == same["val_loss"].item()


def test_its_own_training_step(run: Any) -> None:
    """It updates the weights twice in a step, and the check of the steps says so."""
    row = run("own_step").row
    assert row["step_check"] == "mismatch: repeated_updates"
    assert 0 < row["val_accuracy"] <= 1


@pytest.mark.parametrize(
    ("function", "keys", "message"),
    [
        ("model", {}, "not compiled, and the spec has no optimizer and loss; add optimizer"),
        ("model", {"optimizer": "sgd"}, "not compiled, and the spec has no loss; add loss"),
        ("trained", {}, "was trained for 1 step; build it, and leave the training to the run"),
        ("scheduled", {"optimizer": {"learning_rate": 0.1}}, "made with a schedule"),
        (
            "compiled",
            {"target": {"metric": "val_auc", "at_least": 1}},
            "is not recorded by this spec; did you mean",
        ),
        ("compiled", {"learning_rate_rule": "linear"}, "a rule needs the rate of an optimizer"),
        (
            "compiled",
            {"callbacks": [{"EarlyStopping": {"monitor": "val_auc", "patience": 1}}]},
            "watches val_auc, which this spec does not measure",
        ),
        ("compiled", {"sweep": {"optimizer.learning_rate": "auto"}}, "write a start"),
    ],
)
def test_faults_of_compiled_models(run: Any, function: str, keys: Any, message: str) -> None:
    with pytest.raises(kb.SpecError, match=message):
        run(function, **keys)


def test_a_spec_of_layers_needs_both(small: dict[str, Any]) -> None:
    with pytest.raises(kb.SpecError, match="loss: is missing; add loss") as error:
        kb.run({key: value for key, value in small.items() if key not in ("loss", "optimizer")})
    assert "optimizer: is missing" in str(error.value)


def test_the_weights_of_a_loop_by_hand(tmp_path: Path, run: Any) -> None:
    """A compiled model of Python, trained by `fit` over the same batches."""
    x = np.random.default_rng(0).normal(size=(96, 4)).astype("float32")
    y = np.random.default_rng(1).integers(0, 3, 96)

    def build(units: int = 8) -> keras.Model:
        layers = [keras.layers.Dense(units, "relu"), keras.layers.Dense(3, "softmax")]
        model = keras.Sequential([keras.Input((4,)), *layers])
        loss = "sparse_categorical_crossentropy"
        model.compile(keras.optimizers.AdamW(0.01, clipnorm=0.5), loss, metrics=["accuracy"])
        return model

    data = {"x": x, "y": y, "standardize": False}
    result = kb.run(
        model=build,
        data=data,
        batch_size=16,
        epochs=2,
        validation="none",
        save="last",
        results=tmp_path / "python",
    )
    keras.utils.set_random_seed(0)
    model = build()
    for epoch in (1, 2):
        order = kb.example_order(96, seed=0, epoch=epoch)
        model.fit(x[order], y[order], batch_size=16, epochs=1, shuffle=False, verbose=0)
    for ours, theirs in zip(result.model().get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.slow
def test_a_sweep_of_python_searches_the_rate_from_that_of_the_model(tmp_path: Path) -> None:
    """As in a notebook: a function that compiles, data, sizes, and `auto`."""
    x = np.random.default_rng(0).normal(size=(96, 4)).astype("float32")
    y = (x.sum(axis=1) > 0).astype("int64")

    def build(width: int = 4) -> keras.Model:
        layers = [keras.layers.Dense(width, "relu"), keras.layers.Dense(2, "softmax")]
        model = keras.Sequential([keras.Input((4,)), *layers])
        model.compile(
            keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        return model

    results = kb.sweep(
        model=build,
        data=(x, y),
        batch_size=[8, 32],
        learning_rate="auto",
        epochs=2,
        results=tmp_path,
        jobs=2,
    )
    rates = {run.row["learning_rate"] for run in results if run.row["batch_size"] == 8}
    assert 0.05 in rates
    assert len(rates) > 2
    assert {run.row["step_check"] for run in results} == {"ok"}


def test_a_passed_model_begins_with_its_weights(tmp_path: Path) -> None:
    """Also one that was trained: its optimizer begins anew."""
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    data = {"x": x, "y": (x.sum(axis=1) > 0).astype(int), "standardize": False}
    layers = [keras.layers.Dense(2, "softmax")]
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, data["y"], epochs=2, verbose=0)
    loss, _ = model.evaluate(x, data["y"], verbose=0)
    result = kb.run(
        model=model, data=data, validation="none", epochs=1, batch_size=16, results=tmp_path
    )
    assert result.history["train_loss"].iloc[0] == pytest.approx(loss, rel=1e-5)
    assert int(model.optimizer.iterations) == 4


def test_arguments_of_the_model_are_a_setting(tmp_path: Path, run: Any) -> None:
    """Runs that differ in them alone are no repetitions of each other."""
    spec = SPEC | {"model": {"python": "mine.py:compiled"}}
    spec["sweep"] = {"model.arguments.rate": [0.01, 0.1]}
    (tmp_path / "s.yaml").write_text(dump_yaml(spec), encoding="utf-8")
    kb.sweep(tmp_path / "s.yaml", results=tmp_path / "results", trust=True, jobs=1)
    table = kb.compare(tmp_path / "results" / "s", by="model.arguments.rate").table
    assert len(table) == 2


def test_two_files_with_one_function_name(tmp_path: Path, run: Any) -> None:
    (tmp_path / "other.py").write_text(CODE.replace("1e-7", "1e-3"), encoding="utf-8")
    losses = [{"python": "mine.py:loss"}, {"python": "other.py:loss"}]
    spec = SPEC | {"model": {"python": "mine.py:model"}, "optimizer": "sgd"}
    spec["sweep"] = {"loss": losses}
    (tmp_path / "s.yaml").write_text(dump_yaml(spec), encoding="utf-8")
    assert len(kb.sweep(tmp_path / "s.yaml", results=tmp_path / "results", trust=True, jobs=1)) == 2
