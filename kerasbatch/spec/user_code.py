"""Python code that a spec names: loaded, called, and told apart from one version to the next.

While own code runs, its folder is importable and the working directory is that folder; afterwards
both are as they were. What it imports from its folder is its code too.
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
"""By folder, the modules that own code has imported from it."""


def call(name: str, access: Access, location: Location, *arguments: Any) -> Any:
    """Load the function of `file.py:function` and call it.

    Args:
        name: as the spec writes it.
        access: what the spec may reach.
        location: its place in the spec.
        *arguments: what the function is called with.

    Raises:
        SpecError: without trust, if there is no such function, or for whatever the code raises.
    """
    path = access.code(name, location)
    with _own_code(path, location):
        function = _function(path, name.rpartition(":")[2], location)
        return function(*arguments)


def identity(name: str, access: Access, location: Location) -> str:
    """Return what tells this code from another: its function, and a hash of its files.

    These are the file that the spec names, and all modules that it has imported from its folder;
    to be asked after the function was called.
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
    found = getattr(module, name, None)
    if not callable(found):
        defined = [key for key, value in vars(module).items() if _is_own(value, module)]
        listing = f"; it has {', '.join(defined)}" if defined else ""
        raise SpecError.at(location, f"{path.name} has no function {name}{listing}")
    return found  # type: ignore[no-any-return]  # callable, and whatever its author made it


def _module(path: Path, location: Location) -> ModuleType:
    name = f"kerasbatch_own_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise SpecError.at(location, f"{path.name} is not a Python file")
    module = importlib.util.module_from_spec(specification)
    # Keras looks a class up by its module when it saves a model.
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


def _is_own(value: Any, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__


def _file(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if file else None


@contextlib.contextmanager
def _own_code(path: Path, location: Location) -> Iterator[None]:
    """Run a user's code in its folder; its errors are shown by its own lines."""
    with _folder(path.parent), _modules(path.parent):
        try:
            yield
        except SpecError:
            raise
        except (Exception, SystemExit) as error:
            frames = traceback.extract_tb(error.__traceback__)
            own = [frame for frame in frames if Path(frame.filename).is_relative_to(path.parent)]
            text = "".join(_trace(own))
            raise SpecError.at(location, f"{path.name} failed: {_short(error)}{text}") from error


@contextlib.contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Make a folder importable and the working directory."""
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
def _modules(folder: Path) -> Iterator[None]:
    """Let own modules be found anew where their files changed, and never those of another folder.

    Two folders may hold a `helper.py` each, and a helper may be edited between two runs of one
    process.
    """
    own = _IMPORTED.setdefault(folder, {})
    for others in _IMPORTED.values():
        for name, module in others.items():
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
                own[name] = sys.modules[name]


def _trace(frames: Sequence[traceback.FrameSummary]) -> Iterator[str]:
    for frame in frames:
        yield f"\n    {Path(frame.filename).name}:{frame.lineno}, in {frame.name}: {frame.line}"


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {shortened(text, 300)}"
