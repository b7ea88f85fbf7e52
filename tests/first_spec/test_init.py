"""`kerasbatch init`: a first spec for ten tables of the kind people have, for folders and code."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

import kerasbatch as kb
from kerasbatch.cli.app import app
from kerasbatch.spec.reader import load_spec

ROWS = 60
RANDOM = np.random.default_rng(0)
AREA = RANDOM.uniform(30, 200, ROWS).round(1)
PRICE = (3 * AREA + RANDOM.normal(0, 20, ROWS)).round(2)
CITY = RANDOM.choice(["Bonn", "Rome", "Oslo"], ROWS)
KIND = np.where(AREA > 100, "large", "small")
DAYS = pd.date_range("2024-01-30", periods=ROWS, freq="D").strftime("%Y-%m-%d")
WORDS = np.where(AREA > 100, "a wide and bright house", "a dark and narrow flat")
STREETS = [f"street of the {number}th oak" for number in range(ROWS)]


def gaps(values: Any) -> pd.Series:
    series = pd.Series(values).astype(object)
    series[::7] = ""
    return series


TABLES: dict[str, tuple[pd.DataFrame, dict[str, Any], list[str]]] = {
    "numbers": (pd.DataFrame({"area": AREA, "price": PRICE}), {}, ["price"]),
    "classes": (pd.DataFrame({"area": AREA, "city": CITY, "kind": KIND}), {}, ["kind"]),
    "gaps": (pd.DataFrame({"area": gaps(AREA), "city": gaps(CITY), "price": PRICE}), {}, ["price"]),
    "dates": (pd.DataFrame({"day": DAYS, "area": AREA, "price": PRICE}), {}, ["price"]),
    "semicolons": (
        pd.DataFrame({"area": AREA, "price": PRICE}),
        {"sep": ";", "decimal": ","},
        ["price"],
    ),
    "imbalanced": (
        pd.DataFrame({"area": AREA, "sold": (np.arange(ROWS) % 10 == 0).astype(int)}),
        {},
        ["sold"],
    ),
    "ids": (
        pd.DataFrame({"id": range(ROWS), "street": STREETS, "area": AREA, "kind": KIND}),
        {},
        ["kind"],
    ),
    "text": (
        pd.DataFrame({"review": [f"{w} {n}" for n, w in enumerate(WORDS)], "kind": KIND}),
        {},
        ["kind"],
    ),
    "gaps_everywhere": (
        pd.DataFrame({"area": gaps(AREA), "price": gaps(PRICE)[::-1].to_numpy()}),
        {},
        ["price"],
    ),
    "missing_targets": (pd.DataFrame({"area": AREA, "price": gaps(PRICE)}), {}, ["price"]),
    "two_targets": (
        pd.DataFrame({"area": AREA, "price": PRICE, "rent": (PRICE / 200).round(3)}),
        {},
        ["price", "rent"],
    ),
    "empty_columns": (
        pd.DataFrame({"area": AREA, "nothing": [""] * ROWS, "city": CITY, "price": PRICE}),
        {},
        ["price"],
    ),
}


def init(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["init", *arguments], catch_exceptions=False)


@pytest.mark.parametrize("name", TABLES)
def test_a_spec_runs_as_it_is_written(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    frame, form, targets = TABLES[name]
    frame.to_csv(f"{name}.csv", index=False, **form)
    options = [part for target in targets for part in ("--target", target)]
    result = init("--csv", f"{name}.csv", *options)
    assert result.exit_code == 0, result.output
    spec = load_spec(f"{name}.yaml")
    assert spec.spec.sweep
    keys = yaml.safe_load(Path(f"{name}.yaml").read_text(encoding="utf-8"))
    del keys["sweep"]  # which needs a process
    run = kb.run(keys | {"batch_size": 16, "epochs": 2})
    assert run.row["step_check"] == "ok"
    assert run.row["status"] == "done"


def test_what_was_noticed_stands_in_the_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ids", "gaps", "dates", "imbalanced", "semicolons"):
        frame, form, targets = TABLES[name]
        frame.to_csv(f"{name}.csv", index=False, **form)
        assert init("--csv", f"{name}.csv", "--target", targets[0]).exit_code == 0
    text = {path.stem: path.read_text(encoding="utf-8") for path in Path().glob("*.yaml")}
    assert "exclude: [id, street]" in text["ids"]
    assert "# id counts the rows; street is text" in text["ids"]
    assert "missing: mean" in text["gaps"]
    assert "dates: {day: [year, month, weekday]}" in text["dates"]
    assert "# class_weight: balanced" in text["imbalanced"]
    assert "always answering the largest one is right in 90%" in text["imbalanced"]


@pytest.mark.slow
def test_images_and_texts_in_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for label, value in (("dark", 30), ("light", 220)):
        for folder in ("pictures", "letters"):
            (tmp_path / folder / label).mkdir(parents=True)
        for number in range(20):
            pixels = RANDOM.integers(value - 20, value + 20, (24, 32)).astype("uint8")
            Image.fromarray(pixels).save(tmp_path / "pictures" / label / f"{number}.png")
            file = tmp_path / "letters" / label / f"{number}.txt"
            file.write_text(f"a {label} day {number}", encoding="utf-8")
    for option, folder in (("--images", "pictures"), ("--texts", "letters")):
        assert init(option, folder).exit_code == 0
        (run,) = kb.sweep(f"{folder}.yaml", overrides=["sweep={seed: [0]}", "batch_size=8"])
        assert run.row["step_check"] == "ok"
    assert "size: [24, 32], channels: 1" in Path("pictures.yaml").read_text(encoding="utf-8")
    damaged = tmp_path / "pictures" / "dark" / "3.png"
    damaged.write_bytes(damaged.read_bytes()[:200])
    assert "3.png is damaged" in init("--images", "pictures", "-o", "rest.yaml").output
    (run,) = kb.sweep("rest.yaml", overrides=["sweep={seed: [0]}", "batch_size=8"])
    assert run.row["step_check"] == "ok"


CODE = """
import keras
import numpy as np
def load():
    x = np.random.default_rng(0).normal(size=(80, 5))
    return x, (x.sum(axis=1) > 0).astype(int)
def build(input_shape, classes):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(classes, "softmax")])
def compiled(input_shape, classes):
    model = build(input_shape, classes)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""


@pytest.mark.parametrize(
    ("build", "keys"),
    [("build", True), ("compiled", False), pytest.param(None, True, marks=pytest.mark.slow)],
)
def test_own_code(
    build: str | None, keys: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(CODE, encoding="utf-8")
    model = ["--python", f"mine.py:{build}"] if build else []
    assert init("--data", "mine.py:load", *model).exit_code == 0
    text = Path("mine.yaml").read_text(encoding="utf-8")
    assert ("optimizer: adam" in text) == keys
    overrides = ["sweep={seed: [0]}", "batch_size=8", "epochs=1"]
    (run,) = kb.sweep("mine.yaml", overrides=overrides, trust=True)
    assert run.row["step_check"] == "ok"
    assert "val_accuracy" in run.row


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name your data by one of --csv"),
        (("--csv", "t.csv"), "--csv needs --target"),
        (("--csv", "none.csv", "--target", "x"), "there is no none.csv"),
        (("--csv", "t.csv", "--target", "prize"), "did you mean price"),
        (("--csv", "t.csv", "--images", ".", "--target", "price"), "found --csv and --images"),
        (("--csv", "t.csv", "--target", "price", "-o", "t.csv"), "is there already"),
        (("--csv", "few.csv", "--target", "price"), "the table has 3 rows"),
        (("--python", "mine.py:build"), "--python needs --data"),
        (("--data", "mine.py"), "--data: found mine.py; must be a file and a function"),
    ],
)
def test_faults(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    TABLES["numbers"][0].to_csv("t.csv", index=False)
    TABLES["numbers"][0][:3].to_csv("few.csv", index=False)
    with pytest.raises(kb.SpecError, match=message):
        init(*arguments)
    assert not list(Path().glob("*.yaml"))


def test_a_target_that_stands_twice(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,y,y\n" + "1,2,3\n" * 40, encoding="utf-8")
    with pytest.raises(kb.SpecError, match="'y' stands twice: columns 2 and 3"):
        init("--csv", str(tmp_path / "t.csv"), "--target", "y")
