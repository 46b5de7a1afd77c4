"""Nets of V0, Caffe's first form: old in, new out."""

import pytest
from google.protobuf import text_format

from handbrew.data import FileFormatError
from handbrew.nets.caffe.schema import messages
from handbrew.nets.caffe.text import read_net

OLD = """
name: "old" input: "x" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layers { layer { name: "data" type: "data" source: "/db" batchsize: 5 scale: 2 meanfile: "/m" cropsize: 7 mirror: true
  rand_skip: 3 } top: "data" top: "label" }
layers { layer { name: "pad" type: "padding" pad: 2 } bottom: "data" top: "padded" }
layers { layer { name: "conv" type: "conv" num_output: 4 kernelsize: 5 stride: 2 group: 2 biasterm: false
  weight_filler { type: "xavier" } bias_filler { value: 1 } blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0
  blobs { num: 1 channels: 1 height: 1 width: 1 data: 3 } } bottom: "padded" top: "conv" }
layers { layer { name: "relu" type: "relu" } bottom: "conv" top: "conv" }
layers { layer { name: "pool" type: "pool" pool: AVE kernelsize: 3 stride: 2 pad: 1 } bottom: "conv" top: "pool" }
layers { layer { name: "norm" type: "lrn" local_size: 3 alpha: 0.1 beta: 0.5 k: 2 } bottom: "pool" top: "norm" }
layers { layer { name: "fc" type: "innerproduct" num_output: 2 } bottom: "norm" top: "fc" }
layers { layer { name: "drop" type: "dropout" dropout_ratio: 0.2 } bottom: "fc" top: "fc" }
layers { layer { name: "cat" type: "concat" concat_dim: 0 } bottom: "fc" bottom: "fc" top: "cat" }
layers { layer { name: "win" type: "window_data" det_fg_threshold: 0.1 det_crop_mode: "square" } top: "w" }
layers { layer { name: "img" type: "images" source: "/i" new_height: 3 shuffle_images: true } top: "i" }
layers { layer { name: "out" type: "hdf5_output" hdf5_output_param { file_name: "/o" } } bottom: "i" }
layers { layer { name: "loss" type: "softmax_loss" } bottom: "cat" bottom: "label" }
"""
NEW = """
name: "old"
layer { name: "input" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "data" type: "Data" top: "data" top: "label" data_param { source: "/db" batch_size: 5 rand_skip: 3 }
  transform_param { scale: 2 mean_file: "/m" crop_size: 7 mirror: true } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  blobs { num: 1 channels: 1 height: 1 width: 1 data: 3 }
  convolution_param { num_output: 4 kernel_size: 5 stride: 2 group: 2 bias_term: false pad: 2
    weight_filler { type: "xavier" } bias_filler { value: 1 } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool"
  pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "norm" type: "LRN" bottom: "pool" top: "norm" lrn_param { local_size: 3 alpha: 0.1 beta: 0.5 k: 2 } }
layer { name: "fc" type: "InnerProduct" bottom: "norm" top: "fc" inner_product_param { num_output: 2 } }
layer { name: "drop" type: "Dropout" bottom: "fc" top: "fc" dropout_param { dropout_ratio: 0.2 } }
layer { name: "cat" type: "Concat" bottom: "fc" bottom: "fc" top: "cat" concat_param { concat_dim: 0 } }
layer { name: "win" type: "WindowData" top: "w" window_data_param { fg_threshold: 0.1 crop_mode: "square" } }
layer { name: "img" type: "ImageData" top: "i" image_data_param { source: "/i" new_height: 3 shuffle: true } }
layer { name: "out" type: "HDF5Output" bottom: "i" hdf5_output_param { file_name: "/o" } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "cat" bottom: "label" }
"""


def test_a_net():
    assert str(read_net(OLD)) == str(text_format.Parse(NEW, messages().NetParameter()))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('layers { layer { name: "r" type: "reshape" } }', r"layer 0 \(r\): unknown type 'reshape'; V0 layers are acc"),
        ('layers { layer { name: "r" type: "relu" pad: 1 } }', "a V0 layer of type relu has no pad"),
        (
            'layers { layer { type: "padding" } bottom: "x" top: "p" } layers { layer { type: "relu" } bottom: "p" }',
            "reads p of a padding layer",
        ),
        (
            'layers { layer { type: "padding" } top: "p" } layers { layer { type: "conv" } bottom: "p" }',
            "reads p of a padding layer",
        ),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(FileFormatError, match=message):
        read_net(text)
