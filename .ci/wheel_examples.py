"""Puts the shipped experiments into the wheel: specs, data, code; no pictures and no notebooks."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED = ("*.yaml", "*.py", "*.csv", "spec.schema.json")


class WheelExamples(BuildHookInterface):
    """Adds the files of `experiments/` as `kerasbatch/examples/`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files, unless the package is installed in place, with experiments beside it."""
        if version == "editable":
            return
        folder = Path(self.root, "experiments")
        for file in sorted(file for pattern in SHIPPED for file in folder.glob(pattern)):
            build_data["force_include"][str(file)] = f"kerasbatch/examples/{file.name}"
