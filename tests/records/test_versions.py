"""The versions of a record: those of its own backend, and of what is installed."""

from importlib import metadata
from typing import Any

import pytest

from kerasbatch.records import provenance


@pytest.mark.parametrize("is_installed", [True, False])
def test_jax_need_not_be_installed(is_installed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its version belongs to runs on it alone."""
    honest = metadata.version

    def version(package: str) -> Any:
        if package != "jax":
            return honest(package)
        if not is_installed:
            raise metadata.PackageNotFoundError(package)
        return "0.8"

    monkeypatch.setattr(metadata, "version", version)
    provenance._version.cache_clear()
    assert "jax" not in provenance.versions("tensorflow")
    assert provenance.versions("jax").get("jax") == ("0.8" if is_installed else None)
    assert provenance.versions()["keras"] == honest("keras")
    provenance._version.cache_clear()
