"""The arrays of a data set before any processing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kerasbatch.array_trees import Arrays
from kerasbatch.data.table_format import TableFormat
from kerasbatch.data.windows import Window
from kerasbatch.types import Array


@dataclass(frozen=True)
class RawArrays:
    """A data set before any processing: x of shape (examples, ...), y of shape (examples,).

    A table keeps float64 and the names of its columns until it is encoded.

    Args:
        x: the examples; of several inputs, such arrays by name or in a tuple.
        y: their labels or numbers; of several outputs of a model, such arrays by name.
        x_test: the examples of the test part, or None.
        y_test: their labels or numbers, or None.
        columns: the names of a table's columns, or None.
        x_val: the examples of a separate validation part, or None.
        y_val: their labels or numbers, or None.
        weight: the weight of each example of x, or None.
        words: the words of each column of text, by its name; x holds their numbers from 0, and
            nan for a missing one.
        orders: the words of ordered columns, by name; x holds their positions.
        units: the units of columns of numbers, by name, where they have one.
        table_format: the format of the table's file.
        notice: a message for the user about the data, or None.
        texts: the texts of each part, `train`, `validation`, `test`, as str in object arrays.
        day_first: by column of dates such as 01.02.2024, whether the day is first.
        stream_examples: the examples of a dataset that is trained on as it comes, of which x and y
            are the first ones; or None.
        groups: the group of each example of x, or None.
        window: the windows of a series in time, or None; x and y hold its rows.
        prepared: a message for the user that the arrays were written into the cache, or None.
        fingerprint: a hash of the arrays that is known already, or None.
    """

    x: Arrays
    y: Arrays
    x_test: Arrays | None = None
    y_test: Arrays | None = None
    columns: tuple[str, ...] | None = None
    x_val: Arrays | None = None
    y_val: Arrays | None = None
    weight: Array | None = None
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    table_format: TableFormat = field(default_factory=TableFormat)
    notice: str | None = None
    texts: Mapping[str, Array] = field(default_factory=dict)
    day_first: Mapping[str, bool] = field(default_factory=dict)
    stream_examples: int | None = None
    groups: Array | None = None
    window: Window | None = None
    prepared: str | None = None
    fingerprint: str | None = None
