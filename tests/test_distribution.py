"""The wheel and the sdist: what they contain."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from patience import limit

pytestmark = pytest.mark.tools
HERE = Path(__file__).parent.parent
EXAMPLES = {
    file.name
    for pattern in ("*.yaml", "*.py", "*.csv", "spec.schema.json")
    for file in (HERE / "experiments").glob(pattern)
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "uv", "build", "--quiet", "--out-dir", str(folder), str(HERE)]
    subprocess.run(command, check=True, timeout=limit(300))
    return folder


def test_the_wheel_holds_the_package_and_the_examples(built: Path) -> None:
    """Every file of the package, every example, and nothing else."""
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {name for name in names if ".dist-info/" not in name}
    files = [file for file in (HERE / "kerasbatch").rglob("*") if file.is_file()]
    source = {file.relative_to(HERE).as_posix() for file in files if file.suffix != ".pyc"}
    assert package == source | {f"kerasbatch/examples/{name}" for name in EXAMPLES}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_sdist_holds_what_builds_and_tests(built: Path) -> None:
    """Its top level is that of the repository, without what was only built."""
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        tops = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    assert {"kerasbatch", "tests", "experiments", "docs", "pyproject.toml", "LICENSE"} <= tops
    assert not tops & {"dist", "site", ".git", ".ci-venv"}
