"""The keys under `data`: built-in data, and data of the user's own files or code.

`kind` is the key that is present in each form of the mapping.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, Strict

from kerasbatch.spec.fields import (
    CODE,
    FILE,
    FILES,
    Count,
    Expected,
    FileName,
    Flag,
    InnerKey,
    KeyedModel,
    PythonName,
    StrictModel,
    Text,
    one_of,
)

KerasData = Literal["mnist", "fashion_mnist", "cifar10", "cifar100"]
SklearnData = Literal["digits", "iris", "wine", "breast_cancer", "diabetes"]
BuiltInName = Literal[KerasData, SklearnData, "line"]
TABLES = ("iris", "wine", "breast_cancer", "diabetes")
"""The built-in data sets with named columns."""
TableKind = Literal["csv", "parquet"]
ColumnNames = Annotated[
    tuple[Text, ...], Field(strict=False, min_length=1), Expected("a list of column names")
]
MAX_LINE_EXAMPLES = 10**7
"""The largest number of examples of a `line`."""
PLAIN = InnerKey()


class BuiltInData(KeyedModel):
    """Data that come with Keras or scikit-learn, or are generated."""

    kind: Literal["name"] = Field("name", exclude=True)
    name: Annotated[BuiltInName, Expected(one_of(BuiltInName)), PLAIN]
    fallback: Annotated[
        BuiltInName | None, Expected(one_of(BuiltInName)), InnerKey(identity=False)
    ] = None
    examples: Annotated[
        int | None,
        Strict(),
        Field(ge=1, le=MAX_LINE_EXAMPLES),
        Expected(f"a whole number, 1 to {MAX_LINE_EXAMPLES:,}"),
        PLAIN,
    ] = None
    noise: Annotated[float | None, Field(ge=0), Expected("a number, 0 or more"), PLAIN] = None
    columns: Annotated[ColumnNames | None, PLAIN] = None
    train_examples: Annotated[Count | None, PLAIN] = None
    standardize: Annotated[Flag, PLAIN] = True
    standardize_target: Annotated[Flag, PLAIN] = False


class TableData(KeyedModel):
    """A table of named columns; the target is one of them."""

    kind: TableKind
    target: Annotated[Text, PLAIN]
    columns: Annotated[ColumnNames | None, PLAIN] = None
    weight: Annotated[Text | None, PLAIN] = None
    validation: Annotated[FileName | None, FILE] = None
    test: Annotated[FileName | None, FILE] = None
    missing: Annotated[Literal["mean", "drop"] | None, Expected("mean or drop"), PLAIN] = None
    train_examples: Annotated[Count | None, PLAIN] = None
    standardize: Annotated[Flag, PLAIN] = True
    standardize_target: Annotated[Flag, PLAIN] = False


class CsvData(TableData):
    """A table in a CSV file."""

    kind: Literal["csv"] = Field("csv", exclude=True)
    csv: Annotated[FileName, FILE]


class ParquetData(TableData):
    """A table in a Parquet file; needs pyarrow."""

    kind: Literal["parquet"] = Field("parquet", exclude=True)
    parquet: Annotated[FileName, FILE]


class NpzData(KeyedModel):
    """Arrays in an npz file: x_train, y_train and, where there are any, x_test, y_test.

    `sample_weight` belongs to x_train.
    """

    kind: Literal["npz"] = Field("npz", exclude=True)
    npz: Annotated[FileName, FILE]
    train_examples: Annotated[Count | None, PLAIN] = None
    standardize: Annotated[Flag, PLAIN] = True
    standardize_target: Annotated[Flag, PLAIN] = False


class NpyFiles(StrictModel):
    """The files of arrays, one for each."""

    x_train: FileName
    y_train: FileName
    x_test: FileName | None = None
    y_test: FileName | None = None
    sample_weight: FileName | None = None

    def files(self) -> dict[str, str]:
        """Return the files by the names of their arrays."""
        named = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: file for name, file in named.items() if file is not None}


class NpyData(KeyedModel):
    """Arrays in npy files, mapped into memory and trained on as they are."""

    kind: Literal["npy"] = Field("npy", exclude=True)
    npy: Annotated[NpyFiles, FILES]
    train_examples: ClassVar[None] = None
    standardize: ClassVar[bool] = False
    standardize_target: ClassVar[bool] = False


class PythonData(KeyedModel):
    """Arrays that a Python function returns; needs trust."""

    kind: Literal["python"] = Field("python", exclude=True)
    python: Annotated[PythonName, CODE]
    train_examples: Annotated[Count | None, PLAIN] = None
    standardize: Annotated[Flag, PLAIN] = True
    standardize_target: Annotated[Flag, PLAIN] = False


AnyData = Annotated[
    BuiltInData | CsvData | ParquetData | NpzData | NpyData | PythonData,
    Field(discriminator="kind"),
]
