"""Prototxts of small trainings."""

NET = """
name: "Small"
layer {
  name: "in" type: "HDF5Data" top: "data" top: "target" include { phase: TRAIN }
  hdf5_data_param { source: "train.txt" batch_size: 6 }
}
layer {
  name: "in" type: "HDF5Data" top: "data" top: "target" include { phase: TEST }
  hdf5_data_param { source: "test.txt" batch_size: 7 }
}
layer {
  name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1"
  param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } }
}
layer { name: "tanh" type: "TanH" bottom: "ip1" top: "ip1" }
layer {
  name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2"
  param { lr_mult: 0.5 decay_mult: 3 } param { lr_mult: 0 }
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } }
}
layer { name: "loss" type: "EuclideanLoss" bottom: "ip2" bottom: "target" top: "loss" }
"""

# Classes, with layers that behave otherwise in tests, and draw random numbers.
CLASSES = """
name: "Classes"
layer {
  name: "in" type: "Data" top: "data" top: "label"
  transform_param { scale: 0.0625 mirror: true crop_size: 7 } data_param { batch_size: 16 }
}
layer {
  name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "msra" } }
}
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" dropout_param { dropout_ratio: 0.25 } }
layer {
  name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } }
}
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


def text(settings):
    """A solver's prototxt with these fields."""
    lines = []
    for name, value in settings.items():
        for one in value if isinstance(value, list) else [value]:
            spelt = f'"{one}"' if isinstance(one, str) else str(one).lower() if isinstance(one, bool) else repr(one)
            lines.append(f"{name}: {spelt}")
    return "\n".join(lines) + "\n"


def write(folder, net, **settings):
    """A net's prototxt and a solver's; return the path of the second."""
    (folder / "net.prototxt").write_text(net)
    usual = {"net": "net.prototxt", "base_lr": 0.1, "lr_policy": "fixed", "max_iter": 8, "random_seed": 1}
    path = folder / "solver.prototxt"
    path.write_text(text(usual | settings))
    return path
