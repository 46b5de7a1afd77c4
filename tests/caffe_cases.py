"""Small Caffe nets that OpenCV 4 can run: ``make_stored_caffe.py`` stores what it makes of them."""

# ---- single layers: type, its parameters, shapes of the inputs, shapes of the blobs

IMAGE = (2, 4, 5, 6)
C = "convolution_param { num_output: 4 "
P = "pooling_param { pool: "
LAYERS = [
    ("Convolution", C + "kernel_size: 3 }", [(2, 3, 6, 7)], [(4, 3, 3, 3), (4,)]),
    ("Convolution", C + "kernel_size: 3 bias_term: false }", [(2, 3, 6, 7)], [(4, 3, 3, 3)]),
    ("Convolution", C + "kernel_size: 1 }", [(2, 3, 4, 5)], [(4, 3, 1, 1), (4,)]),
    ("Convolution", C + "kernel_size: 3 pad: 1 stride: 2 }", [(2, 3, 6, 7)], [(4, 3, 3, 3), (4,)]),
    ("Convolution", C + "kernel_h: 3 kernel_w: 2 pad_h: 1 pad_w: 0 stride_h: 1 stride_w: 2 }", [(2, 3, 6, 7)],
     [(4, 3, 3, 2), (4,)]),
    ("Convolution", C + "kernel_size: 3 kernel_size: 1 pad: 0 pad: 2 stride: 3 stride: 1 }", [(2, 3, 6, 7)],
     [(4, 3, 3, 1), (4,)]),
    ("Convolution", C + "kernel_size: 3 dilation: 2 pad: 2 }", [(2, 3, 6, 7)], [(4, 3, 3, 3), (4,)]),
    ("Convolution", C + "kernel_size: 3 kernel_size: 2 dilation: 1 dilation: 3 }", [(2, 3, 6, 7)],
     [(4, 3, 3, 2), (4,)]),
    ("Convolution", C + "kernel_size: 3 group: 2 }", [IMAGE], [(4, 2, 3, 3), (4,)]),
    ("Convolution", C + "kernel_size: 3 group: 4 pad: 1 bias_term: false }", [IMAGE], [(4, 1, 3, 3)]),
    ("Convolution", C + "kernel_size: 2 group: 2 dilation: 2 stride: 2 pad: 1 }", [IMAGE], [(4, 2, 2, 2), (4,)]),
    ("Deconvolution", C + "kernel_size: 3 }", [(2, 3, 4, 5)], [(3, 4, 3, 3), (4,)]),
    ("Deconvolution", C + "kernel_size: 4 stride: 2 pad: 1 bias_term: false }", [(2, 3, 4, 5)], [(3, 4, 4, 4)]),
    ("Deconvolution", C + "kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 3 pad_h: 1 pad_w: 0 }", [(2, 3, 3, 4)],
     [(3, 4, 3, 2), (4,)]),
    ("Deconvolution", C + "kernel_size: 4 stride: 2 pad: 1 group: 4 bias_term: false }", [(2, 4, 3, 4)],
     [(4, 1, 4, 4)]),
    ("Deconvolution", C + "kernel_size: 3 stride: 2 group: 2 }", [(2, 4, 3, 4)], [(4, 2, 3, 3), (4,)]),
    *(
        ("Pooling", P + f"{pool} {options} }}", [IMAGE], [])
        for pool in ("MAX", "AVE")
        for options in (
            "kernel_size: 2 stride: 2",
            "kernel_size: 3 stride: 2",
            "kernel_size: 3",
            "kernel_size: 3 stride: 2 pad: 1",
            "kernel_size: 2 stride: 2 pad: 1",
            "kernel_size: 3 stride: 3",
            "kernel_h: 3 kernel_w: 4 stride_h: 2 stride_w: 3",
            "kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 1 pad_h: 2 pad_w: 1",
            "global_pooling: true",
        )
    ),
    ("LRN", "lrn_param { alpha: 1 }", [(2, 7, 3, 4)], []),
    ("LRN", "lrn_param { local_size: 3 alpha: 0.5 beta: 0.6 }", [(2, 7, 3, 4)], []),
    ("LRN", "lrn_param { norm_region: WITHIN_CHANNEL local_size: 3 alpha: 2 beta: 0.75 }", [IMAGE], []),
    ("LRN", "lrn_param { norm_region: WITHIN_CHANNEL local_size: 5 alpha: 1 }", [IMAGE], []),
    ("InnerProduct", "inner_product_param { num_output: 5 }", [(3, 8)], [(5, 8), (5,)]),
    ("InnerProduct", "inner_product_param { num_output: 5 }", [(2, 3, 2, 4)], [(5, 24), (5,)]),
    ("InnerProduct", "inner_product_param { num_output: 5 bias_term: false }", [(2, 3, 2, 4)], [(5, 24)]),
    ("InnerProduct", "inner_product_param { num_output: 5 axis: 2 }", [(2, 3, 2, 4)], [(5, 8), (5,)]),
    ("InnerProduct", "inner_product_param { num_output: 5 axis: -1 }", [(2, 3, 2, 4)], [(5, 4), (5,)]),
    ("BatchNorm", "batch_norm_param { use_global_stats: true }", [IMAGE], 4),
    ("BatchNorm", "batch_norm_param { use_global_stats: true eps: 0.1 }", [IMAGE], 4),
    ("BatchNorm", "", [IMAGE], 4),
    ("BatchNorm", "", [(3, 4)], 4),
    ("Scale", "", [IMAGE], [(4,)]),
    ("Scale", "scale_param { bias_term: true }", [IMAGE], [(4,), (4,)]),
    ("Scale", "scale_param { bias_term: true }", [(3, 4)], [(4,), (4,)]),
    ("Scale", "scale_param { axis: 2 bias_term: true }", [IMAGE], [(5,), (5,)]),
    ("Scale", "scale_param { axis: 1 num_axes: 2 bias_term: true }", [IMAGE], [(4, 5), (4, 5)]),
    ("Scale", "scale_param { axis: 1 num_axes: -1 }", [IMAGE], [(4, 5, 6)]),
    ("Scale", "scale_param { axis: 0 }", [(2, 4, 3, 3), (2, 4)], []),
    ("Scale", "", [(2, 4, 3, 3), (4,)], []),
    ("MVN", "", [IMAGE], []),
    ("MVN", "mvn_param { normalize_variance: false }", [IMAGE], []),
    ("MVN", "mvn_param { across_channels: true }", [IMAGE], []),
    ("Concat", "", [(2, 3, 4, 2), (2, 1, 4, 2), (2, 2, 4, 2)], []),
    ("Concat", "concat_param { axis: 0 }", [(2, 3, 4), (1, 3, 4)], []),
    ("Concat", "concat_param { axis: -1 }", [(2, 3, 4), (2, 3, 2)], []),
    ("Pooling", "top: 'mask' pooling_param { kernel_size: 3 stride: 2 pad: 1 }", [IMAGE], []),
    ("Slice", "top: 'second' top: 'third' slice_param { slice_point: 1 slice_point: 3 }", [IMAGE], []),
    ("Slice", "top: 'second' slice_param { axis: 2 slice_point: 2 }", [IMAGE], []),
    ("Split", "top: 'second'", [(2, 3)], []),
    *(
        ("Eltwise", f"eltwise_param {{ operation: {operation} }}", [(2, 3, 4, 2)] * count, [])
        for operation in ("SUM", "PROD", "MAX")
        for count in (2, 3)
    ),
    ("Eltwise", "", [(2, 5), (2, 5)], []),
    ("Eltwise", "eltwise_param { coeff: 1 coeff: -1 }", [(2, 3, 4, 2)] * 2, []),
    ("Eltwise", "eltwise_param { operation: SUM coeff: 0.5 coeff: 2 coeff: -1 }", [(2, 3, 4, 2)] * 3, []),
    ("Flatten", "", [IMAGE], []),
    ("Flatten", "flatten_param { axis: 2 }", [IMAGE], []),
    ("Flatten", "flatten_param { axis: 1 end_axis: 2 }", [IMAGE], []),
    ("Flatten", "flatten_param { axis: -3 end_axis: -2 }", [IMAGE], []),
    ("Flatten", "flatten_param { axis: 0 end_axis: 1 }", [IMAGE], []),
    ("Reshape", "reshape_param { shape { dim: 0 dim: 2 dim: -1 } }", [IMAGE], []),
    ("Reshape", "reshape_param { shape { dim: -1 dim: 0 dim: 5 dim: 6 } }", [IMAGE], []),
    ("Reshape", "reshape_param { axis: 1 num_axes: 2 shape { dim: 20 } }", [IMAGE], []),
    ("Reshape", "reshape_param { axis: 1 num_axes: 1 shape { dim: 2 dim: -1 } }", [IMAGE], []),
    ("Crop", "", [(2, 3, 6, 7), (2, 3, 4, 5)], []),
    ("Crop", "crop_param { axis: 2 offset: 1 }", [(2, 3, 6, 7), (2, 3, 4, 5)], []),
    ("Crop", "crop_param { axis: 2 offset: 2 offset: 0 }", [(2, 3, 6, 7), (2, 3, 4, 5)], []),
    ("Crop", "crop_param { axis: 1 offset: 1 offset: 0 offset: 2 }", [(2, 3, 6, 7), (2, 2, 4, 5)], []),
    ("Crop", "crop_param { axis: -1 offset: 1 }", [(2, 3, 4, 7), (2, 3, 4, 5)], []),
    ("ReLU", "", [IMAGE], []),
    ("ReLU", "relu_param { negative_slope: 0.1 }", [IMAGE], []),
    ("PReLU", "", [IMAGE], [(4,)]),
    ("PReLU", "", [(3, 4)], [(4,)]),
    ("PReLU", "prelu_param { channel_shared: true }", [IMAGE], [(1,)]),
    ("ELU", "", [(2, 9)], []),
    ("ELU", "elu_param { alpha: 0.3 }", [(2, 9)], []),
    ("Sigmoid", "", [(2, 9)], []),
    ("TanH", "", [(2, 9)], []),
    ("AbsVal", "", [(2, 9)], []),
    ("Power", "", [(2, 9)], []),
    ("Power", "power_param { power: 2 scale: -3 shift: 0.5 }", [(2, 9)], []),
    ("Power", "power_param { power: -1.5 scale: 0.5 shift: 2 }", [(2, 9)], []),
    ("Power", "power_param { power: 0 }", [(2, 9)], []),
    ("Exp", "", [(2, 9)], []),
    ("Exp", "exp_param { base: 2 scale: 0.5 shift: 1 }", [(2, 9)], []),
    ("BNLL", "", [(2, 9)], []),
    ("Swish", "", [(2, 9)], []),
    ("Softmax", "", [(3, 7)], []),
    ("Softmax", "", [IMAGE], []),
    ("Softmax", "softmax_param { axis: 2 }", [IMAGE], []),
    ("Softmax", "softmax_param { axis: -1 }", [IMAGE], []),
    ("Dropout", "dropout_param { dropout_ratio: 0.7 }", [IMAGE], []),
]  # fmt: skip


# ---- small nets: a prototxt, shapes of the inputs, shapes of the blobs, and the outputs


def layer(name, kind, bottoms, options="", tops=None):
    ends = [f'bottom: "{end}"' for end in bottoms.split()] + [f'top: "{end}"' for end in (tops or name).split()]
    return f'layer {{ name: "{name}" type: "{kind}" {" ".join(ends)} {options} }}\n'


def entry(name, shape):
    return layer(name, "Input", "", f"input_param {{ shape {{ {dims('dim', shape)} }} }}")


def dims(word, shape):
    return " ".join(f"{word}: {size}" for size in shape)


CONV = "convolution_param { num_output: 3 kernel_size: 3 }"
SCALED = "scale_param { bias_term: true }"
ENDS = layer("a", "Power", "first") + layer("b", "Power", "second", "power_param { scale: 2 }")
OLD = """name: "old"
input: 'data' input_dim: 2 input_dim: 2 input_dim: 6 input_dim: 6
layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv" blobs_lr: 1 blobs_lr: 2 weight_decay: 1
  weight_decay: 0 convolution_param { num_output: 3 kernel_size: 3 } }
layers { name: "relu" type: RELU bottom: "conv" top: "conv" }
layers { name: "norm" type: LRN bottom: "conv" top: "norm" lrn_param { local_size: 3 alpha: 0.1 beta: 0.5 } }
layers { name: "pool" type: POOLING bottom: "norm" top: "pool" pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layers { name: "fc" type: INNER_PRODUCT bottom: "pool" top: "fc" inner_product_param { num_output: 4 } }
layers { name: "prob" type: SOFTMAX bottom: "fc" top: "prob" }
"""
TWO_HEADERS = """input: "in0" input_shape { dim: 2 dim: 3 }  # as DeepLab's and R-CNN's nets begin
input: "in1" input_shape { dim: 2 dim: 3 }
"""
NETS = {
    "in place": (
        entry("in0", (2, 2, 6, 7))
        + layer("conv", "Convolution", "in0", CONV)
        + layer("norm", "BatchNorm", "conv", tops="conv")
        + layer("scale", "Scale", "conv", SCALED, "conv")
        + layer("relu", "ReLU", "conv", tops="conv")
        + layer("drop", "Dropout", "conv", tops="conv")
        + layer("out", "Convolution", "conv", CONV),
        [(2, 2, 6, 7)],
        {"conv": [(3, 2, 3, 3), (3,)], "norm": 3, "scale": [(3,), (3,)], "out": [(3, 3, 3, 3), (3,)]},
        ["out"],
    ),
    "residual": (
        entry("in0", (2, 3, 5, 5))
        + layer("branch1", "Convolution", "in0", "convolution_param { num_output: 4 kernel_size: 1 bias_term: false }")
        + layer("branch2", "Convolution", "in0", "convolution_param { num_output: 4 kernel_size: 3 pad: 1 }")
        + layer("bn", "BatchNorm", "branch2", "batch_norm_param { eps: 0.001 }")
        + layer("scale", "Scale", "bn", SCALED)
        + layer("sum", "Eltwise", "branch1 scale")
        + layer("out", "ReLU", "sum"),
        [(2, 3, 5, 5)],
        {"branch1": [(4, 3, 1, 1)], "branch2": [(4, 3, 3, 3), (4,)], "bn": 4, "scale": [(4,), (4,)]},
        ["out"],
    ),
    "inception": (
        entry("in0", (2, 3, 5, 6))
        + layer("i/1x1", "Convolution", "in0", "convolution_param { num_output: 2 kernel_size: 1 }")
        + layer("i/relu", "ReLU", "i/1x1", tops="i/1x1")
        + layer("i/3x3", "Convolution", "in0", "convolution_param { num_output: 2 kernel_size: 3 pad: 1 }")
        + layer("i/pool", "Pooling", "in0", "pooling_param { pool: MAX kernel_size: 3 stride: 1 pad: 1 }")
        + layer("out", "Concat", "i/1x1 i/3x3 i/pool"),
        [(2, 3, 5, 6)],
        {"i/1x1": [(2, 3, 1, 1), (2,)], "i/3x3": [(2, 3, 3, 3), (2,)]},
        ["out"],
    ),
    "skip": (
        entry("in0", (1, 2, 9, 9))
        + layer("pool", "Pooling", "in0", "pooling_param { pool: AVE kernel_size: 3 stride: 2 }")
        + layer("score", "Convolution", "pool", "convolution_param { num_output: 2 kernel_size: 1 }")
        + layer("up", "Deconvolution", "score", "convolution_param { num_output: 2 kernel_size: 4 stride: 2 group: 2 "
                "bias_term: false }")
        + layer("crop", "Crop", "up in0", "crop_param { offset: 1 }")
        + layer("sum", "Eltwise", "crop in0")
        + layer("out", "Softmax", "sum"),
        [(1, 2, 9, 9)],
        {"score": [(2, 2, 1, 1), (2,)], "up": [(2, 1, 4, 4)]},
        ["out"],
    ),
    "slice, equal parts": (
        entry("in0", (2, 4, 3)) + layer("cut", "Slice", "in0", tops="first second") + ENDS,
        [(2, 4, 3)], {}, ["a", "b"],
    ),
    "slice of axis 0": (
        entry("in0", (4, 3)) + layer("cut", "Slice", "in0", "slice_param { axis: 0 }", "first second") + ENDS,
        [(4, 3)], {}, ["a", "b"],
    ),
    "split": (
        entry("in0", (2, 3)) + layer("cut", "Split", "in0", tops="first second") + ENDS,
        [(2, 3)], {}, ["a", "b"],
    ),
    "V1": (OLD, [(2, 2, 6, 6)], {"conv": [(3, 2, 3, 3), (3,)], "fc": [(4, 12), (4,)]}, ["prob"]),
    "two headers": (TWO_HEADERS + layer("out", "Eltwise", "in0 in1"), [(2, 3), (2, 3)], {}, ["out"]),
}  # fmt: skip


def single(kind, options, bottoms, blobs):
    """A net of one layer, and the inputs before it."""
    names = [f"in{number}" for number in range(len(bottoms))]
    text = "".join(map(entry, names, bottoms)) + layer("out", kind, " ".join(names), options)
    return text, bottoms, {"out": blobs}, ["out"]
