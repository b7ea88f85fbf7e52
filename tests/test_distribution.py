"""The wheel and the sdist: what they contain."""

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from patience import limit

from kerasbatch.first_spec.examples import examples_folder, shipped_examples

pytestmark = pytest.mark.tools
HERE = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "uv", "build", "--quiet", "--out-dir", str(folder), str(HERE)]
    subprocess.run(command, check=True, timeout=limit(300))
    return folder


def _tracked(folder: str) -> set[str]:
    """Return the files of a folder that Git has."""
    command = ["/usr/bin/env", "git", "ls-files", folder]
    listed = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True)
    return set(listed.stdout.split())


def test_the_wheel_holds_the_package_and_the_examples(built: Path) -> None:
    """Every file of the package, every example with its files, and nothing else."""
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    package = {name for name in names if ".dist-info/" not in name}
    examples = {name for name in package if name.startswith("kerasbatch/examples/")}
    assert package - examples == _tracked("kerasbatch")
    needed = {name for example in shipped_examples() for name in example.files}
    shipped = {name.removeprefix("kerasbatch/examples/") for name in examples}
    assert needed <= shipped
    assert {f"experiments/{name}" for name in shipped} <= _tracked("experiments")
    assert examples_folder() == HERE / "experiments"


def test_the_sdist_holds_what_builds_and_tests(built: Path) -> None:
    """The folders and files that pyproject.toml names, with the reference results."""
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        files = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    targets = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]
    named = {name.split("/")[0] for name in targets["build"]["targets"]["sdist"]["only-include"]}
    always = {"pyproject.toml", "README.md", "LICENSE", "PKG-INFO", ".gitignore"}
    assert {name.split("/")[0] for name in files} == named | always
    assert "results/reference/claims.csv" in files
