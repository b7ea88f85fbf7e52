"""Arrays in npy files, mapped into memory: larger than it, if need be."""

from pathlib import Path

import numpy as np

from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.shared_types import Array
from kerasbatch.spec.access import Access
from kerasbatch.spec.data_keys import NpyData
from kerasbatch.workload.built_in_data import DataSet

WHERE: Location = ("data", "npy")
LEGAL = ("uint8", "float32", "float16")
"""Types of examples: what a file holds is what the model gets, and nothing is copied."""


def read(data: NpyData, access: Access) -> DataSet:
    """Open the arrays of a spec; examples stay in their files, labels are read.

    Raises:
        SpecError: if a file is not there or no npy file of numbers; all faults at once.
    """
    found, faults = dict[str, Array](), list[Fault]()
    for name, file in data.npy.files().items():
        try:
            found[name] = _opened(access.file(file, (*WHERE, name)), name)
        except SpecError as error:
            faults += error.faults
    if faults:
        raise SpecError(faults)
    x_test = found.get("x_test")
    return DataSet(
        found["x_train"],
        np.array(found["y_train"]),
        x_test,
        np.array(found["y_test"]) if "y_test" in found else None,
        weight=np.array(found["sample_weight"]) if "sample_weight" in found else None,
    )


def _opened(path: Path, name: str) -> Array:
    """Map an array from a file.

    Raises:
        SpecError: if that cannot be, or its type is none that a model gets as it is.
    """
    try:
        with np.errstate(over="ignore"):  # of a shape that no file has
            array = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError, TypeError, SyntaxError, OverflowError) as error:
        told = "holds Python objects" if "object" in str(error).lower() else "is no whole npy file"
        message = f"{path.name} {told}; write an array of numbers with np.save"
        raise SpecError.at((*WHERE, name), message) from None
    if name.startswith("x_") and array.dtype.name not in LEGAL:
        message = (
            f"{path.name} has type {array.dtype}; must be one of {', '.join(LEGAL)}, for what the "
            "file holds is trained on as it is"
        )
        raise SpecError.at((*WHERE, name), message)
    if not array.flags.c_contiguous:
        message = f"{path.name} is stored column by column; save np.ascontiguousarray(array)"
        raise SpecError.at((*WHERE, name), message)
    return array
