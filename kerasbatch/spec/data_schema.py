"""The keys under `data`: built-in data, and data of the user's own files or code.

`kind` is the key that is present in each form of the mapping.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, Strict

from kerasbatch.spec.data_values import (
    MAX_LINE_EXAMPLES,
    ColumnNames,
    DateParts,
    Encoding,
    Label,
    Labels,
    Mark,
    NpyFiles,
    Resize,
    Sides,
    Targets,
    TextColumn,
    WindowSize,
    WordCount,
    Words,
    ascending,
)
from kerasbatch.spec.fields import (
    CODE,
    FILE,
    FILES,
    FOLDER,
    Count,
    Expected,
    FileName,
    Flag,
    FolderName,
    InnerKey,
    KeyedModel,
    OwnArguments,
    PythonName,
    Text,
    one_of,
)

KerasData = Literal["mnist", "fashion_mnist", "cifar10", "cifar100"]
SklearnData = Literal["digits", "iris", "wine", "breast_cancer", "diabetes"]
BuiltInName = Literal[KerasData, SklearnData, "line"]
TABLES = ("iris", "wine", "breast_cancer", "diabetes")
"""The built-in data sets with named columns."""
TableKind = Literal["csv", "parquet", "object"]
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
    x_range: Annotated[
        tuple[float, float] | None,
        Field(strict=False),
        AfterValidator(ascending),
        Expected("two numbers, the smaller one first, like [0, 10]"),
        PLAIN,
    ] = None
    columns: Annotated[ColumnNames | None, PLAIN] = None
    train_examples: Annotated[Count | None, PLAIN] = None
    standardize: Annotated[Flag, PLAIN] = True
    standardize_target: Annotated[Flag, PLAIN] = False


class TableData(KeyedModel):
    """A table of named columns; the target is one of them."""

    kind: TableKind
    target: Annotated[Targets, PLAIN]
    columns: Annotated[ColumnNames | None, PLAIN] = None
    exclude: Annotated[ColumnNames | None, PLAIN] = None
    index: Annotated[
        Annotated[int, Strict(), Field(ge=0)] | Text | None,
        Expected("the name of a column, or its position from 0"),
        PLAIN,
    ] = None
    categorical: Annotated[ColumnNames | None, PLAIN] = None
    order: Annotated[dict[str, Words] | None, PLAIN] = None
    missing_values: Annotated[Words | None, PLAIN] = None
    labels: Annotated[Labels | None, PLAIN] = None
    positive: Annotated[Label | None, PLAIN] = None
    weight: Annotated[Text | None, PLAIN] = None
    dates: Annotated[dict[str, DateParts] | None, PLAIN] = None
    time: Annotated[Text | None, PLAIN] = None
    window: Annotated[WindowSize | None, PLAIN] = None
    horizon: Annotated[WindowSize | None, PLAIN] = None
    text: Annotated[TextColumn | None, PLAIN] = None
    validation: Annotated[FileName | None, FILE] = None
    test: Annotated[FileName | None, FILE] = None
    missing: Annotated[Literal["mean", "drop"] | None, Expected("mean or drop"), PLAIN] = None
    train_examples: Annotated[Count | None, PLAIN] = None
    standardize: Annotated[Flag, PLAIN] = True
    standardize_target: Annotated[Flag, PLAIN] = False

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns to predict."""
        return (self.target,) if isinstance(self.target, str) else self.target


class CsvData(TableData):
    """A table in a text file: CSV and its relatives, compressed or not; or in an Excel file."""

    kind: Literal["csv"] = Field("csv", exclude=True)
    csv: Annotated[FileName, FILE]
    separator: Annotated[
        Annotated[str, Strict(), Field(pattern=r"^[!#-&(-/:-@\[-`{-~\t ]$")] | None,
        Expected('one character that is no letter, digit or quote, such as ";"'),
        PLAIN,
    ] = None
    decimal: Annotated[Literal[".", ","] | None, Expected('"." or ","'), PLAIN] = None
    thousands: Annotated[Mark | None, Expected('one character, such as "."'), PLAIN] = None
    encoding: Annotated[Encoding | None, PLAIN] = None
    header: Annotated[ColumnNames | None, PLAIN] = None


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
    labels: Annotated[Labels | None, PLAIN] = None
    positive: Annotated[Label | None, PLAIN] = None
    train_examples: Annotated[Count | None, PLAIN] = None
    standardize: Annotated[Flag, PLAIN] = True
    standardize_target: Annotated[Flag, PLAIN] = False


class NpyData(KeyedModel):
    """Arrays in npy files, mapped into memory and trained on as they are."""

    kind: Literal["npy"] = Field("npy", exclude=True)
    npy: Annotated[NpyFiles, FILES]
    labels: Annotated[Labels | None, PLAIN] = None
    positive: Annotated[Label | None, PLAIN] = None
    train_examples: ClassVar[None] = None
    standardize: ClassVar[bool] = False
    standardize_target: ClassVar[bool] = False


class PythonData(KeyedModel):
    """Arrays that a Python function returns; needs trust."""

    kind: Literal["python"] = Field("python", exclude=True)
    python: Annotated[PythonName, CODE]
    arguments: Annotated[OwnArguments, PLAIN] = None
    labels: Annotated[Labels | None, PLAIN] = None
    positive: Annotated[Label | None, PLAIN] = None
    train_examples: Annotated[Count | None, PLAIN] = None
    standardize: Annotated[Flag, PLAIN] = True
    standardize_target: Annotated[Flag, PLAIN] = False


class ClassFolders(KeyedModel):
    """Files in a folder for each class, in one part or in parts of training, validation, test."""

    labels: Annotated[Labels | None, PLAIN] = None
    positive: Annotated[Label | None, PLAIN] = None
    train_examples: Annotated[Count | None, PLAIN] = None
    standardize: ClassVar[bool] = False
    standardize_target: ClassVar[bool] = False


class ImageData(ClassFolders):
    """Images in a folder for each class."""

    kind: Literal["images"] = Field("images", exclude=True)
    images: Annotated[FolderName, FOLDER]
    size: Annotated[Sides, PLAIN]
    channels: Annotated[Literal[1, 3], Expected("3 for colours or 1 for grey"), PLAIN] = 3
    resize: Annotated[Resize, Expected(one_of(Resize)), PLAIN] = "stretch"
    skip_damaged: Annotated[Flag, PLAIN] = False


class TextFilesData(ClassFolders):
    """Text files in a folder for each class."""

    kind: Literal["texts"] = Field("texts", exclude=True)
    texts: Annotated[FolderName, FOLDER]
    words: Annotated[WordCount, PLAIN] = 10_000
    length: Annotated[WindowSize, PLAIN] = 200


class DatasetData(KeyedModel):
    """The examples of a dataset that a Python function returns; needs trust."""

    kind: Literal["dataset"] = Field("dataset", exclude=True)
    dataset: Annotated[PythonName, CODE]
    arguments: Annotated[OwnArguments, PLAIN] = None
    examples: Annotated[Count | None, PLAIN] = None
    cache: Annotated[Flag, InnerKey(identity=False)] = False
    stream: Annotated[Flag, PLAIN] = False
    labels: Annotated[Labels | None, PLAIN] = None
    positive: Annotated[Label | None, PLAIN] = None
    train_examples: Annotated[Count | None, PLAIN] = None
    standardize: ClassVar[bool] = False
    standardize_target: Annotated[Flag, PLAIN] = False


class ObjectData(TableData):
    """Arrays, or a table with its target, that Python code passed."""

    kind: Literal["object"] = Field("object", exclude=True)
    object: Annotated[Text, InnerKey(identity=False)]
    note: Annotated[Text | None, InnerKey(identity=False)] = None
    target: Annotated[Targets, PLAIN] = "y"


AnyData = Annotated[
    BuiltInData
    | CsvData
    | ParquetData
    | NpzData
    | NpyData
    | PythonData
    | ImageData
    | TextFilesData
    | DatasetData
    | ObjectData,
    Field(discriminator="kind"),
]
