"""Images in folders: their pixels, their classes, and what is wrong with them."""

import io
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from own_support import load
from PIL import Image

import kerasbatch as kb
from kerasbatch.cache import listing
from kerasbatch.data.images import decode_all
from kerasbatch.data.images.decoder import DamagedImageError, pixels
from kerasbatch.data.images.image_format import ImageFormat
from kerasbatch.spec import reader
from kerasbatch.spec.trust import Access

RANDOM = np.random.default_rng(0)


def noise(height: int = 8, width: int = 8, channels: int = 3) -> Any:
    shape = (height, width, channels) if channels > 1 else (height, width)
    return Image.fromarray(RANDOM.integers(0, 256, shape).astype(np.uint8))


def content(image: Any, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def folder_of(root: Path, counts: dict[str, int], ending: str = "png") -> Path:
    """Make a folder with some images for each class."""
    for label, count in counts.items():
        (root / label).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            noise().save(root / label / f"{number:03}.{ending}")
    return root


def spec(**data: Any) -> dict[str, Any]:
    return {
        "data": {"images": "images", "size": [8, 8], **data},
        "model": "mlp",
        "optimizer": "adam",
        "loss": "sparse_categorical_crossentropy",
        "epochs": 1,
        "batch_size": 4,
    }


def test_pixels_and_classes_are_those_of_keras(tmp_path: Path) -> None:
    """The same order, and the same pixels of PNG files."""
    folder = folder_of(tmp_path / "images", {"b": 7, "a": 6, "C": 5})
    loaded = load(tmp_path, spec() | {"validation": "none"})
    dataset = keras.utils.image_dataset_from_directory(
        folder, image_size=(8, 8), shuffle=False, batch_size=None, verbose=False
    )
    pairs = [(np.asarray(x), int(y)) for x, y in dataset]
    np.testing.assert_array_equal(loaded.x_train, np.stack([x for x, _ in pairs]))
    assert loaded.y_train.tolist() == [y for _, y in pairs]
    assert loaded.preprocessing["labels"] == ("C", "a", "b")
    assert loaded.x_train.dtype == np.uint8
    assert loaded.scale == 1 / 255


def test_jpeg_pixels_are_those_of_an_exact_decoder() -> None:
    for image in (noise(33, 47), noise(16, 16, 1)):
        encoded = content(image, "JPEG", quality=80)
        exact = tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE").numpy()
        form = ImageFormat(*exact.shape[:2])
        np.testing.assert_array_equal(pixels(encoded, form), exact)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_png_modes_are_converted_as_by_tensorflow(mode: str, channels: int) -> None:
    if mode == "I;16":
        image = Image.fromarray(RANDOM.integers(0, 2**16, (8, 8)).astype(np.uint16))
    else:
        image = noise().convert(mode)
    encoded = content(image)
    found = pixels(encoded, ImageFormat(8, 8, channels)).astype(int)
    expected = tf.io.decode_png(encoded, channels=channels).numpy().astype(int)
    is_grey_of_colour = channels == 1 and mode in ("RGB", "RGBA", "P")
    assert np.abs(found - expected).max() <= (1 if is_grey_of_colour else 0)


def test_transparent_palettes_and_cmyk() -> None:
    palette = noise().convert("P")
    palette.info["transparency"] = 3
    encoded = content(palette, transparency=3)
    expected = tf.io.decode_png(encoded, channels=3).numpy()
    np.testing.assert_array_equal(pixels(encoded, ImageFormat(8, 8)), expected)
    cmyk = content(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG")
    red = pixels(cmyk, ImageFormat(8, 8))[4, 4]
    assert red[0] > 200
    assert red[1:].max() < 60


def test_an_image_is_turned_as_its_camera_says() -> None:
    image = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3) * 40)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees to the right
    turned = pixels(content(image, "PNG", exif=exif), ImageFormat(3, 2, 1))[..., 0]
    np.testing.assert_array_equal(turned, np.rot90(np.asarray(image), -1))


def test_the_first_frame_of_an_animation() -> None:
    frames = [Image.new("L", (8, 8), value) for value in (10, 200)]
    encoded = content(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (pixels(encoded, ImageFormat(8, 8, 1)) == 10).all()


@pytest.mark.parametrize(("resize", "left"), [("stretch", 200), ("crop", 100), ("pad", 0)])
def test_ways_to_resize(resize: Any, left: int) -> None:
    """An image of 40 x 20 pixels whose left quarter is 200, and the rest 100."""
    image = np.full((20, 40), 100, np.uint8)
    image[:, :10] = 200
    found = pixels(content(Image.fromarray(image)), ImageFormat(20, 20, 1, resize))[..., 0]
    assert found[0, 0] == left
    assert found[10, 15] == 100


@pytest.mark.parametrize(
    ("encoded", "words"),
    [
        (b"", "is empty"),
        (b"no image", "is no PNG, JPEG, GIF, BMP or WebP image"),
        (content(noise(64, 64))[:200], "cannot be decoded"),
        (content(noise(64, 64), "TIFF"), "is no PNG"),
        (content(Image.new("L", (30_000, 1))), "30,000 x 1 pixels; one side is more than 50"),
        (content(Image.new("1", (11_000, 11_000))), "11,000 x 11,000 pixels, more than"),
        (content(Image.new("1", (20_000, 20_000))), "has more than 100,000,000 pixels"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_files_that_are_no_images(encoded: bytes, words: str) -> None:
    with pytest.raises(DamagedImageError, match=words):
        pixels(encoded, ImageFormat(8, 8))


def test_damaged_files_are_named_at_once(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "images", {"a": 4, "b": 4})
    (folder / "a" / "001.png").write_bytes(b"no image")
    (folder / "b" / "003.png").write_bytes(b"")
    with pytest.raises(kb.SpecError) as error:
        load(tmp_path, spec())
    text = str(error.value)
    assert "a/001.png is no PNG, JPEG" in text
    assert "b/003.png is empty" in text
    assert "2 damaged files; mend or delete them, or write skip_damaged: true" in text
    loaded = load(tmp_path, spec(skip_damaged=True) | {"validation": "none"})
    assert loaded.y_train.tolist() == [0, 0, 0, 1, 1, 1]
    assert "skip_damaged leaves out 2 damaged images" in str(loaded.notice)
    good = Image.open(folder / "a" / "002.png")
    np.testing.assert_array_equal(loaded.x_train[1], np.asarray(good))
    with pytest.raises(kb.SpecError, match="2 damaged files"):
        load(tmp_path, spec())  # what another spec has left out is an error for this one


def test_parts_of_their_own(tmp_path: Path) -> None:
    for part, count in (("train", 6), ("val", 2), ("test", 3)):
        folder_of(tmp_path / "images" / part, {"a": count, "b": count})
    loaded = load(tmp_path, spec())
    assert [len(x) for x in (loaded.x_train, loaded.x_val, loaded.x_test)] == [12, 4, 6]
    assert loaded.y_test.tolist() == [0, 0, 0, 1, 1, 1]


def test_images_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed file, another size and a new file are decoded; a copied folder is not needed."""
    monkeypatch.setenv("KERASBATCH_CACHE", str(tmp_path / "cache"))
    folder = folder_of(tmp_path / "images", {"a": 4, "b": 4})
    for file in folder.rglob("*.png"):
        os.utime(file, (1e9, 1e9))
    calls: list[int] = []
    decode = decode_all.decode_chunk

    def counted(chunk: Any) -> Any:
        calls.append(len(chunk.names))
        return decode(chunk)

    monkeypatch.setattr(decode_all, "decode_chunk", counted)
    first = load(tmp_path, spec())
    assert calls == [8]
    assert load(tmp_path, spec()).fingerprint == first.fingerprint
    assert calls == [8]
    noise().save(folder / "a" / "000.png")
    os.utime(folder / "a" / "000.png", (2e9, 2e9))
    changed = load(tmp_path, spec())
    assert calls == [8, 8]
    assert changed.fingerprint != first.fingerprint
    assert load(tmp_path, spec(size=[4, 4])).fingerprint != changed.fingerprint
    assert calls == [8, 8, 8]


def test_processes_give_the_same_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path / "images", {"a": 30, "b": 30})
    monkeypatch.setenv("KERASBATCH_CACHE", str(tmp_path / "one"))
    alone = load(tmp_path, spec())
    monkeypatch.setenv("KERASBATCH_CACHE", str(tmp_path / "two"))
    monkeypatch.setattr(decode_all, "FEW", 1)
    monkeypatch.setattr(decode_all, "CHUNK", 7)
    shared = load(tmp_path, spec())
    assert shared.fingerprint == alone.fingerprint
    np.testing.assert_array_equal(shared.x_train, alone.x_train)


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        ({}, "it has no folders; put the images of each class into one"),
        ({"a": 2}, "it has one class, a; there is nothing to tell apart"),
        ({"a": 2, "b": 0}, "b holds no image; put some in, or delete the folder"),
        ({"train/a": 1, "train/b": 1, "extra": 1}, "beside the folder train it has extra"),
        ({"train/a": 1, "train/b": 1, "test/c": 1}, "test has classes that train does not have: c"),
        ({"train/a": 1, "train/b": 1, "val/a": 1, "validation/a": 1}, "validation and val"),
        ({"a/x": 1, "a/y": 1, "b": 1}, "a/x/000.png and a/y/000.png are two files of one name"),
    ],
)
def test_folders_that_are_no_classes(tmp_path: Path, folders: Any, words: str) -> None:
    (tmp_path / "images").mkdir()
    folder_of(tmp_path / "images", folders)
    with pytest.raises(kb.SpecError, match=words):
        load(tmp_path, spec())


def test_other_files_are_told(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "images", {"a": 3, "b": 3})
    for name in (".hidden.png", "a/notes.txt", "readme.md"):
        (folder / name).touch()
    loaded = load(tmp_path, spec())
    assert "left out: 3 files (no images, or in no folder of a class)" in str(loaded.notice)


def test_links_out_of_the_folder_need_trust(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "here" / "images", {"a": 3, "b": 3})
    noise().save(tmp_path / "secret.png")
    (folder / "a" / "link.png").symlink_to(tmp_path / "secret.png")
    source = reader.spec_from_dict(spec())
    with pytest.raises(kb.SpecError, match=r"a/link\.png is a link to a place outside"):
        kb_load(source, folder.parent)
    trusted = kb_load(source, folder.parent, trusted=True)
    assert len(trusted.x_train) + len(trusted.x_val) == 7
    (folder / "a" / "inner.png").symlink_to(folder / "b" / "000.png")
    (folder / "a" / "link.png").unlink()
    inside = kb_load(source, folder.parent)
    assert len(inside.x_train) + len(inside.x_val) == 7


@pytest.mark.parametrize("part", ["train", "val"])
def test_parts_that_are_links_out_of_the_folder(tmp_path: Path, part: str) -> None:
    for name in ("train", "val"):
        folder_of(tmp_path / "here" / "images" / name, {"a": 3, "b": 3})
    inside = tmp_path / "here" / "images" / part
    inside.rename(tmp_path / "elsewhere")
    inside.symlink_to(tmp_path / "elsewhere")
    source = reader.spec_from_dict(spec())
    with pytest.raises(kb.SpecError, match=f"{part} is a link to a place outside"):
        kb_load(source, tmp_path / "here")
    assert len(kb_load(source, tmp_path / "here", trusted=True).x_train) == 6


def kb_load(source: Any, folder: Path, *, trusted: bool = False) -> Any:
    from kerasbatch.data.run_data import load_data

    return load_data(source.spec, Access(folder, trusted))


def test_a_folder_elsewhere_needs_trust(tmp_path: Path) -> None:
    folder_of(tmp_path / "images", {"a": 3, "b": 3})
    (tmp_path / "spec").mkdir()
    source = reader.spec_from_dict(spec(images="../images"))
    with pytest.raises(kb.SpecError, match="lies outside the spec's folder"):
        kb_load(source, tmp_path / "spec")
    with pytest.raises(kb.SpecError, match="there is no folder photos"):
        kb_load(reader.spec_from_dict(spec(images="photos")), tmp_path)
    with pytest.raises(kb.SpecError, match="is not a folder"):
        kb_load(reader.spec_from_dict(spec(images="images/a/000.png")), tmp_path)


def test_a_plan_opens_no_image(tmp_path: Path) -> None:
    from kerasbatch.data.sizes import data_sizes

    folder = folder_of(tmp_path / "images", {"cat": 6, "dog": 4})
    for file in folder.rglob("*.png"):
        file.write_bytes(b"never read")
    sizes = data_sizes(reader.spec_from_dict(spec()).spec, Access(tmp_path))
    assert (sizes.train_examples, sizes.held_back) == (8, 2)
    assert sizes.description["target"] == "2 classes: cat 60%, dog 40%"


def test_a_file_that_changes_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tmp_path / "images", {"a": 3, "b": 3})
    decode = decode_all.decode_chunk

    def changing(chunk: Any) -> Any:
        result = decode(chunk)
        os.utime(folder / "a" / "000.png", (1, 1))
        return result

    monkeypatch.setattr(decode_all, "decode_chunk", changing)
    with pytest.raises(kb.SpecError, match=r"a/000\.png was changed while it was read"):
        load(tmp_path, spec())


@pytest.mark.parametrize("skip_damaged", [False, True])
def test_files_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, skip_damaged: bool
) -> None:
    """They are named; skip_damaged does not leave them out, because they may be all right."""
    folder = folder_of(tmp_path / "images", {"a": 3, "b": 3})
    decode = decode_all.decode_chunk

    def without(chunk: Any) -> Any:
        (folder / "a" / "000.png").unlink()
        return decode(chunk)

    monkeypatch.setattr(decode_all, "decode_chunk", without)
    (folder / "b" / "000.png").write_bytes(b"")
    with pytest.raises(kb.SpecError, match=r"a/000\.png cannot be read: No such file") as error:
        load(tmp_path, spec(skip_damaged=skip_damaged))
    assert "1 unreadable file; make them readable, or delete them" in str(error.value)


def test_entries_of_one_folder_have_different_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERASBATCH_CACHE", str(tmp_path / "cache"))
    folder = folder_of(tmp_path / "images", {"a": 3, "b": 3})
    for keys in ({}, {"size": [4, 6], "channels": 1, "resize": "crop"}):
        load(tmp_path, spec(**keys))
    sources = {entry.source for entry in listing.entries(tmp_path / "cache")}
    forms = ("8 x 8 x 3, stretch", "4 x 6 x 1, crop")
    assert sources == {f"images of {folder}, {form}" for form in forms}


def test_a_trained_model_predicts_files(tmp_path: Path) -> None:
    """The classes by their names; the files of a folder by their paths."""
    from kerasbatch.inference.predict import predict_images
    from kerasbatch.inference.saved_model import load_saved_model

    folder = folder_of(tmp_path / "images", {"a": 8, "b": 8})
    result = run_in(tmp_path, spec() | {"save": "last", "name": "s"})
    saved = load_saved_model(result.directory)
    table, notices = predict_images(saved, [folder / "b", folder / "a" / "000.png"])
    assert notices == []
    assert table["file"].tolist()[-1] == str(folder / "a" / "000.png")
    assert len(table) == 9
    assert set(table["prediction"]) <= {"a", "b"}
    x = np.stack([np.asarray(Image.open(file)) for file in table["file"]])
    expected = saved.model.predict(x.astype(np.float32) * np.float32(1 / 255), verbose=0)
    np.testing.assert_allclose(table[["probability_a", "probability_b"]], expected, atol=1e-6)
    with pytest.raises(kb.SpecError, match="there is no file or folder"):
        predict_images(saved, [tmp_path / "none"])
    (folder / "b" / "000.png").write_bytes(b"")
    fewer, notices = predict_images(saved, [folder / "b"])
    assert (len(fewer), len(notices)) == (7, 1)
    assert "b/000.png is empty" in notices[0]
    with pytest.raises(kb.SpecError, match=r"b/000\.png is empty"):
        predict_images(saved, [folder / "b"], strict=True)


def run_in(folder: Path, keys: dict[str, Any]) -> Any:
    import yaml

    (folder / "s.yaml").write_text(yaml.safe_dump(keys), encoding="utf-8")
    return kb.run(folder / "s.yaml", results=folder / "results")
