"""spec.data -> raw arrays, before labels are encoded and the data are split and scaled.

The result depends on no other key of a spec, so runs that differ in their loss share it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kerasbatch import array_trees
from kerasbatch.array_files import FileState, file_states
from kerasbatch.data.arrays import RawArrays
from kerasbatch.data.builtin import DATASETS, load_builtin
from kerasbatch.data.cached_arrays import add_bytes
from kerasbatch.data.texts.vectorizer import texts_hash
from kerasbatch.data.user_data import load_user_data
from kerasbatch.errors import DataUnavailableError, Fault, SpecError
from kerasbatch.spec.data_schema import (
    AnyData,
    BuiltInData,
    DatasetData,
    NpyData,
    ObjectData,
)
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.section_schema import GroupsForValidation
from kerasbatch.spec.trust import Access
from kerasbatch.text import short_name, show_value, suggestion
from kerasbatch.types import Array

WHITE = 255.0
"""The value of a white pixel in a user's images of bytes."""


@dataclass(frozen=True)
class RawData:
    """A data set before any processing.

    Args:
        used: the name of the data that are used, which may be a fallback.
        arrays: the arrays.
        fingerprint: a hash of the arrays.
        is_table: whether it is a table of rows and columns, which may be standardized.
        scale: the factor of images before the model, or None.
        classes: the number of classes of built-in data; None for numbers, and for user data,
            whose labels depend on the loss, and for several targets.
        notice: a message for the user, such as a fallback; or None.
        files: the state of the mapped files before the fingerprint was computed.
        prepared: a message for the user that the arrays were written into the cache, or None.
        target_classes: of several targets, the number of classes of each, None for numbers.
        target_labels: the labels of the classes of each that were text.
    """

    used: str
    arrays: RawArrays
    fingerprint: str
    is_table: bool
    scale: float | None
    classes: int | None = None
    notice: str | None = None
    files: Mapping[str, FileState] = field(default_factory=dict)
    prepared: str | None = None
    target_classes: Mapping[str, int | None] | None = None
    target_labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def group_column(spec: Spec) -> str | None:
    """Return the column of the groups that validation keeps together, or None."""
    validation = spec.validation
    return validation.groups if isinstance(validation, GroupsForValidation) else None


def read_raw(data: AnyData, access: Access, groups: str | None = None) -> RawData:
    """Return the arrays of a spec's data.

    Args:
        data: the keys of the spec.
        access: the files and code that the spec may use.
        groups: the result of `group_column`.

    Raises:
        DataUnavailableError: if built-in data are not available and there is no fallback.
        SpecError: if user data cannot be read.
    """
    if isinstance(data, BuiltInData):
        return _built_in(data)
    arrays = load_user_data(data, access, groups)
    inputs = array_trees.leaves(arrays.x)
    image = any(array.dtype == np.uint8 and array.ndim >= 3 for array in inputs)
    rows = len(inputs) == 1 and inputs[0].dtype.kind == "f" and inputs[0].ndim == 2
    table = (
        rows and isinstance(arrays.x, np.ndarray) and not isinstance(data, NpyData | DatasetData)
    )  # these are used unchanged
    scale = 1 / WHITE if image else None
    files = file_states(array for part in vars(arrays).values() for array in _all_arrays(part))
    content = arrays.fingerprint or fingerprint(arrays)
    if isinstance(data, ObjectData) and arrays.columns is not None:
        # In a file, other names are another file; equal arrays of DataFrames may have any names.
        content = hashlib.sha256(json.dumps([content, arrays.columns]).encode()).hexdigest()
    return RawData(
        data.kind,
        arrays,
        content,
        table,
        scale,
        notice=arrays.notice,
        files=files,
        prepared=arrays.prepared,
    )


def _built_in(data: BuiltInData) -> RawData:
    used, notice = data.name, None
    try:
        arrays = load_builtin(
            data.name, examples=data.examples, noise=data.noise, x_range=data.x_range
        )
        arrays = _select_columns(arrays, data.columns)
    except DataUnavailableError as error:
        if data.fallback is None:
            raise
        arrays, used = load_builtin(data.fallback), data.fallback
        notice = _fallback_notice(data, error)
    facts = DATASETS[used]
    scale = 1 / facts.white if facts.kind == "image" else None
    table = facts.kind == "table"
    return RawData(used, arrays, fingerprint(arrays), table, scale, facts.classes, notice)


def _select_columns(arrays: RawArrays, names: Sequence[str] | None) -> RawArrays:
    """Return data with only the named columns."""
    if names is None or arrays.columns is None:
        return arrays
    columns = arrays.columns
    hint = f"; it has {short_name(', '.join(columns))}"
    faults = [
        Fault(
            ("data", "columns", number),
            f"the data have no column {show_value(name)}{suggestion(name, columns) or hint}",
        )
        for number, name in enumerate(names)
        if name not in columns
    ]
    if faults:
        raise SpecError(faults)
    return replace(
        arrays,
        x=array_trees.single(arrays.x)[:, [columns.index(name) for name in names]],
        columns=tuple(names),
    )


def _fallback_notice(data: BuiltInData, error: DataUnavailableError) -> str:
    return (
        f"{data.name.upper()} IS NOT AVAILABLE, TRAINING ON {str(data.fallback).upper()} INSTEAD "
        f"({error.reason}). To train on {data.name}, connect to the internet, or put "
        f"{data.name}.npz into a folder and set KERASBATCH_DATA to it."
    )


def fingerprint(arrays: RawArrays) -> str:
    """Return a hash of arrays: their types, shapes and bytes."""
    digest = hashlib.sha256()
    for array in (arrays.x, arrays.y, arrays.x_test, arrays.y_test):
        _add(digest, b"none" if array is None else array)
    # A field of a later version must not change the hashes of data without it.
    optional_arrays = {"x_val": arrays.x_val, "y_val": arrays.y_val, "weight": arrays.weight}
    optional_arrays["groups"] = arrays.groups
    for name, array in optional_arrays.items():
        if array is not None:
            digest.update(name.encode())
            _add(digest, array)
    for part, texts in arrays.texts.items():
        digest.update(f"{part} {texts_hash(texts)}".encode())
    if arrays.words:
        digest.update(json.dumps(list(arrays.words.items())).encode())
    return digest.hexdigest()


def _all_arrays(part: Any) -> list[Array]:
    """Return the arrays of a field: one, or those of several inputs."""
    parts = array_trees.leaves(part) if isinstance(part, np.ndarray | dict | tuple) else []
    return [array for array in parts if isinstance(array, np.ndarray)]


def _add(digest: "hashlib._Hash", content: Any) -> None:
    """Add the type, shape and bytes of an array in parts, because it may be a large file."""
    if isinstance(content, bytes):
        digest.update(content)
        return
    if isinstance(content, dict | tuple):
        digest.update(type(content).__name__.encode())
        for name, array in array_trees.named(content).items():
            digest.update(name.encode())
            _add(digest, array)
        return
    digest.update(f"{content.dtype.str}{content.shape}".encode())
    add_bytes(digest, content)
