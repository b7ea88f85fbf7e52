"""The sizes of the data of a run, known before they are read where that is possible."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from kerasbatch.data.builtin import DATASETS, is_available_offline
from kerasbatch.data.description import class_shares, describe_data
from kerasbatch.data.encoding.classes import classes_of
from kerasbatch.data.encoding.encoder import Encoder
from kerasbatch.data.encoding.labels import encode_labels
from kerasbatch.data.folders.class_folders import ClassFiles
from kerasbatch.data.images.image_format import ImageFormat
from kerasbatch.data.images.read_images import image_files
from kerasbatch.data.parts.positions import part_sizes, train_size
from kerasbatch.data.parts.split import split_data
from kerasbatch.data.raw import RawData, group_column, read_raw
from kerasbatch.data.run_data import prepare_data
from kerasbatch.data.sample_weights import training_weights
from kerasbatch.data.texts.read_texts import text_files
from kerasbatch.spec.data_schema import BuiltInData, BuiltInName, ImageData, TextFilesData
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.trust import Access
from kerasbatch.text import counted


@dataclass(frozen=True)
class DataSizes:
    """The sizes of the data of a run, known before they are loaded.

    Args:
        used: the name of the data.
        train_examples: the number of training examples.
        held_back: the number of examples taken from the training data for validation.
        notice: a message for the user about the data, or None.
        description: what the model learns from, as texts by their titles; empty for built-in data.
    """

    used: str
    train_examples: int
    held_back: int
    notice: str | None = None
    description: Mapping[str, str] = field(default_factory=dict)


def data_sizes(
    spec: Spec, access: Access, read: Callable[[Spec], RawData] | None = None
) -> DataSizes:
    """Return the sizes of the data of a run, without loading built-in data.

    Args:
        spec: the spec of the run.
        access: the files and code that the spec may use.
        read: returns user data that are read already; None reads them.

    Raises:
        SpecError: if the sizes do not fit each other, or user data cannot be read.
    """
    data = spec.data
    if isinstance(data, ImageData):
        return _folder_sizes(spec, data, image_files(data, access), "image")
    if isinstance(data, TextFilesData):
        return _folder_sizes(spec, data, text_files(data, access), "text")
    raw_of = read or (lambda spec: read_raw(spec.data, access, group_column(spec)))
    if not isinstance(data, BuiltInData):
        raw = raw_of(spec)
        labels = encode_labels(spec, raw)
        parts = split_data(spec, labels.raw, labels.names)
        encoding = Encoder.fitted(spec, parts).preprocessing
        if spec.class_weight != "balanced":  # balanced needs scikit-learn, and fits any classes
            training_weights(spec, parts.targets, parts.weight, parts.labels)
        description = describe_data(spec, parts, encoding)
        held = parts.held_examples
        return DataSizes(raw.used, parts.examples, held, parts.notice, description)
    if data.name == "line":  # generated in a moment
        run_data = prepare_data(spec, raw_of(spec))
        held = 0 if run_data.x_val is None else len(run_data.x_val)
        return DataSizes(data.name, len(run_data.x_train), held, run_data.notice)
    facts = DATASETS[data.name]
    total = data.examples or facts.train_examples
    has_test = facts.test_examples > 0
    train = train_size(spec, total, has_test)
    notice = None
    if not is_available_offline(data.name):
        notice = f"{data.name} is not on this machine; a run would try to download it"
        if data.fallback:
            fallback_train = train_size(spec, *_fallback_sizes(data.fallback))
            notice += f", and use {data.fallback} ({fallback_train:,} examples) if it cannot"
    held = part_sizes(spec, total, has_test).held
    return DataSizes(data.name, train, held, notice)


def _fallback_sizes(name: BuiltInName) -> tuple[int, bool]:
    facts = DATASETS[name]
    return facts.train_examples, facts.test_examples > 0


def _folder_sizes(
    spec: Spec, data: ImageData | TextFilesData, files: ClassFiles, noun: str
) -> DataSizes:
    """Return the sizes of files by class, by their names; none is opened."""
    total, has_other = len(files.parts["train"]), len(files.parts) > 1
    train = train_size(spec, total, has_other)
    held = part_sizes(spec, total, has_other).held
    counts = np.array(files.counts("train"))
    classes = classes_of(data, np.repeat(np.array(files.classes), counts))
    names, numbers = files.classes, list(range(len(counts)))
    if classes:
        names, numbers = classes.names, [files.classes.index(value) for value in classes.values]
    parts = [f"{counted(len(files.parts[part]), noun)} in {part}" for part in files.parts]
    description = {
        "target": class_shares(names, counts[numbers] / total),
        f"{noun}s": ", ".join(parts) if has_other else counted(total, noun),
        "model gets": _model_input(data),
    }
    notices = [files.notice]
    if isinstance(data, ImageData) and data.skip_damaged:
        notices.append("files are counted; damaged ones are left out when they are read")
    notice = "; ".join(text for text in notices if text) or None
    return DataSizes(data.kind, train, held, notice, description)


def _model_input(data: ImageData | TextFilesData) -> str:
    if isinstance(data, TextFilesData):
        return f"the numbers of the first {data.length:,} words of each text"
    shape = " x ".join(map(str, ImageFormat.of(data).shape))
    return f"{shape} numbers for each image, divided by 255"
