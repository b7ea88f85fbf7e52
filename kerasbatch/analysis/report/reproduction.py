"""What it takes to train the runs of a report again: the spec, and the commands."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from kerasbatch.analysis.comparison.provenance_caveats import runs_own_code
from kerasbatch.analysis.loading.load import Loaded
from kerasbatch.records.files import dump_yaml

MAX_BYTES = 2**20
"""A spec is one page of YAML."""


def spec_text(folder: Path, loaded: Loaded) -> str:
    """Return the spec of an experiment as it was given, or else that of its first run.

    A link is not followed: the page is meant to be sent, and shows nothing but the experiment.
    """
    file = folder / "experiment.yaml"
    if file.is_file() and not file.is_symlink() and file.stat().st_size <= MAX_BYTES:
        return file.read_text(encoding="utf-8", errors="replace")
    first = next(iter(loaded.specs.values()), None)
    return dump_yaml(dict(first)) if first else ""


def reproduction_commands(
    folder: Path, loaded: Loaded, by: Sequence[str], target: str | None
) -> Iterator[str]:
    """Yield the commands that train, compare and report once more."""
    trust = " --trust" if any(map(runs_own_code, loaded.specs.values())) else ""
    results = shlex.quote(f"results/{folder.name}")
    asked = "".join(f" --by {shlex.quote(key)}" for key in by if list(by) != ["batch_size"])
    asked += f" --target {shlex.quote(target)}" if target else ""
    recorded = "target" in loaded.runs and loaded.runs["target"].notna().any()
    has_target = target is not None or recorded
    yield f"# save the spec above as {folder.name}.yaml"
    yield f"kerasbatch run {shlex.quote(f'{folder.name}.yaml')}{trust}"
    yield f"kerasbatch compare {results}{asked}{' --fit' if has_target else ''}"
    yield f"kerasbatch report {results}{asked} -o report.html"
