"""Whether the device computes in bfloat16, by what the system says of it."""

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from kerasbatch.engine import device


@pytest.mark.parametrize(
    ("said", "native"),
    [
        ("model name\t: avx512_bf16\nflags\t\t: fpu sse avx2\n", False),
        ("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 fma\n", True),
        ("Features\t: fp asimd bf16 i8mm\n", True),
        (None, False),
    ],
)
def test_what_linux_says_of_the_processor(
    said: str | None, native: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flags of Intel, AMD and ARM; where there is no such file it is not known, so: no."""
    if said is not None:
        (tmp_path / "cpuinfo").write_text(said, encoding="utf-8")
    monkeypatch.setattr(device, "CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [])
    assert device.computes_bfloat16() == native


@pytest.mark.parametrize(
    ("details", "native"),
    [
        ({"compute_capability": (8, 6)}, True),
        ({"compute_capability": (7, 5)}, False),
        ({}, False),
    ],
)
def test_what_a_gpu_says(
    details: dict[str, Any], native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From Ampere on."""
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["a GPU"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    assert device.computes_bfloat16() == native
