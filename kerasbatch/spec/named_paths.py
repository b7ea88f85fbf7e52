"""The files and functions that a spec names, from the metadata of its keys."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kerasbatch.errors import Location
from kerasbatch.spec.callbacks import is_passed_callback, is_user_callback
from kerasbatch.spec.compile_part import CompilePart
from kerasbatch.spec.data_values import NpyFiles
from kerasbatch.spec.fields import InnerKey, KeyedModel, Named, metadata
from kerasbatch.spec.own_code import PYTHON
from kerasbatch.spec.schema import COMPILE_PARTS, Spec
from kerasbatch.spec.section_schema import OWN_CODE, ObjectModel
from kerasbatch.spec.trust import Access


def named_paths(spec: Spec) -> Iterator[tuple[str, str, Named]]:
    """Yield the key, the inner key and the kind of every path in a spec that has a value."""
    for name in type(spec).model_fields:
        model = getattr(spec, name)
        if not isinstance(model, KeyedModel):
            continue
        for inner, kind in _path_keys(type(model)):
            if getattr(model, inner) is not None:
                yield name, inner, kind


@functools.cache
def _path_keys(kind: type[KeyedModel]) -> list[tuple[str, Named]]:
    """Return the keys of a mapping whose values are paths, with their kinds."""
    keys = ((name, metadata(kind, name)) for name in kind.model_fields)
    return [(name, key.names) for name, key in keys if isinstance(key, InnerKey) and key.names]


def names_code(spec: Spec) -> bool:
    """Return whether a spec names Python code of the user."""
    named = any(kind == "code" for _, _, kind in named_paths(spec))
    return named or any(True for _ in code_beside_model(spec))


def has_passed_code(spec: Spec) -> bool:
    """Return whether a part of a spec beside its data is an object that Python code passed."""
    is_passed = any(part.object is not None for _, part in compile_parts(spec))
    is_passed = is_passed or isinstance(spec.model, ObjectModel)
    return is_passed or any(is_passed_callback(callback) for callback in spec.callbacks)


def builds_anew(spec: Spec) -> bool:
    """Return whether the model or a part of it is own code, which may keep a state of its own."""
    return isinstance(spec.model, OWN_CODE) or any(part.is_own for _, part in compile_parts(spec))


def compile_parts(spec: Spec) -> Iterator[tuple[Location, CompilePart]]:
    """Yield the optimizer, the loss and the metrics of a spec with their places."""
    yield ("optimizer",), spec.optimizer
    if not spec.loss.outputs:
        yield ("loss",), spec.loss
    for output, loss in spec.loss.outputs.items():
        yield ("loss", output), loss
    for number, metric in enumerate(spec.metrics):
        yield ("metrics", number), metric


def code_beside_model(spec: Spec) -> Iterator[tuple[Location, str]]:
    """Yield the functions of callbacks, optimizer, loss and metrics, with their places."""
    for number, callback in enumerate(spec.callbacks):
        if is_user_callback(callback):
            yield ("callbacks", number, PYTHON), callback[PYTHON]
    for location, part in compile_parts(spec):
        if part.python is not None:
            yield (*location, PYTHON), part.python


def file_names(spec: Spec) -> list[str]:
    """Return the names of the files of a spec's data, without their folders."""
    return [Path(file).name for file in data_files(spec)]


def data_files(spec: Spec) -> list[str]:
    """Return the files of a spec's data, as the spec names them."""
    names = []
    for key, inner, _ in named_paths(spec):
        value = getattr(getattr(spec, key), inner)
        if key == "data":
            files = value.files() if isinstance(value, NpyFiles) else [value]
            names += [file.rpartition(":")[0] or file for file in files]
    return names


def with_absolute_paths(spec: Spec, access: Access) -> Spec:
    """Return the spec with absolute paths in place of relative ones."""
    updates: dict[str, dict[str, Any]] = {}
    for name, inner, kind in named_paths(spec):
        absolute = _absolute_code if kind == "code" else _absolute_files
        updates.setdefault(name, {})[inner] = absolute(getattr(getattr(spec, name), inner), access)
    replacements: dict[str, Any] = {
        name: getattr(spec, name).model_copy(update=update) for name, update in updates.items()
    }
    if spec.callbacks:
        replacements["callbacks"] = tuple(
            {**callback, PYTHON: _absolute_code(callback[PYTHON], access)}
            if is_user_callback(callback)
            else callback
            for callback in spec.callbacks
        )
    for key in COMPILE_PARTS:
        replacements[key] = _absolute_part(getattr(spec, key), access)
    replacements["metrics"] = tuple(_absolute_part(metric, access) for metric in spec.metrics)
    return spec.model_copy(update=replacements)


def _absolute_part(part: CompilePart, access: Access) -> CompilePart:
    if part.outputs:
        parts = {name: _absolute_part(inner, access) for name, inner in part.outputs.items()}
        return part.model_copy(update={"outputs": parts})
    if part.python is None:
        return part
    return part.model_copy(update={PYTHON: _absolute_code(part.python, access)})


def _absolute_files(files: str | NpyFiles, access: Access) -> str | NpyFiles:
    if isinstance(files, NpyFiles):
        absolute = {
            name: {key: str(access.absolute(file)) for key, file in part.items()}
            if isinstance(part, dict)
            else str(access.absolute(part))
            for name, part in files.parts().items()
        }
        return files.model_copy(update=absolute)
    return str(access.absolute(files))


def _absolute_code(name: str, access: Access) -> str:
    file, colon, function = name.rpartition(":")
    return f"{access.absolute(file)}{colon}{function}"
