"""The built-in data sets: their sizes as constants, and their arrays before any processing.

The sizes allow a run to be planned without loading any data; a test compares them with the data.
This module finds or downloads data and never changes them; `run_data` splits and scales them.
"""

import contextlib
import io
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from kerasbatch.data.arrays import RawArrays
from kerasbatch.data.numpy_files import NpzError, read_npz
from kerasbatch.errors import DataUnavailableError, Fault
from kerasbatch.spec.data_schema import BuiltInName, KerasData, SklearnData
from kerasbatch.spec.trust import data_folder
from kerasbatch.types import Array

DOWNLOAD_TIMEOUT = 20.0
"""Seconds without an answer after which a download is given up."""


@dataclass(frozen=True)
class DatasetInfo:
    """The properties of a data set that are known before it is loaded.

    Args:
        train_examples: the number of training examples.
        test_examples: the number of test examples; 0 where there is no test part.
        input_shape: the shape of one example.
        classes: the number of classes, or None where the target is a number.
        kind: `image` (scaled to 0..1) or `table` (standardized).
        white: the value of a white pixel, which becomes 1.
    """

    train_examples: int
    test_examples: int
    input_shape: tuple[int, ...]
    classes: int | None
    kind: Literal["image", "table"]
    white: float = 255.0


DATASETS: dict[BuiltInName, DatasetInfo] = {
    "mnist": DatasetInfo(60_000, 10_000, (28, 28), 10, "image"),
    "fashion_mnist": DatasetInfo(60_000, 10_000, (28, 28), 10, "image"),
    "cifar10": DatasetInfo(50_000, 10_000, (32, 32, 3), 10, "image"),
    "cifar100": DatasetInfo(50_000, 10_000, (32, 32, 3), 100, "image"),
    "digits": DatasetInfo(1_797, 0, (8, 8), 10, "image", white=16.0),
    "iris": DatasetInfo(150, 0, (4,), 3, "table"),
    "wine": DatasetInfo(178, 0, (13,), 3, "table"),
    "breast_cancer": DatasetInfo(569, 0, (30,), 2, "table"),
    "diabetes": DatasetInfo(442, 0, (10,), None, "table"),
    "line": DatasetInfo(1_000, 0, (1,), None, "table"),
}
LINE_NOISE = 1.0
LINE_START, LINE_SLOPE = 1.0, 2.0
LINE_RANGE = (-2.0, 2.0)
# The cache files of Keras, which differ between its versions.
_CACHED = {
    "fashion_mnist": "fashion-mnist/*.gz",
    "cifar10": "cifar-10-batches-py*",
    "cifar100": "cifar-100-python*",
}


def load_builtin(
    name: BuiltInName,
    *,
    examples: int | None = None,
    noise: float | None = None,
    x_range: tuple[float, float] | None = None,
) -> RawArrays:
    """Return the arrays of a built-in data set.

    Args:
        name: the data set.
        examples: for `line`, the number of examples to generate.
        noise: for `line`, the standard deviation around the line.
        x_range: for `line`, the ends of the uniform distribution of x.

    Raises:
        DataUnavailableError: if the data set is neither stored locally nor downloadable.
    """
    if name == "line":
        n = examples or DATASETS["line"].train_examples
        return _line(n, LINE_NOISE if noise is None else noise, x_range or LINE_RANGE)
    if name in get_args(SklearnData):
        return _from_sklearn(name)
    if missing := missing_folder():
        raise _unavailable(name, missing)
    file = local_file(name)
    return _from_npz(file, name) if file else _through_keras(name)


def local_file(name: str) -> Path | None:
    """Return `$KERASBATCH_DATA/<name>.npz` if there is such a file."""
    folder = data_folder()
    file = folder / f"{name}.npz" if folder else None
    return file if file and file.is_file() else None


def missing_folder() -> str | None:
    """Return an error message if `$KERASBATCH_DATA` is set and is not a folder, else None."""
    folder = data_folder()
    if folder is None or folder.is_dir():
        return None
    return f"KERASBATCH_DATA is {os.environ['KERASBATCH_DATA']}, and there is no such folder"


def is_available_offline(name: BuiltInName) -> bool:
    """Return whether a data set seems to be available without a download; no file is opened."""
    if name not in get_args(KerasData):
        return True
    home = Path(os.environ.get("KERAS_HOME", Path("~/.keras").expanduser()))
    cached = (home / "datasets").glob(_CACHED.get(name, f"{name}.npz"))
    return local_file(name) is not None or any(cached)


def _line(examples: int, noise: float, x_range: tuple[float, float]) -> RawArrays:
    """Return y = LINE_START + LINE_SLOPE x + noise, x uniform in a range; the same every time."""
    random = np.random.RandomState(20)
    x = random.uniform(*x_range, size=(examples, 1))
    y = LINE_START + LINE_SLOPE * x[:, 0] + noise * random.standard_normal(examples)
    return RawArrays(x, y)


def _from_sklearn(name: str) -> RawArrays:
    import sklearn.datasets

    bunch = getattr(sklearn.datasets, f"load_{name}")()
    if name == "digits":
        return RawArrays(bunch.images.astype(np.uint8), bunch.target.astype(np.int64))
    target = np.float64 if name == "diabetes" else np.int64
    columns = tuple(map(str, bunch.feature_names))
    return RawArrays(bunch.data, bunch.target.astype(target), columns=columns)


def _from_npz(file: Path, name: BuiltInName) -> RawArrays:
    where = f"{file.name} in $KERASBATCH_DATA"
    try:
        stored = read_npz(file, ("x_train", "y_train", "x_test", "y_test"))
        x, y, x_test, y_test = (stored[k] for k in ("x_train", "y_train", "x_test", "y_test"))
    except (NpzError, LookupError) as error:
        needs = "an npz file with x_train, y_train, x_test, y_test"
        raise _unavailable(name, f"{where} is not {needs} ({error})") from None
    y, y_test, facts = y.reshape(-1), y_test.reshape(-1), DATASETS[name]
    parts = ((x, y, facts.train_examples), (x_test, y_test, facts.test_examples))
    for images, labels, examples in parts:
        if not _has_expected_content(images, labels, (examples, *facts.input_shape), facts.classes):
            message = (
                f"{where} does not hold {examples:,} uint8 images of shape {facts.input_shape}"
            )
            raise _unavailable(name, f"{message} with labels 0 to {(facts.classes or 1) - 1}")
    return RawArrays(x, y, x_test, y_test)


def _has_expected_content(x: Array, y: Array, shape: tuple[int, ...], classes: int | None) -> bool:
    if x.shape != shape or y.shape != shape[:1]:
        return False
    labels = y.dtype.kind in "iu" and int(y.min()) >= 0 and int(y.max()) < (classes or 1)
    return x.dtype == np.uint8 and labels


def _through_keras(name: BuiltInName) -> RawArrays:
    import keras

    previous_timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)
    try:
        # Keras prints the address of a download; only the command line may print.
        with contextlib.redirect_stdout(io.StringIO()):
            (x, y), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    except Exception as error:  # Keras wraps network errors in a bare Exception
        raise _unavailable(name, f"Keras could not download it ({error})") from error
    finally:
        socket.setdefaulttimeout(previous_timeout)
    return RawArrays(x, y.reshape(-1), x_test, y_test.reshape(-1))


def _unavailable(name: str, reason: str) -> DataUnavailableError:
    message = (
        f"{name} is not available: {reason}. Three ways to provide it: connect to the internet, so "
        f"that Keras downloads it once; or put {name}.npz (x_train, y_train, x_test, y_test) into "
        f"a folder and set KERASBATCH_DATA to that folder; or name data that need no download, "
        f"with `fallback: digits` beside the name or `data: digits` instead of it"
    )
    return DataUnavailableError([Fault(("data", "name"), message)], reason)
