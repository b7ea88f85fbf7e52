"""Series in time: windows, their parts, and what training may not see."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import yaml
from own_support import load

import kerasbatch as kb

N = 100


def frame(count: int = N) -> pd.DataFrame:
    random = np.random.RandomState(0)
    return pd.DataFrame(
        {
            "time": pd.date_range("2024-01-01", periods=count, freq="h").astype(str),
            "power": random.normal(size=count).round(3),
            "heat": random.normal(size=count).round(3),
        }
    )


def spec(folder: Path, table: pd.DataFrame, **keys: Any) -> dict[str, Any]:
    table.to_csv(folder / "power.csv", index=False)
    data = {"csv": "power.csv", "target": "power", "time": "time", "window": 5, "decimal": "."}
    return {
        "data": data | keys.pop("data", {}),
        "model": {"layers": ["Flatten", {"Dense": {"units": 1}}]},
        "optimizer": "adam",
        "loss": "mse",
        "epochs": 1,
        "batch_size": 4,
    } | keys


@pytest.mark.parametrize("horizon", [1, 3])
def test_windows_are_those_of_keras(tmp_path: Path, horizon: int) -> None:
    """The past of the target is among the columns."""
    table = frame()
    keys = spec(tmp_path, table, data={"horizon": horizon, "standardize": False})
    loaded = load(tmp_path, keys | {"validation": "none"})
    rows = table[["power", "heat"]].to_numpy("float32")
    dataset = keras.utils.timeseries_dataset_from_array(
        rows[: N - horizon], rows[5 + horizon - 1 :, 0], 5, batch_size=None
    )
    pairs = list(dataset.as_numpy_iterator())
    np.testing.assert_allclose(loaded.x_train, np.stack([x for x, _ in pairs]))
    np.testing.assert_allclose(loaded.y_train, np.stack([y for _, y in pairs]))


def test_no_window_reaches_across_parts(tmp_path: Path) -> None:
    keys = spec(tmp_path, frame(), data={"standardize": False})
    keys |= {"validation": {"last": 0.2}, "test": {"last": 0.1}}
    loaded = load(tmp_path, keys)
    sizes = [len(x) for x in (loaded.x_train, loaded.x_val, loaded.x_test)]  # type: ignore[arg-type]
    assert sizes == [70 - 5, 20 - 5, 10 - 5]
    power = frame()["power"].to_numpy("float32")
    np.testing.assert_allclose(loaded.x_train[-1, :, 0], power[64:69])  # type: ignore[index, call-overload]
    assert loaded.y_train[-1] == power[69]
    np.testing.assert_allclose(loaded.x_val[0, :, 0], power[70:75])  # type: ignore[index, call-overload]
    np.testing.assert_allclose(loaded.x_test[0, :, 0], power[90:95])  # type: ignore[index, call-overload]


def test_scaling_sees_the_training_part_alone(tmp_path: Path) -> None:
    table = frame()
    before = load(tmp_path, spec(tmp_path, table))
    table.loc[80:, ["power", "heat"]] += 1000
    after = load(tmp_path, spec(tmp_path, table))
    assert before.preprocessing == after.preprocessing
    np.testing.assert_array_equal(before.x_train, after.x_train)


def test_rows_are_sorted_and_told(tmp_path: Path) -> None:
    table = frame()
    sorted_rows = load(tmp_path, spec(tmp_path, table))
    mixed = load(tmp_path, spec(tmp_path, table.sample(frac=1, random_state=0)))
    np.testing.assert_array_equal(sorted_rows.x_train, mixed.x_train)
    assert sorted_rows.notice is None
    assert "the rows are sorted by time" in str(mixed.notice)
    holes = table.drop(index=[10, 11, 40])
    holes = pd.concat([holes, holes.iloc[[5]]])
    notice = str(load(tmp_path, spec(tmp_path, holes)).notice)
    assert "1 row with the time of the row before" in notice
    assert "2 gaps in time" in notice
    assert "the usual one (3600 seconds)" in notice


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"validation": {"fraction": 0.2}}, "would mix past and future"),
        ({"data": {"time": None}}, "needs the column of time"),
        ({"data": {"window": None}}, "belongs to windows"),
        ({"data": {"window": 90}}, "the 80 rows of training hold no window of 90"),
        ({"data": {"missing": "drop"}}, "drop would leave gaps"),
        ({"data": {"train_examples": 5}}, "does not go with windows"),
        ({"validation": {"last": 0.6}, "test": {"last": 0.5}}, "leaves nothing for training"),
    ],
)
def test_keys_that_do_not_fit(tmp_path: Path, keys: dict[str, Any], words: str) -> None:
    plain = spec(tmp_path, frame(), **keys)
    plain["data"] = {key: value for key, value in plain["data"].items() if value is not None}
    with pytest.raises(kb.SpecError, match=words):
        load(tmp_path, plain)


def test_an_empty_cell_is_not_dropped(tmp_path: Path) -> None:
    table = frame()
    table.loc[7, "power"] = np.nan
    with pytest.raises(kb.SpecError, match=r"an empty cell .* write missing: mean, or leave"):
        load(tmp_path, spec(tmp_path, table))


def test_a_model_predicts_the_next_values(tmp_path: Path) -> None:
    """A row for each window, also for the last one, whose target is in the future."""
    from kerasbatch.inference.predict import predict_file
    from kerasbatch.inference.saved_model import load_saved_model

    keys = spec(tmp_path, frame(), save="last")
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(keys), encoding="utf-8")
    result = kb.run(tmp_path / "s.yaml", results=tmp_path / "results")
    saved = load_saved_model(result.directory)
    new = frame(20).sample(frac=1, random_state=1)
    new.to_csv(tmp_path / "new.csv", index=False)
    table, notices = predict_file(saved, tmp_path / "new.csv")
    assert notices == ["the rows are sorted by time"]
    assert table["time"].tolist() == frame(20)["time"].tolist()[4:]
    whole = np.asarray(result.predict(frame(20)))
    np.testing.assert_allclose(table["prediction"], whole, rtol=1e-6)
    holes = frame(20).drop(index=[10])
    holes.to_csv(tmp_path / "new.csv", index=False)
    _, notices = predict_file(saved, tmp_path / "new.csv", strict=True)  # they are no unseen words
    assert "1 gap in time" in notices[0]
    with pytest.warns(UserWarning, match="1 gap in time"):
        result.predict(holes)
    with pytest.raises(kb.SpecError, match="there are 4 rows, and a window has 5"):
        result.predict(frame(4))
