"""A user's own data: a CSV table, an npz file, or what a Python function returns.

Errors name columns and lines, never the contents of a file.
"""

import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.shared_types import Array
from kerasbatch.spec import keras_names, own_code
from kerasbatch.spec.access import Access
from kerasbatch.spec.data_keys import CsvData, NpzData, PythonData
from kerasbatch.workload.built_in_data import DataSet

if TYPE_CHECKING:
    import pandas as pd

_NUMBERS = "biuf"
_NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")


def load(data: CsvData | NpzData | PythonData, access: Access) -> DataSet:
    """Return the arrays of own data; x of numbers, y of numbers or of labels as text.

    Raises:
        SpecError: if they cannot be read, or are no data to train on; all faults at once.
    """
    if isinstance(data, CsvData):
        arrays = _csv(data, access.file(data.csv, ("data", "csv")))
        where: Location = ("data", "csv")
    elif isinstance(data, NpzData):
        arrays = _npz(access.file(data.npz, ("data", "npz")))
        where = ("data", "npz")
    else:
        where = ("data", "python")
        arrays = _python(data.python, access, where)
    faults = [Fault(where, message) for message in _wrong(arrays)]
    if faults:
        raise SpecError(faults)
    return replace(arrays, y=_flat(arrays.y), y_test=_flat(arrays.y_test))  # type: ignore[arg-type]  # y stays an array


def _flat(y: Array | None) -> Array | None:
    """Return labels that stand in a column as a row of them."""
    is_column = y is not None and y.ndim == 2 and y.shape[1] == 1 and y.dtype.kind in "iuSU"
    return y[:, 0] if y is not None and is_column else y


def _csv(data: CsvData, path: Path) -> DataSet:
    table = _table(path)
    columns = list(data.columns or [name for name in table.columns if name != data.target])
    faults = [
        Fault(location, f"the file has no column {keras_names.show(name)}{_columns(name, table)}")
        for name, location in [
            (data.target, ("data", "target")),
            *((name, ("data", "columns", i)) for i, name in enumerate(columns)),
        ]
        if name not in table.columns
    ]
    if data.target in columns:
        faults.append(Fault(("data", "columns"), f"{data.target} is the target; leave it out here"))
    if not faults and not columns:
        faults.append(Fault(("data", "csv"), "the file has no column beside the target"))
    if faults:
        raise SpecError(faults)
    return DataSet(_numbers(table, columns), _target(table, data.target), columns=tuple(columns))


def _columns(name: str, table: "pd.DataFrame") -> str:
    hint = keras_names.nearest(name, table.columns)
    return hint or f"; it has {keras_names.shorten(', '.join(table.columns))}"


def _table(path: Path) -> "pd.DataFrame":
    """Read a CSV file as text cells, every row as long as the header."""
    import pandas as pd

    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            table = pd.read_csv(
                stream,
                dtype=str,
                keep_default_na=False,
                index_col=False,
                header=None,
                skip_blank_lines=False,
            )
    except pd.errors.EmptyDataError:
        raise SpecError.at(("data", "csv"), "the file is empty") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        reason = str(error).strip().replace("Error tokenizing data. C error: ", "")
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else reason
        raise SpecError.at(("data", "csv"), f"is not a table with a header: {reason}") from None
    filled = (table.fillna("") != "").any(axis=1).to_numpy()
    last = int(np.max(np.nonzero(filled)[0], initial=0))  # blank lines at the end are no rows
    header = [str(name).strip() for name in table.iloc[0]]
    table = table.iloc[1 : last + 1].set_axis(header, axis=1)
    if not len(table):
        raise SpecError.at(("data", "csv"), "the file has a header but no rows")
    if len(set(header)) < len(header):
        raise SpecError.at(("data", "csv"), "two columns of the file have the same name")
    return table


def _numbers(table: "pd.DataFrame", columns: list[str]) -> Array:
    import pandas as pd

    found, faults = [], []
    for name in columns:
        cells = table[name].str.strip()
        values = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
        bad = ~np.isfinite(values)
        if bad.any():
            first = int(np.argmax(bad))
            what = "an empty cell" if cells.iloc[first] == "" else "no number"
            message = f"column {keras_names.show(name)} has {what} in line {first + 2}"
            advice = "fill it in, or list the columns to use: columns: [...]"
            faults.append(Fault(("data", "csv"), f"{message} ({int(bad.sum())} such); {advice}"))
        found.append(values)
    if faults:
        raise SpecError(faults)
    return np.stack(found, axis=1)


def _target(table: "pd.DataFrame", name: str) -> Array:
    import pandas as pd

    cells = table[name].str.strip()
    empty = (cells == "").to_numpy()
    if empty.any():
        line = int(np.argmax(empty)) + 2
        message = f"the target column {keras_names.show(name)} has an empty cell in line {line}"
        raise SpecError.at(("data", "target"), message)
    values = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
    if np.isnan(values).all():
        return cells.to_numpy(dtype=str)  # labels as text
    if not np.isfinite(values).all():
        line = int(np.argmax(~np.isfinite(values))) + 2
        message = (
            f"the target column {keras_names.show(name)} has numbers and, in line {line}, none"
        )
        raise SpecError.at(("data", "target"), message)
    whole = bool((values == np.round(values)).all() and np.abs(values).max() < 2**53)
    return values.astype(np.int64) if whole else values


def _npz(path: Path) -> DataSet:
    location: Location = ("data", "npz")
    try:
        with path.open("rb") as stream:
            stored = np.load(stream, allow_pickle=False)
            single = isinstance(stored, np.ndarray)
            keys = [] if single else [key for key in stored if key in _NPZ_KEYS]
            arrays = {key: stored[key] for key in keys}
            held = "" if single else keras_names.shorten(", ".join(stored)) or "nothing"
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        pickled = "pickle" in str(error).lower() and zipfile.is_zipfile(path)
        reason = "it holds Python objects" if pickled else "it is no npz file"
        message = f"cannot be read: {reason}; write plain arrays with np.savez"
        raise SpecError.at(location, message) from None
    if single:
        message = "is a single array; write x_train and y_train with np.savez"
        raise SpecError.at(location, message)
    missing = [key for key in ("x_train", "y_train") if key not in arrays]
    if missing:
        raise SpecError.at(location, f"has no {' and no '.join(missing)}; it holds {held}")
    x, y, x_test, y_test = (arrays.get(key) for key in _NPZ_KEYS)
    return DataSet(x, y, x_test, y_test)  # type: ignore[arg-type]  # x and y are there


def _python(name: str, access: Access, location: Location) -> DataSet:
    returned = own_code.call(name, access, location)
    legal = "(x, y) or ((x, y), (x_test, y_test))"
    if not isinstance(returned, tuple | list) or len(returned) != 2:
        raise SpecError.at(location, f"{name} returned {_kind(returned)}; must return {legal}")
    first, second = returned
    if isinstance(first, tuple) and len(first) == 2:
        if not isinstance(second, tuple | list) or len(second) != 2:
            raise SpecError.at(location, f"{name} returned {_kind(second)} second; {legal}")
        parts = [*first, *second]
    else:
        parts = [first, second]
    try:
        arrays = [np.asarray(part) for part in parts]
        return DataSet(arrays[0], arrays[1], *arrays[2:4])  # type: ignore[arg-type]  # at most four
    except ValueError as error:
        message = f"{name} returned something that is no array: {error}"
        raise SpecError.at(location, message) from None


def _kind(value: Any) -> str:
    count = f" of {len(value)}" if isinstance(value, tuple | list | dict) else ""
    return f"{type(value).__name__}{count}"


def _wrong(arrays: DataSet) -> list[str]:
    """Return what is wrong with arrays, whatever they came from."""
    if (arrays.x_test is None) != (arrays.y_test is None):
        return ["has only one of x_test and y_test; give both or neither"]
    found = _wrong_pair("x_train", arrays.x, "y_train", arrays.y)
    if arrays.x_test is not None and arrays.y_test is not None:
        found += _wrong_pair("x_test", arrays.x_test, "y_test", arrays.y_test)
        if not found and arrays.x_test.shape[1:] != arrays.x.shape[1:]:
            shapes = f"{arrays.x.shape[1:]} in x_train, {arrays.x_test.shape[1:]} in x_test"
            found.append(f"an example has shape {shapes}; they must be the same")
        if not found and (arrays.x_test.dtype == np.uint8) != (arrays.x.dtype == np.uint8):
            types = f"{arrays.x.dtype}, and x_test has {arrays.x_test.dtype}"
            found.append(f"x_train has type {types}; bytes are scaled to 0..1, so give both alike")
    return found


def _wrong_pair(x_name: str, x: Array, y_name: str, y: Array) -> list[str]:
    found = []
    for name, array, kinds in ((x_name, x, _NUMBERS), (y_name, y, _NUMBERS + "U")):
        if array.dtype.kind not in kinds:
            found.append(f"{name} has type {array.dtype}; must be numbers")
        elif array.ndim < (2 if array is x else 1):
            shape = f"found shape {array.shape}"
            found.append(f"{name}: {shape}; must be (examples, ...), one row for each example")
        elif array.dtype.kind == "f" and not (good := np.isfinite(array)).all():
            row = int(np.argwhere(~good)[0][0])
            count = int((~good).sum())
            found.append(
                f"{name} has {count} values that are no finite numbers, first in row {row}"
            )
    if not found and len(x) != len(y):
        found.append(f"{x_name} has {len(x):,} examples and {y_name} {len(y):,}; must be as many")
    if not found and not len(x):
        found.append(f"{x_name} is empty")
    return found
