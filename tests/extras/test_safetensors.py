"""The safetensors library and handbrew read each other's files, and refuse the same ones."""

import numpy as np
import pytest
from safetensors import SafetensorError, TensorSpec, safe_open, serialize_file
from safetensors.numpy import load_file, save_file

from handbrew.data import FileFormatError
from handbrew.layers import Affine, ReLU
from handbrew.nets import Sequential, load_net
from handbrew.nets.safetensors import CHECKSUM, NAMES, read_safetensors, write_safetensors
from handbrew.solvers import Snapshots

SHAPES = {
    "matrix": (3, 5),
    "fc1.W": (4,),
    "scalar": (),
    "empty": (0,),
    "no rows": (2, 0, 3),
    'Gewöhnung "\\\n': (1,),
}
METADATA = {"handbrew": '{"net": ["Affine", 3]}', "Gruß": ""}
FOREIGN = {"format": "np", "Gruß": ""}


def arrays_of(dtype):
    """Arrays of ordinary and of odd shapes."""
    rng = np.random.default_rng(0)
    return {name: np.asarray(rng.uniform(0, 2, shape) * 60).astype(dtype) for name, shape in SHAPES.items()}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array, strict=True)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "arrays.safetensors"


@pytest.mark.parametrize("dtype", NAMES, ids=str)
def test_the_library_reads_what_handbrew_writes(path, dtype):
    arrays = arrays_of(dtype)
    with path.open("wb") as file:
        write_safetensors(file, arrays, METADATA)
    assert_same(load_file(path), arrays)
    with safe_open(path, framework="np") as file:
        texts = file.metadata()
    assert len(texts.pop(CHECKSUM)) == 64
    assert texts == METADATA


@pytest.mark.parametrize("dtype", NAMES, ids=str)
def test_handbrew_reads_what_the_library_writes(path, dtype):
    arrays = arrays_of(dtype)
    save_file(arrays, path, FOREIGN)
    found, metadata = read_safetensors(path)
    assert_same(found, arrays)
    assert metadata == FOREIGN


def test_strided_and_swapped_arrays(path):
    matrix = np.arange(12, dtype=np.float32).reshape(3, 4)
    arrays = {"transposed": matrix.T, "every other": matrix[:, ::2], "big-endian": matrix.astype(">f4")}
    with path.open("wb") as file:
        write_safetensors(file, arrays, {})
    assert_same(load_file(path), {name: array.astype("<f4") for name, array in arrays.items()})


def test_no_arrays_at_all(path):
    with path.open("wb") as file:
        write_safetensors(file, {}, METADATA)
    assert load_file(path) == {}
    save_file({}, path, FOREIGN)
    assert read_safetensors(path) == ({}, FOREIGN)


def test_bfloat16_is_read_as_float32(path):
    # The upper half of a float32 is the bfloat16; NumPy has no such type.
    values = np.array([[0.0, -0.0, 1.0], [-2.5, 3.0e38, np.inf]], np.float32)
    upper = (values.view(np.uint32) >> 16).astype(np.uint16)
    spec = TensorSpec(dtype="bfloat16", shape=upper.shape, data_ptr=upper.ctypes.data, data_len=upper.nbytes)
    serialize_file({"W": spec}, path, None)
    found = read_safetensors(path)[0]["W"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, values, rtol=2**-7)
    assert np.signbit(found[0, 1])


def test_a_net(tmp_path):
    net = Sequential(Affine(4), ReLU(), Affine(3), seed=1)
    net.build((5,))
    net.save(tmp_path / "net.safetensors")
    assert_same(load_file(tmp_path / "net.safetensors"), net.state())

    changed = {name: array + 1 for name, array in net.state().items()}
    save_file(changed, tmp_path / "changed.safetensors")
    net.load(tmp_path / "changed.safetensors")
    assert_same(net.state(), changed)

    with safe_open(tmp_path / "net.safetensors", framework="np") as file:
        texts = file.metadata()
    save_file(changed, tmp_path / "both.safetensors", texts)
    with pytest.raises(FileFormatError, match="A program that changes such a file has to set the text"):
        load_net(tmp_path / "both.safetensors")
    save_file(changed, tmp_path / "both.safetensors", texts | {CHECKSUM: "none"})
    assert_same(load_net(tmp_path / "both.safetensors").state(), changed)


def test_a_snapshot(tmp_path):
    arrays = arrays_of(np.float64)
    path = Snapshots(tmp_path).write({"net": arrays, "@": [np.ones(2), "@", float("nan"), 2**100]}, 3)
    assert_same(load_file(path), {f"net/{name}": array for name, array in arrays.items()} | {"@/0": np.ones(2)})


def test_what_handbrew_reads_of_a_damaged_file_the_library_reads_too(path):
    save_file(arrays_of(np.float32), path, FOREIGN)
    whole, rng, read = path.read_bytes(), np.random.default_rng(0), 0
    header = 8 + int.from_bytes(whole[:8], "little")
    for _ in range(1000):
        damaged = bytearray(whole)
        at = rng.integers(header)  # the data's bytes may be anything
        if rng.integers(4):
            damaged[at] = rng.choice([*b'0123456789",:[]{} ', damaged[at] ^ 1 << rng.integers(8)])
        else:
            del damaged[at : at + rng.integers(1, 9)]
        path.write_bytes(damaged)
        try:
            found = read_safetensors(path)[0]
        except FileFormatError:
            continue
        read += 1
        try:
            expected = load_file(path)
        except SafetensorError as error:
            pytest.fail(f"handbrew read {bytes(damaged[:header])!r}, the library said: {error}")
        assert_same(found, expected)
    assert 10 < read < 500
