"""Calls the functions of user code.

While user code runs, its folder is importable and is the working directory; afterwards, both are
restored. The modules that it imports from its folder are part of it.
"""

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from kerasbatch.errors import KerasbatchError, Location, SpecError
from kerasbatch.spec.call_arguments import call_with
from kerasbatch.spec.trust import Access
from kerasbatch.text import error_text
from kerasbatch.user_code.imports import UserImports
from kerasbatch.user_code.snapshot import CodeSnapshot

_files: dict[Path, dict[Path, bytes]] = {}
"""The content of the files of the last call, by the file that the spec names."""
_pinned: dict[Path, bytes] = {}
"""The content of files that are imported from a snapshot."""


_NOTHING: Mapping[str, Any] = MappingProxyType({})


def call(
    name: str,
    access: Access,
    location: Location,
    context: Mapping[str, Any] = _NOTHING,
    arguments: Mapping[str, Any] = _NOTHING,
) -> Any:
    """Load the function of `file.py:function` and call it.

    Arguments and errors are those of `called`.
    """
    with called(name, access, location, context, arguments) as result:
        return result


@contextlib.contextmanager
def called(
    name: str,
    access: Access,
    location: Location,
    context: Mapping[str, Any] = _NOTHING,
    arguments: Mapping[str, Any] = _NOTHING,
) -> Iterator[Any]:
    """Call the function of `file.py:function`; yield its result while its code may go on.

    Args:
        name: the name in the spec.
        access: the files and code that the spec may use.
        location: the place of the name in the spec.
        context: the values that the function may name as its parameters.
        arguments: the arguments that the spec writes.

    Raises:
        SpecError: without trust, without such a function, for arguments that it does not take, or
            for any error of the code.
    """
    with loaded(name, access, location) as function:
        yield call_with(function, context, arguments, location)


@contextlib.contextmanager
def loaded(name: str, access: Access, location: Location) -> Iterator[Callable[..., Any]]:
    """Load the function of `file.py:function`; yield it while its code may run.

    Arguments and errors are those of `called`.
    """
    path = access.code(name, location)
    imports = UserImports(path.parent, _pinned)
    for earlier in _files.get(path, ()):  # another function of this file may have imported them
        if earlier.is_file():
            imports.content(str(earlier))
    _files[path] = imports.files
    with _working_directory(path.parent), imports.active(), _user_errors(path, location):
        yield _function(imports, path, name.rpartition(":")[2], location)


def snapshot(name: str, access: Access, location: Location) -> CodeSnapshot:
    """Return the code of a function with the content of its files, as its last call read them."""
    path = access.code(name, location)
    files = _files[path]
    return CodeSnapshot(
        name, {str(file.relative_to(path.parent)): files[file] for file in sorted(files)}
    )


@contextlib.contextmanager
def pinned(snapshots: Iterable[CodeSnapshot], access: Access) -> Iterator[None]:
    """Import the files of snapshots with the content that they had.

    Raises:
        SpecError: if a file has changed since.
    """
    changed = [file for code in snapshots for file in code.changed_files(access)]
    if changed:
        files = " and ".join(dict.fromkeys(changed))
        message = f"{files} changed after the runs were checked; run the same command again"
        raise SpecError.at((), message)
    for code in snapshots:
        _pinned.update(code.contents(access))
    try:
        yield
    finally:
        _pinned.clear()


def _function(
    imports: UserImports, path: Path, name: str, location: Location
) -> Callable[..., Any]:
    module = imports.load(path)
    if module is None:
        raise SpecError.at(location, f"{path.name} is not a Python file")
    function = getattr(module, name, None)
    if not callable(function):
        defined = [key for key, value in vars(module).items() if _is_defined_in(value, module)]
        listing = f"; it has {', '.join(defined)}" if defined else ""
        raise SpecError.at(location, f"{path.name} has no function {name}{listing}")
    return function  # type: ignore[no-any-return]  # callable, of a type that only its author knows


def _is_defined_in(value: Any, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__


@contextlib.contextmanager
def _user_errors(path: Path, location: Location) -> Iterator[None]:
    """Turn an error of user code into a fault that shows the lines of the user."""
    try:
        yield
    except KerasbatchError:
        raise
    except (Exception, SystemExit) as error:
        raise failure(path, location, error) from error


def failure(path: Path, location: Location, error: BaseException, during: str = "") -> SpecError:
    """Return an error of user code as a fault that shows the lines of the user.

    Args:
        path: the file of the code.
        location: its place in the spec.
        error: the error.
        during: what the code did, as in ` at example 7`.
    """
    frames = traceback.extract_tb(error.__traceback__)
    user_frames = [frame for frame in frames if Path(frame.filename).is_relative_to(path.parent)]
    text = "".join(_trace(user_frames))
    return SpecError.at(location, f"{path.name} failed{during}: {error_text(error)}{text}")


@contextlib.contextmanager
def user_errors(name: str, access: Access, location: Location) -> Iterator[None]:
    """Turn errors of a `file.py:function` that runs later into faults with the user's lines."""
    with _user_errors(access.code(name, location), location):
        yield


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


def _trace(frames: Sequence[traceback.FrameSummary]) -> Iterator[str]:
    for frame in frames:
        yield f"\n    {Path(frame.filename).name}:{frame.lineno}, in {frame.name}: {frame.line}"
