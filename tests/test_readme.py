"""The README: its links, its commands, its examples."""

import re
import shutil
from pathlib import Path

import pytest

HERE = Path(__file__).parent.parent
README = (HERE / "README.md").read_text(encoding="utf-8")


def test_it_tells_the_truth_about_files_and_commands() -> None:
    """Links lead to files, experiments exist, commands are commands."""
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (HERE / link).exists(), link
    for experiment in re.findall(r"experiments/\w+\.yaml", README):
        assert (HERE / experiment).exists(), experiment
    from kerasbatch.cli.app import app

    commands = {
        str(command.name or command.callback.__name__) for command in app.registered_commands
    }  # type: ignore[union-attr]
    used = set(re.findall(r"^\s*(?:\S*/)?kerasbatch ([a-z]+)", README, flags=re.MULTILINE))
    assert used <= commands
    assert commands <= set(re.findall(r"kerasbatch ([a-z]+)", README))


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))
def test_its_python_runs(
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As a reader would paste it; fewer epochs, and experiments that stand elsewhere."""
    shutil.copytree(HERE / "experiments", tmp_path / "experiments")
    monkeypatch.chdir(tmp_path)
    exec(re.sub(r"epochs=\d+", "epochs=2", code), {"__name__": "__main__"})  # noqa: S102
    assert capsys.readouterr().out
