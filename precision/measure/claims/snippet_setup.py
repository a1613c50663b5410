"""The lines that make a model and its input, before those that show a claim's evidence."""

from typing import NamedTuple

from precision.models.architectures import ARCHITECTURES, Architecture
from precision.models.catalogue import HUB_PREFIX
from precision.results import InputDescription
from precision.spec import INPUT, RunSpec

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
    """Code that a claim's own lines come after; it finds `device` set."""

    model: str
    """Leaves `model` behind."""
    run: str
    """Leaves `run(model, dtype)` behind, which returns the model's (first) output."""


def setup(spec: RunSpec, *, kind: str, given: InputDescription) -> Setup:
    """Code that makes a model and runs it.

    Models of transformers and the articles' are made in plain code, with the product's own weights and random inputs
    where it draws them; of a checkpoint, the input is drawn token ids. All others are loaded by this package.
    """
    if spec.model in ARCHITECTURES:
        return _architecture(ARCHITECTURES[spec.model], spec, given)
    if spec.model.startswith(HUB_PREFIX):
        return _checkpoint(spec, kind, given)
    if spec.model == "tinynet" and given.name == "fixed":
        return _of_articles("TinyNet", "torch.tensor([[0, 1], [1, 0]])", seed=spec.seed)
    if spec.model == "linear-5-10":
        inputs = f"torch.randn({given.tensors[0][2]}, generator=torch.Generator().manual_seed({spec.seed}))"
        return _of_articles("CustomLinear", inputs, seed=spec.seed)
    return _ours(spec)


def _of_articles(kind: str, inputs: str, *, seed: int) -> Setup:
    return Setup(
        model=f"""\
from precision.measure.models.articles import {kind}
torch.manual_seed({seed})
model = {kind}().eval().to(device)
""",
        run=f"inputs = [{inputs}.to(device)]\n\n{_RUN}",
    )


def _architecture(architecture: Architecture, spec: RunSpec, given: InputDescription) -> Setup:
    place = _WHISPER if architecture.model == "WhisperEncoder" else "transformers"
    settings = ", ".join(f"{name}={value!r}" for name, value in architecture.settings.items())
    rest = "".join(f", {name}={value!r}" for name, value in architecture.forward.items())
    return Setup(
        model=f"""\
from transformers import {architecture.config}
from {place} import {architecture.model}
torch.manual_seed({spec.seed})
model = {architecture.model}({architecture.config}({settings})).eval().to(device)
""",
        run=f"{_drawn(given, spec.seed)}\n\n{_RUN_NAMED.replace('@REST@', rest)}",
    )


def _checkpoint(spec: RunSpec, kind: str, given: InputDescription) -> Setup:
    source = spec.model.removeprefix(HUB_PREFIX).strip()
    ids = given.model_copy(update={"tensors": tuple(row for row in given.tensors if row[0].endswith("input_ids"))})
    return Setup(
        model=f"""\
from transformers import {kind}
model = {kind}.from_pretrained({source!r}, dtype=torch.float32).eval().to(device)
""",
        run=f"{_drawn(ids, spec.seed)}\n\n{_RUN_NAMED.replace('@REST@', '')}",
    )


def _drawn(given: InputDescription, seed: int) -> str:
    lines = [f"generator = torch.Generator().manual_seed({seed})", "inputs = {}"]
    for name, dtype, shape in given.tensors:
        values = f"torch.randn({shape}, generator=generator)"
        if not dtype.startswith("float"):
            values = f"torch.randint(0, model.config.vocab_size, {shape}, generator=generator)"
        lines.append(f"inputs[{name!r}] = {values}.to(device)")
    return "\n".join(lines)


def _ours(spec: RunSpec) -> Setup:
    settings = ", ".join(
        f"{name}={value!r}"
        for name, value in spec.model_dump(include={"model", *INPUT}).items()
        if name == "model" or value != type(spec).model_fields[name].default
    )
    return Setup(
        model=f"""\
from precision.measure.models.loading import load
from precision.spec import RunSpec
loaded = load(RunSpec({settings}))
model = loaded.module.to(device)
""",
        run="""\
from torch.utils._pytree import tree_leaves, tree_map


def run(model, dtype):
    def given(x):
        return x.to(device, dtype if x.is_floating_point() else x.dtype) if torch.is_tensor(x) else x

    args, kwargs = tree_map(given, (loaded.args, dict(loaded.kwargs)))
    with torch.no_grad():
        return tree_leaves(model(*args, **kwargs))[0]
""",
    )
