"""Write prototxts of nets layer by layer."""

XAVIER = 'weight_filler { type: "xavier" } bias_filler { type: "constant" value: 0.2 }'
GAUSSIAN = 'weight_filler { type: "gaussian" std: 0.01 } bias_filler { type: "constant" value: 0.1 }'
MSRA = 'weight_filler { type: "msra" }'
LEARNT = "param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }"
FIXED = "param { lr_mult: 0 decay_mult: 0 } " * 3


class Prototxt:
    """A net that grows at its end; ``thin`` is by how much its channels are divided."""

    def __init__(self, name, thin=1, filler=XAVIER):
        self.text = f'name: "{name}"\n'
        self.thin, self.filler, self.end = thin, filler, "data"

    def layer(self, name, kind, bottom=None, options="", top=None):
        """Add a layer; the tops and bottoms are texts with spaces between them."""
        top = name if top is None else top
        ends = [f'bottom: "{end}"' for end in (bottom or self.end).split() if kind != "Data"]
        ends += [f'top: "{end}"' for end in top.split()]
        self.text += f'layer {{ name: "{name}" type: "{kind}" {" ".join(ends)} {options} }}\n'
        self.end = top
        return top

    def data(self, size):
        """Data layers for both phases."""
        for phase, batch in (("TRAIN", 32), ("TEST", 50)):
            mirror = str(phase == "TRAIN").lower()
            self.layer("data", "Data", "", top="data label", options=f"""include {{ phase: {phase} }}
  transform_param {{ mirror: {mirror} crop_size: {size} mean_value: 104 mean_value: 117 mean_value: 123 }}
  data_param {{ source: "{phase.lower()}_lmdb" batch_size: {batch} backend: LMDB }}""")  # fmt: skip
        self.end = "data"

    def channels(self, n):
        return max(2, n // self.thin // 2 * 2)  # even, for groups

    def conv(self, name, n, kernel, bottom=None, options="", filler=None, relu=True):
        sizes = f"num_output: {self.channels(n)} kernel_size: {kernel} {options} {filler or self.filler}"
        self.layer(name, "Convolution", bottom, f"{LEARNT} convolution_param {{ {sizes} }}")
        return self.relu(f"{name}/relu") if relu else name

    def relu(self, name):
        return self.layer(name, "ReLU", self.end, top=self.end)

    def pool(self, name, options, bottom=None):
        return self.layer(name, "Pooling", bottom, f"pooling_param {{ {options} }}")

    def norm(self, name):
        return self.layer(name, "LRN", options="lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }")

    def dense(self, name, n, bottom=None):
        sizes = f"num_output: {n} {self.filler}"
        return self.layer(name, "InnerProduct", bottom, f"{LEARNT} inner_product_param {{ {sizes} }}")

    def dropout(self, ratio):
        return self.layer(
            f"{self.end}/drop", "Dropout", options=f"dropout_param {{ dropout_ratio: {ratio} }}", top=self.end
        )

    def ends(self, scores, suffix="", weight=1.0):
        """A loss of this weight, and accuracies in the test phase."""
        self.layer(f"loss{suffix}", "SoftmaxWithLoss", f"{scores} label", f"loss_weight: {weight}")
        for k in (1, 5):
            options = f"include {{ phase: TEST }} accuracy_param {{ top_k: {k} }}"
            self.layer(f"top{k}{suffix}", "Accuracy", f"{scores} label", options)
