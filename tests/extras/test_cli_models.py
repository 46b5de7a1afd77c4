"""The verbs on nets in files of Caffe's: whose weights, which shapes, and what is said where something is missing."""

import re

import numpy as np
import pytest
from cases_cli import runner
from exported import load

from handbrew.nets.caffe import load_caffe, save_caffe

INPUT = 'layer { name: "data" type: "Input" top: "data" %s }\n'
SHAPE = "input_param { shape { dim: 2 dim: 1 dim: 6 dim: 6 } }"
BODY = """
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 3 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
        inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
"""
DATA = """
layer { name: "in" type: "Data" top: "data" top: "label"
        data_param { source: "nowhere_lmdb" batch_size: 5 backend: LMDB }
        transform_param { %s } }
"""
LOSS = """
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
DEPLOY = INPUT % SHAPE + BODY + 'layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }'


@pytest.fixture
def handbrew(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return runner(capsys)


@pytest.fixture
def files(tmp_path):
    """deploy.prototxt, train_val.prototxt, and trained.caffemodel, which is called otherwise."""
    (tmp_path / "deploy.prototxt").write_text(DEPLOY)
    (tmp_path / "train_val.prototxt").write_text(DATA % "scale: 0.5" + BODY + LOSS)
    net = load_caffe(DEPLOY)
    net.params["ip.W"].data[:] = np.random.default_rng(3).normal(size=net.params["ip.W"].shape)
    save_caffe(net, tmp_path / "other.prototxt", tmp_path / "trained.caffemodel")
    (tmp_path / "other.prototxt").unlink()
    return tmp_path


class TestWeights:
    def test_export_takes_those_that_are_named(self, handbrew, files):
        ran = handbrew("export", "deploy.prototxt", "--weights", "trained.caffemodel")
        assert (ran.code, ran.err) == (0, "handbrew: deploy.prototxt: weights from trained.caffemodel\n")
        x = np.random.default_rng(0).normal(size=(2, 1, 6, 6)).astype(np.float32)
        expected = load_caffe("deploy.prototxt", "trained.caffemodel").predict(x)
        np.testing.assert_allclose(load(files / "net.py").forward(x), expected, atol=1e-6)

    def test_export_takes_those_of_the_same_stem(self, handbrew, files):
        (files / "trained.caffemodel").rename(files / "deploy.caffemodel")
        ran = handbrew("export", "deploy.prototxt")
        assert (ran.code, ran.err) == (0, "handbrew: deploy.prototxt: weights from deploy.caffemodel\n")

    def test_export_refuses_a_net_without(self, handbrew, files):
        ran = handbrew("export", "deploy.prototxt")
        assert ran.code == 1
        assert "deploy.prototxt: no deploy.caffemodel beside it, and so no weights; name them with --weights" in ran.err
        assert not (files / "net.py").exists()

    @pytest.mark.parametrize("verb", ["summary", "draw", "time"])
    def test_the_others_need_none_and_say_whose_they_have(self, handbrew, files, verb):
        ran = handbrew(verb, "deploy.prototxt")
        assert (ran.code, ran.err) == (0, "")
        ran = handbrew(verb, "deploy.prototxt", "--weights", "trained.caffemodel")
        assert (ran.code, ran.err) == (0, "handbrew: deploy.prototxt: weights from trained.caffemodel\n")
        assert (
            "nowhere.caffemodel: no such file"
            in handbrew(verb, "deploy.prototxt", "--weights", "nowhere.caffemodel").err
        )

    @pytest.mark.parametrize("verb", ["summary", "draw", "time"])
    def test_they_are_for_a_prototxt_only(self, handbrew, verb):
        assert "--weights goes with a .prototxt" in handbrew(verb, "--net", "lenet", "--weights", "w").err
        assert "--input goes with a net's file" in handbrew(verb, "--net", "lenet", "--input", "3").err


class TestShapes:
    @pytest.mark.parametrize("verb", ["summary", "draw", "time"])
    def test_a_net_for_training(self, handbrew, files, verb):
        options = ("--iterations", 1) if verb == "time" else ()
        ran = handbrew(verb, "train_val.prototxt", "--input", "1,6,6", *options)
        assert (ran.code, ran.err) == (0, "")
        shown = {"summary": "(3, 4, 4)", "draw": "3 x 4 x 4", "time": "64 samples of shape (1, 6, 6)"}[verb]
        assert shown in ran.out

    def test_export(self, handbrew, files):
        options = ("--weights", "trained.caffemodel", "--input", "1,6,6")
        assert handbrew("export", "train_val.prototxt", *options).code == 0
        x = np.random.default_rng(0).normal(size=(2, 1, 6, 6)).astype(np.float32)
        expected = load_caffe("deploy.prototxt", "trained.caffemodel").predict(x)
        np.testing.assert_allclose(load(files / "net.py").predict(x), expected, atol=1e-6)

    @pytest.mark.parametrize("verb", ["summary", "draw", "time", "export"])
    def test_without(self, handbrew, files, verb):
        options = ("--weights", "trained.caffemodel") if verb == "export" else ()
        ran = handbrew(verb, "train_val.prototxt", *options)
        if verb == "draw":
            assert (ran.code, ran.err) == (0, "")
            return
        assert ran.code == 1
        assert (
            "train_val.prototxt: does not say the shape of its input, data; --input does, as in --input 1,28,28"
            in ran.err
        )

    def test_another_shape_than_the_file_says(self, handbrew, files):
        assert handbrew("summary", "deploy.prototxt", "--input", "1,6,6").code == 0
        ran = handbrew("summary", "deploy.prototxt", "--input", "1,7,7")
        assert "deploy.prototxt: is a net for samples of shape (1, 6, 6), --input says (1, 7, 7)" in ran.err


class TestTimeOfAModel:
    def test_random_numbers_where_there_are_no_samples(self, handbrew, files):
        ran = handbrew("time", "--model", "train_val.prototxt", "--iterations", 1)
        assert ran.code == 1
        assert "nowhere_lmdb: no such file" in ran.err
        assert "or --input 1,28,28, the shape of random samples" in ran.err
        for phase in ("TRAIN", "TEST"):
            options = ("--iterations", 1, "--input", "1,6,6", "--phase", phase)
            ran = handbrew("time", "--model", "train_val.prototxt", *options)
            assert (ran.code, ran.err) == (0, "")
            assert float(re.search(r"Initial loss: (\S+)", ran.out)[1]) > 0

    def test_of_the_size_of_crops(self, handbrew, files):
        text = (
            (files / "train_val.prototxt").read_text().replace("scale: 0.5", 'crop_size: 6 mean_file: "no.binaryproto"')
        )
        (files / "train_val.prototxt").write_text(text)
        ran = handbrew("time", "--model", "train_val.prototxt", "--iterations", 1)
        assert ran.code == 0
        assert "random samples of shape (3, 6, 6)" in ran.err

    def test_inputs_without_a_shape(self, handbrew, files):
        (files / "free.prototxt").write_text(INPUT % "" + BODY)
        assert handbrew("time", "--model", "free.prototxt", "--iterations", 1, "--input", "1,6,6").code == 0
        assert "--input 1,28,28" in handbrew("time", "--model", "free.prototxt", "--iterations", 1).err


class TestWhatIsNoRun:
    @pytest.mark.parametrize("verb", ["predict", "test", "summary", "draw", "time", "export"])
    def test_a_file_that_is_not_there(self, handbrew, verb):
        ran = handbrew(verb, "nope.prototxt")
        assert (ran.code, ran.err) == (1, "handbrew: nope.prototxt: no such file\n")
        assert "handbrew train --out nope makes one" in handbrew(verb, "nope").err

    @pytest.mark.parametrize("verb", ["predict", "test"])
    def test_a_net(self, handbrew, files, verb):
        ran = handbrew(verb, "deploy.prototxt")
        assert ran.code == 1
        assert "deploy.prototxt: expected the folder of a run, got a file" in ran.err
        assert "handbrew test --model deploy.prototxt --weights FILE scores a Caffe net" in ran.err

    def test_a_model_without_a_loss(self, handbrew, files):
        np.savez("digits.npz", X=np.zeros((4, 1, 6, 6), np.float32), y=np.zeros(4, int))
        options = ("--weights", "trained.caffemodel", "--data", "digits.npz", "--iterations", 1)
        ran = handbrew("test", "--model", "deploy.prototxt", *options)
        assert ran.code == 0
        assert "Batch 0, prob = " in ran.out
        assert "deploy.prototxt: has no label and no loss, so that nothing is measured" in ran.err
        (files / "train_val.prototxt").write_text(DATA % "" + BODY + LOSS)
        assert handbrew("test", "--model", "train_val.prototxt", *options).err == ""
