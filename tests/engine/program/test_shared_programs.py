"""Models that are built anew use the compiled functions of the one before."""

import gc
import threading
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from corner_support import CLASSES, SPARSE, TABLE, L

import kerasbatch as kb
from kerasbatch.engine.model_state import all_variables
from kerasbatch.engine.program import shared
from kerasbatch.engine.program.configuration import configuration
from kerasbatch.engine.tensorflow.step_loop import StepLoop

ONE_HOT = np.eye(4, dtype="float32")[CLASSES]


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the models whose steps are traced."""
    keras.utils.clear_session()
    counts: list[int] = []
    honest = StepLoop.trace

    def trace(self: StepLoop, *arguments: Any, **options: Any) -> Any:
        counts.append(self.live_model().count_params())
        return honest(self, *arguments, **options)

    monkeypatch.setattr(StepLoop, "trace", trace)
    return counts


def fresh(seed: int = 0, units: int = 8, rate: float = 0.01, **options: Any) -> keras.Model:
    keras.utils.set_random_seed(seed)
    layers = [L.Dense(units, "relu"), L.BatchNormalization(), L.Dropout(0.2), L.Dense(4, "softmax")]
    model = keras.Sequential([keras.Input((6,)), *layers])
    model.compile(keras.optimizers.Adam(rate), SPARSE, **({"metrics": ["accuracy"]} | options))
    return model


def fit(model: keras.Model, **options: Any) -> dict[str, Any]:
    given = {"epochs": 3, "batch_size": 16, "verbose": 0, "engine": "fused"} | options
    history: dict[str, Any] = kb.fit(model, TABLE, CLASSES, **given).history
    return history


def values(model: keras.Model) -> list[Any]:
    return [np.asarray(variable) for variable in all_variables(model)]


def assert_same(one: list[Any], other: list[Any]) -> None:
    for value, expected in zip(one, other, strict=True):
        np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize(
    "jit", [pytest.param(True, marks=pytest.mark.slow), False], ids=["xla", "loop"]
)
def test_a_loop_of_fresh_models(jit: bool, traces: list[int]) -> None:
    """Each is exactly as if it had been trained alone: weights, moments, metrics, random states."""
    held_out = (TABLE[:30], CLASSES[:30])
    options = {"jit_compile": jit, "validation_data": held_out}
    loop = []
    for seed in range(3):
        model = fresh(seed, rate=0.01 * (seed + 1))
        loop.append((fit(model, **options), values(model), model.predict(TABLE, verbose=0)))
    assert len(traces) == (2 if jit else 1)  # partial batches need no XLA
    for seed in range(3):
        keras.utils.clear_session()
        model = fresh(seed, rate=0.01 * (seed + 1))
        history, state, predictions = loop[seed]
        assert fit(model, **options) == history
        assert_same(values(model), state)
        np.testing.assert_array_equal(model.predict(TABLE, verbose=0), predictions)
    assert len(traces) == 4 * (2 if jit else 1)


def test_two_models_in_turn(traces: list[int]) -> None:
    """Each keeps its own state, whichever was trained last."""
    pair, alone = [fresh(0), fresh(1)], [fresh(0), fresh(1)]
    for _ in range(2):
        for model in pair:
            fit(model)
    for model in alone:
        for _ in range(2):
            fit(model)
    for model, expected in zip(pair, alone, strict=True):
        assert_same(values(model), values(expected))
    assert len(traces) == 1


def test_a_model_that_is_trained_inside_the_training_of_another(traces: list[int]) -> None:
    inner = fresh(1)

    class Trains(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            fit(inner, epochs=1)

    outer, alone = fresh(0), fresh(0)
    fit(outer, callbacks=[Trains()])
    fit(alone)
    assert_same(values(outer), values(alone))
    assert int(inner.optimizer.iterations) == 3 * 7
    assert len(traces) == 1


def test_a_model_that_is_compiled_again(traces: list[int]) -> None:
    """It has a new optimizer of the same configuration, with variables of its own."""
    model = fresh()
    fit(model)
    first, state = model.optimizer, [np.asarray(each) for each in model.optimizer.variables]
    model.compile(keras.optimizers.Adam(0.01), SPARSE, metrics=["accuracy"])
    fit(model)
    assert int(model.optimizer.iterations) == 21
    assert_same([np.asarray(each) for each in first.variables], state)
    assert len(traces) == 1


def test_two_threads(traces: list[int]) -> None:
    """Models that share functions are trained at the same time."""
    models, alone = [fresh(0), fresh(1)], [fresh(0), fresh(1)]
    for model in (*models, *alone):
        fit(model)
    threads = [
        threading.Thread(target=fit, args=(model,), kwargs={"epochs": 40, "seed": 1})
        for model in models
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for model, expected in zip(models, alone, strict=True):
        fit(expected, epochs=40, seed=1)
        assert_same(values(model), values(expected))
    assert len(traces) == 1


def small(activation: Any = "relu", loss: Any = "mse", **options: Any) -> keras.Model:
    """Return a small model whose program others may use, without these arguments."""
    keras.utils.set_random_seed(0)
    layers = [L.Dense(5, activation), L.Dense(4, "softmax")]
    model = keras.Sequential([keras.Input((6,)), *layers])
    model.compile(**({"optimizer": "sgd", "loss": loss} | options))
    return model


def relu(x: Any) -> Any:
    return keras.ops.maximum(0.3 * x, x) - 1


class Doubled(L.Dense):
    def call(self, inputs: Any) -> Any:
        return 2 * super().call(inputs)


class Weighted(keras.losses.MeanSquaredError):
    weight = 1.0

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.weight * super().call(y_true, y_pred)


def weighted(weight: float) -> Weighted:
    loss = Weighted()
    loss.weight = weight
    return loss


def with_own_loss_method() -> keras.Model:
    model = small()
    model.compute_loss = lambda x, y, y_pred, sample_weight, training: keras.ops.mean(y_pred**2)
    return model


def with_regularized_kernel() -> keras.Model:
    model = small()
    model.layers[0].kernel.regularizer = keras.regularizers.L2(1.0)
    return model


def without_decay() -> keras.Model:
    optimizer = keras.optimizers.AdamW(weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["kernel", "bias"])
    return small(optimizer=optimizer)


def with_frozen_layer() -> keras.Model:
    model = small()
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    return model


DIFFERENT = {
    "loss argument": (
        lambda: small(loss=keras.losses.Huber(1.0)),
        lambda: small(loss=keras.losses.Huber(0.01)),
    ),
    "loss axis": (
        lambda: small(loss=keras.losses.CosineSimilarity(axis=-1)),
        lambda: small(loss=keras.losses.CosineSimilarity(axis=0)),
    ),
    "own activation": (small, lambda: small(relu)),
    "own loss": (small, lambda: small(loss=lambda y, p: keras.ops.mean(p))),
    "own loss class": (lambda: small(loss=weighted(1)), lambda: small(loss=weighted(10))),
    "own loss method": (small, with_own_loss_method),
    "regularizer": (small, with_regularized_kernel),
    "decay": (lambda: small(optimizer=keras.optimizers.AdamW(weight_decay=0.5)), without_decay),
    "frozen layer": (small, with_frozen_layer),
    "average": (
        lambda: small(optimizer=keras.optimizers.SGD(use_ema=True, ema_momentum=0.9)),
        lambda: small(optimizer=keras.optimizers.SGD(use_ema=True, ema_momentum=0.1)),
    ),
    "clip": (small, lambda: small(optimizer=keras.optimizers.SGD(clipnorm=1e-3))),
    "metric": (
        lambda: small(metrics=[keras.metrics.CosineSimilarity(axis=-1)]),
        lambda: small(metrics=[keras.metrics.CosineSimilarity(axis=0)]),
    ),
}


@pytest.mark.parametrize("pair", DIFFERENT.values(), ids=DIFFERENT)
def test_a_model_is_trained_by_a_program_of_its_own(
    pair: tuple[Callable[[], keras.Model], ...], traces: list[int]
) -> None:
    """Whatever was trained before it, that differs in one part only."""

    def trained(model: keras.Model) -> tuple[dict[str, Any], list[Any]]:
        options: dict[str, Any] = {
            "epochs": 2,
            "batch_size": 16,
            "verbose": 0,
            "engine": "fused",
            "jit_compile": False,
        }
        history: dict[str, Any] = kb.fit(model, TABLE, ONE_HOT, **options).history
        return history, values(model)

    trained(pair[0]())
    history, state = trained(pair[1]())
    keras.utils.clear_session()
    expected, alone = trained(pair[1]())
    assert history == expected
    assert_same(state, alone)
    assert len(traces) == 3


def test_a_setting_of_keras_counts(traces: list[int]) -> None:
    fit(fresh())
    epsilon = keras.config.epsilon()
    keras.config.set_epsilon(0.2)
    try:
        fit(fresh())
    finally:
        keras.config.set_epsilon(epsilon)
    assert len(traces) == 2


def own_layer() -> keras.Model:
    model = keras.Sequential([keras.Input((6,)), Doubled(4)])
    model.compile("sgd", SPARSE)
    return model


def own_step() -> keras.Model:
    class Own(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            return super().train_step(data)

    model = Own([keras.Input((6,)), L.Dense(4)])
    model.compile("sgd", SPARSE)
    return model


def adapted() -> keras.Model:
    normal = L.Normalization()
    normal.adapt(TABLE * np.random.rand())
    model = keras.Sequential([keras.Input((6,)), normal, L.Dense(4)])
    model.compile("sgd", SPARSE)
    return model


def large() -> keras.Model:
    model = keras.Sequential([keras.Input((6,)), L.Dense(2_000_000), L.Dense(4)])
    model.compile("adam", SPARSE)
    return model


@pytest.mark.parametrize("make", [own_layer, own_step, adapted, large])
def test_models_that_share_nothing(make: Callable[[], keras.Model]) -> None:
    """Code of the user may do anything; an adapted layer keeps more than variables."""
    model = make()
    model.optimizer.build(model.trainable_variables)
    assert configuration(model) is None


@pytest.mark.parametrize(
    "change",
    [
        {"units": 9},
        {"metrics": ["sparse_top_k_categorical_accuracy"]},
        {"loss_weights": [2.0]},
        {"weighted_metrics": ["accuracy"]},
    ],
)
def test_models_of_another_configuration(change: dict[str, Any], traces: list[int]) -> None:
    fit(fresh())
    fit(fresh(**change))
    assert len(traces) == 2


@pytest.mark.parametrize("name", ["Dropout", "BatchNormalization", "LeakyReLU"])
def test_an_argument_of_a_layer_counts(name: str) -> None:
    def of(value: float) -> str | None:
        argument = {"Dropout": "rate", "BatchNormalization": "momentum"}.get(name, "negative_slope")
        layer = getattr(L, name)(**{argument: value})
        model = keras.Sequential([keras.Input((6,)), layer, L.Dense(4)])
        model.compile("sgd", SPARSE)
        return configuration(model)

    assert of(0.2) == of(0.2) is not None
    assert of(0.2) != of(0.3)


def test_names_of_layers_do_not_count_but_where_they_meet() -> None:
    def of(first: str, second: str) -> str | None:
        inputs = keras.Input((6,))
        left, right = L.Dense(4, name=first)(inputs), L.Dense(4, name=second)(inputs)
        model = keras.Model(inputs, L.Subtract()([left, right]))
        model.compile("sgd", "mse")
        return configuration(model)

    assert of("a", "b") == of("b", "a") == of("relu", "tanh")

    def of_order(swapped: bool) -> str | None:
        inputs = keras.Input((6,))
        left, right = L.Dense(4)(inputs), L.Dense(4, "relu")(inputs)
        parts = [right, left] if swapped else [left, right]
        model = keras.Model(inputs, L.Subtract()(parts))
        model.compile("sgd", "mse")
        return configuration(model)

    assert of_order(swapped=False) == of_order(swapped=False)
    assert of_order(swapped=False) != of_order(swapped=True)


def test_functions_outlive_their_model(traces: list[int]) -> None:
    """A new one uses them."""
    fit(fresh())
    gc.collect()
    fit(fresh(3))
    assert len(traces) == 1


def test_only_some_functions_are_kept(traces: list[int]) -> None:
    for units in range(1, shared.MAX_KEPT + 3):
        fit(fresh(units=units))
    assert len(traces) == shared.MAX_KEPT + 2
    fit(fresh(units=units))
    assert len(traces) == shared.MAX_KEPT + 2
    fit(fresh(units=1))
    assert len(traces) == shared.MAX_KEPT + 3


def test_the_kept_functions_have_a_size(traces: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "MAX_KEPT_BYTES", 3_200)
    for units in (8, 9, 8, 10, 8, 9):
        fit(fresh(units=units))
    assert len(traces) == 4  # these models take 1,400 to 1,750 bytes


def test_clear_session_lets_go(traces: list[int]) -> None:
    fit(fresh())
    keras.utils.clear_session()
    fit(fresh())
    assert len(traces) == 2


def test_under_a_gradient_tape(traces: list[int]) -> None:
    fit(fresh())
    with tf.GradientTape():
        fit(fresh(1))
    alone = fresh(1)
    fit(alone)
    assert len(traces) == 1
