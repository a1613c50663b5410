"""The lines that make a model and its input, before those that show a claim's evidence."""

from __future__ import annotations

from typing import NamedTuple

from precision.models.architectures import ARCHITECTURES, Architecture
from precision.models.catalogue import HUB_PREFIX
from precision.results import InputDescription
from precision.spec import RunSpec

TINYNET = """
class TinyNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.token_embedding = torch.nn.Embedding(2, 2)
        self.linear_1 = torch.nn.Linear(2, 2)
        self.layernorm_1 = torch.nn.LayerNorm(2)
        self.linear_2 = torch.nn.Linear(2, 2)
        self.layernorm_2 = torch.nn.LayerNorm(2)
        self.head = torch.nn.Linear(2, 2)

    def forward(self, ids):
        hidden = self.layernorm_1(self.linear_1(self.token_embedding(ids)))
        return self.head(self.layernorm_2(self.linear_2(hidden)))
"""

_RUN = """
def run(model, dtype):
    given = [x.to(dtype) if x.is_floating_point() else x for x in inputs]
    with torch.no_grad():
        return model(*given)
"""

_RUN_NAMED = """
def run(model, dtype):
    given = {name: x.to(dtype) if x.is_floating_point() else x for name, x in inputs.items()}
    with torch.no_grad():
        return model(**given@REST@)[0]
"""


_WHISPER = "transformers.models.whisper.modeling_whisper"


class Setup(NamedTuple):
    """Code that a claim's own lines come after."""

    imports: str
    model: str
    """Leaves `model` behind."""
    run: str
    """Leaves `run(model, dtype)` behind, which returns the model's (first) output."""


def setup(spec: RunSpec, *, kind: str, given: InputDescription, device: str) -> Setup:
    """Code that makes a model and runs it.

    Models of transformers and the articles' are made in plain code, with the product's own weights and random inputs
    where it draws them; of a checkpoint, the input is drawn token ids. All others are loaded by this package.
    """
    if spec.model in ARCHITECTURES:
        return _architecture(ARCHITECTURES[spec.model], spec, given, device)
    if spec.model.startswith(HUB_PREFIX):
        return _checkpoint(spec, kind, given, device)
    if spec.model == "tinynet" and given.name == "fixed":
        made, inputs = "TinyNet()", "torch.tensor([[0, 1], [1, 0]])"
        return _plain(TINYNET, made, inputs, seed=spec.seed, device=device)
    if spec.model == "linear-5-10":
        inputs = f"torch.randn({_shape(given, 0)}, generator=torch.Generator().manual_seed({spec.seed}))"
        return _plain("", "torch.nn.Linear(5, 10)", inputs, seed=spec.seed, device=device)
    return _ours(spec, device)


def _plain(definition: str, made: str, inputs: str, *, seed: int, device: str) -> Setup:
    return Setup(
        imports="import torch\n",
        model=f"{definition}\ntorch.manual_seed({seed})\nmodel = {made}.eval().to({device!r})\n",
        run=f"inputs = [{inputs}.to({device!r})]\n\n{_RUN}",
    )


def _architecture(architecture: Architecture, spec: RunSpec, given: InputDescription, device: str) -> Setup:
    imports = f"from transformers import {architecture.config}, {architecture.model}\n"
    if architecture.model == "WhisperEncoder":
        imports = f"from transformers import {architecture.config}\nfrom {_WHISPER} import {architecture.model}\n"
    settings = ", ".join(f"{name}={value!r}" for name, value in architecture.settings.items())
    rest = "".join(f", {name}={value!r}" for name, value in architecture.forward.items())
    return Setup(
        imports=f"import torch\n{imports}",
        model=f"\ntorch.manual_seed({spec.seed})\n"
        f"model = {architecture.model}({architecture.config}({settings})).eval().to({device!r})\n",
        run=f"{_drawn(given, spec.seed, device)}\n\n{_RUN_NAMED.replace('@REST@', rest)}",
    )


def _checkpoint(spec: RunSpec, kind: str, given: InputDescription, device: str) -> Setup:
    source = spec.model.removeprefix(HUB_PREFIX).strip()
    ids = given.model_copy(update={"tensors": tuple(row for row in given.tensors if row[0].endswith("input_ids"))})
    return Setup(
        imports=f"import torch\nfrom transformers import {kind}\n",
        model=f"\nmodel = {kind}.from_pretrained({source!r}, dtype=torch.float32).eval().to({device!r})\n",
        run=f"{_drawn(ids, spec.seed, device)}\n\n{_RUN_NAMED.replace('@REST@', '')}",
    )


def _drawn(given: InputDescription, seed: int, device: str) -> str:
    lines = [f"generator = torch.Generator().manual_seed({seed})", "inputs = {}"]
    for at, (name, dtype, _) in enumerate(given.tensors):
        shape = _shape(given, at)
        values = f"torch.randn({shape}, generator=generator)"
        if not dtype.startswith("float"):
            values = f"torch.randint(0, model.config.vocab_size, {shape}, generator=generator)"
        lines.append(f"inputs[{name!r}] = {values}.to({device!r})")
    return "\n".join(lines)


def _shape(given: InputDescription, at: int) -> str:
    return repr(given.tensors[at][2])


def _ours(spec: RunSpec, device: str) -> Setup:
    settings = ", ".join(
        f"{name}={value!r}"
        for name, value in spec.model_dump(include={"model", "input", "seed", "batch", "length", "text"}).items()
        if name == "model" or value != type(spec).model_fields[name].default
    )
    return Setup(
        imports="import torch\n",
        model=f"""
from precision.measure.models.loading import load
from precision.spec import RunSpec

loaded = load(RunSpec({settings}))
model = loaded.module.to({device!r})
""",
        run=f"""
from torch.utils._pytree import tree_leaves, tree_map


def run(model, dtype):
    def given(x):
        return x.to({device!r}, dtype if x.is_floating_point() else x.dtype) if torch.is_tensor(x) else x

    args, kwargs = tree_map(given, (loaded.args, dict(loaded.kwargs)))
    with torch.no_grad():
        return tree_leaves(model(*args, **kwargs))[0]
""",
    )
