"""Kill -9 while images and datasets are read: the next run reads them again, whole."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

import kerasbatch as kb

pytestmark = pytest.mark.slow

MOMENTS = [0.3, 0.6, 0.9, 1.2, 1.5, 1.8, 2.1, 2.4, 2.7, 3.0]
"""The seconds after the first file of the cache at which the process is killed."""


def images(folder: Path) -> dict[str, Any]:
    random = np.random.RandomState(0)
    for label in ("a", "b"):
        (folder / "images" / label).mkdir(parents=True)
        for number in range(1500):
            image = Image.fromarray(random.randint(0, 256, (96, 96, 3)).astype(np.uint8))
            image.save(folder / "images" / label / f"{number:04}.png")
    return {"images": "images", "size": [32, 32]}


def dataset(folder: Path) -> dict[str, Any]:
    body = """
import time
import numpy as np
def load():
    for number in range(3000):
        time.sleep(0.001)
        yield np.full((8, 8), number % 7, "float32"), number % 2
"""
    (folder / "mine.py").write_text(body, encoding="utf-8")
    return {"dataset": "mine.py:load"}


@pytest.mark.parametrize("make", [images, dataset])
def test_what_was_killed_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any
) -> None:
    keys = {
        "data": make(tmp_path),
        "model": "mlp",
        "optimizer": "adam",
        "loss": "sparse_categorical_crossentropy",
        "epochs": 1,
        "batch_size": 50,
    }
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(keys), encoding="utf-8")
    cache = tmp_path / "cache"
    monkeypatch.setenv("KERASBATCH_CACHE", str(cache))
    killed = sum(_killed(tmp_path, cache, seconds) for seconds in MOMENTS)
    assert killed >= 2
    result = kb.run(tmp_path / "s.yaml", results=tmp_path / "results", trust=True)
    monkeypatch.setenv("KERASBATCH_CACHE", str(tmp_path / "fresh"))
    again = kb.run(tmp_path / "s.yaml", results=tmp_path / "again", trust=True)
    assert result.directory.name == again.directory.name
    np.testing.assert_array_equal(result.history["val_loss"], again.history["val_loss"])
    entries = [path for path in cache.iterdir() if (path / "facts.json").exists()]
    assert len(entries) == 1
    assert not list(cache.glob("*.writing"))


def _killed(folder: Path, cache: Path, seconds: float) -> bool:
    """Kill a run so long after it began to write; return whether it was still reading."""
    code = (
        "import sys; from pathlib import Path; from kerasbatch.data.run_data import load_data; "
        "from kerasbatch.spec.reader import load_spec; "
        "source = load_spec(Path(sys.argv[1])); load_data(source.spec, source.access(trust=True))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(folder / "s.yaml")])
    while not list(cache.glob("*.writing")) and process.poll() is None:
        time.sleep(0.01)
    time.sleep(seconds)
    was_reading = process.poll() is None
    if was_reading:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return was_reading
