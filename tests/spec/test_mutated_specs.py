"""Specs with odd values at odd places: every answer is a plan or a fault, never a traceback."""

from pathlib import Path

import pytest
from mutate import BASE, mutated_spec, mutated_text

import kerasbatch as kb
from kerasbatch.runs.prepare.plans import plan_runs
from kerasbatch.spec import reader
from kerasbatch.spec.trust import Access


def _plan_all(folder: Path, seeds: range) -> int:
    """Plan mutated specs, as a dict and as a file; return the number of those without a fault."""
    (folder / "loop.csv").symlink_to("loop.csv")
    file, access, planned = folder / "s.yaml", Access(folder), 0
    for seed in seeds:
        file.write_bytes(mutated_text(seed))
        for source in (file, mutated_spec(seed)):
            try:
                plan_runs(reader.resolve_spec(source), access)
                planned += 1
            except kb.SpecError as error:
                assert all(len(str(fault)) < 10_000 for fault in error.faults)  # noqa: PT017
    return planned


def test_mutated_specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """300 of them; some are still legal, or the test would show nothing."""
    monkeypatch.chdir(tmp_path)
    plan_runs(reader.spec_from_dict(BASE), Access(tmp_path))
    assert _plan_all(tmp_path, range(300)) > 10


@pytest.mark.slow
def test_many_mutated_specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1,500 of them."""
    monkeypatch.chdir(tmp_path)
    _plan_all(tmp_path, range(10_000, 11_500))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"optimizer": {"name": "adam", "epsilon": "abc"}}, "must be a number, like 1e-07"),
        ({"optimizer": {"name": "adam", "beta_1": [0.9]}}, "must be a number for betas: true"),
        ({"optimizer": {"name": "adam", "beta_1": 10**350}}, "must be 9,007,199,254,740,992 at m"),
        ({"metrics": [{"name": "AUC", "num_thresholds": 10**10}]}, "must be 100,000 at most"),
        (
            {"data": {"csv": "a" * 300, "target": "y"}},
            "aaa... cannot be opened: File name too long",
        ),
        ({"data": {"csv": "a\0b", "target": "y"}}, "cannot be opened: it is no name of a file"),
        ({"data": {"csv": "loop.csv", "target": "y"}}, "there is no file loop.csv"),
    ],
)
def test_odd_values(tmp_path: Path, keys: dict[str, object], words: str) -> None:
    """Conversions and paths that end in a fault."""
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    spec = {key: value for key, value in BASE.items() if key not in ("sweep", "target")}
    with pytest.raises(kb.SpecError, match=words):
        plan_runs(reader.spec_from_dict(spec | keys), Access(tmp_path))


def test_a_position_of_many_digits() -> None:
    """Python converts no number of 4,400 digits."""
    with pytest.raises(kb.SpecError, match=r"there is no metrics\.111"):
        reader.spec_from_dict(BASE, [f"metrics.{'1' * 4400}=x"])
