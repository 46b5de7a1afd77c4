"""Caffe's layers, one by one and in small nets, compared with what OpenCV 4 makes of the same files."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest

from handbrew.nets.caffe import load_caffe

CASES = json.loads(Path(__file__).parents[1].joinpath("stored_caffe.json").read_text(encoding="utf-8"))["cases"]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_as_opencv(tmp_path, case):
    net = load(case, tmp_path)
    assert len(net.inputs) == len(case["inputs"])
    inputs = [
        np.random.RandomState(number).uniform(-1, 1, shape).astype(np.float32)
        for number, shape in enumerate(case["inputs"], 1)
    ]
    net.eval()
    net.forward(**dict(zip(net.inputs, inputs, strict=True)))
    for name, (shape, content) in case["outputs"].items():
        expected = np.frombuffer(base64.b64decode(content), np.float32).reshape(shape)
        found = net.blobs[name]
        assert found.shape == expected.shape
        assert found.dtype == (np.int64 if name == "mask" else np.float32)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


def load(case, folder):
    prototxt, caffemodel = folder / "net.prototxt", folder / "net.caffemodel"
    prototxt.write_text(case["prototxt"], encoding="utf-8")
    if case["caffemodel"] is None:
        return load_caffe(prototxt)
    caffemodel.write_bytes(base64.b64decode(case["caffemodel"]))
    return load_caffe(prototxt, caffemodel)
