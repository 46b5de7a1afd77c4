import gzip
import struct

import numpy as np
import pytest

from handbrew.data import FileFormatError, load

PIXELS = np.arange(24, dtype=np.uint8).reshape(4, 2, 3) * 11
PIXELS[0, 0, 0] = 255


def idx(array, code=0x08):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + array.tobytes()


def mnist(folder, part="train", n=4, dash="-", images=PIXELS, labels=None, code=0x08):
    labels = np.arange(n, dtype=np.uint8) if labels is None else labels
    (folder / f"{part}-images{dash}idx3-ubyte").write_bytes(idx(images[:n]))
    (folder / f"{part}-labels{dash}idx1-ubyte").write_bytes(idx(labels, code))


@pytest.mark.parametrize(("part", "dash"), [("t10k", "-"), ("test", "-"), ("t10k", ".")])
@pytest.mark.parametrize("zipped", [False, True])
def test_the_four_files_of_mnist(tmp_path, part, dash, zipped):
    mnist(tmp_path, dash=dash)
    mnist(tmp_path, part, 2, dash)
    if zipped:
        for path in list(tmp_path.iterdir()):
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    train, test = load(tmp_path)
    assert train.X.shape == (4, 1, 2, 3)
    assert train.X.dtype == np.float32
    assert np.array_equal(train.X[:, 0], PIXELS.astype(np.float32) / 255)
    assert train.X.max() == 1
    assert train.y.tolist() == [0, 1, 2, 3]
    assert (len(test), train.name) == (2, tmp_path.name)


def test_without_a_test_part(tmp_path):
    mnist(tmp_path)
    assert load(tmp_path)[1] is None


def test_images_without_labels(tmp_path):
    mnist(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"no train-labels-idx1-ubyte .*found train-images-idx3-ubyte"):
        load(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": np.zeros(3, np.uint8)},
        {"labels": np.zeros((4, 1), np.uint8)},
        {"labels": np.zeros(4, ">f4"), "code": 0x0D},
        {"images": np.zeros(4, np.uint8)},
    ],
)
def test_images_and_labels_must_match(tmp_path, wrong):
    mnist(tmp_path, **wrong)
    with pytest.raises(FileFormatError, match=r"train-images.*has shape \(4,.*train-labels.*expected N images"):
        load(tmp_path)


def test_both_parts_must_match(tmp_path):
    mnist(tmp_path)
    mnist(tmp_path, "t10k", images=PIXELS[:, :1])
    with pytest.raises(FileFormatError, match=r"shape \(2, 3\), those of the test part \(1, 3\)"):
        load(tmp_path)


def test_npz_with_both_parts(tmp_path):
    path = tmp_path / "both.npz"
    np.savez(path, x_train=PIXELS, y_train=np.arange(4), x_test=PIXELS[:2], y_test=np.arange(2))
    for place in (path, tmp_path):
        train, test = load(place)
        assert train.X.shape == (4, 1, 2, 3)
        assert test.X.shape == (2, 1, 2, 3)
        assert test.X.max() == 1
        assert train.name == place.stem
    np.savez(path, x_train=PIXELS, y_train=np.arange(4), x_test=PIXELS[:2])
    with pytest.raises(FileFormatError, match="expected the arrays X_test and y_test or x_test and y_test"):
        load(path)


def test_two_npz_files(tmp_path):
    np.savez(tmp_path / "train.npz", X=np.zeros((3, 2)), y=["a", "b", "c"])
    np.savez(tmp_path / "test.npz", X=np.zeros((1, 2)), y=["c"])
    np.savez(tmp_path / "other.npz", X=1)
    train, test = load(tmp_path)
    assert test.y.tolist() == [2]
    assert test.classes == train.classes == ("a", "b", "c")


def test_npz_labels_follow_those_of_training(tmp_path):
    path, X = tmp_path / "a.npz", np.zeros((2, 1))
    np.savez(path, x_train=X, y_train=["a", "b"], x_test=X, y_test=["b", "b"])
    assert load(path)[1].y.tolist() == [1, 1]
    np.savez(tmp_path / "train.npz", X=X, y=[0, 1], classes=["a", "b"])
    np.savez(tmp_path / "test.npz", X=X, y=[0, 1], classes=["b", "a"])
    with pytest.raises(FileFormatError, match=r"test\.npz: its classes differ"):
        load(tmp_path)


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_values_that_are_no_pixels_stay(tmp_path, dtype):
    X = np.arange(12).astype(dtype).reshape(3, 2, 2)
    np.savez(tmp_path / "a.npz", X=X, y=np.arange(3))
    train, _ = load(tmp_path)
    assert np.array_equal(train.X, X)
    assert train.X.dtype == dtype


def write_csv(folder, train, test=None):
    (folder / "train.csv").write_text(train)
    if test:
        (folder / "test.csv").write_text(test)


def test_csv_test_part_follows_the_columns_and_classes_of_training(tmp_path):
    write_csv(tmp_path, "a,b,kind\n1,2,x\n3,4,z\n5,6,y\n", "kind,b,a,extra\nz,20,10,-\n")
    train, test = load(tmp_path)
    assert train.classes == test.classes == ("x", "y", "z")
    assert test.X.tolist() == [[10, 20]]
    assert test.y.tolist() == [2]
    write_csv(tmp_path, "a,y\n1,x\n2,z\n", "a,y\n1,new\n")
    with pytest.raises(FileFormatError, match=r"test\.csv, line 2, column 'y': unknown label 'new'"):
        load(tmp_path)


def test_csv_test_part_of_a_regression_is_one_too(tmp_path):
    write_csv(tmp_path, "a,y\n1,0.5\n2,1\n", "a,y\n1,7\n")
    train, test = load(tmp_path)
    assert train.y.tolist() == [[0.5], [1]]
    assert test.y.tolist() == [[7]]


def test_a_single_csv(tmp_path):
    path = tmp_path / "Iris.CSV"
    path.write_text("a,y\n1,0\n2,1\n")
    train, test = load(path)
    assert (len(train), test, train.name) == (2, None, "Iris")
    path.rename(tmp_path / "iris.csv")
    assert len(load(tmp_path)[0]) == 2


def test_train_goes_before_a_lone_file(tmp_path):
    np.savez(tmp_path / "weights.npz", W=np.zeros(3))
    write_csv(tmp_path, "a,y\n1,0\n2,1\n")
    assert len(load(tmp_path)[0]) == 2


def test_nothing_to_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such file or folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"train-images-idx3-ubyte[\s\S]*train\.csv[\s\S]*found nothing"):
        load(tmp_path)
    for i in range(11):
        (tmp_path / f"{i:02}.csv").touch()
    with pytest.raises(FileNotFoundError, match=r"found 00\.csv, .*09\.csv, \.\.\."):
        load(tmp_path)
    (tmp_path / "a.doc").touch()
    with pytest.raises(FileFormatError, match=r"a\.doc: expected a folder"):
        load(tmp_path / "a.doc")


def test_weights_of_both_parts(tmp_path):
    X, y = np.zeros((3, 2)), np.array([0, 1, 1])
    path = tmp_path / "all.npz"
    np.savez(path, x_train=X, y_train=y, weight=y + 1, x_test=X[1:], y_test=y[1:], weight_test=np.array([0.5, 0]))
    train, test = load(path)
    assert (train.weight.tolist(), test.weight.tolist()) == ([1, 2, 2], [0.5, 0])
    np.savez(tmp_path / "train.npz", X=X.astype(np.uint8), y=y, weight=y + 1)
    np.savez(tmp_path / "test.npz", X=X.astype(np.uint8), y=y, weight=y + 2)
    train, test = load(tmp_path)
    assert (train.weight.tolist(), test.weight.tolist()) == ([1, 2, 2], [2, 3, 3])
