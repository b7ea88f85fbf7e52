"""Makes the data of three experiments: images of shapes, film reviews, the power of a house.

    python experiments/make_data.py

They are written into `experiments/made`, the same on every machine, in a second or two.
"""

import csv
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image

MADE = Path(__file__).parent / "made"
SIDE, IMAGES = 24, 200
GOOD = ("good", "great", "fine", "moving", "funny", "clever")
BAD = ("bad", "poor", "dull", "silly", "empty", "slow")
PLAIN = (
    "the",
    "film",
    "plot",
    "is",
    "and",
    "actors",
    "music",
    "very",
    "a",
    "little",
    "quite",
    "end",
)
REVIEWS, HOURS = 1200, 24 * 90


def shapes(folder: Path) -> None:
    """Write images of crosses, discs and squares, a folder for each."""
    random = np.random.RandomState(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for name, inside in SHAPES.items():
        (folder / name).mkdir(parents=True)
        for number in range(IMAGES):
            y, x = random.randint(8, 16, 2)
            mask = inside(rows - y, columns - x, random.randint(4, 7))
            image = random.randint(0, 130, (SIDE, SIDE, 3))
            image[mask] = image[mask] // 2 + random.randint(100, 190, 3)
            Image.fromarray(image.astype(np.uint8)).save(folder / name / f"{number:03}.png")


SHAPES: dict[str, Callable[..., np.ndarray]] = {
    "cross": lambda y, x, size: ((abs(y) < 2) & (abs(x) < size)) | ((abs(x) < 2) & (abs(y) < size)),
    "disc": lambda y, x, size: y**2 + x**2 < size**2,
    "square": lambda y, x, size: (abs(y) < size) & (abs(x) < size),
}
"""The pixels of each shape, by their distances from its centre and its size."""


def reviews(file: Path) -> None:
    """Write reviews of films with the stars that they gave, and whether they liked them."""
    random = np.random.RandomState(1)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["review", "liked"])
        for _ in range(REVIEWS):
            liked = int(random.randint(2))
            opinions = random.choice((BAD, GOOD)[liked], 2).tolist()
            opinions += random.choice((GOOD, BAD)[liked], random.randint(2)).tolist()
            words = [*random.choice(PLAIN, random.randint(8, 25)), *opinions]
            random.shuffle(words)
            writer.writerow([" ".join(words), ("no", "yes")[liked]])


def power(file: Path) -> None:
    """Write the power that a house takes in every hour, and the temperature outside."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["time", "power_w", "temperature"])
        writer.writerows(_hours())


def _hours() -> Iterator[tuple[str, int, float]]:
    random, noise = np.random.RandomState(2), 0.0
    for hour in range(HOURS):
        day = 2 * np.pi * hour / 24
        temperature = 12 + 6 * np.sin(day - 2) + 4 * np.sin(day / 30) + random.normal()
        noise = 0.8 * noise + 60 * random.normal()
        evening = 500 * max(0.0, np.sin(day - 3.6)) ** 4
        watts = 900 + evening - 25 * (temperature - 12) + noise
        time = datetime(2024, 1, 1) + timedelta(hours=hour)
        yield time.isoformat(" ", "minutes"), round(max(watts, 50)), round(temperature, 1)


def main() -> None:
    """Write all data, unless they are there."""
    if MADE.exists():
        return
    with tempfile.TemporaryDirectory(dir=MADE.parent, prefix=".made") as name:
        folder = Path(name) / "made"
        folder.mkdir()
        shapes(folder / "shapes")
        reviews(folder / "reviews.csv")
        power(folder / "power.csv")
        try:
            folder.rename(MADE)
        except OSError:  # another process was faster
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
