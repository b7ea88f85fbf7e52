"""What plain `model.fit` has to train, with the reason."""

from typing import Any

import keras
import numpy as np
import pytest
from fit_support import CLASSES, TABLE, L, ready
from tensorflow.python.ops.control_flow_v2_func_graphs import WhileBodyFuncGraph

import kerasbatch as kb
from kerasbatch.engine.backend import ProgramSettings
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.tensorflow.functions import ProgramFunctions

pytestmark = pytest.mark.filterwarnings(
    "ignore:`shuffle=True` was passed, but will be ignored:UserWarning",
)


class EveryBatch(keras.callbacks.Callback):
    count = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.count += 1


def test_what_needs_every_batch_gets_every_batch() -> None:
    """Plain fit over the same batches trains then, and says so."""
    counter, fused, plain = EveryBatch(), ready(), ready()
    kb.fit(fused, TABLE, CLASSES, epochs=2, seed=4, verbose=0)
    with pytest.warns(UserWarning, match="EveryBatch must be called for every batch"):
        history = kb.fit(plain, TABLE, CLASSES, epochs=2, seed=4, verbose=0, callbacks=[counter])
    assert counter.count == 8
    assert history.kerasbatch.engine == "keras"
    for mine, theirs in zip(fused.weights, plain.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    with pytest.raises(kb.EngineError, match="EveryBatch must be called for every batch"):
        kb.fit(plain, TABLE, CLASSES, callbacks=[counter], engine="fused")


@pytest.mark.parametrize("kind", ["dataset", "eager", "validation"])
def test_what_cannot_be_fused(kind: str) -> None:
    """It is passed to plain fit with a warning, and refused where fused was asked for."""
    import tensorflow as tf

    model = ready(run_eagerly=kind != "validation")
    x: Any = TABLE
    y: Any = CLASSES
    words = {
        "dataset": "the model runs eagerly",
        "eager": "the model runs eagerly",
        "validation": "GB of free memory",
    }[kind]
    held = (TABLE, CLASSES) if kind == "validation" else None
    if kind == "dataset":
        x, y = tf.data.Dataset.from_tensor_slices((TABLE, CLASSES)).batch(5), None
    settings = EngineSettings(memory_share=1e-9 if kind == "validation" else 0.5)
    options = {"validation_data": held, "verbose": 0, "settings": settings}
    with pytest.raises(kb.EngineError, match=words):
        kb.fit(model, x, y, engine="fused", **options)
    with pytest.warns(UserWarning, match=words):
        history = kb.fit(model, x, y, shuffle=False, **options)
    assert history.kerasbatch.engine == "keras"
    assert int(model.optimizer.iterations) == (22 if kind == "dataset" else 4)


@pytest.mark.parametrize("mode", ["loop", "step"])
def test_a_layer_that_xla_cannot_compile(mode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs in blocks without XLA, which is not tried a second time."""
    import tensorflow as tf

    class Host(L.Layer):
        def call(self, inputs: Any) -> Any:
            return tf.ensure_shape(tf.numpy_function(lambda v: v, [inputs], tf.float32), (None, 6))

    def hosted() -> keras.Model:
        return keras.Sequential([keras.Input((6,)), Host(), L.Dense(4, "softmax")])

    model, jitted = ready(hosted), []
    honest = ProgramFunctions.__init__

    def counted(self: ProgramFunctions, model: keras.Model, settings: ProgramSettings) -> None:
        jitted.append(settings.mode)
        honest(self, model, settings)

    monkeypatch.setattr(ProgramFunctions, "__init__", counted)
    settings = EngineSettings(xla_mode=mode)
    for _ in range(2):
        history = kb.fit(
            model, TABLE, CLASSES, epochs=2, verbose=0, jit_compile=True, settings=settings
        )
        assert history.kerasbatch.engine == "fused"
        assert "without XLA, which cannot compile this model" in history.kerasbatch.why
    assert jitted == [mode, "none"]


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


def test_plain_fit_with_xla_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """`jit_compile` holds for `engine="keras"` too, and the model keeps its own setting."""
    import tensorflow as tf

    compiled: list[Any] = []
    function = tf.function

    def recorded(*args: Any, **kwargs: Any) -> Any:
        compiled.append(kwargs.get("jit_compile"))
        return function(*args, **kwargs)

    monkeypatch.setattr(tf, "function", recorded)
    model = ready()
    for jit_compile in (True, False):
        compiled.clear()
        model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=not jit_compile)
        kb.fit(model, TABLE, CLASSES, verbose=0, engine="keras", jit_compile=jit_compile)
        assert compiled[0] is jit_compile
        assert model.jit_compile is not jit_compile
        compiled.clear()
        kb.fit(model, TABLE, CLASSES, verbose=0, engine="keras")
        assert compiled[0] is not jit_compile
