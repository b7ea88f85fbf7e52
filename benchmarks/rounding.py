"""The effect of rounding: ten seeds of a convolutional network, by three programs.

    python benchmarks/rounding.py [--csv FILE]

The network is the preset `cnn` without its dropout, trained by SGD on MNIST. `kerasbatch.fit` and
`model.fit` without XLA and with it start from the same weights and take the same batches in the
same order, so their results differ by rounding alone.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd
from keras import layers

import kerasbatch as kb
from kerasbatch.data.builtin import load_builtin

SEEDS, SIZE, RATE = 10, 16, 0.05
STEPS = (25, 1000)
OPTIONS: dict[str, dict[str, object]] = {
    "keras": {"engine": "keras", "jit_compile": False},
    "keras_xla": {"engine": "keras", "jit_compile": True},
    "kerasbatch": {"engine": "fused", "jit_compile": True},
}
"""The arguments of `kerasbatch.fit` for each program; `engine="keras"` is `model.fit`."""


def network(seed: int) -> keras.Model:
    """Return the compiled model of a seed."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.SGD(RATE), loss, metrics=["accuracy"])
    return model


def train(seed: int, steps: int, program: str, images: tuple[np.ndarray, ...]) -> dict[str, object]:
    """Train the model of a seed; return its weights and its results on the test images."""
    x, y, x_test, y_test = images
    model = network(seed)
    x, y = x[: steps * SIZE], y[: steps * SIZE]
    options = {"batch_size": SIZE, "epochs": 1, "verbose": 0, "seed": seed}
    kb.fit(model, x, y, **options, **OPTIONS[program])
    loss, accuracy = model.evaluate(x_test, y_test, batch_size=1000, verbose=0)
    weights = np.concatenate([np.ravel(weight) for weight in model.get_weights()])
    return {"weights": weights, "test_loss": loss, "test_accuracy": accuracy}


def rows_of(seed: int, steps: int, images: tuple[np.ndarray, ...]) -> list[dict[str, object]]:
    """Return a row for each program, with the distance of its weights from those of `model.fit`."""
    results = {program: train(seed, steps, program, images) for program in OPTIONS}
    plain = results["keras"]["weights"]
    rows = []
    for program, result in results.items():
        result["distance"] = float(np.abs(result.pop("weights") - plain).max())
        rows.append({"steps": steps, "seed": seed, "program": program, **result})
    return rows


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return means and standard deviations over the seeds, and the differences from `model.fit`."""
    wide = table.pivot(index=["steps", "seed"], columns="program")
    rows = []
    for steps, program in [(steps, program) for steps in STEPS for program in OPTIONS]:
        results = wide.loc[steps].xs(program, axis=1, level="program")
        change = results - wide.loc[steps].xs("keras", axis=1, level="program")
        row = {"steps": steps, "program": program, "weights differ by": results["distance"].max()}
        for name in ("test_loss", "test_accuracy"):
            row[f"{name} mean"] = results[name].mean()
            row[f"{name} sd"] = results[name].std()
            row[f"{name} difference: mean"] = change[name].mean()
            row[f"{name} difference: sd"] = change[name].std()
        rows.append(row)
    return pd.DataFrame(rows)


def main() -> None:
    """Train all, and print the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", help="a file for the rows of all trainings")
    options = parser.parse_args()
    mnist = load_builtin("mnist")
    images = (
        mnist.x[..., None].astype("float32") / 255,
        mnist.y,
        mnist.x_test[..., None].astype("float32") / 255,
        mnist.y_test,
    )
    rows = []
    for steps in STEPS:
        for seed in range(SEEDS):
            rows += rows_of(seed, steps, images)
            print(f"{steps} steps, seed {seed}: {rows[-1]}", flush=True)
    table = pd.DataFrame(rows)
    if options.csv:
        table.to_csv(options.csv, index=False, float_format="%.6g")
    with pd.option_context("display.width", 200, "display.max_columns", None):
        columns = summary(table).set_index(["steps", "program"]).T
        print(columns.to_string(float_format="{:.5g}".format))


if __name__ == "__main__":
    main()
