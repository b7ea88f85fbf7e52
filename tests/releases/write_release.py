"""Writes the results of this version into `tests/releases/VERSION`, once for each release.

python tests/releases/write_release.py
"""

import json
import shutil
import tempfile
from pathlib import Path

import kerasbatch as kb
from kerasbatch.records.record import write_record

HERE = Path(__file__).parent
FROM_RUN = "../../../../../experiments/"
"""The experiments, from the folder of a run in a release."""


def write_release() -> None:
    """Train the specs of `specs/`, and keep their results with relative paths."""
    release = HERE / kb.__version__
    if release.exists():
        raise SystemExit(f"{release} is there; the results of a release are never written again")
    with tempfile.TemporaryDirectory() as folder:
        for spec in sorted((HERE / "specs").glob("*.yaml")):
            kb.run_all(spec, results=folder, trust=True)
            kept = shutil.ignore_patterns("*.lock", ".lock")
            shutil.copytree(Path(folder) / spec.stem, release / spec.stem, ignore=kept)
    for run in sorted(path.parent for path in release.glob("*/*/record.json")):
        _make_relative(run)


def _make_relative(run: Path) -> None:
    """Replace the absolute paths of the spec of a run, and write its record anew."""
    spec, absolute = run / "spec.yaml", f"{HERE.parents[1] / 'experiments'}/"
    spec.write_text(spec.read_text(encoding="utf-8").replace(absolute, FROM_RUN), encoding="utf-8")
    record = json.loads((run / "record.json").read_text(encoding="utf-8"))
    assert absolute not in json.dumps(record)  # the record has no absolute path
    write_record(run, {k: v for k, v in record.items() if k not in ("checksum", "files")})


if __name__ == "__main__":
    write_release()
