"""`kerasbatch.fit` where a drop-in is easily wrong: compared with `model.fit` itself.

Both train in the order of the data, so that the numbers of the two can be laid side by side.
"""

import gc
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasbatch as kb
from kerasbatch.engine import choice
from kerasbatch.engine.fused import FusedTraining
from kerasbatch.engine.program import Program

L = keras.layers
RANDOM = np.random.RandomState(5)
N = 110
TABLE = RANDOM.normal(size=(N, 6)).astype(np.float32)
SEQUENCES = RANDOM.normal(size=(N, 7, 3)).astype(np.float32)
CLASSES = RANDOM.randint(0, 4, size=N)
WEIGHTS = RANDOM.uniform(0.5, 2.0, size=N).astype(np.float32)
SPARSE = "sparse_categorical_crossentropy"

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning",
)


def dense() -> keras.Model:
    return keras.Sequential([keras.Input((6,)), L.Dense(8, "relu"), L.Dense(4, "softmax")])


def compiled(make: Callable[[], keras.Model] = dense, **options: Any) -> keras.Model:
    keras.utils.set_random_seed(2)
    model = make()
    model.compile(**{"optimizer": "adam", "loss": SPARSE, "metrics": ["accuracy"]} | options)
    return model


def both(
    make: Callable[[], keras.Model], x: Any, y: Any = None, **options: Any
) -> tuple[keras.Model, keras.Model]:
    """Train one model by each, compare weights and histories, and return the two."""
    settings = {key: options.pop(key) for key in ("optimizer", "loss", "metrics") if key in options}
    fused, plain = compiled(make, **settings), compiled(make, **settings)
    fixed = {"batch_size": 8, "epochs": 2, "shuffle": False, "verbose": 0} | options
    mine = kb.fit(fused, x, y, **fixed)
    theirs = plain.fit(x, y, **fixed)
    assert mine.kerasbatch.engine == "fused"
    assert list(mine.history) == list(theirs.history)
    for name in mine.history:
        np.testing.assert_allclose(mine.history[name], theirs.history[name], rtol=1e-4, atol=1e-6)
    for first, second in zip(fused.weights, plain.weights, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-5, err_msg=first.path)
    return fused, plain


class Autoencoder(keras.Model):
    """Its train_step takes what Keras gives where there is no y: x itself."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = L.Dense(6)

    def call(self, inputs: Any) -> Any:
        return self.inner(inputs)

    def train_step(self, data: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(data) - data) ** 2)
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss, "rows": tf.cast(tf.shape(data)[0], tf.float32)}


class Inner(keras.Model):
    """Its train_step updates the weights several times, in a loop of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.out = L.Dense(4, "softmax")

    def call(self, inputs: Any) -> Any:
        return self.out(inputs)

    def train_step(self, data: Any) -> Any:
        x, y = data

        def update(i: Any, _: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = self.compute_loss(x, y, self(x, training=True))
            weights = self.trainable_variables
            self.optimizer.apply(tape.gradient(loss, weights), weights)
            return i + 1, loss

        _, loss = tf.while_loop(lambda i, _: i < 5, update, (0, 0.0))
        return {"loss": loss}


class MoreMetrics(keras.Sequential):
    """Adds to the logs where Keras' documentation says to."""

    def compute_metrics(self, *arguments: Any, **options: Any) -> Any:
        return super().compute_metrics(*arguments, **options) | {"extra": tf.constant(7.0)}


def recurrent(*layers: keras.layers.Layer) -> Callable[[], keras.Model]:
    configs = [(type(layer), layer.get_config()) for layer in layers]

    def make() -> keras.Model:
        fresh = [kind.from_config(config) for kind, config in configs]
        return keras.Sequential([keras.Input((7, 3)), *fresh, L.Dense(4, "softmax")])

    return make


def test_without_y_a_step_gets_x_itself() -> None:
    both(Autoencoder, TABLE, loss=None, metrics=None)


def test_a_step_with_a_loop_of_its_own() -> None:
    """Weights that it writes are read again inside the loop."""
    both(Inner, TABLE, CLASSES, metrics=None, epochs=1)


def test_logs_of_compute_metrics_and_of_a_step_set_on_the_model() -> None:
    def more() -> keras.Model:
        return MoreMetrics([keras.Input((6,)), L.Dense(4, "softmax")])

    both(more, TABLE, CLASSES, validation_data=(TABLE[:30], CLASSES[:30]))
    model = compiled()
    step = model.train_step
    model.train_step = lambda data: step(data) | {"own": tf.constant(3.0)}
    history = kb.fit(model, TABLE, CLASSES, verbose=0)
    assert history.history["own"] == [3.0]


@pytest.mark.parametrize(
    "layers",
    [
        (L.LSTM(5, return_sequences=True), L.LSTM(4)),
        (L.Bidirectional(L.GRU(4)),),
        (L.Masking(0.0), L.LSTM(4)),
        (L.SimpleRNN(5, return_sequences=True), L.GlobalAveragePooling1D()),
    ],
    ids=["stacked", "bidirectional", "masked", "simple"],
)
def test_recurrent_layers_under_xla(layers: Any) -> None:
    """Their weights are read before their loops."""
    sequences = np.where(np.arange(7)[None, :, None] < 5, SEQUENCES, 0.0).astype(np.float32)
    fused, plain = compiled(recurrent(*layers)), compiled(recurrent(*layers))
    kb.fit(fused, sequences, CLASSES, shuffle=False, verbose=0, jit_compile=True)
    plain.fit(sequences, CLASSES, shuffle=False, verbose=0)
    for first, second in zip(fused.weights, plain.weights, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-5, err_msg=first.path)


def test_validation_with_everything() -> None:
    """Sample weights, ragged sizes, a frequency, and a batch size as Keras uses it."""
    held = (TABLE[:37], CLASSES[:37], WEIGHTS[:37])
    options = {"validation_data": held, "validation_freq": 2, "validation_batch_size": 5}
    both(dense, TABLE, CLASSES, epochs=5, sample_weight=WEIGHTS, **options)


def two_outputs() -> keras.Model:
    x = keras.Input((6,))
    return keras.Model(x, {"c": L.Dense(4, "softmax", name="c")(x), "d": L.Dense(1, name="d")(x)})


def test_an_output_without_weights_beside_one_with_weights() -> None:
    y = {"c": CLASSES, "d": TABLE[:, :1]}
    losses = {"c": SPARSE, "d": "mse"}
    weights = {"c": WEIGHTS, "d": None}
    held = (TABLE[:37], {"c": CLASSES[:37], "d": TABLE[:37, :1]})
    options = {"loss": losses, "metrics": None}
    both(two_outputs, TABLE, y, sample_weight=weights, validation_data=held, **options)
    with pytest.raises(ValueError, match="class_weight needs a single output"):
        kb.fit(compiled(two_outputs, **options), TABLE, y, class_weight={0: 2.0})


def test_an_evaluation_in_a_callback_measures_what_it_is_given() -> None:
    """And train_on_batch in a callback trains on what it is given."""
    found: list[float] = []

    class Tester(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            found.append(self.model.evaluate(TABLE, CLASSES, verbose=0)[0])

    model = compiled()
    held = TABLE[:20], CLASSES[:20]
    history = kb.fit(model, TABLE, CLASSES, validation_data=held, callbacks=[Tester()], verbose=0)
    assert found[0] == pytest.approx(model.evaluate(TABLE, CLASSES, verbose=0)[0], rel=1e-5)
    held_loss = model.evaluate(*held, verbose=0)[0]
    assert history.history["val_loss"][0] == pytest.approx(held_loss, rel=1e-5)

    class Trainer(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.model.train_on_batch(TABLE[:8], CLASSES[:8])

    kb.fit(model, TABLE, CLASSES, batch_size=10, callbacks=[Trainer()], verbose=0)
    assert int(model.optimizer.iterations) == 4 + 11 + 1


def test_an_optimizer_that_scales_the_loss_keeps_its_state() -> None:
    """Its build makes new variables every time that it is called."""

    def scaling() -> Any:
        return keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=4.0)

    fused, plain = compiled(optimizer=scaling()), compiled(optimizer=scaling())
    for _ in range(2):
        kb.fit(fused, TABLE, CLASSES, batch_size=8, shuffle=False, verbose=0)
        plain.fit(TABLE, CLASSES, batch_size=8, shuffle=False, verbose=0)
    mine, theirs = fused.optimizer.variables, plain.optimizer.variables
    assert len(mine) == len(theirs)
    for first, second in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-5, err_msg=first.path)


@pytest.mark.parametrize("change", ["optimizer", "loss", "metrics", "trainable"])
def test_a_model_that_was_changed_gets_a_new_program(change: str) -> None:
    model = compiled()
    kb.fit(model, TABLE, CLASSES, verbose=0)
    before = [weight.numpy() for weight in model.layers[0].weights]
    optimizer, loss, metrics = model.optimizer, SPARSE, ["accuracy"]
    if change == "optimizer":
        optimizer = keras.optimizers.SGD(0.0)
    if change == "loss":
        loss = lambda y, predicted: keras.ops.mean(predicted, axis=-1) * 0.0  # noqa: E731
    if change == "metrics":
        metrics = ["sparse_top_k_categorical_accuracy"]
    if change == "trainable":
        model.layers[0].trainable = False
        optimizer = "adam"
    if change == "loss":
        optimizer = keras.optimizers.SGD(0.1)
    model.compile(optimizer, loss, metrics=metrics)
    history = kb.fit(model, TABLE, CLASSES, verbose=0)
    after = [weight.numpy() for weight in model.layers[0].weights]
    moved = any(not np.array_equal(*pair) for pair in zip(before, after, strict=True))
    assert moved == (change == "metrics")
    assert (change == "metrics") == ("accuracy" not in history.history)


def test_a_compile_in_a_callback_is_not_undone() -> None:
    class Late(keras.callbacks.Callback):
        def on_train_end(self, logs: Any = None) -> None:
            self.model.compile("sgd", SPARSE)

    model = compiled()
    model.fit(TABLE, CLASSES, verbose=0)
    kb.fit(model, TABLE, CLASSES, callbacks=[Late()], verbose=0)
    assert model.train_function is None
    model.fit(TABLE, CLASSES, verbose=0)
    assert int(model.optimizer.iterations) == 4


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_after_an_error_the_model_is_its_own_again(error: type[BaseException]) -> None:
    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            raise error

    model = compiled()
    model.fit(TABLE, CLASSES, validation_split=0.1, verbose=0)
    own = model.train_function, model.test_function
    with pytest.raises(error):
        kb.fit(model, TABLE, CLASSES, validation_split=0.1, callbacks=[Failing()], verbose=0)
    assert (model.train_function, model.test_function) == own
    model.fit(TABLE, CLASSES, verbose=0)


def test_models_and_data_are_let_go() -> None:
    """The programs that are kept keep neither."""
    model = compiled()
    kb.fit(model, TABLE, CLASSES, validation_split=0.1, verbose=0)
    gone = weakref.ref(model)
    del model
    gc.collect()
    keras.backend.clear_session()
    gc.collect()
    assert gone() is None


class OnTest(keras.callbacks.Callback):
    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        pass


class Checkpoint(keras.callbacks.ModelCheckpoint):
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        pass


def test_who_needs_every_batch(tmp_path: Path) -> None:
    kinds = keras.callbacks
    file = tmp_path / "m.keras"
    by_hand = kinds.Callback()
    by_hand.on_train_batch_end = lambda batch, logs=None: None
    asked = [
        OnTest(),
        Checkpoint(file),
        by_hand,
        kinds.ModelCheckpoint(file, save_freq=3),
        kinds.TensorBoard(tmp_path, update_freq="batch"),
        kinds.LambdaCallback(on_train_batch_end=lambda batch, logs: None),
    ]
    content = [
        kinds.ModelCheckpoint(file),
        kinds.TensorBoard(tmp_path),
        kinds.TerminateOnNaN(),
        kinds.EarlyStopping(),
        kinds.LambdaCallback(on_epoch_end=lambda epoch, logs: None),
    ]
    assert [choice.needs_every_batch(callback) for callback in asked] == [True] * 6
    assert [choice.needs_every_batch(callback) for callback in content] == [False] * 5


def test_stopping_is_heard_between_blocks_and_before_the_first() -> None:
    """The first block is a short trial; a stop after it ends the epoch."""

    class Stop(keras.callbacks.Callback):
        hears_blocks = True

        def __init__(self, hook: str) -> None:
            super().__init__()
            self.hook = hook

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.model.stop_training |= self.hook == "batch"

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.model.stop_training |= self.hook == "epoch"

    for hook in ("batch", "epoch"):
        model = compiled()
        kb.fit(model, TABLE, CLASSES, batch_size=1, epochs=3, callbacks=[Stop(hook)], verbose=0)
        assert int(model.optimizer.iterations) == 1


def test_a_block_takes_no_longer_than_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a step is slow, blocks are short, for Ctrl-C and progress."""
    monkeypatch.setattr("kerasbatch.engine.fused.BLOCK_SECONDS", 0.0)
    taken: list[int] = []
    run = FusedTraining._run

    def listening(self: FusedTraining, order: Any, done: int, steps: int) -> Any:
        taken.append(steps)
        return run(self, order, done, steps)

    monkeypatch.setattr(FusedTraining, "_run", listening)
    kb.fit(compiled(), TABLE, CLASSES, batch_size=1, verbose=0)
    assert taken == [1] * N


@pytest.mark.parametrize("engine", ["fused", "keras"])
def test_an_interrupted_training_is_taken_up_in_its_order(engine: Any, tmp_path: Path) -> None:
    """BackupAndRestore sets the epoch when the training begins."""

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                raise KeyboardInterrupt

    options = {"batch_size": 10, "epochs": 4, "seed": 1, "verbose": 0, "engine": engine}
    whole, first, second = compiled(), compiled(), compiled()
    kb.fit(whole, TABLE, CLASSES, **options)
    backup = keras.callbacks.BackupAndRestore(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        kb.fit(first, TABLE, CLASSES, callbacks=[backup, Interrupt()], **options)
    resumed = keras.callbacks.BackupAndRestore(tmp_path)
    history = kb.fit(second, TABLE, CLASSES, callbacks=[resumed], **options)
    assert history.epoch == [2, 3]
    for mine, theirs in zip(second.weights, whole.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


@pytest.mark.parametrize("engine", ["fused", "keras"])
def test_initial_epoch_begins_with_the_order_of_that_epoch(engine: Any) -> None:
    options = {"batch_size": 10, "seed": 1, "verbose": 0, "engine": engine}
    whole, parts = compiled(), compiled()
    kb.fit(whole, TABLE, CLASSES, epochs=3, **options)
    kb.fit(parts, TABLE, CLASSES, epochs=1, **options)
    kb.fit(parts, TABLE, CLASSES, epochs=3, initial_epoch=1, **options)
    for mine, theirs in zip(parts.weights, whole.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


@pytest.mark.parametrize("what", ["label", "index"])
def test_what_xla_would_not_notice_is_trained_without_it(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras' error for a label or an index that does not exist must come."""
    monkeypatch.setattr(choice, "STEPS_THAT_PAY_FOR_XLA", 1)

    def words() -> keras.Model:
        layers = [L.Embedding(30, 4), L.GlobalAveragePooling1D(), L.Dense(4, "softmax")]
        return keras.Sequential([keras.Input((5,), dtype="int32"), *layers])

    x, y = RANDOM.randint(0, 30, size=(N, 5)), CLASSES.copy()
    assert "compiled with XLA" in kb.fit(compiled(words), x, y, verbose=0).kerasbatch.why
    (y if what == "label" else x)[3] = 99
    with pytest.raises(tf.errors.InvalidArgumentError):
        kb.fit(compiled(words), x, y, verbose=0)


def test_validation_counts_as_data_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    free = choice.psutil.virtual_memory().available
    monkeypatch.setattr(choice, "MEMORY_SHARE", 2 * TABLE.nbytes / free)
    model = compiled()
    assert kb.fit(model, TABLE, CLASSES, verbose=0).kerasbatch.engine == "fused"
    held = (np.tile(TABLE, (40, 1)), np.tile(CLASSES, 40))
    with pytest.warns(UserWarning, match="GB of free memory"):
        history = kb.fit(model, TABLE, CLASSES, validation_data=held, verbose=0)
    assert history.kerasbatch.engine == "keras"


def test_large_examples_are_measured_in_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that an evaluation needs no more memory than a training."""
    sizes: list[int] = []
    monkeypatch.setattr(Program, "evaluate", lambda self, arrays, size: sizes.append(size))
    training = FusedTraining.__new__(FusedTraining)
    training.program = Program.__new__(Program)
    for side in (1, 1024, 4096):
        training.measurer((np.zeros((24, side, side), np.uint8),))()
    assert sizes == [24, 4, 1]


def test_warnings_point_at_the_line_that_called_fit() -> None:
    model = compiled(run_eagerly=True)
    for x, y in [(TABLE, CLASSES), (tf.data.Dataset.from_tensors((TABLE, CLASSES)), None)]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            kb.fit(model, x, y, verbose=0, shuffle=False)
        (warning,) = [each for each in caught if "training by plain" in str(each.message)]
        assert warning.filename == __file__


def test_two_threads_may_share_layers() -> None:
    """Variables that read otherwise while one traces must not surprise the other."""
    import threading

    shared = L.LSTM(4)
    failures: list[BaseException] = []

    def train(model: keras.Model) -> None:
        try:
            kb.fit(model, SEQUENCES, CLASSES, batch_size=10, verbose=0)
        except BaseException as error:  # told below
            failures.append(error)

    models = [
        compiled(lambda: keras.Sequential([keras.Input((7, 3)), shared, L.Dense(4, "softmax")]))
        for _ in range(2)
    ]
    threads = [threading.Thread(target=train, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
