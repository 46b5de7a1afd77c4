"""Prototxts of whole nets, after the papers: the sizes that were published, or as many times fewer channels."""

from caffe_prototxt import FIXED, GAUSSIAN, LEARNT, MSRA, XAVIER, Prototxt


def alexnet(size=227, classes=1000, thin=1, reference=False):
    """Krizhevsky's net; ``reference`` is CaffeNet, which pools before it normalises."""
    net = Prototxt("CaffeNet" if reference else "AlexNet", thin, GAUSSIAN)
    net.data(size)
    pool = "pool: MAX kernel_size: 3 stride: 2"
    for number, n, kernel, options in ((1, 96, 11, "stride: 4"), (2, 256, 5, "pad: 2 group: 2")):
        net.conv(f"conv{number}", n, kernel, options=options)
        if reference:
            net.pool(f"pool{number}", pool)
            net.norm(f"norm{number}")
        else:
            net.norm(f"norm{number}")
            net.pool(f"pool{number}", pool)
    net.conv("conv3", 384, 3, options="pad: 1")
    net.conv("conv4", 384, 3, options="pad: 1 group: 2")
    net.conv("conv5", 256, 3, options="pad: 1 group: 2")
    net.pool("pool5", pool)
    for name in ("fc6", "fc7"):
        net.dense(name, net.channels(4096))
        net.relu(f"{name}/relu")
        net.dropout(0.5)
    net.ends(net.dense("fc8", classes))
    return net.text


def caffenet(size=227, classes=1000, thin=1):
    return alexnet(size, classes, thin, reference=True)


INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet(size=224, classes=1000, thin=1, last="kernel_size: 7 stride: 1"):
    """Two more heads, whose losses weigh 0.3."""
    net = Prototxt("GoogLeNet", thin)
    net.data(size)
    half = "pool: MAX kernel_size: 3 stride: 2"
    net.conv("conv1/7x7_s2", 64, 7, options="pad: 3 stride: 2")
    net.pool("pool1/3x3_s2", half)
    net.norm("pool1/norm1")
    net.conv("conv2/3x3_reduce", 64, 1)
    net.conv("conv2/3x3", 192, 3, options="pad: 1")
    net.norm("conv2/norm2")
    net.pool("pool2/3x3_s2", half)
    for name, sizes in INCEPTIONS.items():
        end = inception(net, f"inception_{name}", sizes)
        if name in ("3b", "4e"):
            net.pool(f"pool{name[0]}/3x3_s2", half)
        if name in ("4a", "4d"):
            head(net, "loss1" if name == "4a" else "loss2", classes)
            net.end = end
    net.pool("pool5", f"pool: AVE {last}")
    net.dropout(0.4)
    net.ends(net.dense("loss3/classifier", classes), "3")
    return net.text


def inception(net, name, sizes):
    start, (one, three_in, three, five_in, five, pooled) = net.end, sizes
    parts = [net.conv(f"{name}/1x1", one, 1, start)]
    net.conv(f"{name}/3x3_reduce", three_in, 1, start)
    parts.append(net.conv(f"{name}/3x3", three, 3, options="pad: 1"))
    net.conv(f"{name}/5x5_reduce", five_in, 1, start)
    parts.append(net.conv(f"{name}/5x5", five, 5, options="pad: 2"))
    net.pool(f"{name}/pool", "pool: MAX kernel_size: 3 stride: 1 pad: 1", start)
    parts.append(net.conv(f"{name}/pool_proj", pooled, 1))
    return net.layer(f"{name}/output", "Concat", " ".join(parts))


def head(net, name, classes):
    net.pool(f"{name}/ave_pool", "pool: AVE kernel_size: 5 stride: 3")
    net.conv(f"{name}/conv", 128, 1)
    net.dense(f"{name}/fc", net.channels(1024))
    net.relu(f"{name}/relu_fc")
    net.dropout(0.7)
    net.ends(net.dense(f"{name}/classifier", classes), name[-1], 0.3)


def resnet(size=224, classes=1000, thin=1, blocks=(3, 4, 6, 3)):
    """ResNet-50: bottlenecks of convolutions without biases, BatchNorm, Scale; Eltwise adds the shortcut."""
    net = Prototxt("ResNet", thin, MSRA)
    net.data(size)
    scaled(net, "conv1", 64, 7, options="pad: 3 stride: 2")
    net.relu("conv1/relu")
    net.pool("pool1", "pool: MAX kernel_size: 3 stride: 2")
    for stage, count in enumerate(blocks, 2):
        n = 32 * 2 ** (stage - 1)
        for number in range(count):
            name, start = f"res{stage}{chr(ord('a') + number)}", net.end
            stride = f"stride: {2 if number == 0 and stage > 2 else 1}"
            shortcut = scaled(net, f"{name}_branch1", 4 * n, 1, start, stride) if number == 0 else start
            scaled(net, f"{name}_branch2a", n, 1, start, stride)
            net.relu(f"{name}_branch2a/relu")
            scaled(net, f"{name}_branch2b", n, 3, options="pad: 1")
            net.relu(f"{name}_branch2b/relu")
            body = scaled(net, f"{name}_branch2c", 4 * n, 1)
            net.layer(name, "Eltwise", f"{shortcut} {body}", "eltwise_param { operation: SUM }")
            net.relu(f"{name}/relu")
    net.pool("pool5", "pool: AVE global_pooling: true")
    net.ends(net.dense("fc", classes))
    return net.text


def scaled(net, name, n, kernel, bottom=None, options=""):
    """A convolution, normalised and scaled in place."""
    sizes = f"num_output: {net.channels(n)} kernel_size: {kernel} bias_term: false {options} {MSRA}"
    net.layer(name, "Convolution", bottom, f"convolution_param {{ {sizes} }}")
    net.layer(f"bn_{name}", "BatchNorm", name, FIXED, name)
    return net.layer(f"scale_{name}", "Scale", name, "scale_param { bias_term: true }", name)


def squeezenet(size=227, classes=1000, thin=1):
    """Version 1.1: a pool of the scores at its end."""
    net = Prototxt("SqueezeNet", thin)
    net.data(size)
    half = "pool: MAX kernel_size: 3 stride: 2"
    net.conv("conv1", 64, 3, options="stride: 2")
    net.pool("pool1", half)
    for number, n in enumerate((16, 16, 32, 32, 48, 48, 64, 64), 2):
        name = f"fire{number}"
        squeezed = net.conv(f"{name}/squeeze1x1", n, 1)
        parts = [net.conv(f"{name}/expand1x1", 4 * n, 1, squeezed)]
        parts.append(net.conv(f"{name}/expand3x3", 4 * n, 3, squeezed, "pad: 1"))
        net.layer(f"{name}/concat", "Concat", " ".join(parts))
        if number in (3, 5):
            net.pool(f"pool{number}", half)
    net.dropout(0.5)
    sizes = f"num_output: {classes} kernel_size: 1 {GAUSSIAN}"
    net.layer("conv10", "Convolution", options=f"{LEARNT} convolution_param {{ {sizes} }}")
    net.relu("conv10/relu")
    net.ends(net.pool("pool10", "pool: AVE global_pooling: true"))
    return net.text


def fcn(size=224, classes=21, thin=1, kernel=6):
    """AlexNet made fully convolutional: its scores and those after pool2 upsampled, cropped and added up."""
    net = Prototxt("FCN", thin)
    net.data(size)
    half = "pool: MAX kernel_size: 3 stride: 2"
    net.conv("conv1", 96, 11, options="stride: 4 pad: 100")
    net.pool("pool1", half)
    net.norm("norm1")
    net.conv("conv2", 256, 5, options="pad: 2 group: 2")
    skip = net.pool("pool2", half)
    net.conv("conv3", 384, 3, options="pad: 1")
    net.conv("conv4", 384, 3, options="pad: 1 group: 2")
    net.conv("conv5", 256, 3, options="pad: 1 group: 2")
    net.pool("pool5", half)
    net.conv("fc6", 4096, kernel)
    net.dropout(0.5)
    net.conv("fc7", 4096, 1)
    net.dropout(0.5)
    scores(net, "score_fr", classes)
    up = upsampled(net, "upscore2", classes, 4, 2)
    scores(net, "score_pool2", classes, skip)
    cropped = net.layer("score_pool2c", "Crop", f"score_pool2 {up}", "crop_param { axis: 2 offset: 2 }")
    net.layer("fuse_pool2", "Eltwise", f"{up} {cropped}")
    upsampled(net, "upscore16", classes, 31, 16)
    net.layer("score", "Crop", "upscore16 data", "crop_param { axis: 2 offset: 9 }")
    options = "loss_param { ignore_label: 255 normalize: true }"
    net.layer("loss", "SoftmaxWithLoss", "score label", options)
    return net.text


def scores(net, name, classes, bottom=None):
    return net.layer(
        name, "Convolution", bottom, f"{LEARNT} convolution_param {{ num_output: {classes} kernel_size: 1 {XAVIER} }}"
    )


def upsampled(net, name, classes, kernel, stride):
    """Bilinear interpolation, channel by channel, that is not learnt."""
    sizes = f"num_output: {classes} group: {classes} kernel_size: {kernel} stride: {stride} bias_term: false"
    options = f'{{ {sizes} weight_filler {{ type: "bilinear" }} }}'
    return net.layer(name, "Deconvolution", options=f"param {{ lr_mult: 0 }} convolution_param {options}")
