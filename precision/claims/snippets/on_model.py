"""Code that shows a claim's evidence on `model`, which the lines before it made, with `run(model, dtype)`."""

from __future__ import annotations

from collections.abc import Mapping

_COPIES = "half, to = copy.deepcopy(model).half(), copy.deepcopy(model).to(torch.float16)\n"
_CASTS = 'casts = {"half()": lambda m: m.half(), "to(torch.float16)": lambda m: m.to(torch.float16)}\n'
_HOOKED = """

def activations(model):
    seen = Counter()

    def after(module, inputs, output):
        seen.update(str(x.dtype) for x in tree_leaves(output) if torch.is_tensor(x) and x.is_floating_point())

    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(after)
    run(model, torch.float16)
    return dict(seen)


"""
_IMPORTS_HOOKED = "from collections import Counter\n\nfrom torch.utils._pytree import tree_leaves\n"
_TIMED = """from torch.utils.benchmark import Timer

def time(model, dtype):
    names = {"run": run, "model": model, "dtype": dtype}
    return Timer("run(model, dtype)", globals=names).blocked_autorange(min_run_time=0.1).median


"""

ON_MODEL: Mapping[str, str] = {
    "named-parameters": """listed = {str(parameter.dtype) for name, parameter in model.named_parameters()}
print("named_parameters():", listed)
for name, buffer in model.named_buffers():
    print("not listed:", name, buffer.dtype)
""",
    "half-casts-parameters": """half = copy.deepcopy(model).half()
print("before:", {parameter.dtype for parameter in model.parameters()})
print("after half():", {parameter.dtype for parameter in half.parameters()})
""",
    "cpu-throws": """print("on:", {parameter.device.type for parameter in model.parameters()})
try:
    print("runs, and returns", run(copy.deepcopy(model).half(), torch.float16).dtype)
except RuntimeError as error:
    print("raises:", error)
""",
    "small-error": """full, low = run(model, torch.float32), run(copy.deepcopy(model).half(), torch.float16)
error = low.double() - full.double()
rounding = full.half().double() - full.double()
print("root mean square error of the first output:", error.square().mean().sqrt().item())
print("of merely rounding the outputs:", rounding.square().mean().sqrt().item())
""",
    "no-impact": """full, low = run(model, torch.float32), run(copy.deepcopy(model).half(), torch.float16)
print("outputs unchanged:", (full == low.float()).sum().item(), "of", full.numel())
print("first class changed:", (full.argmax(-1) != low.argmax(-1)).sum().item(), "of", full[..., 0].numel())
""",
    "to-any-module": """for module in (torch.nn.Linear(2, 2), torch.nn.LSTM(2, 2), copy.deepcopy(model)):
    module.to(torch.float16)
    print(type(module).__name__, {parameter.dtype for parameter in module.parameters()})
""",
    "in-place": _CASTS
    + """for name, cast in casts.items():
    module = copy.deepcopy(model)
    print(name, "returns the same object:", cast(module) is module)
    print("  and it is now:", {parameter.dtype for parameter in module.parameters()})
""",
    "same-goal": _COPIES
    + """pairs = list(zip(half.parameters(), to.parameters(), strict=True))
print("bit-identical:", sum(torch.equal(a, b) and a.dtype == b.dtype for a, b in pairs), "of", len(pairs), "parameters")
""",
    "quantization": _CASTS
    + """for name, cast in casts.items():
    parameters = list(cast(copy.deepcopy(model)).parameters())
    print("after", name, "floating-point:", sum(p.is_floating_point() for p in parameters), "of", len(parameters))
""",
    "weights-only": """for module in (copy.deepcopy(model), torch.nn.BatchNorm1d(2)):
    before = {name: buffer.dtype for name, buffer in module.named_buffers()}
    module.half()
    for name, buffer in module.named_buffers():
        print(type(module).__name__, name, before[name], "becomes", buffer.dtype)
""",
    "to-converts-all": """to = copy.deepcopy(model).to(torch.float16)
tensors = dict(to.named_parameters()) | dict(to.named_buffers())
print("stored tensors:", len(tensors))
for name, tensor in tensors.items():
    if tensor.dtype != torch.float16:
        print("not float16:", name, tensor.dtype)
""",
    "to-casts-more": _COPIES
    + """tensors = [dict(m.named_parameters()) | dict(m.named_buffers()) for m in (model, half, to)]
for name in tensors[0]:
    before, after_half, after_to = (each[name].dtype for each in tensors)
    if after_half != after_to:
        print(name, before, "half():", after_half, "to():", after_to)
print("cast by half():", sum(tensors[0][name].dtype != tensors[1][name].dtype for name in tensors[0]))
print("cast by to():", sum(tensors[0][name].dtype != tensors[2][name].dtype for name in tensors[0]))
""",
    "internal-state": """def settings(model):
    plain = (bool, int, float, str, type(None), torch.dtype)
    return {
        f"{fqn}.{name}": value if isinstance(value, plain) else len(value)
        for fqn, module in model.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, plain) or name.endswith("hooks")
    }


half = copy.deepcopy(model).half()
before, after = settings(model), settings(half)
print("settings and hooks:", len(before))
print("changed by half():", [name for name in before if before[name] != after[name]])
""",
    "precision-kept": """back = copy.deepcopy(model).half().float()
same = sum((a == b).sum().item() for a, b in zip(model.parameters(), back.parameters(), strict=True))
print("values that come back unchanged:", same, "of", sum(p.numel() for p in model.parameters()))
""",
    "interchangeable": _COPIES
    + """one, other = (dict(m.named_parameters()) | dict(m.named_buffers()) for m in (half, to))
differ = [name for name in one if one[name].dtype != other[name].dtype or not torch.equal(one[name], other[name])]
print("stored tensors that differ:", differ)
outputs = []
for name, module in {"half()": half, "to()": to}.items():
    try:
        outputs.append(run(module, torch.float16))
    except Exception as error:
        print("after", name, "it raises:", error)
print("outputs are bit-identical:", len(outputs) == 2 and torch.equal(*outputs))
""",
    "activations-cast": _IMPORTS_HOOKED
    + _HOOKED
    + """print("floating-point outputs of layers after half():", activations(copy.deepcopy(model).half()))
""",
    "activations-need-to": _IMPORTS_HOOKED
    + _HOOKED
    + _COPIES
    + """print("after half():", activations(half))
print("after to(torch.float16):", activations(to))
""",
    "inputs-cast": """layer = torch.nn.Linear(2, 2).half()  # for models that take no floating-point input
for name, call in {
    "this model": lambda: run(copy.deepcopy(model).half(), torch.float32),
    "a linear layer": lambda: layer(torch.zeros(1, 2)),
}.items():
    try:
        call()
        print(name, "runs on its inputs as they are")
    except RuntimeError as error:
        print(name, "raises on float32 inputs:", error)
""",
    "outputs-cast": _COPIES
    + """print("in float32:", run(model, torch.float32).dtype)
for name, module in {"half()": half, "to(torch.float16)": to}.items():
    try:
        print("after", name, run(module, torch.float16).dtype)
    except RuntimeError as error:
        print("after", name, "it raises:", error)
""",
    "manual-casting": _CASTS
    + """for name, cast in casts.items():
    layer = cast(torch.nn.Linear(2, 2))  # for models that take no floating-point input
    for kind, call in {
        "this model": lambda: run(cast(copy.deepcopy(model)), torch.float32),
        "a linear layer": lambda: layer(torch.zeros(1, 2)),
    }.items():
        try:
            call()
            print("after", name, kind, "runs on its inputs as they are")
        except RuntimeError as error:
            print("after", name, kind, "raises on float32 inputs:", error)
""",
    "half-optimized": """from torch.utils._python_dispatch import TorchDispatchMode


class Operators(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        dtypes = [x.dtype for x in args if torch.is_tensor(x)]
        self.seen.append((str(func), str(dtypes)))
        return func(*args, **(kwargs or {}))


"""
    + _COPIES
    + """seen = []
for module in (half, to):
    with Operators() as operators:
        run(module, torch.float16)
    seen.append(operators.seen)
print("operators after half():", len(seen[0]), "after to():", len(seen[1]))
print("the same, in the same order and dtypes:", seen[0] == seen[1])
""",
    "half-islands": _COPIES
    + """wanted = {
    name
    for module in model.modules()
    for kind in ("_keep_in_fp32_modules", "_keep_in_fp32_modules_strict")
    for name in getattr(module, kind, None) or ()
}
print("named for float32:", wanted)
for name, module in {"half()": half, "to(torch.float16)": to}.items():
    kept = {str(p.dtype) for fqn, p in module.named_parameters() if wanted & set(fqn.split("."))}
    print("their parameters after", name, kept)
""",
    "memory-halved": """def size(model):
    tensors = {t.data_ptr(): t.nbytes for t in (*model.parameters(), *model.buffers())}
    return sum(tensors.values())


print("bytes before:", size(model))
print("bytes after half():", size(copy.deepcopy(model).half()))
""",
    "half-lighter": """def size(model):
    tensors = {t.data_ptr(): t.nbytes for t in (*model.parameters(), *model.buffers())}
    return sum(tensors.values())


print("bytes after half():", size(copy.deepcopy(model).half()))
print("bytes after to(torch.float16):", size(copy.deepcopy(model).to(torch.float16)))
""",
    "twice-as-fast": _TIMED
    + """half = copy.deepcopy(model).half()
for _ in range(3):
    print("float32:", time(model, torch.float32), "s; half():", time(half, torch.float16), "s")
""",
    "half-faster": _TIMED
    + _COPIES
    + """models = {"half()": half, "half() again": copy.deepcopy(model).half(), "to()": to}
for _ in range(3):
    print({name: time(each, torch.float16) for name, each in models.items()})
""",
}
"""By the claim's id."""
