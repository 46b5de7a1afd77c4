"""Ready-made nets, each as its paper or Caffe's examples draw it, ending in the loss it is trained with."""

from __future__ import annotations

from collections.abc import Sequence

from handbrew.layers import (
    LRN,
    Affine,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    MaxPool2D,
    ReLU,
    Residual,
    SoftmaxCrossEntropy,
)

from .sequential import Sequential


def mlp(hidden: Sequence[int] = (256,), classes: int = 10, seed: int | None = None) -> Sequential:
    """A multi-layer perceptron: ``Affine`` layers with a ReLU after each but the last, for input of any shape."""
    layers: list[Layer] = [Flatten()]
    for size in hidden:
        layers += [Affine(size), ReLU()]
    return Sequential(*layers, Affine(classes), SoftmaxCrossEntropy(), seed=seed)


def lenet(classes: int = 10, seed: int | None = None) -> Sequential:
    """LeNet as Caffe's MNIST example has it, for (1, 28, 28); 431,080 parameters with 10 classes.

    LeCun et al., "Gradient-based learning applied to document recognition", 1998, with ReLU and max-pooling.
    """
    return Sequential(
        Conv2D(20, 5).named("conv1"),
        MaxPool2D(2).named("pool1"),
        Conv2D(50, 5).named("conv2"),
        MaxPool2D(2).named("pool2"),
        Flatten(),
        Affine(500).named("ip1"),
        ReLU(),
        Affine(classes).named("ip2"),
        SoftmaxCrossEntropy(),
        seed=seed,
    )


def cifar10_quick(classes: int = 10, seed: int | None = None) -> Sequential:
    """The quick net of Caffe's CIFAR-10 example, for (3, 32, 32); 145,578 parameters with 10 classes."""
    return Sequential(
        Conv2D(32, 5, padding=2).named("conv1"),
        MaxPool2D(3, 2, ceil_mode=True).named("pool1"),
        ReLU(),
        Conv2D(32, 5, padding=2).named("conv2"),
        ReLU(),
        AvgPool2D(3, 2, ceil_mode=True).named("pool2"),
        Conv2D(64, 5, padding=2).named("conv3"),
        ReLU(),
        AvgPool2D(3, 2, ceil_mode=True).named("pool3"),
        Flatten(),
        Affine(64).named("ip1"),
        Affine(classes).named("ip2"),
        SoftmaxCrossEntropy(),
        seed=seed,
    )


def cifar10_full(classes: int = 10, seed: int | None = None) -> Sequential:
    """The full net of Caffe's CIFAR-10 example, for (3, 32, 32), after Krizhevsky's cuda-convnet; 89,578 parameters."""
    return Sequential(
        Conv2D(32, 5, padding=2).named("conv1"),
        MaxPool2D(3, 2, ceil_mode=True).named("pool1"),
        ReLU(),
        LRN(3, alpha=5e-5, beta=0.75, within_channel=True).named("norm1"),
        Conv2D(32, 5, padding=2).named("conv2"),
        ReLU(),
        AvgPool2D(3, 2, ceil_mode=True).named("pool2"),
        LRN(3, alpha=5e-5, beta=0.75, within_channel=True).named("norm2"),
        Conv2D(64, 5, padding=2).named("conv3"),
        ReLU(),
        AvgPool2D(3, 2, ceil_mode=True).named("pool3"),
        Flatten(),
        Affine(classes).named("ip1"),
        SoftmaxCrossEntropy(),
        seed=seed,
    )


def vgg_small(classes: int = 10, seed: int | None = None) -> Sequential:
    """Two stages of VGG with batch normalisation, 64-64 and 128-128 channels, for (3, 32, 32).

    Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2015.
    """
    layers: list[Layer] = []
    for channels in (64, 128):
        for _ in range(2):
            layers += [Conv2D(channels, 3, padding=1, bias=False), BatchNorm(), ReLU()]
        layers.append(MaxPool2D(2))
    head = (Flatten(), Affine(256), ReLU(), Dropout(0.5), Affine(classes))
    return Sequential(*layers, *head, SoftmaxCrossEntropy(), seed=seed)


def resnet20(classes: int = 10, seed: int | None = None) -> Sequential:
    """The residual net of 20 layers for CIFAR-10, (3, 32, 32): three stages of three blocks, 16, 32 and 64 channels.

    Where a stage begins with fewer pixels and more channels, the shortcut is a 1x1 convolution (the paper's
    option B). He et al., "Deep residual learning for image recognition", 2016, section 4.2.
    """
    layers: list[Layer] = [Conv2D(16, 3, padding=1, bias=False), BatchNorm(), ReLU()]
    for channels in (16, 32, 64):
        for block in range(3):
            stride = 2 if channels > 16 and block == 0 else 1
            layers += [_residual(channels, stride), ReLU()]
    return Sequential(*layers, GlobalAvgPool2D(), Affine(classes), SoftmaxCrossEntropy(), seed=seed)


def _residual(channels: int, stride: int) -> Residual:
    body = Sequential(
        Conv2D(channels, 3, stride, padding=1, bias=False),
        BatchNorm(),
        ReLU(),
        Conv2D(channels, 3, padding=1, bias=False),
        BatchNorm(),
    )
    if stride == 1:
        return Residual(body)
    return Residual(body, Sequential(Conv2D(channels, 1, stride, bias=False), BatchNorm()))
