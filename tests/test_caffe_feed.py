from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from handbrew.data import Dataset, FileFormatError, Transform
from handbrew.solvers.caffe_feed import Feed, make_feeds
from handbrew.solvers.caffe_files import find
from handbrew.solvers.caffe_samples import arrays_for, read_samples

X, y = np.arange(7.0)[:, None], np.arange(7)
NO_TRANSFORM = SimpleNamespace(scale=1, mirror=False, crop_size=0, mean_file="", mean_value=[])


def layer(kind, name="data", tops=("data", "label"), transform=NO_TRANSFORM, **param):
    """A data layer, as protobuf would have it."""
    if kind == "Input":
        shapes = [SimpleNamespace(dim=shape) for shape in param["shapes"]]
        return SimpleNamespace(type=kind, name=name, top=tops, input_param=SimpleNamespace(shape=shapes))
    fields = {"source": "", "batch_size": 3, **param}
    names = {"Data": "data_param", "HDF5Data": "hdf5_data_param", "ImageData": "image_data_param"}
    own = {names[kind]: SimpleNamespace(**fields)}
    return SimpleNamespace(type=kind, name=name, top=tops, transform_param=transform, **own)


def net(*layers):
    return SimpleNamespace(layer=layers)


def feeds(net, samples=None, folder=Path("."), training=True, seed=0):
    return make_feeds(net, samples, folder, training=training, seed=seed)


def test_round_and_round():
    feed = Feed({"data": X, "label": y}, 3)
    found = [feed.next()["label"].tolist() for _ in range(5)]
    assert found == [[0, 1, 2], [3, 4, 5], [6, 0, 1], [2, 3, 4], [5, 6, 0]]
    assert feed.next()["data"].ravel().tolist() == [1, 2, 3]


def test_a_batch_larger_than_all_there_is():
    assert Feed({"y": np.arange(2)}, 5).next()["y"].tolist() == [0, 1, 0, 1, 0]


def test_shuffled_each_time_round():
    feed = Feed({"y": y}, 7, shuffle=True, seed=1)
    first, second = feed.next()["y"].tolist(), feed.next()["y"].tolist()
    assert sorted(first) == sorted(second) == y.tolist()
    assert first != second
    across = Feed({"y": y}, 4, shuffle=True, seed=1)
    assert [*across.next()["y"], *across.next()["y"]] == [*first, second[0]]


def test_state_and_back():
    feed = Feed({"data": np.arange(32, dtype=np.uint8).reshape(2, 1, 4, 4)}, 3, Transform(crop=2), True, seed=3)
    feed.next()
    shapes, state = feed.shapes(), feed.state()
    assert shapes == {"data": (3, 1, 2, 2)}
    later = [feed.next()["data"] for _ in range(3)]
    other = Feed(feed.arrays, 3, Transform(crop=2, seed=9), True, seed=4)
    other.restore(state)
    for a in later:
        np.testing.assert_array_equal(other.next()["data"], a)


def test_to_ask_for_shapes_changes_nothing():
    a, b = (Feed({"data": np.arange(64.0).reshape(4, 1, 4, 4)}, 2, Transform(crop=2)) for _ in range(2))
    a.shapes()
    np.testing.assert_array_equal(a.next()["data"], b.next()["data"])


def test_only_the_first_top_is_transformed():
    half = SimpleNamespace(**{**vars(NO_TRANSFORM), "scale": 0.5})
    [feed] = feeds(net(layer("Data", transform=half)), (X, y))
    batch = feed.next()
    assert batch["data"].ravel().tolist() == [0, 0.5, 1]
    assert batch["label"].tolist() == [0, 1, 2]


def test_samples_go_to_the_first_layer():
    two = net(layer("Data"), layer("Data", "more", ("more",), source="nowhere"))
    with pytest.raises(FileNotFoundError, match=r"more \(Data\): nowhere: no such file .*--data"):
        feeds(two, (X, y))


def test_inputs_are_fed_as_one_layer():
    inputs = net(layer("Input", tops=("a",), shapes=[(2, 1)]), layer("Input", "l", ("b",), shapes=[(2,)]))
    [feed] = feeds(inputs, Dataset(X, y))
    assert {top: array.tolist() for top, array in feed.next().items()} == {"a": [[0], [1]], "b": [0, 1]}


def test_inputs_without_a_shape():
    with pytest.raises(FileFormatError, match=r"data \(Input\): declares no shape"):
        feeds(net(layer("Input", shapes=[])), (X, y))


def test_nothing_to_feed_with():
    with pytest.raises(FileNotFoundError, match=r"data \(Data\) names no source; pass --data"):
        feeds(net(layer("Data")))
    with pytest.raises(FileNotFoundError, match=r"data \(ImageData\) reads image files, which handbrew does not"):
        feeds(net(layer("ImageData", source="list.txt")))


def test_a_source_of_its_own(tmp_path):
    np.savez(tmp_path / "own.npz", X=X, y=y)
    [feed] = feeds(net(layer("Data", source="somewhere/else/own.npz")), folder=tmp_path)
    assert feed.next()["label"].tolist() == [0, 1, 2]


def test_leveldb_is_refused(tmp_path):
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "CURRENT").touch()
    with pytest.raises(FileFormatError, match=r"data \(Data\): .*db is a LevelDB database"):
        feeds(net(layer("Data", source="db")), folder=tmp_path)


def test_samples_that_do_not_fit():
    wrong = SimpleNamespace(**{**vars(NO_TRANSFORM), "crop_size": 9})
    with pytest.raises(FileFormatError, match=r"data \(Data\): Transform: .*shape \(N, C, H, W\)"):
        feeds(net(layer("Data", transform=wrong)), (X, y))
    with pytest.raises(FileFormatError, match=r"data \(Data\): expected an array for 'label', got data"):
        feeds(net(layer("Data")), {"data": X})
    with pytest.raises(FileFormatError, match="the tops a, b, c need an HDF5 file"):
        feeds(net(layer("Data", tops=("a", "b", "c"))), (X, y))
    with pytest.raises(FileFormatError, match="a batch of at least 1"):
        feeds(net(layer("Data", batch_size=0)), (X, y))
    both = SimpleNamespace(**{**vars(NO_TRANSFORM), "mean_file": "a", "mean_value": [1.0]})
    with pytest.raises(FileFormatError, match="expected mean_file or mean_value, got both"):
        feeds(net(layer("Data", transform=both)), (X, y))


def test_arrays_by_name():
    assert list(arrays_for({"b": X, "a": y, "c": y}, ["a", "b"])) == ["a", "b"]
    assert list(arrays_for((X, y), ["data"])) == ["data"]


def test_which_part_is_for_what(tmp_path):
    np.savez(tmp_path / "all.npz", x_train=X, y_train=y, x_test=X[:2], y_test=y[:2])
    np.savez(tmp_path / "more.npz", X=X[:3].astype(np.uint8), y=y[:3])
    assert [len(part) for part in read_samples(tmp_path / "all.npz")] == [7, 2]
    train, test = read_samples(tmp_path / "all.npz", tmp_path / "more.npz")
    assert [len(train), len(test)] == [7, 3]
    assert test.X.dtype == np.uint8  # bytes stay bytes
    assert read_samples(None, tmp_path / "all.npz")[0] is None
    assert len(read_samples(None, tmp_path / "all.npz")[1]) == 2
    assert read_samples((X, y))[1] is None


def test_where_files_are_looked_for(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    there = tmp_path / "there"
    with pytest.raises(FileNotFoundError, match=r"examples/net\.prototxt: no such file or folder, neither from here"):
        find("examples/net.prototxt", there)
    (there / "net.prototxt").touch()
    assert find("examples/net.prototxt", there) == there / "net.prototxt"
    (there / "examples").mkdir()
    (there / "examples" / "net.prototxt").touch()
    assert find("examples/net.prototxt", there) == there / "examples" / "net.prototxt"
    Path("examples").mkdir()
    Path("examples/net.prototxt").touch()
    assert find("examples/net.prototxt", there) == Path("examples/net.prototxt")
