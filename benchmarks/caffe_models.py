"""Two trained Caffe models, beside OpenCV 4: LeNet on MNIST's test images, and a face detector's first stage.

python benchmarks/caffe_models.py CAFFE MNIST    # folders with lenet.*, det1.*, and with MNIST's four files
"""

import sys
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np

from handbrew.data import load
from handbrew.nets import load_caffe


def main(caffe: Path, mnist: Path) -> None:
    """Print LeNet's accuracy, and how far apart the two are."""
    _, test = load(mnist)
    X = (test.X.reshape(-1, 1, 28, 28) * 255 / 256).astype(np.float32)  # pixels / 256, as it was trained
    start = perf_counter()
    ours = read(caffe, "lenet").predict(X, batch_size=256)
    seconds = perf_counter() - start
    theirs = opencv(caffe, "lenet", X)["loss"]
    print(f"lenet: {(ours.argmax(1) == test.y).mean():.2%} of {len(X):,} right, in {seconds:.1f} s")
    print(f"       OpenCV {(theirs.argmax(1) == test.y).mean():.2%}; largest difference {abs(ours - theirs).max():.1e}")

    image = np.random.RandomState(7).uniform(-1, 1, (1, 3, 48, 64)).astype(np.float32)
    net = read(caffe, "det1")
    found = dict(zip(net.outputs, net.predict(image), strict=True))
    for name, blob in opencv(caffe, "det1", image).items():
        print(f"det1:  {name} {blob.shape}: largest difference to OpenCV {abs(found[name] - blob).max():.1e}")


def read(folder: Path, name: str):
    return load_caffe(folder / f"{name}.prototxt", folder / f"{name}.caffemodel")


def opencv(folder: Path, name: str, X: np.ndarray) -> dict[str, np.ndarray]:
    net = cv2.dnn.readNetFromCaffe(str(folder / f"{name}.prototxt"), str(folder / f"{name}.caffemodel"))
    net.setInput(X)
    names = net.getUnconnectedOutLayersNames()
    return dict(zip(names, net.forward(names), strict=True))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
