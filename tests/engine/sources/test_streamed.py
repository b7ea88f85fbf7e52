"""Arrays that are streamed to the device: the same steps as with resident ones."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from fit_support import (
    CLASSES,
    IMAGES,
    NUMBERS,
    SEQUENCES,
    TABLE,
    N,
    convnet,
    ready,
    two_in_two_out,
)
from patience import limit

import kerasbatch as kb
from kerasbatch.engine.options import FitOptions, Needs
from kerasbatch.engine.settings import DEFAULT_SETTINGS, EngineSettings
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.training.fused import FusedTraining
from kerasbatch.engine.training.start import start
from kerasbatch.planning import plan


def trained(model: Any, stream: ExampleStream, *, streamed: bool, **options: Any) -> FusedTraining:
    training = start(model, stream, engine="fused", streamed=streamed, **options)
    assert isinstance(training, FusedTraining)
    training.fit(FitOptions())
    return training


@pytest.mark.parametrize("steps", [1, 3, 512])
@pytest.mark.parametrize("partial", ["keep", "drop"])
@pytest.mark.parametrize("sampling", ["shuffle", "replacement"])
def test_the_same_steps(steps: int, partial: Any, sampling: Any) -> None:
    """Bit for bit, whatever a chunk holds; the checksum holds too."""
    settings = EngineSettings(chunk_steps=steps)
    planned = plan(N, batch_size=8, epochs=3, partial_batch=partial)
    stream = ExampleStream((TABLE, CLASSES), planned, seed=5, sampling=sampling)
    models = [ready(), ready()]
    for model, streamed in zip(models, (False, True), strict=True):
        needs = Needs(record_steps=True)
        training = trained(model, stream, streamed=streamed, needs=needs, settings=settings)
        assert training.data == ("streamed" if streamed else "resident")
        assert len(training.step_losses) == planned.total_steps
        assert training.examples_match(3, planned.steps_per_epoch)
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)


def test_scaled_images_and_several_inputs() -> None:
    """In their own types, as they are with resident data."""
    images = ExampleStream(
        (IMAGES, CLASSES), plan(N, batch_size=8, epochs=1), seed=5, scale=1 / 255
    )
    models = [ready(convnet), ready(convnet)]
    for model, streamed in zip(models, (False, True), strict=True):
        trained(model, images, streamed=streamed)
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)
    two = two_in_two_out()
    two.compile("sgd", {"c": "sparse_categorical_crossentropy", "d": "mse"})
    arrays = ([TABLE, SEQUENCES], {"c": CLASSES, "d": NUMBERS})
    training = trained(
        two, ExampleStream(arrays, plan(N, batch_size=8, epochs=1), seed=5), streamed=True
    )
    assert training.examples_match(1, 14)


def test_a_lost_example_changes_the_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checksum is no constant."""
    from kerasbatch.engine.sources.streamed import StreamedSource

    gather = StreamedSource.gather

    def forgetful(self: StreamedSource, slot: int, chosen: Any) -> None:
        gather(self, slot, np.concatenate([chosen[:-1], chosen[:1]]))

    monkeypatch.setattr(StreamedSource, "gather", forgetful)
    stream = ExampleStream((TABLE, CLASSES), plan(N, batch_size=8, epochs=1), seed=5)
    assert trained(ready(), stream, streamed=True).examples_match(1, 14) is False


def test_arrays_larger_than_their_share() -> None:
    """They are streamed, and the reason stands in the report."""
    settings = EngineSettings(memory_share=1e-9)
    report = kb.fit(ready(), TABLE, CLASSES, batch_size=8, verbose=0, settings=settings).kerasbatch
    assert (report.engine, report.data) == ("fused", "streamed")
    assert "streamed in chunks of 0 MB, because the data take 0.0 GB, more than" in report.why


@pytest.mark.parametrize(
    ("dtype", "mode", "data"),
    [
        (np.float32, "c", "resident"),
        (np.float32, "r", "streamed"),
        (np.float64, "c", "streamed"),
    ],
)
def test_arrays_in_files(dtype: Any, mode: Any, data: str, tmp_path: Path) -> None:
    """Used where they lie; streamed where they would have to be copied as a whole."""
    np.save(tmp_path / "x.npy", TABLE.astype(dtype))
    mapped = np.load(tmp_path / "x.npy", mmap_mode=mode)
    models = [ready(), ready()]
    kb.fit(models[0], TABLE, CLASSES, batch_size=8, seed=1, verbose=0)
    report = kb.fit(models[1], mapped, CLASSES, batch_size=8, seed=1, verbose=0).kerasbatch
    assert report.data == data
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_device_without_room_gets_smaller_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Halved and tried again; where nothing helps, plain fit trains."""
    tried: list[int] = []
    compile_ = FusedTraining.compile
    rooms = {"room": 3}

    def tight(self: FusedTraining, evaluated: Any = None) -> None:
        tried.append(getattr(self.source, "_chunk_bytes", 0))
        if len(tried) <= rooms["room"]:
            raise tf.errors.ResourceExhaustedError(None, None, "no room")
        compile_(self, evaluated)

    monkeypatch.setattr(FusedTraining, "compile", tight)
    report = kb.fit(ready(), TABLE, CLASSES, batch_size=8, verbose=0).kerasbatch
    size = DEFAULT_SETTINGS.chunk_bytes
    assert tried == [0, size, size // 2, size // 4]
    assert report.data == "streamed"
    rooms["room"] = 1000
    with pytest.warns(UserWarning, match="the data do not fit into the memory of the device"):
        assert kb.fit(ready(), TABLE, CLASSES, verbose=0).kerasbatch.engine == "keras"


def test_steps_per_epoch_goes_on_in_the_data() -> None:
    """As with resident arrays."""
    models = [ready(), ready()]
    options: dict[str, Any] = {"batch_size": 8, "seed": 1, "epochs": 3, "steps_per_epoch": 7}
    for model, share in zip(models, (0.5, 1e-9), strict=True):
        settings = EngineSettings(memory_share=share)
        kb.fit(model, TABLE, CLASSES, verbose=0, settings=settings, **options)
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_file_larger_than_the_memory_there_is(tmp_path: Path) -> None:
    """A map of 1 GB under RLIMIT_DATA, with 0.6 GB left."""
    code = f"""
import resource, numpy as np, keras, psutil, kerasbatch as kb
x = np.lib.format.open_memmap({str(tmp_path / "x.npy")!r}, "w+", np.float32, (320_000, 784))
del x
x = np.load({str(tmp_path / "x.npy")!r}, mmap_mode="r")
assert x.nbytes > 1e9
y = np.arange(len(x)) % 10
model = keras.Sequential([keras.layers.Dense(10, "softmax")])
model.compile("sgd", "sparse_categorical_crossentropy")
kb.fit(model, x[:512].copy(), y[:512], verbose=0)
status = dict(line.split(":") for line in open("/proc/self/status"))
used = 1024 * int(status["VmData"].split()[0])
resource.setrlimit(resource.RLIMIT_DATA, (used + 600_000_000, resource.RLIM_INFINITY))
report = kb.fit(model, x, y, batch_size=128, verbose=0).kerasbatch
print(report.data, int(model.optimizer.iterations))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=limit(60)
    )
    assert done.stdout.split() == ["streamed", str(16 + 2500)], done.stderr[-2000:]
