"""Models with several outputs: losses, weights and metrics by output, labels for each."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import kerasbatch as kb
from kerasbatch.cli.app import app
from kerasbatch.inference.saved_model import ClassOutput
from kerasbatch.records.files import dump_yaml

CODE = """
import keras
import numpy as np
from keras import ops



def load(n=120):
    random = np.random.default_rng(0)
    image = random.random((n, 6, 6, 1), dtype="float32")
    table = random.normal(size=(n, 3)).astype("float32")
    price = (table.sum(axis=1) + image.mean(axis=(1, 2, 3))).astype("float32")
    kind = np.where(price > 1, "high", np.where(price > 0, "middle", "low"))
    return {"image": image, "table": table}, {"price": price, "kind": kind}


def build(input_shape, classes, outputs, units=8):
    image = keras.Input(input_shape["image"], name="image")
    table = keras.Input(input_shape["table"], name="table")
    flat = keras.layers.Flatten()(image)
    hidden = keras.layers.Dense(units, "relu")(keras.layers.Concatenate()([flat, table]))
    price = keras.layers.Dense(outputs["price"], name="price")(hidden)
    kind = keras.layers.Dense(classes["kind"], "softmax", name="kind")(hidden)
    return keras.Model({"image": image, "table": table}, {"price": price, "kind": kind})


def keyed(input_shape, classes, outputs):
    model = build(input_shape, classes, outputs)
    hidden = model.get_layer("price").input
    kind = keras.layers.Dense(classes["kind"], "softmax", name="a")(hidden)
    price = keras.layers.Dense(outputs["price"], name="b")(hidden)
    return keras.Model(model.input, {"price": price, "kind": kind})


def two_kinds():
    x, y = load()
    return x, y | {"kind": np.where(y["price"] > 0.5, "high", "low")}


def logits(input_shape, classes, outputs):
    made = build(input_shape, classes, outputs)
    kind = keras.layers.Dense(1, name="kind")(made.get_layer("price").output)
    return keras.Model(made.input, {"price": made.get_layer("price").output, "kind": kind})


def stars():
    x, y = load()
    return x, {"price": y["price"], "stars": np.arange(len(y["price"])) % 5}


def distance(y_true, y_pred):
    return ops.abs(y_true - y_pred)


def numbers(input_shape, classes, outputs):
    made = build(input_shape, classes | {"kind": 2}, outputs)
    hidden = made.get_layer("price").input
    stars = keras.layers.Dense(1, name="stars")(hidden)
    return keras.Model(made.input, {"price": made.get_layer("price").output, "stars": stars})


def listed(input_shape, classes, outputs):
    made = build(input_shape, classes, outputs)
    return keras.Model(made.inputs, [made.get_layer("price").output, made.get_layer("kind").output])


def crossentropy(y_true, y_pred):
    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)


def confidence(y_true, y_pred):
    return ops.max(y_pred, axis=-1)


def compiled(input_shape, classes, outputs, units=8):
    model = build(input_shape, classes, outputs, units)
    model.compile(
        keras.optimizers.AdamW(0.01, clipnorm=1.0),
        loss={"price": "mse", "kind": crossentropy},
        loss_weights={"price": 0.5, "kind": 1.0},
        metrics={"price": ["mae"], "kind": ["accuracy", confidence]},
    )
    return model


def one(input_shape):
    image = keras.Input(input_shape["image"], name="image")
    table = keras.Input(input_shape["table"], name="table")
    return keras.Model({"image": image, "table": table}, keras.layers.Dense(1)(table))
"""
INDEX = "sparse_categorical_crossentropy"
SPEC: dict[str, Any] = {
    "data": {"python": "mine.py:load"},
    "model": {"python": "mine.py:build"},
    "optimizer": {"name": "AdamW", "learning_rate": 0.01, "clipnorm": 1.0},
    "loss": {"price": "mse", "kind": {"python": "mine.py:crossentropy"}},
    "loss_weights": {"price": 0.5, "kind": 1},
    "metrics": {"price": ["mae"], "kind": ["accuracy", {"python": "mine.py:confidence"}]},
    "epochs": 2,
    "batch_size": 16,
    "save": "last",
}
COMPILED = {
    **{key: SPEC[key] for key in ("data", "epochs", "batch_size", "save")},
    "model": {"python": "mine.py:compiled", "arguments": {"units": 8}},
}
COLUMNS = ["val_loss", "val_price_mae", "val_kind_accuracy", "val_kind_confidence"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(CODE, encoding="utf-8")

    def run(spec: dict[str, Any], **keys: Any) -> kb.Result:
        Path("outputs.yaml").write_text(dump_yaml(spec | keys), encoding="utf-8")
        return kb.run("outputs.yaml", trust=True)

    return run


def test_by_a_spec_and_compiled_in_code(run: Any) -> None:
    """The same numbers, with the columns that Keras gives them."""
    by_spec, in_code = run(SPEC), run(COMPILED, name="compiled")
    assert by_spec.row["step_check"] == in_code.row["step_check"] == "ok"
    for column in COLUMNS:
        assert by_spec.row[column] == pytest.approx(in_code.row[column], rel=1e-5)
    assert {*COLUMNS} <= {*by_spec.history.columns}
    listed = run(SPEC, model={"python": "mine.py:listed"}, name="listed")
    assert listed.row["val_kind_accuracy"] == pytest.approx(by_spec.row["val_kind_accuracy"])


def test_outputs_have_the_names_of_their_keys(run: Any) -> None:
    """Not those of their layers, as for Keras' own losses and metrics."""
    result = run(SPEC, model={"python": "mine.py:keyed"})
    assert {"val_price_mae", "val_kind_accuracy"} <= set(result.history)
    space: dict[str, Any] = {}
    exec(CODE, space)  # noqa: S102
    predicted = result.predict(space["load"](7)[0], trust=True)
    assert {name: values.shape[1:] for name, values in predicted.items()} == {
        "price": (1,),
        "kind": (3,),
    }


def test_the_weights_of_a_loop_by_hand(run: Any, tmp_path: Path) -> None:
    result = run(COMPILED, validation="none", optimizer={"name": "sgd", "learning_rate": 0.1})
    space: dict[str, Any] = {}
    exec(CODE, space)  # noqa: S102
    x, y = space["load"]()
    names = np.unique(y["kind"])
    y["kind"] = np.searchsorted(names, y["kind"])
    keras.utils.set_random_seed(0)
    shapes = {name: array.shape[1:] for name, array in x.items()}
    model = space["compiled"](shapes, {"price": None, "kind": 3}, {"price": 1, "kind": 3})
    options = dict(model._compile_config.config) | {"optimizer": keras.optimizers.SGD(0.1)}
    model.compile(**options)
    for epoch in (1, 2):
        order = kb.example_order(120, seed=0, epoch=epoch)
        model.fit(
            {name: array[order] for name, array in x.items()},
            {name: array[order] for name, array in y.items()},
            batch_size=16,
            epochs=1,
            shuffle=False,
            verbose=0,
        )
    trained = result.model(trust=True)
    for ours, theirs in zip(trained.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    predicted = result.predict(x, trust=True)
    np.testing.assert_allclose(predicted["price"], model.predict(x, verbose=0)["price"], atol=1e-5)


def test_predictions_of_arrays_in_a_file(run: Any, tmp_path: Path) -> None:
    result = run(SPEC)
    space: dict[str, Any] = {}
    exec(CODE, space)  # noqa: S102
    x, _ = space["load"](7)
    np.savez("new.npz", **{f"x.{name}": array for name, array in x.items()})
    options = ["predict", str(result.directory), "--npz", "new.npz", "-o", "out.csv", "--trust"]
    assert CliRunner().invoke(app, options, catch_exceptions=False).exit_code == 0
    table = pd.read_csv("out.csv")
    classes = ["kind_high", "kind_low", "kind_middle"]
    assert sorted(table.columns) == ["kind", *classes, "price"]
    expected = result.predict(x, trust=True)
    np.testing.assert_allclose(table["price"], expected["price"][:, 0], rtol=1e-5)
    np.testing.assert_allclose(table[classes], expected["kind"], rtol=1e-5)
    best = expected["kind"].argmax(axis=1)
    assert table["kind"].tolist() == [("high", "low", "middle")[number] for number in best]
    np.savez("new.npz", image=x["image"])
    with pytest.raises(kb.SpecError, match=r"has no x\.image and no x\.table; it holds image"):
        CliRunner().invoke(app, options, catch_exceptions=False)


def test_predictions_of_logits(run: Any) -> None:
    """A single number of an output is a logit where its own loss says so."""
    loss = {"price": "mse", "kind": {"name": "BinaryCrossentropy", "from_logits": True}}
    parts = {"data": {"python": "mine.py:two_kinds"}, "model": {"python": "mine.py:logits"}}
    result = run(SPEC, **parts, loss=loss, metrics={"price": ["mae"]})
    space: dict[str, Any] = {}
    exec(CODE, space)  # noqa: S102
    x, _ = space["two_kinds"]()
    np.savez("new.npz", **{f"x.{name}": array for name, array in x.items()})
    options = ["predict", str(result.directory), "--npz", "new.npz", "-o", "out.csv", "--trust"]
    assert CliRunner().invoke(app, options, catch_exceptions=False).exit_code == 0
    table, logits = pd.read_csv("out.csv"), result.predict(x, trust=True)["kind"][:, 0]
    np.testing.assert_allclose(table["kind_low"], logits, rtol=1e-5)
    assert table["kind"].tolist() == ["low" if logit > 0 else "high" for logit in logits]
    assert ((logits > 0) & (logits < 0.5)).any()


def test_predictions_of_a_number_under_an_own_loss(run: Any) -> None:
    """Whole numbers from 0 on look like classes; a single output of more than two is a number."""
    parts = {"data": {"python": "mine.py:stars"}, "model": {"python": "mine.py:numbers"}}
    loss = {"price": "mse", "stars": {"python": "mine.py:distance"}}
    result = run(
        SPEC, **parts, loss=loss, metrics={"price": ["mae"]}, loss_weights={"price": 1, "stars": 1}
    )
    x = np.zeros((4, 3), np.float32)
    np.savez("new.npz", **{"x.image": np.zeros((4, 6, 6, 1), np.float32), "x.table": x})
    options = ["predict", str(result.directory), "--npz", "new.npz", "-o", "out.csv", "--trust"]
    assert CliRunner().invoke(app, options, catch_exceptions=False).exit_code == 0
    table = pd.read_csv("out.csv")
    assert sorted(table.columns) == ["price", "stars"]
    assert table["stars"].dtype == float


@pytest.mark.parametrize(
    ("count", "is_own", "widths"),
    [(3, False, {3, 4}), (2, False, {1, 2, 3, 4}), (2, True, {2}), (3, True, {3})],
)
def test_outputs_of_classes(count: int, is_own: bool, widths: set[int]) -> None:
    labels = tuple(map(str, range(count)))
    output = ClassOutput(labels, 0.5, is_own)
    assert {width for width in range(1, 5) if output.fits(width)} == widths


@pytest.mark.slow
def test_advised(run: Any, tmp_path: Path) -> None:
    """Memory, speed and noise of a compiled model with two inputs and two outputs."""
    spec = COMPILED | {"target": {"metric": "val_kind_accuracy", "at_least": 0.3}}
    spec["data"] = {"python": "mine.py:load", "arguments": {"n": 600}}
    Path("advised.yaml").write_text(dump_yaml(spec), encoding="utf-8")
    advice = kb.advise("advised.yaml", trust=True, minutes=1.0)
    assert len(advice.table) > 1


@pytest.mark.slow
def test_swept_over_size_and_units(run: Any, tmp_path: Path) -> None:
    spec = COMPILED | {"sweep": {"batch_size": [16, 40], "model.arguments.units": [4, 8]}}
    spec["target"] = {"metric": "val_kind_accuracy", "at_least": 0.3}
    Path("swept.yaml").write_text(dump_yaml(spec), encoding="utf-8")
    kb.sweep("swept.yaml", trust=True, jobs=2)
    table = kb.load("results/swept").runs
    assert len(table) == 4
    assert (table["step_check"] == "ok").all()
    by = ["batch_size", "model.arguments.units"]
    assert len(kb.compare("results/swept", by=by).table) == 4


@pytest.mark.parametrize(
    ("spec", "keys", "message"),
    [
        (
            SPEC,
            {"loss": {"prize": "mse", "kind": INDEX}},
            "names prize, and the model has the",
        ),
        (SPEC, {"loss": {"price": "mze", "kind": "mse"}}, "unknown loss 'mze'"),
        (SPEC, {"metrics": ["mae"]}, "write metrics by output, like {kind:"),
        (SPEC, {"metrics": {"sort": ["accuracy"]}}, "metrics names sort"),
        (SPEC, {"loss_weights": {"x": 1}}, "loss_weights names x"),
        (SPEC, {"model": {"python": "mine.py:one"}}, "and the model has one output"),
        (SPEC, {"model": "mlp"}, "has no name"),
        (SPEC, {"class_weight": "balanced"}, "weighs the classes of a single target"),
        (
            SPEC,
            {"loss": {"price": INDEX, "kind": INDEX}},
            "loss.price: sparse_categorical_crossentropy needs class numbers",
        ),
    ],
)
def test_faults(run: Any, spec: dict[str, Any], keys: dict[str, Any], message: str) -> None:
    with pytest.raises(kb.SpecError, match=message):
        run(spec, **keys)
    assert not Path("results").exists()
