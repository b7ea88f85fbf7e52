"""Encoding, split, weights, metrics and predictions beside scikit-learn and pandas."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

import kerasbatch as kb
from kerasbatch.data.parts.positions import split_positions
from kerasbatch.data.run_data import load_data
from kerasbatch.spec.reader import SpecSource, spec_from_dict

NUMBERS, WORDS = ["income", "age"], ["city"]


def table(classes: list[str]) -> pd.DataFrame:
    """Return 300 rows with gaps; the classes depend on the numbers, the first is rare."""
    random = np.random.RandomState(0)
    income, age = random.normal(50_000, 9_000, 300).round(), random.randint(18, 90, 300)
    score = (income - 50_000) / 9_000 + (age - 50) / 30 + random.normal(0, 1, 300)
    cuts = np.quantile(score, [0.2, 0.6][: len(classes) - 1])
    cities = random.choice(["Bonn", "Köln", "Ulm"], 300)
    frame = pd.DataFrame({"income": income, "age": age.astype(float), "city": cities})
    frame.loc[::17, "age"] = np.nan
    frame.loc[::23, "city"] = None
    return frame.assign(label=np.array(classes)[np.searchsorted(cuts, score)])


def as_people_write_it(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the cells as text: 54.321,00 €, a dash for a gap."""
    money = [f"{value:,.2f} €".translate(str.maketrans(",.", ".,")) for value in frame["income"]]
    ages = ["-" if np.isnan(value) else f"{value:.1f}".replace(".", ",") for value in frame["age"]]
    return frame.assign(income=money, age=ages, city=frame["city"].fillna("-"))


def spec_of(folder: Path, classes: list[str], loss: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    frame = table(classes)
    text = as_people_write_it(frame)
    text.to_csv(folder / "t.csv", index=False, sep=";", encoding="cp1252")
    single = loss == "binary_crossentropy"
    dense = {
        "units": 1 if single else len(classes),
        "activation": "sigmoid" if single else "softmax",
    }
    auc = {"name": "AUC", "as": "auc", "num_thresholds": 2000, "multi_label": not single}
    return frame, {
        "data": {
            "csv": str(folder / "t.csv"),
            "target": "label",
            "missing": "mean",
            "missing_values": ["-"],
        },
        "model": {"layers": [{"Dense": {"units": 8, "activation": "relu"}}, {"Dense": dense}]},
        "optimizer": {"name": "adam", "learning_rate": 0.01},
        "loss": loss,
        "metrics": ["accuracy", {"name": "F1Score", "as": "f1"}, auc],
        "class_weight": "balanced",
        "epochs": 10,
        "batch_size": 16,
        "save": "last",
    }


def split(source: SpecSource, codes: Any) -> tuple[Any, Any]:
    found = split_positions(source.spec, len(codes), has_other=False, labels=codes)
    return found.train, found.held


def encoded(frame: pd.DataFrame, train: pd.DataFrame) -> Any:
    """Return a table as scikit-learn encodes it, fitted to the rows of training."""
    means = train[NUMBERS].mean()
    scaler = StandardScaler().fit(train[NUMBERS].fillna(means))
    words = [sorted(train[name].dropna().unique()) for name in WORDS]
    encoder = OneHotEncoder(categories=words, handle_unknown="ignore", sparse_output=False)
    one_hot = encoder.fit(train[WORDS].dropna()).transform(frame[WORDS].fillna("none"))
    return np.concatenate([scaler.transform(frame[NUMBERS].fillna(means)), one_hot], axis=1)


TASKS = [
    (["no", "yes"], "binary_crossentropy"),
    (["high", "low", "mid"], "sparse_categorical_crossentropy"),
]


@pytest.mark.parametrize(("classes", "loss"), TASKS)
def test_a_table_with_gaps_and_units(tmp_path: Path, classes: list[str], loss: str) -> None:
    """To float32; Keras' AUC is a sum over thresholds."""
    frame, spec = spec_of(tmp_path, classes, loss)
    codes = frame["label"].map(classes.index).to_numpy()
    source = spec_from_dict(spec)
    data = load_data(source.spec, source.access(trust=True))
    train, held = split(source, codes)
    assert sorted([*train, *held]) == list(range(300))
    assert np.abs(np.bincount(codes[held]) - 0.2 * np.bincount(codes)).max() < 1
    parts = frame.iloc[train], frame.iloc[held]
    assert data.x_val is not None
    np.testing.assert_allclose(data.x_train, encoded(parts[0], parts[0]), atol=1e-6)
    np.testing.assert_allclose(data.x_val, encoded(parts[1], parts[0]), atol=1e-6)
    weights = compute_sample_weight("balanced", codes[train])
    np.testing.assert_allclose(data.w_train, weights, rtol=1e-6)

    result = kb.run(spec, results=tmp_path, trust=True)
    outputs = result.model().predict(data.x_val, verbose=0)
    predicted = result.predict(frame.iloc[held])
    last, truth = result.history.iloc[-1], frame["label"].to_numpy()[held]
    assert last["val_accuracy"] == pytest.approx((predicted == truth).mean())
    if len(classes) == 2:
        f1 = f1_score(truth, predicted, pos_label="yes")
        auc = roc_auc_score(truth == "yes", outputs[:, 0])
    else:
        f1 = f1_score(truth, predicted, average="macro")
        pairs = zip(classes, outputs.T, strict=True)
        auc = float(np.mean([roc_auc_score(truth == name, column) for name, column in pairs]))
    assert last["val_f1"] == pytest.approx(f1, abs=1e-5)
    assert last["val_auc"] == pytest.approx(auc, abs=2e-3)
