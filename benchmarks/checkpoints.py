"""The cost of checkpoints: a training with one after every epoch, and a large one on the disk.

    python benchmarks/checkpoints.py

The first is experiments/mnist_b16.yaml, with and without `checkpoint: {epochs: 1}`, in turn; whole
runs without compilation. The second is a state of 500 MB beside a plain file of the same bytes,
both flushed to the disk, and its reading.
"""

import functools
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import kerasbatch as kb
from kerasbatch.records.checkpoints.checkpoint_folder import Checkpoint, CheckpointFolder

SPEC = Path(__file__).parents[1] / "experiments" / "mnist_b16.yaml"
ROUNDS, MEGABYTES = 7, 500


def seconds(action: Callable[[], Any]) -> float:
    """Return the duration of an action."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def trainings(folder: Path) -> None:
    """Print the medians of a training with checkpoints and without."""
    times: dict[tuple[str, ...], list[float]] = {(): [], ("checkpoint={epochs: 1}",): []}
    for number in range(ROUNDS + 1):
        for overrides, values in times.items():
            results = folder / f"{number}-{len(overrides)}"
            run = functools.partial(kb.run, SPEC, overrides=overrides, results=results)
            one = seconds(run)
            if number:  # the first round compiles
                values.append(one)
    without, with_them = map(statistics.median, times.values())
    print(f"5 epochs of mnist_b16: {without:.2f} s, with 5 checkpoints {with_them:.2f} s")
    pairs = zip(*times.values(), strict=True)
    print(f"  median of the ratios {statistics.median(b / a for a, b in pairs):.3f}")


def plain_file(path: Path, content: np.ndarray) -> None:
    """Write bytes and flush them to the disk."""
    with path.open("wb") as stream:
        stream.write(content.data)
        os.fsync(stream.fileno())


def files(folder: Path) -> None:
    """Print the medians of a large checkpoint and a plain file of the same size."""
    values = np.random.default_rng(0).integers(0, 256, MEGABYTES * 1_000_000, dtype=np.uint8)
    state = {"values": np.split(values, 50)}
    checkpoints, times = CheckpointFolder(folder / "checkpoints"), []
    for number in range(3):
        plain = seconds(lambda: plain_file(folder / "plain", values))
        whole = seconds(lambda number=number: checkpoints.write(number + 1, state, {}))
        (newest, *_) = (each for each in checkpoints.newest() if isinstance(each, Checkpoint))
        read = seconds(newest.state)
        times.append((plain, whole, read))
    plain, whole, read = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"{MEGABYTES} MB: plain file {plain:.2f} s, checkpoint {whole:.2f} s, read {read:.2f} s")
    print(f"  ratio {whole / plain:.2f}")


def main() -> None:
    """Print both."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        trainings(Path(name))
        files(Path(name))


if __name__ == "__main__":
    main()
