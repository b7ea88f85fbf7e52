"""A dataset of the user's own code as arrays: read whole into the cache, in its own order."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from kerasbatch.atomic_files import write_text
from kerasbatch.cache.array_cache import ArrayCache, hashed
from kerasbatch.cache.entry import CacheEntry
from kerasbatch.cache.file_hashes import sha256
from kerasbatch.cache.writer import EntryWriter
from kerasbatch.data.arrays import RawArrays
from kerasbatch.data.cached_arrays import cached_arrays, content_hash, prepared_message
from kerasbatch.data.datasets.examples import DatasetError, is_endless, refused
from kerasbatch.data.datasets.write_examples import Layout, PartWriter
from kerasbatch.data.folders.class_folders import PART_OF, PARTS
from kerasbatch.errors import KerasbatchError, Location, SpecError
from kerasbatch.spec.data_schema import DatasetData
from kerasbatch.spec.trust import Access
from kerasbatch.text import short_name, shortened
from kerasbatch.user_code import calls

PLACE: Location = ("data", "dataset")
CALLS = "calls"
"""The folder in the cache that names the entries of the last calls of functions."""


def read_dataset(data: DatasetData, access: Access) -> RawArrays:
    """Return the examples of a dataset, mapped from the cache.

    Raises:
        SpecError: without trust, for an error of the user's code, or for what is no dataset.
        CacheError: if the disk has no room.
    """
    access.code(data.dataset, PLACE)
    cache, notice = ArrayCache(), None
    before = _last_call(cache, data, access)
    entry = cache.get(before) if data.cache and before else None
    if entry is not None:
        notice = f"{data.dataset} was read on {entry.written[:10]} (cache: true)"
    else:
        entry = _written(cache, data, access)
        if before not in (None, entry.path.name):
            notice = (
                f"{data.dataset} yields other examples than the last time, from the same code; "
            )
            notice += "seed what is random, or write cache: true"
    if entry.facts["looks_batched"]:
        batches = "x and y of an example begin with the same length; if they are batches, yield "
        notice = "; ".join(filter(None, [notice, f"{batches}single examples"]))
    return RawArrays(
        **cached_arrays(entry),
        notice=notice,
        prepared=prepared_message(entry, "example"),
        fingerprint=entry.facts["fingerprint"],
    )


def dataset_parts(returned: Any, name: str) -> dict[str, Any]:
    """Return the datasets of the parts: train, and what else there is.

    Args:
        returned: what the function returned: a dataset, or a mapping of them by part.
        name: the name of the function.

    Raises:
        SpecError: if the mapping has other keys.
    """
    if isinstance(returned, tuple) and any(isinstance(part, np.ndarray) for part in returned):
        message = f"{name} returned arrays, and no dataset; write data: {{python: ...}}"
        raise SpecError.at(PLACE, message)
    if not isinstance(returned, Mapping):
        return {"train": returned}
    unknown = [str(key) for key in returned if key not in PART_OF]
    parts = {PART_OF[key]: dataset for key, dataset in returned.items() if key in PART_OF}
    if unknown or "train" not in parts or len(parts) + len(unknown) < len(returned):
        keys = short_name(", ".join(map(str, returned))) or "nothing"
        message = f"{name} returned a mapping of {keys}; its keys must be train and, where there "
        raise SpecError.at(PLACE, f"{message}are any, validation (or val) and test")
    return {part: parts[part] for part in PARTS if part in parts}


def shown_arguments(data: DatasetData) -> str:
    """Return the arguments of the function of a dataset as text."""
    return f" {shortened(json.dumps(data.arguments), 200)}" if data.arguments else ""


def _written(cache: ArrayCache, data: DatasetData, access: Access) -> CacheEntry:
    """Call the function, and write what it yields."""
    source = f"examples of {access.absolute(data.dataset)}{shown_arguments(data)}"

    def write(writer: EntryWriter) -> Mapping[str, Any]:
        with calls.called(data.dataset, access, PLACE, arguments=data.arguments or {}) as returned:
            parts = dataset_parts(returned, data.dataset)
            return write_parts(writer, data, access, parts, Layout())

    key = hashed(["dataset", _function_key(data, access)])
    entry = cache.write_by_content(key, source, write, lambda facts: hashed(["dataset", facts]))
    files = calls.snapshot(data.dataset, access, PLACE).files
    code = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
    (cache.folder / CALLS).mkdir(mode=0o700, exist_ok=True)
    call = {"entry": entry.path.name, "code": code}
    write_text(cache.folder / CALLS / f"{key}.json", json.dumps(call))
    return entry


def write_parts(
    writer: EntryWriter, data: DatasetData, access: Access, parts: Mapping[str, Any], layout: Layout
) -> Mapping[str, Any]:
    """Write the examples of some parts into an entry; return the facts about them.

    Raises:
        SpecError: for an error of the user's code, or for what is no dataset.
    """
    for part, dataset in parts.items():
        _write_part(writer, data, access, part, dataset, layout)
    writer.close()
    inputs = [name.partition(".")[2] for name in layout.arrays if name.startswith("x.")]
    forms = {"inputs": inputs, "are_named": layout.form == "dict"}
    fingerprint = content_hash(writer.folder, [layout.form])
    return {"fingerprint": fingerprint, "looks_batched": layout.looks_batched, **forms}


def _write_part(
    writer: EntryWriter,
    data: DatasetData,
    access: Access,
    part: str,
    dataset: Any,
    layout: Layout,
) -> None:
    limit = data.examples if part == "train" else None
    part_writer = PartWriter(writer, part, layout)
    try:
        if is_endless(dataset) and limit is None:
            advice = "write examples: N" if part == "train" else "end it with .take(N)"
            raise DatasetError(f"it never ends; {advice}")
        part_writer.write(dataset, limit)
    except DatasetError as error:
        raise refused(str(error), part, data.dataset) from None
    except KerasbatchError:
        raise
    except Exception as error:  # the dataset of the user may raise anything
        path = access.code(data.dataset, PLACE)
        during = f" after example {part_writer.count:,} of {part}"
        raise calls.failure(path, PLACE, error, during) from error


def _last_call(cache: ArrayCache, data: DatasetData, access: Access) -> str | None:
    """Return the key of the entry of the function's last call, if its code is as it was."""
    key = hashed(["dataset", _function_key(data, access)])
    try:
        call = json.loads((cache.folder / CALLS / f"{key}.json").read_text(encoding="utf-8"))
        folder = access.absolute(data.dataset.rpartition(":")[0]).parent
        is_same = all(sha256(folder / file) == known for file, known in call["code"].items())
        return str(call["entry"]) if is_same else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # never, or damaged
        return None


def _function_key(data: DatasetData, access: Access) -> list[Any]:
    file, _, function = data.dataset.rpartition(":")
    return [str(access.absolute(file)), function, data.examples, *filter(None, [data.arguments])]
