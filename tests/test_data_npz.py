import io
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from handbrew.data import FileFormatError, read_npz

X, Y = np.arange(6.0).reshape(3, 2), np.array([0, 1, 1])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.npz"


def npy(array, **options):
    """The bytes `numpy.save` writes."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), **options)
    return buffer.getvalue()


def pack(path, compression=zipfile.ZIP_DEFLATED, **members):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)


@settings(max_examples=60)
@given(
    array=arrays.arrays(
        st.sampled_from(["<f4", ">f8", "<f2", "u1", ">i2", "<i8", "?"]),
        arrays.array_shapes(max_dims=4, max_side=4),
    ),
    fortran=st.booleans(),
    save=st.sampled_from([np.savez, np.savez_compressed]),
)
def test_reads_what_numpy_writes(tmp_path_factory, array, fortran, save):
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    save(path, X=np.asfortranarray(array) if fortran else array, y=np.zeros(len(array), int))
    read = read_npz(path).X
    assert np.array_equal(read, array, equal_nan=array.dtype.kind == "f")
    assert read.dtype == array.dtype.newbyteorder("=")
    assert read.flags.c_contiguous
    assert read.flags.writeable


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_the_header(path, version):
    pack(path, X=npy(X, version=version), y=npy(Y, version=version))
    assert np.array_equal(read_npz(path).X, X)


@pytest.mark.parametrize(
    "names",
    [("x", "y"), ("X_train", "y_train"), ("x_train", "y_train"), ("images", "labels"), ("data", "target")],
)
def test_usual_names(path, names):
    np.savez(path, **dict(zip(names, (X, Y), strict=True)), meta=np.array([None]))
    data = read_npz(path)
    assert np.array_equal(data.X, X)
    assert np.array_equal(data.y, Y)
    assert data.name == "some"


def test_names_asked_for(path):
    np.savez(path, X=X, y=Y, inputs=X + 1, outputs=Y / 2)
    data = read_npz(path, X="inputs", y="outputs")
    assert np.array_equal(data.X, X + 1)
    assert np.array_equal(data.y, Y / 2)
    with pytest.raises(FileFormatError, match="expected the arrays a and b, found X, y, inputs, outputs"):
        read_npz(path, "a", "b")


def test_strings_are_labels(path):
    np.savez(path, X=X, y=["dog", "cat", "dog"])
    data = read_npz(path)
    assert (data.y.tolist(), data.classes) == ([1, 0, 1], ("cat", "dog"))
    np.savez(path, X=X, y=["dog", "", "dog"])
    with pytest.raises(FileFormatError, match=r"y\[1\]: missing value"):
        read_npz(path)


def test_classes_name_the_labels(path):
    np.savez(path, X=X, y=Y, classes=["no", "yes"])
    assert read_npz(path).classes == ("no", "yes")
    np.savez(path, X=X, y=Y / 2, classes=["no", "yes"])
    assert read_npz(path).classes is None


def header(text, data=bytes(48)):
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode() + data


GOOD = "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }"


def test_the_handmade_header_is_good(path):
    pack(path, X=header(GOOD), y=npy(Y))
    assert np.array_equal(read_npz(path).X, np.zeros((3, 2)))


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (npy([{}], allow_pickle=True), "never loaded"),
        (header(GOOD.replace("'<f8'", "[('a', '<f8')]")), "never loaded"),
        (header(GOOD.replace("(3, 2)", "__import__('os')")), "never loaded"),
        (npy(np.zeros(3, complex)), "never loaded"),
        (npy(["a"]), "holds strings"),
        (header(GOOD.replace("<f8", "<f3")), "damaged"),
        (header(GOOD.replace("(3, 2)", "(-3, 2)")), "never loaded"),
        (header(GOOD, bytes(47)), "should have 48 bytes of data .* has 47"),
        (header(GOOD, bytes(49)), "should have 48 bytes of data .* has 49"),
        (header(GOOD.replace("3, 2", "3, 99999999999999")), "should have"),
        (header(GOOD.replace("3, 2", "0, " * 70), b""), "damaged"),
        (header(GOOD)[:30], "never loaded"),
        (b"\x93NUMPY\x09\0" + header(GOOD)[8:], "damaged"),
        (b"\x93NUMPY\2\0\xff\xff\xff\x7f", "damaged"),
        (b"", "damaged"),
        (npy(X[:2]), "axis 0"),
    ],
)
def test_a_wrong_array_is_named_and_refused(path, member, message):
    pack(path, X=member, y=npy(Y))
    with pytest.raises(FileFormatError, match=message) as error:
        read_npz(path)
    assert str(path) in str(error.value)


def patched(path, at, value):
    """Overwrite bytes of the central directory's entry for X, counted from its start."""
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\1\2") + at
    content[start : start + len(value)] = value
    path.write_bytes(content)


def test_a_claim_beyond_what_deflate_can_do(path):
    pack(path, X=header(GOOD.replace("3, 2", "268435456")), y=npy(Y))
    patched(path, 24, struct.pack("<I", 2**31 + 69))
    with pytest.raises(FileFormatError, match="which cannot be"):
        read_npz(path)


def test_wrong_checksum_encryption_and_other_methods(path):
    for at, value, message in [(16, b"abcd", "CRC"), (8, b"\1\0", "encrypted"), (10, b"\x0c\0", "method")]:
        pack(path, X=npy(X), y=npy(Y))
        patched(path, at, value)
        with pytest.raises(FileFormatError, match=message):
            read_npz(path)
    pack(path, zipfile.ZIP_BZIP2, X=npy(X), y=npy(Y))
    with pytest.raises(FileFormatError, match="method"):
        read_npz(path)


@pytest.mark.parametrize("content", [b"", b"PK\5\6" + bytes(10), npy(X)])
def test_no_zip_at_all(path, content):
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"some\.npz") as error:
        read_npz(path)
    assert error.value.__cause__ is not None


def test_a_missing_file_stays_a_missing_file(path):
    with pytest.raises(FileNotFoundError, match=r"some\.npz"):
        read_npz(path)


def test_weights(path):
    np.savez(path, X=X, y=Y, weight=np.array([1, 0, 3]), other=np.array([1.0, 2.0, 0.5]))
    assert read_npz(path).weight.tolist() == [1, 0, 3]
    assert read_npz(path, weight="other").weight.tolist() == [1, 2, 0.5]
    with pytest.raises(FileFormatError, match="expected an array w, found X, y, weight, other"):
        read_npz(path, weight="w")


@pytest.mark.parametrize(
    "weight", [np.ones(2), np.ones((3, 1)), -np.ones(3), np.array([1, np.nan, 1]), ["a", "b", "c"]]
)
def test_weights_that_are_none(path, weight):
    np.savez(path, X=X, y=Y, weight=weight)
    with pytest.raises(FileFormatError, match=r"some\.npz.*weight: expected"):
        read_npz(path)
