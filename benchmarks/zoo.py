"""Whole trainings of sixteen models in every use of XLA, beside plain `fit` and Keras' own best.

    python benchmarks/zoo.py [--models NAME...] [--csv FILE]
    python benchmarks/zoo.py --table FILE

The whole takes two hours; a FILE that is there goes on where it ended.

Each row is a model, a batch size and a number of steps. Every way trains a fresh model for the
first part of its steps, compilation included (the median of three fresh models where that takes
seconds), and goes on with the same model, all ways in turn, for the seconds of a further step (the
median of three rounds; a way whose first part took a minute, or five times as long as that of the
fastest way, is not timed again). A training takes the first part and as many further steps. Bars:
`auto` takes at most 1.15 times the time of the best
use of XLA, and at most 1.05 times that of plain `fit` and of Keras' best.
"""

import argparse
import gc
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from keras import layers

import kerasbatch as kb
from kerasbatch.engine.settings import DEFAULT_SETTINGS

SIZES = (1, 16, 128)
STEPS = (2000, 100)
ROUNDS = 3
LIMIT = 60.0
"""The seconds of a first part from which on a way is not timed again."""
HOPELESS = 5.0
"""So many times the fastest first part of a cell, and a way is not timed again."""
SHORT = 2.0
"""The seconds of a first part up to which it is timed with several fresh models."""
ROUND_SECONDS = 0.6
"""The shortest duration of a round of further steps."""
SLOW = {
    16: ("four_convolutions", "resnet", "separable"),
    128: ("cnn", "lenet", "four_convolutions", "resnet", "separable", "transformer"),
}
"""The models of which only 10 steps at a time are timed at a batch size, not 100."""
Way = Callable[[keras.Model, Any, Any, int, int], None]
"""Trains a model on x and y with a batch size; the last argument are the epochs planned, of which
the first one is trained."""


def images(side: int, channels: int) -> tuple[int, ...]:
    """Return the shape of a square image."""
    return side, side, channels


def sequential(shape: tuple[int, ...], *parts: keras.layers.Layer, classes: int = 10) -> Any:
    """Return a classifier of some layers, and the shape of its inputs."""
    return keras.Sequential([keras.Input(shape), *parts, layers.Dense(classes, "softmax")]), shape


def mlp() -> Any:
    """A table of 64 numbers."""
    return sequential((64,), layers.Dense(128, "relu"))


def wide_mlp() -> Any:
    """The pixels of MNIST, two wide layers."""
    return sequential((784,), layers.Dense(1024, "relu"), layers.Dense(1024, "relu"))


def normalised_mlp() -> Any:
    """Batch normalisation and dropout."""
    return sequential(
        (64,),
        layers.Dense(128, "relu"),
        layers.BatchNormalization(),
        layers.Dropout(0.2),
        layers.Dense(128, "relu"),
    )


def cnn() -> Any:
    """Two convolutions on MNIST, without dropout."""
    return sequential(
        images(28, 1),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
    )


def lenet() -> Any:
    """LeNet-5 with average pools."""
    return sequential(
        images(28, 1),
        layers.Conv2D(6, 5, padding="same", activation="tanh"),
        layers.AveragePooling2D(2),
        layers.Conv2D(16, 5, activation="tanh"),
        layers.AveragePooling2D(2),
        layers.Flatten(),
        layers.Dense(120, "tanh"),
        layers.Dense(84, "tanh"),
    )


def four_convolutions() -> Any:
    """Two pairs of convolutions on small colour images."""
    parts: list[keras.layers.Layer] = []
    for filters in (32, 64):
        parts += [layers.Conv2D(filters, 3, padding="same", activation="relu") for _ in range(2)]
        parts.append(layers.MaxPooling2D())
    return sequential(images(32, 3), *parts, layers.Flatten())


def resnet() -> Any:
    """Seven convolutions with normalisation and shortcuts."""
    inputs = keras.Input(images(32, 3))
    x = layers.Conv2D(16, 3, padding="same")(inputs)
    for _ in range(3):
        y = layers.ReLU()(layers.BatchNormalization()(x))
        y = layers.Conv2D(16, 3, padding="same")(y)
        y = layers.ReLU()(layers.BatchNormalization()(y))
        x = layers.add([x, layers.Conv2D(16, 3, padding="same")(y)])
    outputs = layers.Dense(10, "softmax")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, outputs), images(32, 3)


def separable() -> Any:
    """Depthwise separable convolutions."""
    return sequential(
        images(32, 3),
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.SeparableConv2D(32, 3, padding="same", activation="relu"),
        layers.SeparableConv2D(64, 3, strides=2, padding="same", activation="relu"),
        layers.GlobalAveragePooling2D(),
    )


def transposed() -> Any:
    """An autoencoder whose decoder has transposed convolutions, as a classifier of its output."""
    return sequential(
        images(28, 1),
        layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu"),
        layers.GlobalAveragePooling2D(),
    )


def pool_first() -> Any:
    """A pool of large images, and a dense layer."""
    return sequential(images(64, 3), layers.MaxPooling2D(8), layers.Flatten())


def conv1d() -> Any:
    """A series in time."""
    return sequential(
        (128, 4),
        layers.Conv1D(32, 5, activation="relu"),
        layers.MaxPooling1D(),
        layers.Conv1D(32, 5, activation="relu"),
        layers.GlobalMaxPooling1D(),
    )


def lstm() -> Any:
    """Fifty words in an LSTM."""
    return sequential((50,), layers.Embedding(1000, 32), layers.LSTM(32))


def gru() -> Any:
    """Fifty words in a GRU, in both directions."""
    return sequential((50,), layers.Embedding(1000, 32), layers.Bidirectional(layers.GRU(32)))


def word_average() -> Any:
    """The average of the vectors of words."""
    return sequential((64,), layers.Embedding(10_000, 32), layers.GlobalAveragePooling1D())


def transformer() -> Any:
    """One block of attention over 64 words."""
    inputs = keras.Input((64,))
    x = layers.Embedding(1000, 64)(inputs)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 16)(x, x))
    x = layers.LayerNormalization()(x + layers.Dense(64)(layers.Dense(128, "relu")(x)))
    outputs = layers.Dense(10, "softmax")(layers.GlobalAveragePooling1D()(x))
    return keras.Model(inputs, outputs), (64,)


def regression() -> Any:
    """A linear classifier of a small table."""
    return sequential((16,))


MODELS: dict[str, Callable[[], Any]] = {
    build.__name__: build
    for build in (
        regression,
        mlp,
        normalised_mlp,
        wide_mlp,
        conv1d,
        cnn,
        lenet,
        four_convolutions,
        resnet,
        separable,
        transposed,
        pool_first,
        lstm,
        gru,
        word_average,
        transformer,
    )
}
CONVOLUTIONS = (
    "conv1d",
    "cnn",
    "lenet",
    "four_convolutions",
    "resnet",
    "separable",
    "transposed",
)
WORDS = ("lstm", "gru", "word_average", "transformer")


def compiled(name: str) -> tuple[keras.Model, tuple[int, ...]]:
    """Return a fresh compiled model, and the shape of its inputs."""
    keras.utils.set_random_seed(0)
    model, shape = MODELS[name]()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, shape


def data(name: str, shape: tuple[int, ...], examples: int) -> tuple[Any, Any]:
    """Return random inputs and labels."""
    generator = np.random.default_rng(0)
    if name in WORDS:
        x = generator.integers(0, 1000, (examples, *shape))
    elif name == "pool_first":
        x = generator.integers(0, 256, (examples, *shape)).astype("uint8")
    else:
        x = generator.random((examples, *shape), dtype="float32")
    return x, generator.integers(0, 10, examples)


class FirstEpoch(keras.callbacks.Callback):
    """Ends a training after its first epoch."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stop."""
        self.model.stop_training = True


def plain(model: keras.Model, x: Any, y: Any, size: int, epochs: int) -> None:
    """Train with plain `fit`."""
    model.fit(x, y, batch_size=size, epochs=epochs, verbose=0, callbacks=[FirstEpoch()])


def tuned(jit_compile: bool) -> Way:
    """Return Keras' own way to take many steps in a call."""

    def train(model: keras.Model, x: Any, y: Any, size: int, epochs: int) -> None:
        model.steps_per_execution = 50
        model.jit_compile = jit_compile
        plain(model, x, y, size, epochs)

    return train


def fused(mode: str | None) -> Way:
    """Return our way; None chooses the use of XLA."""
    settings = replace(DEFAULT_SETTINGS, xla_mode=None if mode in (None, "none") else mode)

    def train(model: keras.Model, x: Any, y: Any, size: int, epochs: int) -> None:
        history = kb.fit(
            model,
            x,
            y,
            batch_size=size,
            epochs=epochs,
            verbose=0,
            engine="fused",
            callbacks=[FirstEpoch()],
            jit_compile=None if mode is None else mode != "none",
            settings=settings,
        )
        CHOICES.append(history.kerasbatch.why)

    return train


CHOICES: list[str] = []
"""The reasons of all fused trainings."""
MODES = ("none", "loop", "lowered_loop", "step")
WAYS: dict[str, Way] = {
    "plain": plain,
    "keras": tuned(False),
    "keras_xla": tuned(True),
    **{mode: fused(mode) for mode in MODES},
    "auto": fused(None),
}


@dataclass
class Timing:
    """The seconds of one way.

    Args:
        part: the steps of the first part.
        model: the last fresh model.
        firsts: the seconds of the first part, one for each fresh model.
        rates: the seconds of a further step, one for each round.
    """

    part: int
    model: keras.Model | None = None
    firsts: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    @property
    def first(self) -> float:
        """The seconds of the first part."""
        return statistics.median(self.firsts)

    def seconds(self, steps: int) -> float:
        """Return the seconds of a training."""
        return self.first + (steps - self.part) * statistics.median(self.rates)


def measure(name: str, size: int, steps: int, ways: list[str]) -> dict[str, Timing]:
    """Return the timings of some ways for trainings of that many steps."""
    _, shape = compiled(name)
    part = 10 if name in SLOW.get(size, ()) else 100
    x, y = data(name, shape, size * part)
    timings = {way: Timing(part) for way in ways}
    for _ in range(ROUNDS):
        for way, timing in timings.items():
            if not timing.firsts or timing.first < SHORT:
                begin(timing, name, way, x, y, size, steps)
    limit = min(LIMIT, HOPELESS * min(timing.first for timing in timings.values()))
    for _ in range(ROUNDS):
        for way, timing in timings.items():
            is_slow = timing.first > max(limit, SHORT)
            further = timing.first / part if is_slow else rate(way, timing.model, x, y, size, steps)
            timing.rates.append(further)
    return timings


def begin(timing: Timing, name: str, way: str, x: Any, y: Any, size: int, steps: int) -> None:
    """Train a fresh model for the first part of its steps."""
    keras.backend.clear_session()  # and with it the programs of equal models
    timing.model, _ = compiled(name)
    gc.collect()
    start = time.perf_counter()
    WAYS[way](timing.model, x, y, size, steps // timing.part)
    timing.firsts.append(time.perf_counter() - start)


def rate(way: str, model: keras.Model, x: Any, y: Any, size: int, steps: int) -> float:
    """Return the seconds of a further step."""
    part, taken, start = len(x) // size, 0, time.perf_counter()
    while taken == 0 or time.perf_counter() - start < ROUND_SECONDS:
        WAYS[way](model, x, y, size, steps // part)
        taken += part
    return (time.perf_counter() - start) / taken


def rows(names: list[str], done: set[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    """Yield a row for each cell; the best ways are timed once for both numbers of steps.

    Args:
        names: the models.
        done: the models and batch sizes that were measured already.
    """
    for name in names:
        for size in SIZES:
            if (name, size) in done:
                continue
            timings: dict[str, Timing] = {}
            for steps in STEPS:
                ways = ["none", "auto"] if timings else ways_of(name)
                timings |= measure(name, size, steps, ways)
                yield row(name, size, steps, {way: t.seconds(steps) for way, t in timings.items()})


def ways_of(name: str) -> list[str]:
    """Return the ways that differ for a model: without convolutions, none are lowered."""
    return [way for way in WAYS if way != "lowered_loop" or name in CONVOLUTIONS]


def row(name: str, size: int, steps: int, seconds: dict[str, float]) -> dict[str, Any]:
    """Return the row of a cell."""
    best = min(seconds[mode] for mode in MODES if mode in seconds)
    keras_best = min(seconds[way] for way in ("plain", "keras", "keras_xla"))
    return {
        "model": name,
        "batch_size": size,
        "steps": steps,
        **seconds,
        "auto_over_best": seconds["auto"] / best,
        "auto_over_keras": seconds["auto"] / keras_best,
        "why": CHOICES[-1],
    }


def markdown(table: pd.DataFrame) -> Iterator[str]:
    """Yield the lines of a table, a line for each cell of the zoo."""
    names = ("model", "batch size", "steps", "`fit`", "Keras' best", "none", "loop", "lowered")
    yield f"| {' | '.join((*names, 'step', 'auto'))} |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for cell in table.to_dict("records"):
        best = min(cell[mode] for mode in MODES if cell[mode] == cell[mode])
        shown = [_seconds(cell["plain"]), _seconds(min(cell["keras"], cell["keras_xla"]))]
        for mode in MODES:
            text = _seconds(cell[mode])
            shown.append(f"**{text}**" if cell[mode] == best else text)
        name = cell["model"].replace("_", " ")
        sizes = f"{cell['batch_size']} | {cell['steps']:,}"
        yield f"| {name} | {sizes} | {' | '.join(shown)} | {_seconds(cell['auto'])} |"


def _seconds(value: float) -> str:
    if value != value:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main() -> None:
    """Print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    if options.table:
        print("\n".join(markdown(pd.read_csv(options.table))))
        return
    is_begun = options.csv is not None and options.csv.exists()
    done: list[Any] = pd.read_csv(options.csv).to_dict("records") if is_begun else []
    cells = Counter((row["model"], row["batch_size"]) for row in done)
    for each in rows(options.models, {cell for cell, n in cells.items() if n == len(STEPS)}):
        done.append(each)
        print({k: round(v, 3) if isinstance(v, float) else v for k, v in each.items()}, flush=True)
        if options.csv:
            pd.DataFrame(done).round(4).to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()
