"""The modules that are installed, and those of the user's own code."""

import sys
from pathlib import Path
from types import ModuleType

_PACKAGES = ("site-packages", "dist-packages")
_MAIN_NAMES = ("__main__", "__mp_main__")


def own_modules() -> list[ModuleType]:
    """Return the loaded modules of the user's own code, without the main one."""
    return [
        module
        for name, module in list(sys.modules.items())
        if isinstance(module, ModuleType)
        and module.__name__ == name  # not a second name of one
        and name not in _MAIN_NAMES
        and not is_installed(name)
    ]


def is_installed(name: str | None) -> bool:
    """Return whether a module is part of Python or of an installed package."""
    if name is None:
        return True
    top = name.partition(".")[0]
    if top in _MAIN_NAMES:
        return False
    if top in sys.stdlib_module_names or top == __name__.partition(".")[0]:
        return True
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is None or any(part in _PACKAGES for part in Path(file).parts)
