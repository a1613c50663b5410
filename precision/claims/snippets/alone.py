"""Code that needs no model of the user's; DEVICE stands for the device."""

from __future__ import annotations

from collections.abc import Mapping

from precision.claims.snippets.setup import TINYNET

ALONE: Mapping[str, str] = {
    "loaded-in-float32": """import torch

print("default dtype:", torch.get_default_dtype())
print("new linear layer:", torch.nn.Linear(2, 2).weight.dtype)
""",
    "checkpoint-in-float32": """import tempfile

import torch
from transformers import BertConfig, BertModel

layer = torch.nn.Linear(2, 2)
layer.load_state_dict(torch.nn.Linear(2, 2).half().state_dict())
print("load_state_dict of float16 weights:", layer.weight.dtype)

config = BertConfig(vocab_size=16, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
with tempfile.TemporaryDirectory() as folder:
    BertModel(config).half().save_pretrained(folder)
    loaded = BertModel.from_pretrained(folder)
print("from_pretrained of a float16 checkpoint:", loaded.embeddings.word_embeddings.weight.dtype)
""",
    "cpu-kernels": """import torch

x = torch.rand(6, 6) + torch.eye(6)
operators = {
    "matmul": lambda x: x @ x,
    "conv2d": lambda x: torch.conv2d(x[None, None], x[None, None, :3, :3]),
    "layer_norm": lambda x: torch.layer_norm(x, (6,)),
    "softmax": lambda x: torch.softmax(x, -1),
    "gelu": torch.nn.functional.gelu,
    "sort": torch.sort,
    "quantile": lambda x: torch.quantile(x, 0.5),
    "cdist": lambda x: torch.cdist(x, x),
    "fft": torch.fft.rfft,
    "linalg.inv": torch.linalg.inv,
    "linalg.svd": torch.linalg.svd,
}
for name, operator in operators.items():
    operator(x)  # runs in float32
    try:
        operator(x.half())
        print(name, "runs in float16")
    except RuntimeError as error:
        print(name, "raises:", str(error).splitlines()[0])
""",
    "gpu-unasked": """import torch

layer = torch.nn.Linear(2, 2).half()
print("accelerator here:", torch.accelerator.current_accelerator(check_available=True))
print("weight on:", layer.weight.device)
print("output on:", layer(torch.zeros(1, 2).half()).device)
""",
    "article-numbers": f"""import copy

import torch

{TINYNET}

torch.manual_seed(123)
model = TinyNet().eval().to(DEVICE)
ids = torch.tensor([[0, 1], [1, 0]]).to(DEVICE)
with torch.no_grad():
    difference = (model(ids) - copy.deepcopy(model).half()(ids)).abs()
print("mean:", difference.mean().item(), "(article: 0.00020454823970794678)")
print("largest:", difference.max().item(), "(article: 0.00022590160369873047)")
""",
    "most-models": """import copy

import torch
from transformers import BertConfig, BertForSequenceClassification, GPT2Config, GPT2LMHeadModel
from transformers import ResNetConfig, ResNetForImageClassification, ViTConfig, ViTForImageClassification

torch.manual_seed(0)
small = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
stages = {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1]}
ids, image = torch.randint(0, 1000, (4, 32)), torch.randn(4, 3, 32, 32)
models = (
    (BertForSequenceClassification(BertConfig(vocab_size=1000, **small)), ids),
    (GPT2LMHeadModel(GPT2Config(vocab_size=1000, n_embd=64, n_layer=2, n_head=2)), ids),
    (ViTForImageClassification(ViTConfig(image_size=32, num_labels=100, **small)), image),
    (ResNetForImageClassification(ResNetConfig(num_labels=100, **stages)), image),
)
for model, given in models:
    model, given = model.eval().to(DEVICE), given.to(DEVICE)
    half = copy.deepcopy(model).half()
    with torch.no_grad():
        full = model(given).logits
        low = half(given.half() if given.is_floating_point() else given).logits
    changed = (full.argmax(-1) != low.argmax(-1)).sum().item()
    print(type(model).__name__, "other first class:", changed, "of", full[..., 0].numel())
""",
    "half-from-transformers": """import inspect
import tempfile

import torch
from torchao.quantization import Int8WeightOnlyConfig
from transformers import BertConfig, BertModel, PreTrainedModel, TorchAoConfig

print("torch.nn.Module.half is defined in:", torch.nn.Module.half.__module__)
print("what Transformers makes of it:")
print(inspect.getsource(PreTrainedModel.half))
with tempfile.TemporaryDirectory() as folder:
    BertModel(BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2)).save_pretrained(folder)
    config = TorchAoConfig(Int8WeightOnlyConfig())
    quantized = BertModel.from_pretrained(folder, quantization_config=config, dtype=torch.float32)
try:
    quantized.half()
except ValueError as error:
    print("of a model that Transformers quantized:", error)
""",
    "half-only-transformers": """import torch

for module in (torch.nn.Linear(2, 2), torch.nn.Conv2d(2, 2, 1), torch.nn.LSTM(2, 2)):
    module.half()
    print(type(module).__name__, {parameter.dtype for parameter in module.parameters()})
""",
    "half-tensorflow": """import transformers

classes = [name for name in dir(transformers) if name.startswith("TF") and name.endswith("Model")]
print("TensorFlow model classes in Transformers:", len(classes))
print("with half():", [name for name in classes if hasattr(getattr(transformers, name), "half")])
""",
    "tensor-cores": """import torch
from torch.utils.benchmark import Timer

device = torch.device(DEVICE)
if device.type != "cuda":
    print(device, "has no Tensor Cores")
else:
    torch.backends.cuda.matmul.allow_tf32 = False
    x = torch.ones(4096, 4096, device=device)
    full, low = (Timer("y @ y", globals={"y": y}).blocked_autorange().median for y in (x, x.half()))
    print("compute capability:", torch.cuda.get_device_capability(device))
    print("float16 products are", full / low, "times as fast as float32 ones; CUDA cores alone: at most 4")
""",
    "modules-without-half": """import torch
from torch import nn

x = torch.rand(2, 4, 8, 8, device=DEVICE)
for module in (nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.MaxPool2d(2), nn.LocalResponseNorm(2)):
    module = module.eval().to(DEVICE)
    module(x)  # runs in float32
    try:
        module.half()(x.half())
        print(type(module).__name__, "runs after half()")
    except RuntimeError as error:
        print(type(module).__name__, "raises:", str(error).splitlines()[0])
""",
    "pitfalls-differ": """import tempfile

import torch
from torch import nn
from torchao.quantization import Int8WeightOnlyConfig
from transformers import BertConfig, BertModel, TorchAoConfig


class Complex(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(8, 4, dtype=torch.complex64))

    def forward(self, x):
        return torch.view_as_real(x.to(torch.complex64) @ self.weight)


def quantized():
    with tempfile.TemporaryDirectory() as folder:
        BertModel(BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2)).save_pretrained(folder)
        config = TorchAoConfig(Int8WeightOnlyConfig())
        return BertModel.from_pretrained(folder, quantization_config=config, dtype=torch.float32)


casts = {"half()": lambda module: module.half(), "to(torch.float16)": lambda module: module.to(torch.float16)}
makers = (lambda: nn.Linear(8, 4), lambda: nn.LayerNorm(8), lambda: nn.LocalResponseNorm(2), Complex, quantized)
for make in makers:
    for name, cast in casts.items():
        module = make().to(DEVICE)
        x = torch.rand(2, 4, 8, 8, device=DEVICE).half()
        try:
            cast(module)
            module(inputs_embeds=x[0]) if make is quantized else module(x)
            print(type(module).__name__, "runs after", name)
        except (RuntimeError, ValueError) as error:
            print(type(module).__name__, "after", name, "raises:", str(error).splitlines()[0])
""",
}
"""By the claim's id."""
