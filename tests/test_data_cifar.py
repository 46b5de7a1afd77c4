import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handbrew.data import FileFormatError, load, read_cifar
from handbrew.data.cifar import cifar_parts

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PIXELS = np.random.default_rng(0).integers(0, 256, (10, 3, 32, 32), dtype=np.uint8)


def records(pixels, *labels):
    """A file, written plainly: label bytes, then red, green and blue, each row by row."""
    content = bytearray()
    for image, *of_image in zip(pixels, *labels, strict=True):
        content += bytes(of_image)
        for colour in image:
            for row in colour:
                content += bytes(row.tolist())
    return bytes(content)


def write_10(folder, batches=5, each=2, test=1):
    """CIFAR-10 as its archive holds it, with fewer images; image i of all has the label i % 10."""
    for i in range(batches):
        at = slice(i * each, (i + 1) * each)
        (folder / f"data_batch_{i + 1}.bin").write_bytes(records(PIXELS[at], range(10)[at]))
    if test:
        (folder / "test_batch.bin").write_bytes(records(PIXELS[:test], [9] * test))
    (folder / "batches.meta.txt").write_text("\n".join(NAMES) + "\n\n")
    (folder / "readme.html").write_text("<html>")


def write_100(folder):
    coarse, fine = [0, 19, 3], [99, 0, 42]
    (folder / "train.bin").write_bytes(records(PIXELS[:3], coarse, fine))
    (folder / "test.bin").write_bytes(records(PIXELS[3:4], [5], [7]))
    (folder / "fine_label_names.txt").write_text("".join(f"thing {i}\n" for i in range(100)))
    (folder / "coarse_label_names.txt").write_text("".join(f"kind {i}\n" for i in range(20)))


@settings(max_examples=30)
@given(labels=st.lists(st.integers(0, 9), min_size=1, max_size=6), seed=st.integers(0, 100))
def test_reads_one_file_of_cifar_10(tmp_path_factory, labels, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (len(labels), 3, 32, 32), dtype=np.uint8)
    path = tmp_path_factory.mktemp("cifar") / "any-name"
    path.write_bytes(records(pixels, labels))
    for place in (path, str(path)):
        X, y = data = read_cifar(place)
        assert np.array_equal(X, pixels)
        assert y.tolist() == labels
        assert (X.dtype, y.dtype) == (np.uint8, np.int64)
        assert X.flags.writeable
        assert data.classes == tuple("0123456789")


def test_red_comes_first_then_green_then_blue_each_row_by_row(tmp_path):
    path = tmp_path / "one.bin"
    content = bytearray(1 + 3072)
    content[0] = 6
    content[1 + 5] = 11  # red, first row, column 5
    content[1 + 1024 + 32] = 12  # green, second row
    content[1 + 3071] = 13  # blue, the last corner
    path.write_bytes(content)
    X, y = read_cifar(path)
    assert y.tolist() == [6]
    assert (X[0, 0, 0, 5], X[0, 1, 1, 0], X[0, 2, 31, 31], X.sum()) == (11, 12, 13, 36)


def test_cifar_100_has_its_fine_labels(tmp_path):
    write_100(tmp_path)
    X, y = data = read_cifar(tmp_path / "train.bin", classes=100)
    assert np.array_equal(X, PIXELS[:3])
    assert y.tolist() == [99, 0, 42]
    assert data.classes[42] == "thing 42"
    train, test = load(tmp_path)
    assert (len(train), len(test), train.name, test.y.tolist()) == (3, 1, tmp_path.name, [7])
    assert train.classes == test.classes == data.classes


def test_a_folder_of_cifar_10(tmp_path):
    write_10(tmp_path)
    train, test = load(tmp_path)
    assert train.X.shape == (10, 3, 32, 32)
    assert train.X.dtype == np.float32
    assert np.array_equal(train.X, PIXELS.astype(np.float32) / 255)
    assert train.X.flags.c_contiguous
    assert train.y.tolist() == list(range(10))
    assert (test.X.shape, test.y.tolist()) == ((1, 3, 32, 32), [9])
    assert train.classes == test.classes == NAMES
    assert train.name == test.name == tmp_path.name


@pytest.mark.parametrize(("write", "name"), [(write_10, "CIFAR-10"), (write_100, "CIFAR-100")])
def test_files_joined_are_named_after_the_data_set(tmp_path, write, name):
    write(tmp_path)
    assert [part.name for part in cifar_parts(tmp_path)] == [name, name]


def test_neither_names_nor_a_test_part_are_needed(tmp_path):
    write_10(tmp_path, test=0)
    (tmp_path / "batches.meta.txt").unlink()
    train, test = load(tmp_path)
    assert test is None
    assert train.classes == tuple("0123456789")


def test_a_missing_training_file_is_missed(tmp_path):
    write_10(tmp_path)
    for n, missing in ((3, "data_batch_3.bin is"), (5, "data_batch_3.bin, data_batch_5.bin are")):
        (tmp_path / f"data_batch_{n}.bin").unlink()
        with pytest.raises(FileNotFoundError, match=f"CIFAR-10 is not whole: {re.escape(missing)} missing"):
            load(tmp_path)


def test_train_npz_goes_before(tmp_path):
    write_100(tmp_path)
    np.savez(tmp_path / "train.npz", X=np.zeros((2, 1)), y=[0, 1])
    assert len(load(tmp_path)[0]) == 2


@pytest.mark.parametrize(
    ("content", "classes", "message"),
    [
        (b"", 10, "expected records of 3073 bytes, as CIFAR-10 has them, got 0 bytes"),
        (bytes(3072), 10, "got 3072 bytes, which are 0 records and 3072 bytes"),
        (bytes(2 * 3073 + 1), 10, "2 records and 1 bytes"),
        (bytes(3074 * 2), 10, "2 records and 2 bytes"),
        (bytes(3073 * 2), 100, "expected records of 3074 bytes, as CIFAR-100 has them"),
        (bytes(3073) + b"\x0a" + bytes(3072), 10, "record 1, counted from 0: expected a label from 0 to 9, got 10"),
        (b"\xff" + bytes(3072), 10, "record 0, counted from 0: expected a label from 0 to 9, got 255"),
        (b"\x14\0" + bytes(3072), 100, "expected a coarse label from 0 to 19, got 20"),
        (b"\0\x64" + bytes(3072), 100, "expected a fine label from 0 to 99, got 100"),
    ],
)
def test_a_wrong_file_is_named_and_refused(tmp_path, content, classes, message):
    path = tmp_path / "some.bin"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=message) as error:
        read_cifar(path, classes)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("names", [NAMES[:9], (*NAMES, "boat"), (*NAMES[:9], "cat"), ("x" * 20_000,), ()])
def test_names_that_do_not_name_the_classes(tmp_path, names):
    write_10(tmp_path)
    (tmp_path / "batches.meta.txt").write_text("\n".join(names))
    with pytest.raises(FileFormatError, match=r"batches\.meta\.txt: expected 10 different names, one a line"):
        load(tmp_path)


def test_names_that_are_no_text(tmp_path):
    write_10(tmp_path)
    (tmp_path / "batches.meta.txt").write_bytes(b"\xff\xfe\n" * 10)
    with pytest.raises(FileFormatError, match=r"batches\.meta\.txt: not UTF-8"):
        load(tmp_path)


def test_a_bad_test_part_is_named(tmp_path):
    write_10(tmp_path)
    (tmp_path / "test_batch.bin").write_bytes(bytes(100))
    with pytest.raises(FileFormatError, match=r"test_batch\.bin: expected records"):
        load(tmp_path)


def test_the_size_is_looked_at_before_anything_is_read(tmp_path):
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(2**36)  # holes: it takes no room on the disk
    tracemalloc.start()
    with pytest.raises(FileFormatError, match="expected records"):
        read_cifar(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_other_numbers_of_classes(tmp_path):
    with pytest.raises(ValueError, match="classes: expected 10 or 100, for CIFAR-10 or CIFAR-100, got 20"):
        read_cifar(tmp_path / "train.bin", classes=20)


def test_a_missing_file_stays_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_cifar(tmp_path / "nowhere")
