"""Imports of user code: from its folder, anew for every call, and from a snapshot where one is set.

Two folders may both have a `helper.py`, and a helper may change between two runs of one process.
"""

import contextlib
import functools
import hashlib
import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
    SourcelessFileLoader,
)
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

_modules: dict[str, ModuleType] = {}
"""The modules that user code has imported from its folders, by name."""


class UserImports:
    """The imports of one call of user code.

    Args:
        folder: its folder.
        pinned: the content of files that are read from a snapshot, by absolute path.
    """

    def __init__(self, folder: Path, pinned: Mapping[Path, bytes]) -> None:
        self.files: dict[Path, bytes] = {}
        self._folder, self._pinned = folder, pinned

    def load(self, path: Path) -> ModuleType | None:
        """Import a file; return None if it is not a Python file.

        Keras looks up a class by its module when it saves a model, so the module has a name.
        """
        name = f"kerasbatch_own_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
        loader = _SnapshotLoader(name, str(path), imports=self)
        specification = spec_from_file_location(name, path, loader=loader)
        if path.suffix not in SOURCE_SUFFIXES or specification is None:
            return None
        module = module_from_spec(specification)
        sys.modules[name] = module
        loader.exec_module(module)
        return module

    def content(self, path: str) -> bytes:
        """Return the content of a file, and remember it."""
        file = Path(path)
        content = self._pinned.get(file)
        self.files[file] = file.read_bytes() if content is None else content
        return self.files[file]

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Import modules of the folder through this object; forget those of earlier calls."""
        for name, module in _modules.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
        _modules.clear()
        hook, before = self._finder, set(sys.modules)
        sys.path_hooks.insert(0, hook)
        self._forget_finders()
        importlib.invalidate_caches()
        try:
            yield
        finally:
            sys.path_hooks.remove(hook)
            self._forget_finders()
            _modules.update(self._imported(set(sys.modules) - before))

    def _finder(self, path: str) -> FileFinder:
        if not self._is_own(Path(path)):
            raise ImportError(path)
        return FileFinder(
            path,
            (functools.partial(_SnapshotLoader, imports=self), SOURCE_SUFFIXES),  # type: ignore[arg-type]  # it is called like a class
            (functools.partial(_RecordedExtension, imports=self), EXTENSION_SUFFIXES),  # type: ignore[arg-type]
            (functools.partial(_RecordedBytecode, imports=self), BYTECODE_SUFFIXES),  # type: ignore[arg-type]
        )

    def _forget_finders(self) -> None:
        for path in [path for path in sys.path_importer_cache if self._is_own(Path(path))]:
            del sys.path_importer_cache[path]

    def _imported(self, names: Iterable[str]) -> dict[str, ModuleType]:
        files = {name: getattr(sys.modules[name], "__file__", None) for name in names}
        return {
            name: sys.modules[name]
            for name, file in files.items()
            if file and self._is_own(Path(file).resolve())
        }

    def _is_own(self, path: Path) -> bool:
        return path.is_relative_to(self._folder) and "site-packages" not in path.parts


class _SnapshotLoader(SourceFileLoader):
    """Compiles the content that `UserImports` has, never a cached file.

    Python finds compiled files by the time and size of their source alone.
    """

    def __init__(self, fullname: str, path: str, imports: UserImports) -> None:
        super().__init__(fullname, path)
        self._imports = imports

    def get_code(self, fullname: str) -> CodeType:
        path = str(self.path)
        code: CodeType = self.source_to_code(self._imports.content(path), path)
        return code


class _RecordedExtension(ExtensionFileLoader):
    """Loads a compiled module from its file, whose content is part of the code."""

    def __init__(self, fullname: str, path: str, imports: UserImports) -> None:
        super().__init__(fullname, path)
        self._imports = imports

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        self._imports.content(str(self.path))
        return super().create_module(spec)


class _RecordedBytecode(SourcelessFileLoader):
    """Loads a module without a source."""

    def __init__(self, fullname: str, path: str, imports: UserImports) -> None:
        super().__init__(fullname, path)
        self._imports = imports

    def get_data(self, path: str) -> bytes:
        return self._imports.content(path)
