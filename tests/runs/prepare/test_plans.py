"""The plans of a sweep."""

from pathlib import Path
from typing import Any

import pytest

from kerasbatch.errors import SpecError
from kerasbatch.runs.prepare import data_loader
from kerasbatch.runs.prepare.checks import check_all
from kerasbatch.runs.prepare.data_loader import DataLoader
from kerasbatch.runs.prepare.plans import plan_runs
from kerasbatch.spec import reader
from kerasbatch.spec.sweep.expand import expand
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

    def counted(data: Any, access: Access, groups: str | None) -> Any:
        reads.append(data)
        return read(data, access, groups)

    monkeypatch.setattr(data_loader, "read_raw", counted)
    data = {"csv": str(tmp_path / "t.csv"), "target": "y"}
    spec = small | {"data": data, "batch_size": 4, "validation": "none", "sweep": sweep}
    source = reader.spec_from_dict(spec)
    assert len(plan_runs(source, Access(tmp_path, trusted=True))) == runs
    assert len(reads) == 1


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        ({"optimizer": ["adam", {"name": "Adam", "learning_rate": 1e-3}]}, "optimizer=adam and"),
        ({"batch_size": ["full", 1, 120]}, "batch_size=full and batch_size=120 are the same run"),
        ({"data.csv": ["t.csv", "./t.csv"]}, r"data.csv=t.csv and data.csv=\./t.csv"),
    ],
)
def test_two_spellings_of_one_run_are_refused(
    small: dict[str, Any], tmp_path: Path, sweep: dict[str, Any], words: str
) -> None:
    """By the plan and by the run: they would count as two seeds with equal numbers."""
    if "data.csv" in sweep:
        rows = "".join(f"{i},{i % 3}\n" for i in range(12))
        (tmp_path / "t.csv").write_text(f"a,y\n{rows}", encoding="utf-8")
        small |= {"data": {"csv": "t.csv", "target": "y"}, "batch_size": 4}
    source, access = reader.spec_from_dict(small | {"sweep": sweep}), Access(tmp_path, trusted=True)
    with pytest.raises(SpecError, match=words) as planned:
        plan_runs(source, access)
    with source.located(), pytest.raises(SpecError) as checked:
        check_all(expand(source), DataLoader(access), [])
    assert [fault.message for fault in checked.value.faults] == [
        fault.message for fault in planned.value.faults
    ]
