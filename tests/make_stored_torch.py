"""Makes ``tests/stored_torch/*.safetensors``: state dicts of PyTorch with an input and what the module makes of it.

Run by hand where ``torch`` and ``safetensors`` are installed (made with 2.13.0); the tests read the files only. The
input and the output lie in ``<name>.npz``.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

FOLDER = Path(__file__).with_name("stored_torch")


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, groups=2), nn.InstanceNorm2d(4, affine=True))
        self.shortcut = nn.Conv2d(4, 4, 1, bias=False)

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4), nn.PReLU(4))
        self.block = Residual()
        self.up = nn.ConvTranspose2d(4, 3, 2, stride=2, bias=False)
        self.norm = nn.LayerNorm(8)
        self.classifier = nn.Linear(3 * 8 * 8, 5, bias=False)

    def forward(self, x):
        return self.classifier(self.norm(self.up(self.block(self.features(x)))).flatten(1))


def sequential():
    """(N, 2, 6, 5), which is not square, so that the order of flattening shows."""
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2, 1),
        nn.Flatten(), nn.Linear(3 * 5 * 4, 4), nn.BatchNorm1d(4), nn.Sigmoid(), nn.Linear(4, 3),
    )  # fmt: skip


def sequence():
    """(N, 3, 9)."""
    return nn.Sequential(nn.Conv1d(3, 4, 3, stride=2, dilation=2), nn.PReLU(), nn.Flatten(), nn.Linear(12, 2))


def words():
    """(N, 4) integers."""
    return nn.Sequential(nn.Embedding(7, 3), nn.RMSNorm(3), nn.Linear(3, 2))


def store(name, module, x, dtype=torch.float32):
    if x.is_floating_point():
        module.train()
        module(x)  # moves the running statistics
    with torch.no_grad():
        for p in module.parameters():
            p += 0.1 * torch.randn(p.shape)
    module.to(dtype).float().eval()  # what the file's precision leaves
    y = module(x)
    state = {key: t.to(dtype) if t.is_floating_point() else t for key, t in module.state_dict().items()}
    save_file({key: t.contiguous() for key, t in state.items()}, FOLDER / f"{name}.safetensors")
    np.savez(FOLDER / f"{name}.npz", x=x.numpy(), y=y.detach().numpy())


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    torch.manual_seed(0)
    image = torch.randn(5, 2, 6, 5)
    store("sequential", sequential(), image)
    store("nested", Nested(), torch.randn(3, 2, 6, 6))
    store("sequence", sequence(), torch.randn(4, 3, 9))
    store("words", words(), torch.randint(7, (3, 4)))
    store("float16", sequential(), image, torch.float16)
    store("bfloat16", sequential(), image, torch.bfloat16)
