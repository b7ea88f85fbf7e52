"""The keys under `data`: built-in data, and data of one's own."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, Strict, Tag

from kerasbatch.spec.fields import (
    Count,
    Expected,
    FileName,
    Flag,
    PythonName,
    StrictModel,
    Text,
    by_key,
    one_of,
    tag,
)

KerasData = Literal["mnist", "fashion_mnist", "cifar10", "cifar100"]
SklearnData = Literal["digits", "iris", "wine", "breast_cancer", "diabetes"]
BuiltInName = Literal[KerasData, SklearnData, "line"]
TABLES = ("iris", "wine", "breast_cancer", "diabetes")
"""The built-in data whose columns have names."""
TableKind = Literal["csv", "parquet"]
FILE_KEYS = ("csv", "parquet", "npz", "npy", "validation", "test")
"""The keys under `data` that name files."""
ColumnNames = Annotated[
    tuple[Text, ...], Field(strict=False, min_length=1), Expected("a list of column names")
]
MAX_LINE_EXAMPLES = 10**7
"""The most examples that are made for a line."""


class BuiltInData(StrictModel):
    """Data that come with Keras or scikit-learn, or are made here."""

    name: Annotated[BuiltInName, Expected(one_of(BuiltInName))]
    fallback: Annotated[BuiltInName | None, Expected(one_of(BuiltInName))] = None
    examples: Annotated[
        int | None,
        Strict(),
        Field(ge=1, le=MAX_LINE_EXAMPLES),
        Expected(f"a whole number, 1 to {MAX_LINE_EXAMPLES:,}"),
    ] = None
    noise: Annotated[float | None, Field(ge=0), Expected("a number, 0 or more")] = None
    columns: ColumnNames | None = None
    train_examples: Count | None = None
    standardize: Flag = True
    standardize_target: Flag = False


class TableData(StrictModel):
    """A table of columns with names; the target is one of them."""

    target: Text
    columns: ColumnNames | None = None
    weight: Text | None = None
    validation: FileName | None = None
    test: FileName | None = None
    missing: Annotated[Literal["mean", "drop"] | None, Expected("mean or drop")] = None
    train_examples: Count | None = None
    standardize: Flag = True
    standardize_target: Flag = False

    @property
    def kind(self) -> TableKind:
        """What kind of files it is read from, which is the key that names the first of them."""
        return "csv" if isinstance(self, CsvData) else "parquet"


class CsvData(TableData):
    """A table in a CSV file."""

    csv: FileName


class ParquetData(TableData):
    """A table in a Parquet file; needs pyarrow."""

    parquet: FileName


class NpzData(StrictModel):
    """Arrays in an npz file: x_train, y_train and, where there are any, x_test, y_test.

    `sample_weight` belongs to x_train.
    """

    npz: FileName
    train_examples: Count | None = None
    standardize: Flag = True
    standardize_target: Flag = False


class NpyFiles(StrictModel):
    """The files of arrays, one for each."""

    x_train: FileName
    y_train: FileName
    x_test: FileName | None = None
    y_test: FileName | None = None
    sample_weight: FileName | None = None

    def files(self) -> dict[str, str]:
        """Return the files that are given, by the names of their arrays."""
        named = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: file for name, file in named.items() if file is not None}


class NpyData(StrictModel):
    """Arrays in npy files, mapped into memory and trained on as they are."""

    npy: NpyFiles
    train_examples: ClassVar[None] = None
    standardize: ClassVar[bool] = False
    standardize_target: ClassVar[bool] = False


class PythonData(StrictModel):
    """Arrays that a Python function returns; needs trust."""

    python: PythonName
    train_examples: Count | None = None
    standardize: Flag = True
    standardize_target: Flag = False


AnyData = Annotated[
    Annotated[BuiltInData, Tag(tag(BuiltInData))]
    | Annotated[CsvData, Tag(tag(CsvData))]
    | Annotated[ParquetData, Tag(tag(ParquetData))]
    | Annotated[NpzData, Tag(tag(NpzData))]
    | Annotated[NpyData, Tag(tag(NpyData))]
    | Annotated[PythonData, Tag(tag(PythonData))],
    by_key(
        name=BuiltInData,
        csv=CsvData,
        parquet=ParquetData,
        npz=NpzData,
        npy=NpyData,
        python=PythonData,
    ),
]
