"""Make stored_caffe.json, what OpenCV 4 makes of small Caffe nets: needs opencv-python-headless<5.

python tests/make_stored_caffe.py

Weights are put into wire format by hand, so that nothing here is handbrew's. These are left out of caffe_cases:

- types that OpenCV's importer does not make: ArgMax, BatchReindex, Bias, Clip, Embed, Filter, Im2col, LSTM and RNN,
  Reduction, SPP, Threshold, Tile (an ONNX operator there), all losses and Accuracy;
- options that it refuses: Pooling's round_mode, Scale's num_axes 0, Reshape's negative axis, the old names concat_dim
  and slice_dim;
- options that it does not heed, or heeds otherwise than Caffe: Deconvolution's dilation, InnerProduct's transpose,
  LRN's k (always 1) and its alpha where the prototxt has none (far less than 1), MVN's eps (inside the root), all of
  Log's, Swish's beta (always 1).

The windows of Pooling overlap or touch: Caffe itself reads beyond the image's end where they do not.
"""

import base64
import json
import re
from pathlib import Path

import cv2
import numpy as np
from caffe_cases import LAYERS, NETS, single
from caffe_wire import caffemodel


def run(text, bottoms, blobs, outputs):
    """What OpenCV makes of it. A number of channels stands for BatchNorm's three blobs."""
    rng = np.random.RandomState(0)
    weights = {}
    for name, shapes in blobs.items():
        if isinstance(shapes, int):
            arrays = [rng.uniform(-1, 1, shapes), rng.uniform(1, 3, shapes), np.array([2.5])]
        else:
            arrays = [rng.uniform(-1, 1, shape) for shape in shapes]
        weights |= {name: [array.astype(np.float32) for array in arrays]} if arrays else {}
    kinds = dict(re.findall(r'name: "([^"]+)" type: "?(\w+)', text))
    old = "layers" in text
    if old:
        kinds = {"conv": "Convolution", "fc": "InnerProduct"}
    content = caffemodel(weights, kinds, old)
    net = cv2.dnn.readNetFromCaffe(*(np.frombuffer(part, np.uint8) for part in (text.encode(), content)))
    net.enableFusion(False)
    for number, shape in enumerate(bottoms):
        X = np.random.RandomState(number + 1).uniform(-1, 1, shape).astype(np.float32)
        net.setInput(X, "data" if old else f"in{number}")
    ends = {}
    for name in outputs:
        tops = re.search(rf'name: "{name}" .*', text)[0]
        tops = [one or two for one, two in re.findall(r"top: (?:\"([^\"]+)\"|'([^']+)')", tops)]
        ends |= dict(zip(tops, net.forwardAndRetrieve([name])[0], strict=False))
    return {
        "prototxt": text,
        "caffemodel": base64.b64encode(content).decode() if weights else None,
        "inputs": list(map(list, bottoms)),
        "outputs": {name: [list(end.shape), base64.b64encode(end.tobytes()).decode()] for name, end in ends.items()},
    }


def main():
    cases = {f"{case[0]} {case[1]} {case[2]}": run(*single(*case)) for case in LAYERS}
    cases |= {name: run(*net) for name, net in NETS.items()}
    text = json.dumps({"OpenCV": cv2.__version__, "cases": cases}, indent=0)
    Path(__file__).with_name("stored_caffe.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
