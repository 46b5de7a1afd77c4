"""Caffe's weights as HDF5, and files that are after something else."""

import h5py
import numpy as np
import pytest

from handbrew.data import FileFormatError
from handbrew.nets.caffe.hdf5_weights import write_hdf5
from handbrew.nets.caffe.weights import LayerWeights, read_caffemodel

W = np.arange(12, dtype=np.float32).reshape(4, 3)
B = np.arange(4, dtype=np.float64) / 3
WEIGHTS = [LayerWeights("conv", "", [W]), LayerWeights("fc/1", "", [W, B, *[W] * 9]), LayerWeights("fc/1x", "", [B])]


@pytest.fixture
def make(tmp_path):
    """A function that reads what another function wrote into ``/data``."""

    def make(write):
        path = tmp_path / "net.caffemodel"  # the name does not matter
        with h5py.File(path, "w") as file:
            write(file)
        return read_caffemodel(path)

    return make


def check(found, expected):
    assert [layer[:2] for layer in found] == [layer[:2] for layer in expected]
    for layer, other in zip(found, expected, strict=True):
        for array, twin in zip(layer.blobs, other.blobs, strict=True):
            np.testing.assert_array_equal(array, twin, strict=True)


def test_what_is_written_reads_back(tmp_path):
    path = tmp_path / "net.h5"
    write_hdf5(path, WEIGHTS)
    found = read_caffemodel(path)
    check(sorted(found), WEIGHTS)
    assert found[0].blobs[0].flags.writeable
    before = path.read_bytes()
    write_hdf5(path, WEIGHTS)
    assert path.read_bytes() == before
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["data/fc/1/1"][()], B)


def test_a_solvers_state_is_told(make):
    with pytest.raises(FileFormatError, match="no group /data; is this a solver's state"):
        make(lambda file: file.create_group("history"))


def test_two_layers_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="two layers are called conv"):
        write_hdf5(tmp_path / "net.h5", [*WEIGHTS, WEIGHTS[0]])
    assert not list(tmp_path.iterdir())


def test_other_types_layouts_and_empty_layers(make):
    def write(file):
        layer = file.create_group("data/a")
        file.create_group("data/empty")
        file.create_group("diff/a").create_dataset("0", data=W)
        layer.create_dataset("0", data=W.astype(np.int16))
        layer.create_dataset("1", data=W.astype(">f4"))
        layer.create_dataset("2", data=W.astype(np.float16), chunks=(2, 2))
        layer.create_dataset("3", data=W, compression="gzip", shuffle=True, fletcher32=True)
        layer.create_dataset("4", data=np.float32(1))

    check(make(write), [LayerWeights("a", "", [W, W, W, W, np.array(1, np.float32)])])


def hostile(name):
    def declared(**how):
        return lambda file: file.create_dataset("data/a/0", **how)

    def linked(link):
        def write(file):
            file.create_group("data/a")["1"] = link
            file["real"] = W

        return write

    def in_itself(file):
        group = file.create_group("data/a")
        group["b"] = group["c"] = group

    def shared(file):
        group = file.create_group("data/a")
        group["0"] = np.zeros(100_000)
        for i in range(1, 9):
            group[str(i)] = group["0"]

    def by_another(file):
        file.create_dataset("data/a/0", (4, 3), "f4", external=[("elsewhere", 0, 48)])

    def virtual(file):
        layout = h5py.VirtualLayout((4, 3), "f4")
        layout[...] = h5py.VirtualSource("other.h5", "x", (4, 3))
        file.create_virtual_dataset("data/a/0", layout)

    def flat(file):
        file["data/0"] = W

    return {
        "vast": declared(shape=(2**40,), dtype="f4"),
        "vast, in pieces": declared(shape=(2**40,), dtype="f4", chunks=(1024,)),
        "vast, packed": declared(shape=(2**40,), dtype="f4", chunks=(1024,), compression="gzip"),
        "empty": declared(shape=(0,), dtype="f4"),
        "null": declared(dtype=h5py.Empty("f4").dtype, data=h5py.Empty("f4")),
        "texts": declared(data=["a", "b"]),
        "records": declared(data=np.zeros(3, "f4,f4")),
        "lzf": declared(data=W, compression="lzf"),
        "external data": by_another,
        "virtual": virtual,
        "soft link": linked(h5py.SoftLink("/real")),
        "external link": linked(h5py.ExternalLink("/etc/passwd", "/x")),
        "in itself": in_itself,
        "shared": shared,
        "no number": lambda file: file.create_dataset("data/a/weights", data=W),
        "no layer": flat,
        "no data": lambda file: file.create_group("model_weights"),
        "data is no group": lambda file: file.create_dataset("data", data=W),
        "data is a link": lambda file: file.update({"data": h5py.SoftLink("/x")}),
    }[name]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vast", f"a/0: .* needs {2**42} bytes"),
        ("vast, in pieces", f"needs {2**42} bytes"),
        ("vast, packed", f"needs {2**42} bytes"),
        ("empty", "needs 0 bytes"),
        ("null", "a/0"),
        ("texts", "expected numbers"),
        ("records", "expected numbers"),
        ("lzf", "packed in a way"),
        ("external data", "in another file"),
        ("virtual", "in another file"),
        ("soft link", "a/1 is a link"),
        ("external link", "a/1 is a link"),
        ("in itself", "is a group in itself"),
        ("shared", "a/1: "),
        ("no number", "expected /data/<layer>/<i>, got /data/a/weights"),
        ("no layer", "expected /data/<layer>/<i>"),
        ("no data", "there is no group /data"),
        ("data is no group", "there is no group /data"),
        ("data is a link", "is a link"),
    ],
)
def test_what_is_refused(make, monkeypatch, name, message):
    monkeypatch.setattr("handbrew.nets.caffe.hdf5_weights.MOST_BLOBS", 1000)
    with pytest.raises(FileFormatError, match=rf"net\.caffemodel: .*{message}"):
        make(hostile(name))


def test_damaged_files_are_refused_or_read(tmp_path):
    path = tmp_path / "net.h5"
    write_hdf5(path, WEIGHTS)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(content[: rng.integers(8, len(content))] if rng.integers(4) == 0 else content)
        for at in rng.integers(8, len(damaged), rng.integers(1, 4)) if len(damaged) > 8 else ():
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            found = read_caffemodel(path)
        except FileFormatError:
            continue
        assert sum(blob.nbytes for layer in found for blob in layer.blobs) <= len(content)
