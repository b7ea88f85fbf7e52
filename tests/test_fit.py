"""The fused engine against plain `model.fit` over the same batches: the contract."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tensorflow.python.ops.control_flow_v2_func_graphs import WhileBodyFuncGraph

import kerasbatch as kb
from kerasbatch.engine import arguments
from kerasbatch.engine.feed import Feed
from kerasbatch.engine.plain import fit_stream
from kerasbatch.engine.program import Program
from kerasbatch.steps import Budget, plan

L = keras.layers
RANDOM = np.random.RandomState(3)
N = 110
IMAGES = RANDOM.randint(0, 256, size=(N, 12, 12, 1)).astype(np.uint8)
TABLE = RANDOM.normal(size=(N, 6)).astype(np.float32)
SEQUENCES = RANDOM.normal(size=(N, 7, 3)).astype(np.float32)
WORDS = RANDOM.randint(0, 30, size=(N, 8))
CLASSES = RANDOM.randint(0, 4, size=N)
NUMBERS = TABLE @ RANDOM.normal(size=(6, 1)).astype(np.float32)


# Keras' own callbacks, and NumPy looking at Keras' variables, meet NumPy 2 with this warning.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning",
    "ignore:`shuffle=True` was passed, but will be ignored:UserWarning",
)


def mlp() -> keras.Model:
    return keras.Sequential([keras.Input((6,)), L.Dense(16, "relu"), L.Dense(4, "softmax")])


def convnet() -> keras.Model:
    layers = [L.Rescaling(1 / 255), L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D()]
    return keras.Sequential([keras.Input((12, 12, 1)), *layers, L.Flatten(), L.Dense(4, "softmax")])


def normalised() -> keras.Model:
    layers = [L.Dense(16), L.BatchNormalization(), L.Activation("relu"), L.Dense(4, "softmax")]
    return keras.Sequential([keras.Input((6,)), *layers])


def lstm() -> keras.Model:
    return keras.Sequential([keras.Input((7, 3)), L.LSTM(8), L.Dense(4, "softmax")])


def embedding() -> keras.Model:
    layers = [L.Embedding(30, 5), L.GlobalAveragePooling1D(), L.Dense(4, "softmax")]
    return keras.Sequential([keras.Input((8,)), *layers])


def regularized() -> keras.Model:
    layer = L.Dense(16, "relu", kernel_regularizer="l2", activity_regularizer="l1")
    return keras.Sequential([keras.Input((6,)), layer, L.Dense(4, "softmax")])


class Subclassed(keras.Model):
    """Built by its first batch; its train_step takes twice the loss and returns its own logs."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = L.Dense(16, "relu"), L.Dense(4, "softmax")
        self.own = keras.metrics.Mean(name="own")

    def call(self, inputs: Any) -> Any:
        return self.out(self.hidden(inputs))

    def train_step(self, data: Any) -> Any:
        import tensorflow as tf

        x, y = data
        with tf.GradientTape() as tape:
            loss = 2.0 * self.compute_loss(x=x, y=y, y_pred=self(x, training=True))
        weights = self.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        self.own.update_state(loss)
        return {"own": self.own.result(), "last": loss}


def two_in_two_out() -> keras.Model:
    a, b = keras.Input((6,), name="a"), keras.Input((7, 3), name="b")
    both = L.Concatenate()([L.Dense(8, "relu")(a), L.Flatten()(b)])
    outputs = {"c": L.Dense(4, "softmax", name="c")(both), "d": L.Dense(1, name="d")(both)}
    return keras.Model([a, b], outputs)


SPARSE = "sparse_categorical_crossentropy"


def pair(make: Callable[[], keras.Model], x: Any, y: Any, **options: Any) -> tuple[Any, Any]:
    """Train a model fused, and one like it by plain Keras over the same batches."""
    weights = options.pop("sample_weight", None)
    size, epochs = options.pop("batch_size", 8), options.pop("epochs", 8)
    jit = options.pop("jit_compile", None)
    optimizer = options.pop("optimizer", lambda: keras.optimizers.Adam(0.01))
    loss = options.pop("loss", SPARSE)
    histories, models = [], []
    for kind in ("fused", "plain"):
        keras.utils.set_random_seed(1)
        model = make()
        metrics = options.get("metrics", ["accuracy"])
        model.compile(optimizer(), loss, metrics=metrics)
        arrays = (x, y) if weights is None else (x, y, weights)
        if kind == "fused":
            history = kb.fit(
                model,
                x,
                y,
                sample_weight=weights,
                batch_size=size,
                epochs=epochs,
                seed=5,
                engine="fused",
                verbose=0,
                jit_compile=jit,
            )
        else:
            feed = Feed(arrays, plan(N, size, Budget("epochs", epochs)), seed=5)
            history = fit_stream(model, feed, verbose=0)
        histories.append(history)
        models.append(model)
    return models, histories


def assert_equal(models: Any, histories: Any, tolerance: float = 1e-5) -> None:
    fused, plain = models
    for mine, theirs in zip(fused.weights, plain.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=tolerance, rtol=tolerance, err_msg=mine.path)
    assert int(fused.optimizer.iterations) == int(plain.optimizer.iterations)
    mine, theirs = (history.history for history in histories)
    assert list(mine) == list(theirs)
    for name in mine:
        np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-4, atol=1e-5, err_msg=name)
    assert histories[0].epoch == histories[1].epoch


@pytest.mark.parametrize("jit", [True, False], ids=["xla", "loop"])
@pytest.mark.parametrize(
    ("make", "x"),
    [
        (mlp, TABLE),
        (normalised, TABLE),
        (lstm, SEQUENCES),
        (embedding, WORDS),
        (regularized, TABLE),
        (Subclassed, TABLE),
    ],
    ids=["mlp", "batchnorm", "lstm", "embedding", "regularizer", "custom train_step"],
)
def test_models(make: Any, x: Any, jit: bool) -> None:
    """112 steps, the last of every epoch on a partial batch."""
    optimizer = {"normalised": lambda: keras.optimizers.SGD(0.05)}.get(
        make.__name__, lambda: keras.optimizers.Adam(0.01)
    )
    metrics = None if make is Subclassed else ["accuracy"]
    options = {"optimizer": optimizer, "metrics": metrics, "jit_compile": jit}
    assert_equal(*pair(make, x, CLASSES, **options))


def test_a_convnet_on_uint8_images() -> None:
    """The images lie on the device in their own type."""
    assert_equal(*pair(convnet, IMAGES, CLASSES, jit_compile=False))


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        lambda: keras.optimizers.AdamW(0.01, weight_decay=0.01),
        lambda: keras.optimizers.RMSprop(0.005),
        lambda: keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 20, 0.5)),
        lambda: keras.optimizers.Adam(0.01, clipnorm=0.1),
        lambda: keras.optimizers.SGD(0.05, global_clipnorm=0.5),
        lambda: keras.optimizers.SGD(0.05, gradient_accumulation_steps=3),
        lambda: keras.optimizers.SGD(0.05, use_ema=True, ema_momentum=0.9),
        lambda: keras.optimizers.SGD(0.05, use_ema=True, ema_overwrite_frequency=5),
    ],
    ids=[
        "momentum",
        "adamw",
        "rmsprop",
        "schedule",
        "clipnorm",
        "global_clipnorm",
        "accumulation",
        "ema",
        "ema5",
    ],
)
def test_optimizers(optimizer: Any) -> None:
    """All state is Keras' own."""
    assert_equal(*pair(mlp, TABLE, CLASSES, optimizer=optimizer, jit_compile=True))


@pytest.mark.parametrize(("size", "epochs"), [(1, 1), (7, 7), (N, 100), (10, 10)])
def test_batch_sizes(size: int, epochs: int) -> None:
    """Stochastic, a ragged last batch, full batch, and one that divides n."""
    assert_equal(*pair(mlp, TABLE, CLASSES, batch_size=size, epochs=epochs, jit_compile=True))


def test_two_inputs_and_two_outputs() -> None:
    """A list of arrays in, a dict of arrays out, weights for each."""
    y = {"c": CLASSES, "d": NUMBERS}
    losses = {"c": SPARSE, "d": "mse"}
    metrics = {"c": ["accuracy"], "d": ["mae"]}
    options = {"loss": losses, "metrics": metrics, "jit_compile": True}
    assert_equal(*pair(two_in_two_out, [TABLE, SEQUENCES], y, **options))


def test_sample_weights() -> None:
    """They travel with their examples."""
    weights = RANDOM.uniform(0.1, 2.0, size=N).astype(np.float32)
    assert_equal(*pair(mlp, TABLE, CLASSES, sample_weight=weights, jit_compile=True))


def ready(make: Callable[[], keras.Model] = mlp, **options: Any) -> keras.Model:
    keras.utils.set_random_seed(1)
    model = make()
    model.compile(keras.optimizers.Adam(0.01), SPARSE, metrics=["accuracy"], **options)
    return model


def test_class_weights_are_sample_weights() -> None:
    """As in Keras."""
    class_weight = {0: 1.0, 1: 2.0, 2: 0.5, 3: 1.5}
    weights = np.array([class_weight[c] for c in CLASSES], np.float32)
    first, second = ready(), ready()
    kb.fit(first, TABLE, CLASSES, class_weight=class_weight, epochs=3, seed=1, verbose=0)
    kb.fit(second, TABLE, CLASSES, sample_weight=weights, epochs=3, seed=1, verbose=0)
    for mine, theirs in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(ValueError, match="no sample_weight beside it"):
        kb.fit(first, TABLE, CLASSES, class_weight=class_weight, sample_weight=weights)


def test_class_weights_leave_the_validation_alone() -> None:
    """As in Keras: the part split off is measured without them."""
    model = ready()
    heavy = {0: 1.0, 1: 9.0, 2: 0.5, 3: 1.5}
    options = {"validation_split": 0.2, "class_weight": heavy, "verbose": 0}
    history = kb.fit(model, TABLE, CLASSES, **options)
    loss, _ = model.evaluate(TABLE[88:], CLASSES[88:], verbose=0)
    assert history.history["val_loss"][-1] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("split", [True, False], ids=["split", "data"])
def test_validation_is_that_of_keras(split: bool) -> None:
    """val_ metrics equal those of evaluate on the same part."""
    model = ready()
    if split:
        options: dict[str, Any] = {"validation_split": 0.2}
        held = TABLE[88:], CLASSES[88:]
    else:
        held = TABLE[:33], CLASSES[:33]
        options = {"validation_data": held}
    history = kb.fit(model, TABLE, CLASSES, epochs=3, verbose=0, validation_freq=1, **options)
    loss, accuracy = model.evaluate(*held, verbose=0)
    assert history.history["val_loss"][-1] == pytest.approx(loss, rel=1e-5)
    assert history.history["val_accuracy"][-1] == pytest.approx(accuracy, rel=1e-5)
    assert list(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]


def test_callbacks_of_keras(tmp_path: Path) -> None:
    """Epoch callbacks behave as in fit; params and batches speak of steps."""
    heard: list[int] = []

    class Listener(keras.callbacks.Callback):
        hears_blocks = True

        def on_train_begin(self, logs: Any = None) -> None:
            assert self.params["steps"] == 14
            assert self.params["epochs"] == 30

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            assert set(logs) == {"loss", "accuracy"}
            heard.append(batch)

    stopper = keras.callbacks.EarlyStopping("loss", patience=0, min_delta=10.0)
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "m.keras", monitor="loss")
    logger = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    counter = kb.StepCounter(train_examples=N, batch_size=8)
    model = ready()
    callbacks = [Listener(), stopper, schedule, checkpoint, logger, counter]
    history = kb.fit(
        model,
        TABLE,
        CLASSES,
        batch_size=8,
        epochs=30,
        callbacks=callbacks,
        verbose=0,
        engine="fused",
    )
    assert history.epoch == [0, 1]
    first = heard[: heard.index(13) + 1]
    second = heard[len(first) :]
    assert first[-1] == second[-1] == 13
    assert first == sorted(set(first))
    assert second == sorted(set(second))
    assert history.history["learning_rate"] == pytest.approx([0.1, 0.05])
    assert len((tmp_path / "log.csv").read_text(encoding="utf-8").splitlines()) == 3
    assert counter.check() == "ended_early: early_stop"
    assert counter.steps["check"].tolist() == ["ok", "ok"]
    saved = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(saved.predict(TABLE, verbose=0), model.predict(TABLE, verbose=0))


def test_reduce_on_plateau_changes_the_rate_inside_the_program() -> None:
    """The learning rate is a variable, also for XLA."""
    plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=1, min_delta=100)
    model = ready()
    kb.fit(model, TABLE, CLASSES, epochs=5, callbacks=[plateau], verbose=0, jit_compile=True)
    assert float(model.optimizer.learning_rate) < 0.001


def test_terminate_on_nan_stops_at_the_step() -> None:
    """Not at the end of a block."""
    model = keras.Sequential([keras.Input((6,)), L.Dense(1)])
    model.compile(keras.optimizers.SGD(1e15), "mse")
    counter = kb.StepCounter(train_examples=N, batch_size=1)
    with np.errstate(all="ignore"):
        kb.fit(
            model,
            TABLE,
            NUMBERS,
            batch_size=1,
            epochs=3,
            callbacks=[keras.callbacks.TerminateOnNaN(), counter],
            verbose=0,
            engine="fused",
        )
    assert 0 < counter.observed_steps < 20
    assert counter.verdict() == "ended_early: early_stop"


def test_the_model_is_as_if_nothing_had_been_there(tmp_path: Path) -> None:
    """fit, evaluate, predict and save by plain Keras work afterwards, and agree."""
    model, other = ready(), ready()
    for each in (model, other):
        kb.fit(each, TABLE, CLASSES, epochs=2, seed=3, verbose=0, validation_split=0.1)
    assert model.train_function is None
    assert model.test_function is None
    assert "train_step" not in vars(model)
    keras.utils.set_random_seed(2)
    model.fit(TABLE, CLASSES, epochs=2, verbose=0, shuffle=False)
    fresh = keras.models.clone_model(other)
    fresh.compile(keras.optimizers.Adam(0.01), SPARSE, metrics=["accuracy"])
    fresh.set_weights(other.get_weights())
    fresh.optimizer.build(fresh.trainable_variables)
    for mine, theirs in zip(fresh.optimizer.variables, other.optimizer.variables, strict=True):
        mine.assign(theirs)
    fresh.fit(TABLE, CLASSES, epochs=2, verbose=0, shuffle=False)
    for mine, theirs in zip(model.weights, fresh.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert loaded.evaluate(TABLE, CLASSES, verbose=0) == pytest.approx(
        model.evaluate(TABLE, CLASSES, verbose=0), rel=1e-5
    )


def test_fitting_on_is_fitting_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two calls with initial_epoch equal one, and compile once."""
    once, twice = ready(), ready()
    kb.fit(once, TABLE, CLASSES, epochs=4, seed=1, verbose=0, jit_compile=True)
    kb.fit(twice, TABLE, CLASSES, epochs=2, seed=1, verbose=0, jit_compile=True)
    monkeypatch.setattr(Program, "_block", None)  # tracing anew would fail
    second = kb.fit(
        twice,
        TABLE,
        CLASSES,
        epochs=4,
        initial_epoch=2,
        seed=1,
        verbose=0,
        jit_compile=True,
        engine="fused",
    )
    for mine, theirs in zip(once.weights, twice.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)
    assert second.epoch == [2, 3]


def test_the_order_is_ours_and_reported() -> None:
    """seed=None draws one; the same seed gives the same weights; shuffle=False keeps the order."""
    first = ready()
    history = kb.fit(first, TABLE, CLASSES, epochs=2, verbose=0)
    second = ready()
    kb.fit(second, TABLE, CLASSES, epochs=2, verbose=0, seed=history.kerasbatch.seed)
    for mine, theirs in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    unshuffled, plain = ready(), ready()
    kb.fit(unshuffled, TABLE, CLASSES, epochs=3, shuffle=False, verbose=0)
    plain.fit(TABLE, CLASSES, epochs=3, shuffle=False, verbose=0)
    for mine, theirs in zip(unshuffled.weights, plain.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_the_seed_of_keras_makes_fit_repeatable() -> None:
    """seed=None draws from a generator that `set_random_seed` sets."""
    model, drawn = ready(), []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        drawn.append(kb.fit(model, TABLE, CLASSES, verbose=0).kerasbatch.seed)
        drawn.append(kb.fit(model, TABLE, CLASSES, verbose=0).kerasbatch.seed)
    assert drawn[:2] == drawn[2:]
    assert drawn[0] != drawn[1]


def test_steps_per_epoch_goes_on_in_the_data() -> None:
    """Epochs of two steps pass over 10 x 10 examples as Keras does, and then begin anew."""
    x, y = TABLE[:100], CLASSES[:100]
    options = {"batch_size": 10, "epochs": 7, "steps_per_epoch": 2, "shuffle": False, "verbose": 0}
    mine, theirs = ready(), ready()
    first, second = kb.fit(mine, x, y, **options), theirs.fit(x, y, **options)
    np.testing.assert_allclose(first.history["loss"], second.history["loss"], rtol=1e-4)
    assert int(mine.optimizer.iterations) == 14


@pytest.mark.parametrize("steps", [1, 3, 14, 20])
def test_an_epoch_of_any_length_misses_no_example(steps: int) -> None:
    """Every pass over the data has each example once, wherever epochs begin."""
    made = arguments.feed(
        (TABLE,), batch_size=8, epochs=22, steps_per_epoch=steps, sampling="shuffle", seed=0
    )
    seen = np.concatenate([made.order(epoch) for epoch in range(1, 23)])
    for start in range(0, len(seen) - N + 1, N):
        assert sorted(seen[start : start + N]) == list(range(N))
    assert len(made.order(1)) == (N if steps == 14 else 8 * steps)


def test_fewer_examples_than_the_default_batch() -> None:
    """As Keras: one step of all."""
    model = ready()
    kb.fit(model, TABLE[:20], CLASSES[:20], epochs=3, verbose=0)
    assert int(model.optimizer.iterations) == 3


def test_numbers_of_numpy_and_tables_of_pandas() -> None:
    """What Keras takes: the loop `for b in np.array([...])`, DataFrames and Series."""
    import pandas as pd

    model, other = ready(), ready()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = kb.fit(
            model,
            pd.DataFrame(TABLE),
            pd.Series(CLASSES),
            batch_size=np.int64(16),
            epochs=np.int64(2),
            steps_per_epoch=np.int64(3),
            seed=np.int64(1),
            verbose=0,
        )
    assert history.kerasbatch.engine == "fused"
    kb.fit(other, TABLE, CLASSES, batch_size=16, epochs=2, steps_per_epoch=3, seed=1, verbose=0)
    for mine, theirs in zip(model.weights, other.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_validation_steps_measure_the_first_batches() -> None:
    """Two batches of 10 of the validation data."""
    model = ready()
    options = {"validation_steps": 2, "validation_batch_size": 10, "verbose": 0}
    history = kb.fit(model, TABLE, CLASSES, validation_data=(TABLE, CLASSES), **options)
    loss, _ = model.evaluate(TABLE[:20], CLASSES[:20], verbose=0)
    assert history.history["val_loss"][-1] == pytest.approx(loss, rel=1e-5)


def test_many_models_are_no_reason_to_warn(caplog: pytest.LogCaptureFixture) -> None:
    """TensorFlow takes a program for every model for a function that is traced too often."""
    for _ in range(6):
        kb.fit(ready(), TABLE, CLASSES, validation_split=0.2, verbose=0)
    assert "retracing" not in caplog.text


class EveryBatch(keras.callbacks.Callback):
    count = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.count += 1


def test_what_needs_every_batch_gets_every_batch() -> None:
    """Plain fit over the same batches trains then, and says so."""
    counter, fused, plain = EveryBatch(), ready(), ready()
    kb.fit(fused, TABLE, CLASSES, epochs=2, seed=4, verbose=0)
    with pytest.warns(UserWarning, match="EveryBatch needs to hear of every batch"):
        history = kb.fit(plain, TABLE, CLASSES, epochs=2, seed=4, verbose=0, callbacks=[counter])
    assert counter.count == 8
    assert history.kerasbatch.engine == "keras"
    for mine, theirs in zip(fused.weights, plain.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    with pytest.raises(kb.EngineError, match="EveryBatch needs to hear of every batch"):
        kb.fit(plain, TABLE, CLASSES, callbacks=[counter], engine="fused")


@pytest.mark.parametrize("kind", ["dataset", "generator", "eager", "memory"])
def test_what_cannot_be_fused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is passed to plain fit with a warning, and refused where fused was asked for."""
    import tensorflow as tf

    model = ready(run_eagerly=kind == "eager")
    x: Any = TABLE
    y: Any = CLASSES
    words = {
        "dataset": "a tf.data.Dataset is no array",
        "generator": "generator is no array",
        "eager": "the model runs eagerly",
        "memory": "GB of free memory",
    }[kind]
    if kind == "dataset":
        x, y = tf.data.Dataset.from_tensor_slices((TABLE, CLASSES)).batch(10), None
    if kind == "generator":
        x, y = ((TABLE[:10], CLASSES[:10]) for _ in range(11)), None
    if kind == "memory":
        monkeypatch.setattr("kerasbatch.engine.choice.MEMORY_SHARE", 1e-9)
    with pytest.raises(kb.EngineError, match=words):
        kb.fit(model, x, y, engine="fused", verbose=0)
    steps = 11 if kind == "generator" else None
    with pytest.warns(UserWarning, match=words):
        history = kb.fit(
            model, x, y, steps_per_epoch=steps if kind == "generator" else None, verbose=0
        )
    assert history.kerasbatch.engine == "keras"
    assert int(model.optimizer.iterations) == (4 if kind in ("eager", "memory") else 11)


def test_a_layer_that_xla_cannot_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs in blocks without XLA, which is not tried a second time."""
    import tensorflow as tf

    class Host(L.Layer):
        def call(self, inputs: Any) -> Any:
            return tf.ensure_shape(tf.numpy_function(lambda v: v, [inputs], tf.float32), (None, 6))

    def hosted() -> keras.Model:
        return keras.Sequential([keras.Input((6,)), Host(), L.Dense(4, "softmax")])

    model, jitted = ready(hosted), []
    honest = Program.__init__

    def counted(self: Program, *arguments: Any, **options: Any) -> None:
        jitted.append(options["jit_compile"])
        honest(self, *arguments, **options)

    monkeypatch.setattr(Program, "__init__", counted)
    for _ in range(2):
        history = kb.fit(model, TABLE, CLASSES, epochs=2, verbose=0, jit_compile=True)
        assert history.kerasbatch.engine == "fused"
        assert "without XLA, which cannot compile this model" in history.kerasbatch.why
    assert jitted == [True, False]


def test_a_step_that_no_program_can_hold() -> None:
    """Plain fit trains what cannot be compiled, and says so."""

    class Once(L.Layer):
        calls = 0

        def call(self, inputs: Any) -> Any:
            import tensorflow as tf

            if tf.inside_function() and isinstance(
                tf.compat.v1.get_default_graph(), WhileBodyFuncGraph
            ):
                raise RuntimeError("not in a loop")
            return inputs

    model = ready(lambda: keras.Sequential([keras.Input((6,)), Once(), L.Dense(4, "softmax")]))
    with pytest.warns(UserWarning, match=r"cannot be compiled \(RuntimeError.*not in a loop"):
        history = kb.fit(model, TABLE, CLASSES, epochs=2, verbose=0)
    assert history.kerasbatch.engine == "keras"
    assert int(model.optimizer.iterations) == 8
    with pytest.raises(kb.EngineError, match="use engine auto or keras"):
        kb.fit(model, TABLE, CLASSES, engine="fused", verbose=0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"x": TABLE[:50]}, r"x 50, y 110; every array must have as many"),
        ({"x": {"a": TABLE, "b": TABLE[:7]}}, r"x\['a'\] 110, x\['b'\] 7, y 110"),
        ({"x": TABLE * np.nan}, "^x: 660 values are not finite"),
        ({"y": np.where(CLASSES == 0, np.nan, 1.0)}, "^y: .* are not finite"),
        ({"x": TABLE[:0], "y": CLASSES[:0]}, "there is no example"),
        ({"x": None}, "^x: there is none"),
        ({"y": CLASSES.tolist()}, r"found Python numbers; write np.array\(y\)"),
        ({"batch_size": 111}, "more than the 110 training examples"),
        ({"batch_size": 0}, "found 0; must be a whole number, 1 or more"),
        ({"batch_size": 16.0}, "found 16.0; must be a whole number"),
        ({"batch_size": True}, "found True; must be a whole number"),
        ({"batch_size": "16"}, "found '16'; must be a whole number"),
        ({"epochs": 0, "seed": -1}, "epochs: found 0.*\n.*seed: found -1"),
        ({"validation_data": (TABLE[:5], CLASSES[:4])}, "validation_data.x 5, validation_data.y 4"),
        ({"validation_split": -0.1}, "validation_split: found -0.1"),
        ({"engine": "turbo"}, "found 'turbo'; must be one of auto, fused, keras"),
        ({"jit_compile": "yes"}, "must be True, False or None"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], words: str) -> None:
    """The same errors as the spec gives."""
    given = {"x": TABLE, "y": CLASSES, "verbose": 0} | arguments
    with pytest.raises(kb.SpecError, match=words):
        kb.fit(ready(), given.pop("x"), given.pop("y"), **given)


def test_a_model_that_is_not_compiled_is_told_so_by_keras() -> None:
    """And nothing is said of engines."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="must call `compile"):
            kb.fit(mlp(), TABLE, CLASSES)


def test_limits_in_the_environment_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras would cut the training with a warning only."""
    monkeypatch.setenv("KERAS_MAX_EPOCHS", "1")
    with pytest.raises(kb.EngineError, match="KERAS_MAX_EPOCHS=1 would cut the training short"):
        kb.fit(ready(), TABLE, CLASSES)
