"""Loads, calls and fingerprints the Python code that a spec names.

While user code runs, its folder is importable and is the working directory; afterwards, both are
restored. Modules that it imports from its folder are part of the code.
"""

import contextlib
import hashlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from kerasbatch.errors import Location, SpecError
from kerasbatch.spec.trust import Access
from kerasbatch.text import shortened

_IMPORTED: dict[Path, dict[str, ModuleType]] = {}
"""The modules that user code has imported, by their folder."""


def call(name: str, access: Access, location: Location, *arguments: Any) -> Any:
    """Load the function of `file.py:function` and call it.

    Args:
        name: the name in the spec.
        access: the files and code that the spec may use.
        location: the place of the name in the spec.
        *arguments: the arguments of the call.

    Raises:
        SpecError: without trust, without such a function, or for any error of the code.
    """
    path = access.code(name, location)
    with _user_code(path, location):
        function = _function(path, name.rpartition(":")[2], location)
        return function(*arguments)


def identity(name: str, access: Access, location: Location) -> str:
    """Return the identity of the code: the name of its function, and a hash of its files.

    The files are the one that the spec names, and all modules that it has imported from its folder;
    so this must follow a call of the function.
    """
    path = access.code(name, location)
    files = {path, *(_file(module) for module in _IMPORTED.get(path.parent, {}).values())}
    digest = hashlib.sha256()
    for file in sorted(file for file in files if file is not None):
        digest.update(f"{file.relative_to(path.parent)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return f"{name.rpartition(':')[2]} {digest.hexdigest()}"


def _function(path: Path, name: str, location: Location) -> Callable[..., Any]:
    module = _module(path, location)
    function = getattr(module, name, None)
    if not callable(function):
        defined = [key for key, value in vars(module).items() if _is_defined_in(value, module)]
        listing = f"; it has {', '.join(defined)}" if defined else ""
        raise SpecError.at(location, f"{path.name} has no function {name}{listing}")
    return function  # type: ignore[no-any-return]  # callable, of a type that only its author knows


def _module(path: Path, location: Location) -> ModuleType:
    name = f"kerasbatch_own_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise SpecError.at(location, f"{path.name} is not a Python file")
    module = importlib.util.module_from_spec(specification)
    # Keras looks up a class by its module when it saves a model.
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


def _is_defined_in(value: Any, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__


def _file(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if file else None


@contextlib.contextmanager
def _user_code(path: Path, location: Location) -> Iterator[None]:
    """Run user code in its folder; errors show the lines of the user."""
    with _working_directory(path.parent), _fresh_modules(path.parent):
        try:
            yield
        except SpecError:
            raise
        except (Exception, SystemExit) as error:
            frames = traceback.extract_tb(error.__traceback__)
            user_frames = [
                frame for frame in frames if Path(frame.filename).is_relative_to(path.parent)
            ]
            text = "".join(_trace(user_frames))
            raise SpecError.at(
                location, f"{path.name} failed: {_error_text(error)}{text}"
            ) from error


@contextlib.contextmanager
def _working_directory(folder: Path) -> Iterator[None]:
    """Make a folder importable, and the working directory."""
    before = Path.cwd()
    sys.path.insert(0, str(folder))
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        if str(folder) in sys.path:
            sys.path.remove(str(folder))


@contextlib.contextmanager
def _fresh_modules(folder: Path) -> Iterator[None]:
    """Import user modules anew from this folder, and never from another one.

    Two folders may both have a `helper.py`, and a helper may change between two runs of one
    process.
    """
    imported = _IMPORTED.setdefault(folder, {})
    for modules in _IMPORTED.values():
        for name, module in modules.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
    importlib.invalidate_caches()
    before = set(sys.modules)
    try:
        yield
    finally:
        for name in set(sys.modules) - before:
            file = _file(sys.modules[name])
            if file and file.is_relative_to(folder) and "site-packages" not in file.parts:
                imported[name] = sys.modules[name]


def _trace(frames: Sequence[traceback.FrameSummary]) -> Iterator[str]:
    for frame in frames:
        yield f"\n    {Path(frame.filename).name}:{frame.lineno}, in {frame.name}: {frame.line}"


def _error_text(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {shortened(text, 300)}"
