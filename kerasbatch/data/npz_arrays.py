"""The arrays of an npz file as the parts of a data set."""

import itertools
import zipfile
from pathlib import Path
from typing import Any

from kerasbatch.data.arrays import RawArrays
from kerasbatch.data.numpy_files import NpzError, npz_names, read_npz
from kerasbatch.errors import Location, SpecError
from kerasbatch.text import short_name

NPZ_LOCATION: Location = ("data", "npz")
KEYS = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test", "sample_weight")
SEVERAL = ("x_train", "x_val", "x_test", "y_train", "y_val", "y_test")
"""The arrays that may be several inputs or targets, as in `x_train.image` and `y_train.price`."""


def npz_arrays(path: Path) -> RawArrays:
    """Return the arrays of a file; of several inputs, a mapping by name.

    Raises:
        SpecError: if the file cannot be read, or lacks x_train or y_train.
    """
    try:
        names = npz_names(path) if zipfile.is_zipfile(path) else []
        inputs = {key: [name for name in names if name.startswith(f"{key}.")] for key in SEVERAL}
        used = [*KEYS, *itertools.chain.from_iterable(inputs.values())]
        arrays: dict[str, Any] = read_npz(path, used)
    except NpzError as error:
        raise SpecError.at(NPZ_LOCATION, f"cannot be read: {error}") from None
    for key, dotted in inputs.items():
        if dotted and key not in arrays:
            arrays[key] = {name.removeprefix(f"{key}."): arrays[name] for name in dotted}
    if missing := [key for key in ("x_train", "y_train") if key not in arrays]:
        held = short_name(", ".join(names)) or "nothing"
        message = f"has no {' and no '.join(missing)}; it holds {held}"
        raise SpecError.at(NPZ_LOCATION, message)
    others = short_name(", ".join(name for name in names if name not in used))
    x, y, x_val, y_val, x_test, y_test, weight = (arrays.get(key) for key in KEYS)
    return RawArrays(  # x and y are there
        x,  # type: ignore[arg-type]
        y,  # type: ignore[arg-type]
        x_test,
        y_test,
        x_val=x_val,
        y_val=y_val,
        weight=weight,
        notice=f"left out of {path.name}: {others}" if others else None,
    )
