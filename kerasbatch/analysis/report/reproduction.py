"""The spec and the commands that reproduce the runs of a report."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasbatch.analysis.comparison.caveats.provenance import runs_own_code
from kerasbatch.analysis.loading.load import Loaded
from kerasbatch.errors import SpecError
from kerasbatch.records.file_names import EXPERIMENT
from kerasbatch.records.files import dump_yaml
from kerasbatch.records.stored_files import StoredFileError, read_stored
from kerasbatch.spec.named_paths import file_names
from kerasbatch.spec.reader import spec_from_dict
from kerasbatch.text import counted


def spec_text(folder: Path, loaded: Loaded) -> str:
    """Return the source text of the spec of an experiment, or else the spec of its first run."""
    try:
        return read_stored(folder / EXPERIMENT).decode("utf-8", "replace")
    except (FileNotFoundError, StoredFileError):
        first = next(iter(loaded.specs.values()), None)
        return dump_yaml(dict(first)) if first else ""


def _needed_files(loaded: Loaded) -> Iterator[str]:
    """Yield a comment about the user's own data, with its counts, and one about own code."""
    for run, record in loaded.records.items():
        examples = counted(int(record["row"].get("train_examples") or 0), "training example")
        classes = record.get("classes")
        kind = f", {counted(classes, 'class', 'classes')}" if classes else ""
        for file in _data_files(loaded.specs[run]):
            yield f"# beside it, the data {file}: {examples}{kind}"
        for file in record.get("code") or ():
            yield f"# beside it, the code {file}"


def _data_files(spec: Mapping[str, Any]) -> list[str]:
    try:
        return file_names(spec_from_dict(spec).spec)
    except SpecError:  # of another version
        return []


def _overrides(loaded: Loaded) -> list[tuple[str, ...]]:
    """Return the overrides of the commands that trained the runs, each once."""
    used = (tuple(record.get("overrides", ())) for record in loaded.records.values())
    return list(dict.fromkeys(used)) or [()]


def reproduction_commands(
    folder: Path, loaded: Loaded, by: Sequence[str], target: str | None
) -> Iterator[str]:
    """Yield the commands that train the runs, compare them and write the report."""
    trust = " --trust" if any(map(runs_own_code, loaded.specs.values())) else ""
    results = shlex.quote(f"results/{folder.name}")
    options = "".join(f" --by {shlex.quote(key)}" for key in by if list(by) != ["batch_size"])
    options += f" --target {shlex.quote(target)}" if target else ""
    recorded = "target" in loaded.runs and loaded.runs["target"].notna().any()
    has_target = target is not None or recorded
    yield f"# save the spec above as {folder.name}.yaml"
    yield from dict.fromkeys(_needed_files(loaded))
    for overrides in _overrides(loaded):
        sets = "".join(f" --set {shlex.quote(text)}" for text in overrides)
        yield f"kerasbatch run {shlex.quote(f'{folder.name}.yaml')}{sets}{trust}"
    yield f"kerasbatch compare {results}{options}{' --fit' if has_target else ''}"
    yield f"kerasbatch report {results}{options} -o report.html"
