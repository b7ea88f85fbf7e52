"""Hashes of Python objects by their contents: arrays, tables, functions, models, callbacks.

A function is its compiled code, its defaults, and all that it uses of the user's own code; its
place in a file and its comments do not matter.
"""

import dis
import functools
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from kerasbatch.spec.passed.installed import is_installed

_OF_PYTHON = ("__dict__", "__weakref__", "__doc__", "__module__", "__firstlineno__")
"""The attributes of a class that Python sets; it adds those of annotations when it likes."""
_PLAIN = (type(None), bool, int, float, complex, str, bytes)


class UnknownContentError(Exception):
    """An object, or one that it uses, has contents that cannot be compared."""


def fingerprint(value: Any) -> str:
    """Return a hash of an object, equal for objects with the same contents.

    Raises:
        UnknownContentError: if it holds an object whose contents are unknown, such as an open file.
    """
    digest = _Digest()
    try:
        digest.add(value)
    except UnknownContentError:
        raise
    except Exception as error:  # the code of the objects inside may raise any type
        reason = " ".join(str(error).split())
        raise UnknownContentError(f"{type(error).__name__}: {reason}") from error
    return digest.hash.hexdigest()


class _Digest:
    """The hash of an object and of all objects inside it; each of them is added once."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self._seen: dict[int, tuple[int, Any]] = {}  # it keeps them, so that no id is used again

    def add(self, value: Any) -> None:
        if isinstance(value, _PLAIN):
            self._text(f"{type(value).__name__} {value!r}")
        elif id(value) in self._seen:
            self._text(f"again {self._seen[id(value)][0]}")
        else:
            self._seen[id(value)] = (len(self._seen), value)
            self._add_contents(value)

    def _add_contents(self, value: Any) -> None:
        if isinstance(value, list | tuple | set | frozenset | Mapping | range):
            self._add_container(value)
        elif isinstance(value, type):
            self._add_class(value)
        elif isinstance(value, ModuleType):
            self._text(f"module {value.__name__}")  # what a function uses of it is added there
        elif callable(value) or isinstance(value, CodeType):
            self._add_code_of(value)
        elif hasattr(value, "iloc") or hasattr(value, "__array__"):
            self._add_table(value)
        else:
            self._add_instance(value)

    def _add_code_of(self, value: Any) -> None:
        if isinstance(value, FunctionType):
            self._add_function(value)
        elif isinstance(value, MethodType):
            self._parts("method", value.__func__, value.__self__)
        elif isinstance(value, functools.partial):
            self._parts("partial", value.func, value.args, value.keywords)
        elif isinstance(value, CodeType):
            self._add_code(value)
        elif isinstance(value, BuiltinFunctionType):
            self._parts("built-in", value.__name__, value.__self__)
        elif callable(getattr(value, "__wrapped__", None)):
            self._parts("wrapped", type(value), value.__wrapped__)
        else:
            self._add_instance(value)

    def _text(self, text: str) -> None:
        self.hash.update(f"{text}\n".encode("utf-8", "backslashreplace"))

    def _parts(self, name: str, *parts: Any) -> None:
        self._text(f"{name} {len(parts)}")
        for part in parts:
            self.add(part)

    def _add_container(self, value: Any) -> None:
        name = type(value).__name__
        if isinstance(value, set | frozenset):
            self._parts(name, *sorted(value, key=repr))
        elif isinstance(value, Mapping):
            self._parts(name, *(part for item in value.items() for part in item))
        else:
            self._parts(name, *value)

    def _add_table(self, value: Any) -> None:
        """Add an array, a DataFrame or a Series."""
        import numpy as np

        if hasattr(value, "columns"):
            names = [str(name) for name in value.columns]
            self._text(f"table {names}")
            for number in range(len(names)):
                self._add_table(value.iloc[:, number])
            return
        array = np.asarray(value)
        self._text(f"array {array.dtype.str} {array.shape}")
        if array.dtype.kind in "biufcSU":
            self.hash.update(np.ascontiguousarray(array).data)
        else:
            cells = array.ravel().tolist()
            self._text("\n".join(f"{type(cell).__name__} {cell!r}" for cell in cells))

    def _add_function(self, function: FunctionType) -> None:
        module = function.__module__
        if is_installed(module):
            self._text(f"function {module}.{function.__qualname__}")
            return
        code = function.__code__
        cells = [_content(cell) for cell in function.__closure__ or ()]
        defaults = [function.__defaults__, function.__kwdefaults__, function.__dict__]
        self._parts("function", code, defaults, cells, _used_objects(function))

    def _add_code(self, code: CodeType) -> None:
        self._text(f"code {code.co_argcount} {code.co_kwonlyargcount} {code.co_flags}")
        self.hash.update(code.co_code)
        self._parts("names", *code.co_names, *code.co_varnames)
        self._parts("constants", *code.co_consts)

    def _add_class(self, cls: type) -> None:
        self._text(f"class {cls.__module__}.{cls.__qualname__}")
        if is_installed(cls.__module__):
            return
        parts = {
            name: _unwrapped(part)
            for name, part in vars(cls).items()
            if name not in _OF_PYTHON and not name.startswith(("_abc_", "__annot"))
        }
        self._parts("body", cls.__bases__, parts)

    def _add_instance(self, value: Any) -> None:
        self.add(type(value))
        if hasattr(value, "get_config"):
            weights = value.get_weights() if hasattr(value, "get_weights") else ()
            self._parts("config", value.get_config(), weights)
            if not hasattr(value, "get_weights") and not is_installed(type(value).__module__):
                # A loss or a metric may keep arguments that its configuration leaves out.
                state = {k: part for k, part in vars(value).items() if isinstance(part, _PLAIN)}
                self._parts("state", state)
        elif _is_callback(value):
            hidden = ("_model", "_params", "params")
            state = {name: part for name, part in vars(value).items() if name not in hidden}
            self._parts("callback", state)
        else:
            self._add_state(value)

    def _add_state(self, value: Any) -> None:
        """Add the state of an instance, as pickle sees it: of files and locks there is none."""
        name = type(value).__name__
        try:
            reduced = value.__reduce_ex__(4)
        except TypeError as error:
            raise UnknownContentError(f"a {name} has contents that are unknown") from error
        if isinstance(reduced, str):
            self._text(f"{name} {reduced}")
        else:
            parts = (list(part) if isinstance(part, Iterator) else part for part in reduced)
            self._parts(name, *parts)


def _used_objects(function: FunctionType) -> dict[str, Any]:
    """Return the globals that a function uses, and what it uses of the user's own modules."""
    names = dict.fromkeys(_names(function.__code__, ("LOAD_GLOBAL", "LOAD_NAME")))
    used = {n: function.__globals__[n] for n in sorted(names) if n in function.__globals__}
    imported = _names(function.__code__, ("IMPORT_NAME",))
    modules = {n: sys.modules[n] for n in sorted(imported) if n in sys.modules} | used
    attributes = set(_all_names(function.__code__))
    for name, module in modules.items():
        if isinstance(module, ModuleType) and not is_installed(module.__name__):
            parts = sorted(attributes & vars(module).keys())
            used |= {f"{name}.{part}": vars(module)[part] for part in parts}
    return used


def _names(code: CodeType, operations: Iterable[str]) -> Iterator[str]:
    """Yield the names that a code, and the codes inside it, use by some operations."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in operations:
            yield str(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant, operations)


def _all_names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _all_names(constant)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a name that is not set yet
        return None


def _unwrapped(part: Any) -> Any:
    """Return the functions of an attribute of a class."""
    if isinstance(part, staticmethod | classmethod):
        return part.__func__
    if isinstance(part, functools.cached_property):
        return part.func
    return [part.fget, part.fset] if isinstance(part, property) else part


def _is_callback(value: Any) -> bool:
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(value, keras.callbacks.Callback)
