"""Names that can be read, and are the same for the same numbers."""

from typing import Any

from kerasbatch.records.run_id import run_id
from kerasbatch.spec import specfile


def test_run_names(small: dict[str, Any]) -> None:
    """Swept values, made safe for every file system, and a hash."""
    spec = specfile.from_dict(small).spec
    name = run_id(spec, {"learning_rate_rule.times": 0.5, "seed": 1}, "data")
    assert name.rsplit("-", 1)[0] == "times=0.5-seed=1"
    odd = run_id(spec, {"data.csv": "../ü/ä b:*.csv"}, "data")
    assert set(odd) <= set("abcdefghijklmnopqrstuvwxyz0123456789._=+-")
    assert len(run_id(spec, {"loss": "x" * 500}, "data")) < 100


def test_what_enters_a_name(small: dict[str, Any]) -> None:
    """Numbers do, words and the engine do not, the data really used do."""

    def name(fingerprint: str = "data", **keys: Any) -> str:
        return run_id(specfile.from_dict(small | keys).spec, {}, fingerprint)

    assert name() == name(question="why?", name="other", engine="keras")
    assert len({name(), name(seed=1), name(epochs=3), name("other data"), name(loss="mse")}) == 5
