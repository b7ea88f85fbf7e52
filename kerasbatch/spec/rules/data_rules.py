"""Rules of the data of a spec: between their keys, and with `validation` and `test`."""

from collections.abc import Callable, Iterator
from typing import Any

from kerasbatch.errors import Fault
from kerasbatch.spec.data_schema import TABLES, BuiltInData, DatasetData, NpyData, TableData
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.section_schema import GroupsForValidation, LastForValidation, ValidationWord


def built_in_data(spec: Spec) -> Iterator[Fault]:
    """Some keys of built-in data belong to some data sets only."""
    data = spec.data
    if not isinstance(data, BuiltInData):
        return
    if data.name != "line":
        for key in ("examples", "noise", "x_range"):
            if getattr(data, key) is not None:
                message = f"{key} belongs to {{name: line}}; leave it out"
                yield Fault(("data", key), message)
    if data.columns is not None and data.name not in TABLES:
        yield Fault(("data", "columns"), f"belongs to {', '.join(TABLES)}; leave it out")
    if data.fallback == data.name:
        yield Fault(("data", "fallback"), f"{data.name} cannot stand in for itself; name another")


def validation_of_a_table(spec: Spec) -> Iterator[Fault]:
    """A table is validated on its own file or by the key `validation`, not both."""
    if isinstance(spec.data, TableData) and spec.data.validation and spec.validation is not None:
        message = "data name a file for validation already; keep one of them"
        yield Fault(("validation",), message)


def undivided_files(spec: Spec) -> Iterator[Fault]:
    """Arrays in npy files are used as they are, without a split into parts."""
    if not isinstance(spec.data, NpyData):
        return
    validation, has_test = spec.validation, spec.data.npy.x_test is not None
    divides = validation is not None and not isinstance(validation, ValidationWord)
    if spec.test is not None:
        yield Fault(("test",), "npy files are not divided; name x_test and y_test")
    if divides or (validation is None and not has_test):
        message = "npy files are not divided; name x_test and y_test, or write validation: none"
        yield Fault(("validation",), message)


def series_in_time(spec: Spec) -> Iterator[Fault]:
    """Windows need a column of time, and their parts follow one another."""
    data = spec.data
    if not isinstance(data, TableData):
        return
    if data.window is None:
        for key in ("time", "horizon"):
            if getattr(data, key) is not None:
                yield Fault(("data", key), "belongs to windows; write window: 24, or leave it out")
        return
    if data.time is None:
        message = "needs the column of time, in whose order the windows are; write time: COLUMN"
        yield Fault(("data", "window"), message)
    for key in ("weight", "train_examples", "text"):
        if getattr(data, key) is not None:
            yield Fault(("data", key), "does not go with windows of a series; leave it out")
    if data.missing == "drop":
        message = "drop would leave gaps in the windows; write mean, or fill the cells in"
        yield Fault(("data", "missing"), message)
    if spec.validation is not None and not isinstance(
        spec.validation, LastForValidation | ValidationWord
    ):
        message = "would mix past and future, for windows overlap; write {last: 0.2}"
        yield Fault(("validation",), message)


def last_parts(spec: Spec) -> Iterator[Fault]:
    """The last examples are of data in one piece, and leave some for training."""
    is_last = isinstance(spec.validation, LastForValidation)
    if spec.test is None:
        return
    if isinstance(spec.data, TableData) and spec.data.test:
        yield Fault(("test",), "data name a file for the test already; keep one of them")
    validation = spec.validation.last if isinstance(spec.validation, LastForValidation) else 0.0
    if isinstance(spec.validation, GroupsForValidation):
        message = "would put rows of one group on both sides; write a file for the test"
        yield Fault(("test",), message)
    if is_last and validation + spec.test.last >= 1:
        yield Fault(("test", "last"), "together with validation, it leaves nothing for training")


def dates_of_a_table(spec: Spec) -> Iterator[Fault]:
    """The column of time is in no other role."""
    data = spec.data
    if isinstance(data, TableData) and data.dates and data.time in data.dates:
        message = f"{data.time} is the column of time; copy it in the file to use its parts"
        yield Fault(("data", "dates", str(data.time)), message)


def groups_of_a_table(spec: Spec) -> Iterator[Fault]:
    """Groups are a column of a table that is not its target."""
    if not isinstance(spec.validation, GroupsForValidation):
        return
    place = ("validation", "groups")
    if not isinstance(spec.data, TableData):
        yield Fault(place, "names a column, and these data are no table; write {fraction: 0.2}")
    elif spec.validation.groups in spec.data.targets:
        yield Fault(place, f"{spec.validation.groups} is a target; name another column")


def streams(spec: Spec) -> Iterator[Fault]:
    """A stream has its own order and no examples that could be looked up."""
    data = spec.data
    if not isinstance(data, DatasetData) or not data.stream:
        return
    for key in ("cache", "train_examples", "standardize_target"):
        if getattr(data, key):
            yield Fault(("data", key), "does not go with a stream; leave it out")
    if spec.sampling == "replacement":
        yield Fault(("sampling",), "a stream has its own order; leave it out")
    if "noise" in spec.record:
        yield Fault(("record",), "the noise needs all examples, and a stream has none at hand")
    if spec.class_weight is not None:
        yield Fault(("class_weight",), "let the dataset yield (x, y, weight) instead")


DATA_RULES: tuple[Callable[[Any], Iterator[Fault]], ...] = (
    built_in_data,
    validation_of_a_table,
    undivided_files,
    series_in_time,
    last_parts,
    dates_of_a_table,
    groups_of_a_table,
    streams,
)
