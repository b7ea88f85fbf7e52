"""Names that can be read, and are the same for the same numbers."""

from typing import Annotated, Any

from kerasbatch.records.run_id import run_id
from kerasbatch.spec import reader
from kerasbatch.spec.fields import Key
from kerasbatch.spec.schema import Spec


def test_run_names(small: dict[str, Any]) -> None:
    """Swept values, made safe for every file system, and a hash."""
    spec = reader.spec_from_dict(small).spec
    name = run_id(spec, {"learning_rate_rule.times": 0.5, "seed": 1}, "data")
    assert name.rsplit("-", 1)[0] == "times=0.5-seed=1"
    odd = run_id(spec, {"data.csv": "../ü/ä b:*.csv"}, "data")
    assert set(odd) <= set("abcdefghijklmnopqrstuvwxyz0123456789._=+-")
    assert len(run_id(spec, {"loss": "x" * 500}, "data")) < 100


def test_what_enters_a_name(small: dict[str, Any]) -> None:
    """Numbers do, words and the engine do not, the data really used do."""

    def name(fingerprint: str = "data", **keys: Any) -> str:
        return run_id(reader.spec_from_dict(small | keys).spec, {}, fingerprint)

    assert name() == name(question="why?", name="other", engine="keras")
    assert len({name(), name(seed=1), name(epochs=3), name("other data"), name(loss="mse")}) == 5


NEUTRAL: dict[str, Any] = dict.fromkeys(
    ("identity", "swept", "compiled", "affects_data", "setting"), True
)


def test_a_key_of_a_later_version_changes_no_name(small: dict[str, Any]) -> None:
    """Only what differs from its default is in it."""

    class LaterSpec(Spec):
        momentum_of_noise: Annotated[int, Key(**NEUTRAL)] = 3

    now = reader.spec_from_dict(small).spec
    later = LaterSpec.model_validate(dict(now))
    assert run_id(later, {}, "data") == run_id(now, {}, "data")
    other = later.model_copy(update={"momentum_of_noise": 4})
    assert run_id(other, {}, "data") != run_id(now, {}, "data")


def test_other_spellings_of_the_same_spec_have_one_name(small: dict[str, Any]) -> None:
    """Names in any case, aliases, defaults written out, whole numbers as floats, short forms."""

    def name(**keys: Any) -> str:
        return run_id(reader.spec_from_dict(small | keys).spec, {}, "data")

    layers = {"layers": ["Flatten", {"Dense": {"units": 3}}]}
    written_out = {"layers": [{"Flatten": {}}, {"Dense": {"units": 3, "use_bias": True}}]}
    assert name(optimizer="adam") == name(optimizer={"name": "Adam", "learning_rate": 0.001})
    assert name(loss="mse") == name(loss="mean_squared_error") == name(loss="MeanSquaredError")
    assert name(model=layers) == name(model=written_out)
    assert name(learning_rate_rule="linear") == name(
        learning_rate_rule={"rule": "linear", "base_batch_size": 32, "times": 1}
    )
    assert name(data="wine") == name(data={"name": "wine", "standardise": True})
    assert name(optimizer={"name": "sgd", "learning_rate": 1}) == name(
        optimizer={"name": "sgd", "learning_rate": 1.0}
    )
