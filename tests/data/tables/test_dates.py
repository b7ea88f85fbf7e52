"""Dates as columns of numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from own_support import REGRESSION, csv, load

import kerasbatch as kb


def table(dates: list[str]) -> str:
    return "when,a,y\n" + "".join(f"{date},{n % 7},{n}\n" for n, date in enumerate(dates))


def encoded(folder: Path, dates: list[str], parts: list[str]) -> Any:
    keys = {"dates": {"when": parts}, "columns": [f"when_{part}" for part in parts]}
    spec = REGRESSION | csv(folder, table(dates), standardize=False, **keys)
    return load(folder, spec | {"validation": "none"}).x_train


NAMES = {"weekday": "day_of_week", "dayofyear": "day_of_year"}
STAMPS = pd.date_range("2023-11-29 22:15", periods=20, freq="31h")


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M:%S",
        "%Y/%m/%d %H:%M",
        "%d.%m.%Y %H:%M",
        "%d/%m/%Y %H:%M",
        "%m/%d/%Y %H:%M",
        "%d-%m-%Y %H:%M",
    ],
)
def test_parts_are_those_of_pandas(tmp_path: Path, form: str) -> None:
    parts = ["year", "month", "day", "weekday", "hour", "minute", "dayofyear"]
    found = encoded(tmp_path, [stamp.strftime(form) for stamp in STAMPS], parts)
    expected = np.stack([getattr(STAMPS, NAMES.get(part, part)) for part in parts], axis=1)
    np.testing.assert_array_equal(found, expected)


def test_the_time_is_that_of_the_clock(tmp_path: Path) -> None:
    """Whatever its distance to UTC is."""
    dates = [f"2024-03-{n + 1:02} 08:00:00{'+01:00' if n % 2 else '+02:00'}" for n in range(10)]
    assert (encoded(tmp_path, dates, ["hour", "day"])[:, 0] == 8).all()


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        (["01/02/2024", "03/04/2024"], "day and month may be either way round"),
        (["2024-01-01", "2024-13-01"], "no date, '2024-13-01', in line 3"),
        (["2024-01-01", "soon"], "no date, 'soon', in line 3"),
        (["13/02/2024", "02/25/2024"], "has days before months, and months before days"),
        (["24-02-01", "24-02-02"], "holds '24-02-01'; write years of four digits"),
    ],
)
def test_what_is_no_date(tmp_path: Path, dates: list[str], words: str) -> None:
    with pytest.raises(kb.SpecError, match=words):
        encoded(tmp_path, dates * 5, ["month"])


def test_a_column_of_dates_is_told_what_to_write(tmp_path: Path) -> None:
    text = table([str(stamp) for stamp in STAMPS])
    with pytest.raises(kb.SpecError, match=r"dates: \{when: \[year, month, weekday, hour\]\}"):
        load(tmp_path, REGRESSION | csv(tmp_path, text))
    with pytest.raises(kb.SpecError, match="must be a list of parts of a date"):
        load(tmp_path, REGRESSION | csv(tmp_path, text, dates={"when": ["century"]}))
    with pytest.raises(kb.SpecError, match="no column 'then'"):
        load(tmp_path, REGRESSION | csv(tmp_path, text, dates={"then": ["year"]}))


def test_a_missing_date_has_missing_parts(tmp_path: Path) -> None:
    dates = [str(stamp) for stamp in STAMPS]
    dates[3] = ""
    keys = {"dates": {"when": ["hour"]}, "missing": "mean"}
    loaded = load(tmp_path, REGRESSION | csv(tmp_path, table(dates), **keys))
    assert np.isfinite(loaded.x_train).all()


def test_predictions_need_the_dates_alone(tmp_path: Path) -> None:
    import yaml

    text = table([str(stamp) for stamp in STAMPS])
    keys = REGRESSION | csv(tmp_path, text, dates={"when": ["hour", "weekday"]}) | {"save": "last"}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(keys), encoding="utf-8")
    result = kb.run(tmp_path / "s.yaml", results=tmp_path / "results")
    frame = pd.read_csv(tmp_path / "t.csv").drop(columns="y")
    numbers = np.asarray(result.predict(frame))
    assert numbers.shape == (20,)
    typed = frame.assign(when=pd.to_datetime(frame["when"]))
    np.testing.assert_allclose(np.asarray(result.predict(typed)), numbers)


def test_all_parts_have_the_order_of_training(tmp_path: Path) -> None:
    """A short file of predictions may have no day above 12."""
    import yaml

    dates = [f"{n % 28 + 1:02}/03/2024" for n in range(40)]
    keys = REGRESSION | csv(tmp_path, table(dates), dates={"when": ["day", "month"]})
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(keys | {"save": "last"}), encoding="utf-8")
    result = kb.run(tmp_path / "s.yaml", results=tmp_path / "results")
    few = pd.DataFrame({"when": ["05/03/2024", "03/03/2024"], "a": [4, 2]})
    same = pd.read_csv(tmp_path / "t.csv").iloc[[4, 2]]
    np.testing.assert_allclose(np.asarray(result.predict(few)), np.asarray(result.predict(same)))
    other = few.assign(when=["2024-03-05", "2024-03-03"])
    np.testing.assert_allclose(np.asarray(result.predict(other)), np.asarray(result.predict(few)))


def test_the_position_of_an_index_is_that_in_the_file(tmp_path: Path) -> None:
    text = "when,id,a,y\n" + "".join(f"{s},{n},{n % 7},{n}\n" for n, s in enumerate(STAMPS))
    keys = {"dates": {"when": ["year", "month", "day"]}, "index": 1}
    loaded = load(tmp_path, REGRESSION | csv(tmp_path, text, **keys))
    assert loaded.preprocessing["columns"] == ("when_year", "when_month", "when_day", "a")


def test_distant_years(tmp_path: Path) -> None:
    found = encoded(tmp_path, ["1500-01-01", "3000-12-31"] * 5, ["year", "month"])
    assert found[:2].tolist() == [[1500, 1], [3000, 12]]
