"""The plans of a sweep."""

from pathlib import Path
from typing import Any

import pytest

from kerasbatch.runs.prepare import data_loader
from kerasbatch.runs.prepare.plans import plan_runs
from kerasbatch.spec import reader
from kerasbatch.spec.trust import Access


@pytest.mark.parametrize(
    ("sweep", "runs"),
    [
        ({"batch_size": [1, 2, 4], "seed": [0, 1]}, 6),
        ({"validation": ["none", {"examples": 3}], "class_weight": ["balanced", {"0": 2}]}, 4),
    ],
)
def test_user_data_are_read_once(
    small: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sweep: dict[str, Any],
    runs: int,
) -> None:
    """However many runs share them, also where their labels or parts differ."""
    rows = "".join(f"{i},{i % 3}\n" for i in range(12))
    (tmp_path / "t.csv").write_text(f"a,y\n{rows}", encoding="utf-8")
    reads: list[Any] = []
    read = data_loader.read_raw

    def counted(data: Any, access: Access) -> Any:
        reads.append(data)
        return read(data, access)

    monkeypatch.setattr(data_loader, "read_raw", counted)
    data = {"csv": str(tmp_path / "t.csv"), "target": "y"}
    spec = small | {"data": data, "batch_size": 4, "validation": "none", "sweep": sweep}
    source = reader.spec_from_dict(spec)
    assert len(plan_runs(source, Access(tmp_path, trusted=True))) == runs
    assert len(reads) == 1
