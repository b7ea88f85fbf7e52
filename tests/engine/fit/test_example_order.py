"""The order in which `kerasbatch.fit` sees the examples."""

import warnings
from typing import Any

import keras
import numpy as np
import pytest
from fit_support import CLASSES, TABLE, N, ready

import kerasbatch as kb
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.planning import plan

pytestmark = pytest.mark.filterwarnings(
    "ignore:`shuffle=True` was passed, but will be ignored:UserWarning",
)


def test_fitting_on_is_fitting_at_once() -> None:
    """Two calls with initial_epoch equal one, and compile once."""
    once, twice = ready(), ready()
    traced: list[str] = []

    def loss(y: Any, predicted: Any) -> Any:
        traced.append("once more")
        return keras.losses.sparse_categorical_crossentropy(y, predicted)

    twice.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    kb.fit(once, TABLE, CLASSES, epochs=4, seed=1, verbose=0, jit_compile=True)
    kb.fit(twice, TABLE, CLASSES, epochs=2, seed=1, verbose=0, jit_compile=True)
    first = len(traced)
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
    assert len(traced) == first


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
    """seed=None follows the state that `set_random_seed` sets, and the steps of the model."""
    drawn = []
    for _ in range(2):
        model = ready()
        keras.utils.set_random_seed(3)
        drawn.append(kb.fit(model, TABLE, CLASSES, verbose=0).kerasbatch.seed)
        drawn.append(kb.fit(model, TABLE, CLASSES, verbose=0).kerasbatch.seed)
    assert drawn[:2] == drawn[2:]
    assert drawn[0] != drawn[1]


@pytest.mark.parametrize(
    ("steps", "epochs", "taken"), [(4, 4, 10), (9, 2, 10), (2, 3, 5), (5, 2, 10), (1, 7, 7)]
)
@pytest.mark.parametrize("engine", ["fused", "keras"])
@pytest.mark.filterwarnings("ignore:.*ran out of data", "ignore:.*meets the end of the data")
def test_steps_per_epoch_is_that_of_keras(steps: int, epochs: int, taken: int, engine: Any) -> None:
    """An epoch goes on in the data, and ends where they do; the next one begins a new pass."""
    options = {"batch_size": 8, "epochs": epochs, "steps_per_epoch": steps, "shuffle": False}
    mine, theirs = ready(), ready()
    x, y = TABLE[:40], CLASSES[:40]
    first = kb.fit(mine, x, y, engine=engine, verbose=0, **options)
    second = theirs.fit(x, y, verbose=0, **options)
    assert int(mine.optimizer.iterations) == int(theirs.optimizer.iterations) == taken
    np.testing.assert_allclose(first.history["loss"], second.history["loss"], rtol=1e-4)
    for one, other in zip(mine.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_an_epoch_that_meets_the_end_of_the_data_is_told() -> None:
    """As Keras does; a whole pass is no reason."""
    options: dict[str, Any] = {"batch_size": 8, "verbose": 0}
    x, y = TABLE[:40], CLASSES[:40]
    with pytest.warns(UserWarning, match="epoch 2 meets the end of the data after 1 of 4 steps"):
        kb.fit(ready(), x, y, epochs=2, steps_per_epoch=4, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kb.fit(ready(), x, y, epochs=2, steps_per_epoch=5, **options)


@pytest.mark.parametrize("steps", [1, 3, 14, 20])
def test_an_epoch_of_any_length_misses_no_example(steps: int) -> None:
    """Every pass over the data has each example once, wherever epochs begin."""
    made = plan(N, batch_size=8, epochs=22)
    stream = ExampleStream((TABLE,), made, seed=0, steps_per_epoch=steps, requested_epochs=22)
    passes: dict[int, list[int]] = {}
    for epoch in range(1, 23):
        number, first = stream.start(epoch)
        chosen = stream.order(number)[made.batches(first, stream.steps(epoch))]
        passes.setdefault(number, []).extend(chosen.tolist())
    *whole, last = passes.values()
    assert all(sorted(seen) == list(range(N)) for seen in whole)
    assert len(set(last)) == len(last)
    assert stream.total_steps == sum(stream.steps(epoch) for epoch in range(1, 23))


def test_fewer_examples_than_the_default_batch() -> None:
    """As Keras: one step of all."""
    model = ready()
    kb.fit(model, TABLE[:20], CLASSES[:20], epochs=3, verbose=0)
    assert int(model.optimizer.iterations) == 3
