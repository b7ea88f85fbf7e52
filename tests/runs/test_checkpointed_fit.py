"""`kerasbatch.fit(checkpoint=DIR)`: a script that is killed, and goes on when it runs again."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from patience import limit

import kerasbatch as kb
from kerasbatch.engine.fit.api import StartedFit
from kerasbatch.engine.settings import EngineSettings

X = np.random.default_rng(0).random((300, 6), "float32")
Y = (X.sum(1) > 3).astype("int32")
ANY_LENGTH = EngineSettings(any_length=True)
"""The use of XLA of a training with checkpoints."""


class PowerCutError(Exception):
    """The end of a training from outside."""


class Cut(keras.callbacks.Callback):
    """Ends the training after a number of epochs, or of steps of the last one.

    The place is a text, which a checkpoint does not restore.
    """

    accepts_blocks = True

    def __init__(self, epochs: int = -1, steps: int = -1) -> None:
        super().__init__()
        self._place = f"{epochs} {steps}"

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        epochs, steps = map(int, self._place.split())
        self._left = str(steps) if epoch == epochs else ""
        if self._left == "-1":
            raise PowerCutError

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._left and int(self._left) <= batch:
            raise PowerCutError


def model(units: int = 8, rate: float = 0.01, **options: Any) -> keras.Model:
    """A new model, with other names of layers than the one before."""
    keras.utils.set_random_seed(5)
    layers = [
        keras.Input((6,)),
        keras.layers.Dense(units, activation="relu"),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(2, activation="softmax"),
    ]
    made = keras.Sequential(layers)
    options = {"metrics": ["accuracy"]} | options
    made.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", **options)
    return made


def callbacks(cut: Cut | None = None) -> list[keras.callbacks.Callback]:
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=1, min_delta=0.02)
    return [cut or Cut(), plateau]


def train(trained: keras.Model, cut: Cut | None = None, **options: Any) -> Any:
    options = {"epochs": 6, "batch_size": 7, "verbose": 0, "settings": ANY_LENGTH} | options
    return kb.fit(trained, X, Y, callbacks=callbacks(cut), **options)


def assert_same(one: Any, other: Any) -> None:
    """Two trainings have the same history and the same weights, bit for bit."""
    assert one.history == other.history
    assert one.epoch == other.epoch
    for mine, theirs in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    optimizers = one.model.optimizer, other.model.optimizer
    for mine, theirs in zip(*(each.variables for each in optimizers), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("cut", "options"),
    [
        (Cut(3), {}),
        (Cut(3), {"validation_split": 0.2}),
        (Cut(2, 30), {"checkpoint_every": {"steps": 10}}),
        (Cut(3), {"engine": "keras"}),
        (Cut(4), {"checkpoint_every": {"epochs": 3}, "shuffle": False}),
        (Cut(3), {"sample_weight": np.linspace(0, 1, 300), "batch_size": "full"}),
    ],
    ids=["epochs", "validation", "steps", "plain fit", "every third", "weights"],
)
def test_the_end_is_that_of_an_undisturbed_training(
    cut: Cut, options: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Weights, optimizer, learning rates and history; a second call trains nothing."""
    plain = {name: value for name, value in options.items() if name != "checkpoint_every"}
    whole = train(model(), **plain)
    with pytest.raises(PowerCutError):
        train(model(), cut, checkpoint=tmp_path, **options)
    assert "goes on" not in capsys.readouterr().err
    assert_same(train(model(), checkpoint=tmp_path, **options), whole)
    assert "the training goes on after step" in capsys.readouterr().err
    assert_same(train(model(), checkpoint=tmp_path, **options), whole)
    assert "all 6 epochs are trained already" in capsys.readouterr().err
    assert len(list(tmp_path.glob("step-*"))) == 1


def test_more_epochs(tmp_path: Path) -> None:
    """Five and then nine are nine at once; fewer than are trained already are refused."""
    whole = train(model(), epochs=9)
    train(model(), epochs=5, checkpoint=tmp_path)
    assert_same(train(model(), epochs=9, checkpoint=tmp_path), whole)
    with pytest.raises(kb.SpecError, match="a checkpoint after 9 epochs, and epochs is 4"):
        train(model(), epochs=4, checkpoint=tmp_path)


def test_a_cell_that_runs_again(tmp_path: Path) -> None:
    """The same model object, in the middle of its training, and no seed that anybody set."""
    again = model()
    before = again.get_weights()
    np.random.seed(None)  # the generator of Keras' order
    with pytest.raises(PowerCutError):
        train(again, Cut(3), checkpoint=tmp_path)
    ended = train(again, checkpoint=tmp_path)
    undisturbed = model()
    undisturbed.set_weights(before)
    assert_same(ended, train(undisturbed, seed=ended.kerasbatch.seed))


def test_a_model_that_the_first_call_builds(tmp_path: Path) -> None:
    """A Sequential without an Input layer has one afterwards."""
    made = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
    made.compile("sgd", "sparse_categorical_crossentropy")
    for epochs in (1, 2):
        ended = kb.fit(made, X, Y, epochs=epochs, verbose=0, checkpoint=tmp_path)
    assert ended.epoch == [0, 1]


def test_a_recorded_training(tmp_path: Path) -> None:
    """It is one run, with the rows of both parts."""
    results, folder = tmp_path / "results" / "mine", tmp_path / "kept"
    with pytest.raises(PowerCutError):
        train(model(), Cut(3), checkpoint=folder, results=results)
    train(model(), checkpoint=folder, results=results)
    (run,) = (path for path in results.iterdir() if path.is_dir())
    assert kb.load_run(run).row["step_check"] == "ok"
    assert len(pd.read_csv(run / "history.csv")) == 6
    with pytest.raises(kb.SpecError, match="another training, with other results;"):
        train(model(), checkpoint=folder)
    train(model(), checkpoint=folder, results=results)  # nothing is left to train
    assert [path for path in results.iterdir() if path.is_dir()] == [run]
    train(model(), checkpoint=folder, results=results, epochs=8)
    runs = kb.load(results).runs
    assert sorted(runs["observed_steps"]) == [6 * 43, 8 * 43]


def test_a_recorded_training_that_does_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was recorded before stays."""
    results, folder = tmp_path / "results" / "mine", tmp_path / "kept"
    with pytest.raises(PowerCutError):
        train(model(), Cut(3), checkpoint=folder, results=results)
    (run,) = (path for path in results.iterdir() if path.is_dir())
    before = (run / "history.csv").read_text()

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(StartedFit, "run", stop)
        with pytest.raises(KeyboardInterrupt):
            train(model(), checkpoint=folder, results=results)
    assert (run / "history.csv").read_text() == before
    train(model(), checkpoint=folder, results=results)
    assert kb.load_run(run).row["step_check"] == "ok"


class Scaled(keras.callbacks.Callback):
    """A callback of own code with an argument."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor


def test_own_callbacks_and_what_cannot_be_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Arguments of own callbacks count; the contents of a dataset are unknown."""
    held_out = tf.data.Dataset.from_tensors((X, Y))
    options: dict[str, Any] = {"verbose": 0, "checkpoint": tmp_path, "validation_data": held_out}
    kb.fit(model(), X, Y, callbacks=[Scaled(0.1)], **options)
    assert "validation_data cannot be compared with a checkpoint" in capsys.readouterr().err
    kb.fit(model(), X, Y, callbacks=[Scaled(0.1)], **options)
    with pytest.raises(kb.SpecError, match="with other arguments or code of Scaled"):
        kb.fit(model(), X, Y, callbacks=[Scaled(0.9)], **options)


def test_what_keras_draws_or_numbers_is_no_difference(tmp_path: Path) -> None:
    """The seed of a random layer, the place of a lambda, a rate that a callback has changed."""

    def drawn() -> keras.Model:
        layers = [keras.layers.Lambda(lambda x: x * 2), keras.layers.GaussianNoise(0.1)]
        made = keras.Sequential([keras.Input((6,)), *layers, keras.layers.Dense(1)])
        inner = keras.optimizers.SGD(0.01)
        made.compile(keras.optimizers.LossScaleOptimizer(inner), "mse")
        return made

    made = drawn()
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=1, min_delta=10.0)
    for epochs in (3, 4):
        ended = kb.fit(
            made, X, Y, epochs=epochs, verbose=0, callbacks=[plateau], checkpoint=tmp_path
        )
    assert ended.epoch == [0, 1, 2, 3]
    ended = kb.fit(drawn(), X, Y, epochs=5, verbose=0, callbacks=[plateau], checkpoint=tmp_path)
    assert ended.epoch == [0, 1, 2, 3, 4]


class Wide(keras.layers.Layer):
    """A layer of own code."""

    def call(self, inputs: Any) -> Any:
        return inputs * 2


class Narrow(keras.layers.Layer):
    """Another one, with the same arguments."""

    def call(self, inputs: Any) -> Any:
        return inputs * 3


def wired(skip: bool) -> keras.Model:
    """Two models of the same layers, with other connections."""
    inputs = keras.Input((6,))
    first = keras.layers.Dense(6)(inputs)
    added = keras.layers.Add()([first, inputs if skip else first])
    made = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(added))
    made.compile("sgd", "sparse_categorical_crossentropy")
    return made


def own(layer: keras.layers.Layer) -> keras.Model:
    made = keras.Sequential([keras.Input((6,)), layer, keras.layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


@pytest.mark.parametrize(
    ("one", "other", "part"),
    [
        (model, lambda: model(9), "with other model;"),
        (lambda: wired(True), lambda: wired(False), "with other model;"),
        (lambda: own(Wide()), lambda: own(Narrow()), "with other model;"),
        (model, lambda: model(rate=0.02), "with other learning rate;"),
        (model, lambda: model(loss_weights=[2.0]), "with other arguments of compile;"),
    ],
    ids=["units", "connections", "own code", "rate", "loss"],
)
def test_another_model(
    one: Callable[[], keras.Model], other: Callable[[], keras.Model], part: str, tmp_path: Path
) -> None:
    kb.fit(one(), X, Y, verbose=0, checkpoint=tmp_path)
    kb.fit(one(), X, Y, verbose=0, checkpoint=tmp_path)
    with pytest.raises(kb.SpecError, match=part):
        kb.fit(other(), X, Y, verbose=0, checkpoint=tmp_path)


def test_another_training(tmp_path: Path) -> None:
    """Everything that changes a number is compared."""
    options: dict[str, Any] = {"verbose": 0, "checkpoint": tmp_path, "seed": 1}
    kept = model()
    kb.fit(kept, X, Y, **options)
    stop = keras.callbacks.EarlyStopping(monitor="loss")
    others: list[tuple[dict[str, Any], str]] = [
        ({"x": X + 1}, "with other data;"),
        ({"batch_size": 16}, "with other batch_size;"),
        ({"shuffle": False}, "with other shuffle;"),
        ({"validation_data": (X, Y)}, "with other validation_data;"),
        ({"class_weight": {0: 2.0, 1: 1.0}}, "with other class_weight;"),
        ({"callbacks": [stop]}, "with other callbacks and arguments or code of EarlyStopping"),
        ({"seed": 2}, "with other seed;"),
        ({"engine": "keras"}, "with other engine;"),
        ({"jit_compile": False, "shuffle": False}, "with other shuffle and jit_compile;"),
    ]
    for changed, message in others:
        with pytest.raises(kb.SpecError, match=message):
            kb.fit(kept, **{"x": X, "y": Y} | options | changed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"checkpoint": None, "checkpoint_every": {"epochs": 1}}, "needs checkpoint, the folder"),
        ({"checkpoint": ""}, "found ''; must be a folder"),
        ({"checkpoint": 5}, "found 5; must be a folder"),
        ({"checkpoint_every": "epochs"}, "found 'epochs'; must be one of epochs"),
        ({"checkpoint_every": 5}, "found 5; must be one of epochs, steps, minutes"),
        ({"checkpoint_every": {"epochs": 0}}, "must be one of epochs, steps, minutes"),
        ({"checkpoint_every": {"epochs": 1, "steps": 5}}, "must be one of epochs, steps, minutes"),
        ({"steps_per_epoch": 3}, "leave steps_per_epoch out"),
        ({"callbacks": [keras.callbacks.BackupAndRestore("x")]}, "replaces BackupAndRestore"),
    ],
)
def test_arguments_without_checkpoints(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(kb.SpecError, match=message):
        kb.fit(model(), X, Y, **{"verbose": 0, "checkpoint": tmp_path} | options)


def test_data_without_checkpoints(tmp_path: Path) -> None:
    batches = tf.data.Dataset.from_tensor_slices((X, Y)).batch(10)
    with pytest.raises(kb.SpecError, match="needs arrays"):
        kb.fit(model(), batches, verbose=0, checkpoint=tmp_path)
    because = "because batch_size is 900"
    with (
        pytest.warns(UserWarning, match=because),
        pytest.raises(kb.EngineError, match=f"checkpoint cannot work here, {because}"),
    ):
        kb.fit(model(), X, Y, batch_size=900, verbose=0, checkpoint=tmp_path)


def test_damaged_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The one before is used; without any, the training begins anew."""
    whole = train(model())
    with pytest.raises(PowerCutError):
        train(model(), Cut(5), checkpoint=tmp_path)
    _, newer = sorted(tmp_path.glob("step-*"))
    (newer / "arrays.bin").write_bytes(b"")
    assert_same(train(model(), checkpoint=tmp_path), whole)
    assert "does not match its checksum" in capsys.readouterr().err
    for left in tmp_path.glob("step-*"):
        (left / "checkpoint.json").write_text("{}")
    assert_same(train(model(), checkpoint=tmp_path), whole)
    assert "training from the start" in capsys.readouterr().err


def test_the_folder(tmp_path: Path) -> None:
    """Of another process, of a run, a link, or a file."""
    (tmp_path / "link").symlink_to(tmp_path / "real")
    kb.fit(model(), X, Y, verbose=0, checkpoint=tmp_path / "link")
    assert list((tmp_path / "real").glob("step-*"))
    with filelock.FileLock(tmp_path / ".lock"), pytest.raises(kb.DirectoryInUseError):
        kb.fit(model(), X, Y, verbose=0, checkpoint=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(kb.SpecError, match="is a file; give a folder"):
        kb.fit(model(), X, Y, verbose=0, checkpoint=tmp_path / "file")
    keys: dict[str, Any] = {"optimizer": "sgd", "loss": "mse", "epochs": 1, "batch_size": 50}
    result = kb.run(
        keys | {"data": "line", "model": "linear", "checkpoint": {"epochs": 1}}, results=tmp_path
    )
    with pytest.raises(kb.SpecError, match="holds checkpoints of a run"):
        kb.fit(model(), X, Y, verbose=0, checkpoint=result.directory / "checkpoints")


SCRIPT = """
import sys
import keras, numpy as np
import kerasbatch as kb

keras.utils.set_random_seed(5)
x = np.random.default_rng(0).random((20_000, 6), "float32")
model = keras.Sequential([keras.Input((6,)), keras.layers.Dropout(0.1), keras.layers.Dense(1)])
model.compile("adam", "mse")
kb.fit(model, x, x.sum(1), batch_size=1, epochs=5, verbose=0, checkpoint=sys.argv[1])
np.save(sys.argv[2], model.layers[-1].kernel)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_script_that_is_stopped(number: int, tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM write a last checkpoint, and say so; then they do what they do."""
    (tmp_path / "script.py").write_text(SCRIPT)

    def start(folder: str, file: str) -> "subprocess.Popen[bytes]":
        arguments = [str(tmp_path / name) for name in ("script.py", folder, file)]
        return subprocess.Popen([sys.executable, *arguments], stderr=subprocess.PIPE)

    process, end = start("kept", "ended.npy"), time.monotonic() + limit(60)
    while not list((tmp_path / "kept").glob("step-*")):
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(number)
    errors = process.communicate(timeout=limit(60))[1].decode()
    assert process.returncode == -number  # Python ends itself by an uncaught Ctrl-C
    steps = max(int(path.name.split("-")[1]) for path in (tmp_path / "kept").glob("step-*"))
    told = f"stopped; run it again to go on after step {steps:,}" in errors
    assert told == (number != signal.SIGKILL)
    for folder, file in (("kept", "ended.npy"), ("whole", "whole.npy")):
        process = start(folder, file)
        process.communicate(timeout=limit(120))
        assert process.returncode == 0
    ours, theirs = (np.load(tmp_path / name) for name in ("ended.npy", "whole.npy"))
    np.testing.assert_array_equal(ours, theirs)
