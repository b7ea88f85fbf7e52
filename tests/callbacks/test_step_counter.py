"""StepCounter in anybody's `model.fit`."""

from typing import Any

import keras
import pytest
from callback_support import X, Y, compiled, line

import kerasbatch
from kerasbatch.errors import StepMismatchError


def test_an_honest_fit_is_ok() -> None:
    """50 examples at batch 8: 7 steps, the last of 2 examples."""
    counter = kerasbatch.StepCounter(train_examples=50, batch_size=8)
    compiled(line()).fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[counter])
    assert counter.check() == "ok"
    assert counter.steps["observed_steps"].tolist() == [7, 7]
    assert counter.steps["observed_examples"].tolist() == [50, 50]


def test_validation_does_not_hide_the_examples() -> None:
    """Keras resets the counting metric for a validation; the counter has read it before."""
    counter = kerasbatch.StepCounter(train_examples=40, batch_size=8)
    model = compiled(line())
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0, validation_split=0.2, callbacks=[counter])
    assert counter.check() == "ok"
    assert counter.steps["observed_examples"].tolist() == [40, 40]


def test_a_wrong_claim_is_a_mismatch() -> None:
    """Who says 50 examples and trains on 40, as a validation split does, is told."""
    counter = kerasbatch.StepCounter(train_examples=50, batch_size=8)
    model = compiled(line())
    model.fit(X, Y, batch_size=8, verbose=0, validation_split=0.2, callbacks=[counter])
    with pytest.raises(StepMismatchError, match=r"missing_batches \(5 steps observed, 7 planned\)"):
        counter.check()


class Dropping(keras.Sequential):
    """A trainer that takes its third batch without updating."""

    calls = 0

    def train_step(self, data: Any) -> Any:
        self.calls += 1
        if self.calls == 3:
            return {m.name: m.result() for m in self.metrics}
        return super().train_step(data)


class Repeating(Dropping):
    """A trainer that takes its third batch twice."""

    def train_step(self, data: Any) -> Any:
        self.calls += 1
        if self.calls == 3:
            keras.Sequential.train_step(self, data)
        return keras.Sequential.train_step(self, data)


@pytest.mark.parametrize(
    ("trainer", "cause"), [(Dropping, "skipped_updates"), (Repeating, "repeated_updates")]
)
def test_a_trainer_that_drops_or_repeats_an_update(trainer: Any, cause: str) -> None:
    """Batches and updates are counted apart, so neither can pass."""
    counter = kerasbatch.StepCounter(train_examples=50, batch_size=8)
    model = compiled(trainer([keras.Input((1,)), keras.layers.Dense(1)]), run_eagerly=True)
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[counter])
    assert counter.steps["check"].tolist() == [f"mismatch: {cause}", "ok"]
    with pytest.raises(StepMismatchError, match=cause):
        counter.check()


def test_gradient_accumulation_counts_batches() -> None:
    """optimizer.iterations counts one change of the weights for four batches."""
    counter = kerasbatch.StepCounter(train_examples=50, batch_size=8)
    model = compiled(line(), sgd={"gradient_accumulation_steps": 4})
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[counter])
    assert int(model.optimizer.iterations) == 14 // 4
    assert counter.check() == "ok"


def test_steps_per_execution_leaves_batches_unknown() -> None:
    """Keras' batch index overstates there; the optimizer's count decides."""
    counter = kerasbatch.StepCounter(train_examples=50, batch_size=8)
    model = compiled(line(), steps_per_execution=5)
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[counter])
    assert counter.observed_steps == 14
    assert counter.check() == "ok"


def test_early_stopping_is_not_a_failure() -> None:
    """The epochs taken are whole; the run ended early."""
    counter = kerasbatch.StepCounter(train_examples=50, batch_size=8)
    stopper = keras.callbacks.EarlyStopping(monitor="loss", patience=0, min_delta=100)
    model = compiled(line())
    model.fit(X, Y, batch_size=8, epochs=9, verbose=0, callbacks=[stopper, counter])
    assert counter.check() == "ended_early: early_stop"
    assert set(counter.steps["check"]) == {"ok"}
