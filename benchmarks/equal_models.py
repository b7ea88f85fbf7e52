"""Twenty fresh models in a loop, each equal bit for bit to one trained alone in a fresh process.

python benchmarks/equal_models.py
"""

import hashlib
import os
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import kerasbatch as kb

MODELS = 20


def digest(seed: int) -> str:
    """Train the model of a seed; return a hash of its history, its whole state and predictions."""
    random = np.random.RandomState(9)
    x, y = random.rand(700, 16).astype("float32"), random.randint(0, 3, 700)
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((16,)),
            layers.Dense(24, "relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(3, "softmax"),
        ]
    )
    metrics = ["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2)]
    optimizer = keras.optimizers.Adam(0.001 * (1 + seed % 5))
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=metrics)
    options = {"batch_size": 32, "epochs": 4, "verbose": 0, "jit_compile": bool(seed % 2)}
    history = kb.fit(model, x, y, validation_split=0.2, **options)
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    parts = [np.asarray(each).tobytes() for each in variables]
    parts += [repr(history.history).encode(), model.predict(x, verbose=0).tobytes()]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def main() -> int:
    """Print the hashes of both."""
    if len(sys.argv) > 1:
        print(digest(int(sys.argv[1])))
        return 0
    loop = [digest(seed) for seed in range(MODELS)]
    equal = 0
    for seed, expected in enumerate(loop):
        command = [sys.executable, __file__, str(seed)]
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
        alone = ended.stdout.split()[-1]
        equal += alone == expected
        print(f"seed {seed:2}  in the loop {expected}  alone {alone}", flush=True)
    print(f"{equal} of {MODELS} are equal")
    return 0 if equal == MODELS else 1


if __name__ == "__main__":
    sys.exit(main())
