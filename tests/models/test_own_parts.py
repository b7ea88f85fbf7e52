"""Losses, metrics and optimizers of own code, by a spec and from Python."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kerasbatch as kb
from kerasbatch.inference.saved_model import load_saved_model
from kerasbatch.records.files import dump_yaml

CODE = """
import keras
from keras import ops


def build(input_shape, classes, units=8):
    layers = [keras.layers.Dense(units, "relu"), keras.layers.Dense(classes, "softmax")]
    return keras.Sequential([keras.Input(input_shape), *layers])


def focal(y_true, y_pred, gamma):
    labels = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1])
    chosen = ops.sum(labels * y_pred, axis=-1)
    return -((1 - chosen) ** gamma) * ops.log(chosen)


def mean_focal(y_true, y_pred, gamma):
    return ops.mean(focal(y_true, y_pred, gamma))


class Smooth(keras.Loss):
    def __init__(self, smoothing, name="smooth"):
        super().__init__(name=name)
        self.smoothing = smoothing

    def call(self, y_true, y_pred):
        labels = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1])
        return keras.losses.categorical_crossentropy(
            labels, y_pred, label_smoothing=self.smoothing
        )


def make_loss(smoothing):
    return Smooth(smoothing)


def confidence(y_true, y_pred):
    return ops.max(y_pred, axis=-1)


class Calls(keras.Metric):
    def __init__(self, name="calls"):
        super().__init__(name=name)
        self.number = self.add_weight(name="number", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.number.assign_add(1.0)

    def result(self):
        return self.number


class Nameless(keras.Metric):
    def __init__(self):
        super().__init__()
        self.number = self.add_weight(name="number", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.number.assign_add(1.0)

    def result(self):
        return self.number


def make_optimizer(momentum=0.5):
    return keras.optimizers.SGD(0.25, momentum=momentum)


USED = keras.optimizers.SGD()
USED.build([keras.Variable([1.0])])


def used():
    return USED


def failing(y_true, y_pred):
    return y_true + ops.ones((7, 7, 7)) @ y_pred


def wrong_shape(y_true, y_pred):
    return ops.zeros((3,)) + ops.mean(y_pred)


def not_finite(y_true, y_pred):
    return ops.log(-ops.max(y_pred, axis=-1))


def nothing():
    return None
"""


@pytest.fixture
def own(tmp_path: Path, small: dict[str, Any]) -> Any:
    (tmp_path / "mine.py").write_text(CODE, encoding="utf-8")

    def run(**keys: Any) -> kb.Result:
        path = tmp_path / "own.yaml"
        path.write_text(dump_yaml(small | keys), encoding="utf-8")
        return kb.run(path, results=tmp_path / "results", trust=True)

    return run


def python(function: str, **arguments: Any) -> dict[str, Any]:
    return {"python": f"mine.py:{function}"} | ({"arguments": arguments} if arguments else {})


def test_a_function_with_arguments_is_the_loss(own: Any) -> None:
    """Focal loss with gamma 0 is the cross-entropy."""
    plain = own(loss="sparse_categorical_crossentropy")
    focal = own(loss=python("focal", gamma=0))
    other = own(loss=python("focal", gamma=2))
    assert focal.row["val_loss"] == pytest.approx(plain.row["val_loss"], rel=1e-5)
    assert other.row["val_loss"] < focal.row["val_loss"]
    assert focal.directory != other.directory
    assert focal.row["step_check"] == "ok"


def test_runs_with_own_parts_are_compared(own: Any, tmp_path: Path) -> None:
    """Arguments of the model are tuned; another function is another task."""
    parts = {"loss": python("focal", gamma=2), "optimizer": python("make_optimizer")}
    metrics = ["accuracy", python("confidence")]
    for units in (4, 8):
        own(**parts, metrics=metrics, model=python("build", units=units))
    folder = tmp_path / "results" / "own"
    (row,) = kb.compare(folder, all_runs=True).table.to_dict("records")
    assert row["model.arguments.units"] in (4, 8)
    assert "mine.py:focal" in kb.report(folder, all_runs=True)
    own(**parts | {"loss": python("make_loss", smoothing=0.1)}, metrics=metrics)
    with pytest.raises(kb.SpecError, match="these runs differ in loss and model: use --by"):
        kb.compare(folder, all_runs=True)


def test_weights_need_a_loss_of_each_example(own: Any) -> None:
    """Keras would multiply the mean by every weight, and take the mean again."""
    weights = {"0": 1, "1": 5}
    own(loss=python("focal", gamma=0), class_weight=weights)
    own(loss=python("mean_focal", gamma=0))
    with pytest.raises(kb.SpecError, match="gives one value for all examples, which have weights"):
        own(loss=python("mean_focal", gamma=0), class_weight=weights)


def test_a_class_and_a_function_that_makes_it(own: Any) -> None:
    by_class = own(loss=python("Smooth", smoothing=0.1))
    by_function = own(loss=python("make_loss", smoothing=0.1))
    assert by_class.row["val_loss"] == by_function.row["val_loss"]


def test_metrics_have_the_columns_of_their_names(own: Any) -> None:
    metrics = ["accuracy", python("confidence"), python("confidence") | {"as": "trust"}]
    row = own(metrics=[*metrics, python("Calls") | {"as": "batches"}]).row
    assert row["val_confidence"] == pytest.approx(row["val_trust"])
    assert 0 < row["val_confidence"] <= 1
    assert row["val_batches"] >= 1


def test_an_optimizer_whose_rate_the_spec_sets(own: Any) -> None:
    """Its own rate is recorded; the rate of the spec replaces it."""
    made = own(optimizer=python("make_optimizer"))
    named = own(optimizer={"name": "sgd", "learning_rate": 0.25, "momentum": 0.5})
    assert made.row["val_loss"] == named.row["val_loss"]
    assert (made.row["optimizer"], made.row["learning_rate"]) == ("SGD", 0.25)
    slow = own(optimizer=python("make_optimizer", momentum=0.9) | {"learning_rate": 0.01})
    named = own(optimizer={"name": "sgd", "learning_rate": 0.01, "momentum": 0.9})
    assert slow.row["val_loss"] == named.row["val_loss"]
    assert slow.row["learning_rate"] == 0.01


def test_a_schedule_of_the_spec(own: Any) -> None:
    schedule = {"name": "ExponentialDecay", "initial_learning_rate": 0.25}
    schedule |= {"decay_steps": 4, "decay_rate": 0.5}
    made = own(optimizer=python("make_optimizer") | {"learning_rate": schedule})
    named = own(optimizer={"name": "sgd", "momentum": 0.5, "learning_rate": schedule})
    assert made.row["val_loss"] == named.row["val_loss"]
    assert made.history["learning_rate"].iloc[-1] < 0.1


def test_a_metric_is_built_again_under_its_name(own: Any) -> None:
    """Keras counts the objects of a class without a name."""
    metric = python("Nameless") | {"as": "hits"}
    rows = [own(metrics=[metric], seed=seed).row for seed in (0, 1)]
    assert all(row["val_hits"] >= 1 for row in rows)
    assert "best_val_hits" not in rows[0]  # nobody knows its better direction


def test_whole_numbers_under_an_own_loss_stay_what_they_are(
    tmp_path: Path, small: dict[str, Any]
) -> None:
    """Qualities of 3 to 8 are no classes 0 to 5."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(90, 3)), random.integers(3, 9, 90)
    spec = {**small, "data": {"x": x, "y": y}, "model": {"layers": [{"Dense": {"units": 1}}]}}
    own = kb.run(spec | {"loss": keras.losses.MeanSquaredError(), "metrics": []}, results=tmp_path)
    named = kb.run(spec | {"loss": "mse", "metrics": []}, results=tmp_path)
    assert own.row["val_loss"] == pytest.approx(named.row["val_loss"])


def test_logits_of_a_loss_object(tmp_path: Path, small: dict[str, Any]) -> None:
    layers = {"layers": [{"Dense": {"units": 1}}]}
    x = np.random.default_rng(0).normal(size=(90, 3))
    data = {"x": x, "y": (x.sum(axis=1) > 0).astype(int)}
    spec = {**small, "data": data, "model": layers, "save": "last"}
    own = kb.run(
        spec | {"loss": keras.losses.BinaryCrossentropy(from_logits=True)}, results=tmp_path
    )
    loss = {"name": "binary_crossentropy", "from_logits": True}
    named = kb.run(spec | {"loss": loss}, results=tmp_path)
    assert own.row["val_accuracy"] == named.row["val_accuracy"]
    again = load_saved_model(own.directory)  # as in another process, without the object
    assert again.from_logits
    assert not again.model.compiled
    expected = named.model().get_weights()
    for one, other in zip(again.model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_losses_that_differ_in_what_their_configuration_leaves_out(
    tmp_path: Path, small: dict[str, Any]
) -> None:
    class Scaled(keras.Loss):
        def __init__(self, factor: float = 1.0) -> None:
            super().__init__(name="scaled")
            self.factor = factor

        def call(self, y_true: Any, y_pred: Any) -> Any:
            loss = keras.losses.sparse_categorical_crossentropy(y_true, y_pred)
            return self.factor * loss

    one, five = (kb.run(small | {"loss": Scaled(factor)}, results=tmp_path) for factor in (1, 5))
    assert one.directory != five.directory
    assert five.row["loss"] > 2 * one.row["loss"]


@pytest.mark.slow
def test_arguments_are_swept(own: Any, tmp_path: Path, small: dict[str, Any]) -> None:
    spec = small | {
        "model": python("build", units=4),
        "loss": python("focal", gamma=0),
        "sweep": {"model.arguments.units": [4, 16], "loss.arguments.gamma": [0, 2]},
    }
    (tmp_path / "s.yaml").write_text(dump_yaml(spec), encoding="utf-8")
    kb.sweep(tmp_path / "s.yaml", results=tmp_path / "results", trust=True, jobs=1)
    table = kb.load(tmp_path / "results" / "s").runs
    assert len(table) == 4
    assert sorted(table["model.arguments.units"].unique()) == [4, 16]
    assert set(table["loss.arguments.gamma"]) == {0, 2}
    assert (table["step_check"] == "ok").all()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {
                "metrics": [python("confidence")],
                "callbacks": [{"EarlyStopping": {"monitor": "val_confidence"}}],
            },
            "only its author knows its better direction; write mode",
        ),
        ({"loss": python("focal")}, r"focal\(y_true, y_pred, gamma\) needs y_true and"),
        ({"loss": python("focal", gama=1)}, "has no argument gama; did you mean gamma"),
        ({"loss": python("focal", gamma=2) | {"as": "x"}}, "unknown key"),
        ({"loss": python("nothing")}, "nothing returned NoneType; must return a loss"),
        ({"loss": python("wrong_shape")}, "wrong_shape gives values of shape"),
        ({"loss": python("not_finite")}, "the loss of the untrained model is nan"),
        ({"loss": python("failing")}, r"(?s)mine.py failed: .*mine.py:\d+, in failing"),
        (
            {"metrics": [python("failing")]},
            r"(?s)metrics\[0\].*failed: .*in failing",
        ),
        ({"optimizer": python("nothing")}, "must return a keras.optimizers.Optimizer"),
        ({"optimizer": python("used")}, "used before"),
        ({"metrics": [python("nothing")]}, "must return a metric"),
        ({"metrics": [python("Calls", name="other")]}, "is called 'other'; write as: other"),
        ({"loss": {"python": "mine.py"}}, "must be a file and a function in it"),
        ({"loss": python("focal") | {"arguments": [1]}}, "must be a mapping, like"),
        ({"model": python("build", units="many")}, "(?s)mine.py failed: .*in build"),
        ({"model": python("build", unit=3)}, r"build\(input_shape, classes, units=8\) has no"),
    ],
)
def test_faults_of_own_code(own: Any, tmp_path: Path, keys: Any, message: str) -> None:
    with pytest.raises(kb.SpecError, match=message):
        own(**keys)
    assert not list((tmp_path / "results").glob("*/*/record.json"))


def test_objects_of_python(small: dict[str, Any], tmp_path: Path) -> None:
    """Optimizer, loss and metrics as objects; the caller's are not changed."""
    optimizer = keras.optimizers.AdamW(0.01, clipnorm=1.0)
    metric = keras.metrics.SparseTopKCategoricalAccuracy(2, name="top2")
    spec = small | {
        "optimizer": optimizer,
        "loss": keras.losses.SparseCategoricalCrossentropy(),
        "metrics": [metric, "accuracy"],
    }
    first = kb.run(spec, results=tmp_path)
    named = {"name": "AdamW", "learning_rate": 0.01, "clipnorm": 1.0}
    same = kb.run(spec | {"optimizer": named}, results=tmp_path)
    assert first.row["val_loss"] == same.row["val_loss"]
    assert first.row["val_top2"] >= first.row["val_accuracy"]
    assert first.row["learning_rate"] == pytest.approx(0.01)
    assert int(optimizer.iterations) == 0
    assert float(metric.result()) == 0
    assert kb.run(spec, results=tmp_path).directory == first.directory


def test_a_function_of_python_is_a_loss(small: dict[str, Any], tmp_path: Path) -> None:
    def crossentropy(y_true: Any, y_pred: Any) -> Any:
        return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)

    own = kb.run(small | {"loss": crossentropy}, results=tmp_path)
    named = kb.run(small | {"loss": "sparse_categorical_crossentropy"}, results=tmp_path)
    assert np.isclose(own.row["val_loss"], named.row["val_loss"])
