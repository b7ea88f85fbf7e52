"""The parts of Keras and TensorFlow that are not public, and what happens when one is gone."""

import keras
import pytest
from fit_support import CLASSES, TABLE, ready

import kerasbatch as kb
from kerasbatch.engine import private_names


@pytest.mark.parametrize("part", private_names.PRIVATE_NAMES, ids=lambda part: part.name)
def test_the_installed_keras_has_it(part: private_names.PrivateName) -> None:
    """Where this fails, `keras_private` must learn another way, or do without."""
    assert part.get() is not None, part.sentence


def test_a_compiled_model_has_the_rest() -> None:
    """What belongs to a compiled model and not to its class."""
    assert private_names.missing(ready()) is None


@pytest.mark.parametrize("name", ["Model._symbolic_build", "Model._flatten_layers"])
def test_without_one_plain_fit_trains_and_says_so(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence names the part and what it was needed for."""
    (part,) = [part for part in private_names.PRIVATE_NAMES if part.name == name]
    honest = private_names.PrivateName.get
    gone = lambda self: None if self is part else honest(self)  # noqa: E731  # one line
    monkeypatch.setattr(private_names.PrivateName, "get", gone)
    with pytest.warns(UserWarning, match=f"have no keras.{name}, needed to {part.use}"):
        history = kb.fit(ready(), TABLE, CLASSES, verbose=0)
    assert history.kerasbatch.engine == "keras"
    with pytest.raises(kb.EngineError, match=f"have no keras.{name}"):
        kb.fit(ready(), TABLE, CLASSES, verbose=0, engine="fused")


def test_a_count_of_batches_looks_inside_an_optimizer_that_scales_the_loss() -> None:
    """Its own counter stays at 0."""
    inner = keras.optimizers.SGD(0.1)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, "softmax")])
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=4.0)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    counter = kb.StepCounter(train_examples=110, batch_size=10)
    recorder = kb.Recorder(train_examples=110, batch_size=10)
    model.fit(TABLE, CLASSES, batch_size=10, epochs=2, verbose=0, callbacks=[counter, recorder])
    assert counter.check() == "ok"
    assert counter.observed_steps == 22
    assert recorder.history["step"].tolist() == [11, 22]
