"""Programs are kept while they are right, and models are left as they were."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from corner_support import (
    CLASSES,
    SEQUENCES,
    SPARSE,
    TABLE,
    L,
    compiled,
)

import kerasbatch as kb


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


@pytest.mark.backends
def test_models_and_weights_are_let_go() -> None:
    """The programs that are kept keep neither."""
    script = Path(__file__).parents[2] / "support" / "let_go.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]"


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
