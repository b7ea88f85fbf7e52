"""20,000 small JPEG files: the first reading, a second run, and an epoch, beside Keras' dataset.

python benchmarks/images.py [--files N]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES, SIDE, SIZE = 10, 64, 16


def make(folder: Path, count: int) -> None:
    """Write random images, smooth enough to be compressed."""
    random = np.random.RandomState(0)
    for number in range(count):
        target = folder / str(number % CLASSES)
        target.mkdir(parents=True, exist_ok=True)
        small = Image.fromarray(random.randint(0, 256, (8, 8, 3)).astype(np.uint8))
        small.resize((SIDE, SIDE)).save(target / f"{number:05}.jpg", quality=85)


def spec(folder: Path) -> dict[str, Any]:
    """Return the spec of the images."""
    return {
        "data": {"images": folder.name, "size": [SIDE, SIDE]},
        "model": {
            "layers": [
                "Flatten",
                {"Dense": {"units": 8, "activation": "relu"}},
                {"Dense": {"units": CLASSES, "activation": "softmax"}},
            ]
        },
        "optimizer": "adam",
        "loss": "sparse_categorical_crossentropy",
        "epochs": 1,
        "batch_size": SIZE,
        "validation": "none",
    }


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds of some work, and its result."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read(options.read)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "images"
        make(folder, options.files)
        os.environ["KERASBATCH_CACHE"] = str(Path(name) / "cache")
        time.sleep(2.5)  # so that the times of the files tell their content
        dataset_pass, keras_epoch = keras_times(folder)
        first, second = (
            float(
                subprocess.run(
                    [sys.executable, __file__, "--read", str(folder)],
                    check=True,
                    capture_output=True,
                    text=True,
                ).stdout.split()[-1]
            )
            for _ in range(2)
        )
        epoch = our_epoch(folder)
    print(f"a pass of image_dataset_from_directory  {dataset_pass:6.2f} s")
    print(
        f"first reading                           {first:6.2f} s  {first / dataset_pass:.2f} passes"
    )
    print(f"second reading                          {second:6.2f} s")
    print(f"epoch of model.fit on that dataset      {keras_epoch:6.2f} s")
    print(
        f"epoch of kerasbatch                     {epoch:6.2f} s  {keras_epoch / epoch:.1f} times"
    )


def read(folder: Path) -> None:
    """Print the seconds that the data of a run take."""
    from kerasbatch.data.run_data import load_data
    from kerasbatch.spec import reader
    from kerasbatch.spec.trust import Access

    source = reader.spec_from_dict(spec(folder))
    seconds, _ = timed(lambda: load_data(source.spec, Access(folder.parent)))
    print(seconds)


def keras_times(folder: Path) -> tuple[float, float]:
    """Return the seconds of a pass over Keras' dataset, and of an epoch of `model.fit` on it."""
    import keras

    dataset = keras.utils.image_dataset_from_directory(
        folder, image_size=(SIDE, SIDE), batch_size=SIZE, verbose=False
    )
    seconds = min(timed(lambda: [None for _ in dataset])[0] for _ in range(2))
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(8, "relu"),
            layers.Dense(CLASSES, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(dataset, epochs=1, verbose=0)
    return seconds, timed(lambda: model.fit(dataset, epochs=1, verbose=0))[0]


def our_epoch(folder: Path) -> float:
    """Return the training seconds of a run of one epoch."""
    import yaml

    import kerasbatch as kb

    file = folder.parent / "images.yaml"
    file.write_text(yaml.safe_dump(spec(folder) | {"epochs": 3}), encoding="utf-8")
    result = kb.run(file, results=folder.parent / "results")
    return float(result.row["train_seconds"]) / 3


if __name__ == "__main__":
    main()
