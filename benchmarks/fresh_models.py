"""A loop of `kerasbatch.fit` with models that are built anew: the cost of a call beyond its steps.

    python benchmarks/fresh_models.py

Every call takes 100 steps on digits. The time of the steps is that of further calls with the same
models, which compile nothing; the time that Keras needs to build a model is measured apart.
"""

import statistics
import time

import keras
from short_epochs import X, Y

import kerasbatch as kb

CALLS = 100
STEPS, SIZE = 100, 14  # 103 steps of 14 are an epoch; 100 steps are cut from it


def network(seed: int) -> keras.Model:
    """Return a new compiled model with dropout."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(32, "relu", kernel_initializer=keras.initializers.HeNormal(seed)),
            layers.Dropout(0.2, seed=seed),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    return model


def timed_fit(model: keras.Model) -> float:
    """Return the seconds of a call."""
    begin = time.perf_counter()
    count = STEPS * SIZE
    kb.fit(model, X[:count], Y[:count], batch_size=SIZE, epochs=1, verbose=0)
    return time.perf_counter() - begin


def main() -> None:
    """Print the medians, and the whole time beyond the steps."""
    building, first, again = [], [], []
    for seed in range(CALLS):
        begin = time.perf_counter()
        model = network(seed)
        building.append(time.perf_counter() - begin)
        first.append(timed_fit(model))
        again.append(timed_fit(model))
    print(f"{CALLS} models, each trained for {STEPS} steps")
    print(f"  Keras builds a model      {statistics.median(building):6.3f} s")
    print(f"  the very first call       {first[0]:6.3f} s")
    print(f"  first call, median        {statistics.median(first):6.3f} s")
    print(f"  second call, median       {statistics.median(again):6.3f} s")
    beyond = (sum(first) - sum(again)) / CALLS
    print(f"  a call beyond its steps   {beyond:6.3f} s, the mean of all {CALLS}")


if __name__ == "__main__":
    main()
