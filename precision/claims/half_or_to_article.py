"""The claims of the article on `half()` against `to(torch.float16)`."""

from precision.claims.claim import Claim, half_or_to

_COPIES = """\
import copy

half, to = copy.deepcopy(model).half(), copy.deepcopy(model).to(torch.float16)
"""
_TIMED = """\
from torch.utils.benchmark import Timer

def time(model, dtype):
    names = {"run": run, "model": model, "dtype": dtype}
    return Timer("run(model, dtype)", globals=names).blocked_autorange(min_run_time=0.1).median


"""

HALF_OR_TO_CLAIMS = (
    Claim(
        id="half-from-transformers",
        question="Who provides half()?",
        statements=half_or_to(
            "Hugging Face Transformers, made for its own models.", "It supports PyTorch and TensorFlow natively."
        ),
        method="See in which module half() is defined, whether Transformers' own version casts differently, and what "
        "it does to a model that Transformers quantized. Look for half() in Transformers' TensorFlow model classes.",
        scope="with the installed packages",
        code="""\
import inspect
from precision.measure.claims.shown.attempt import raised
from precision.measure.claims.shown.small_bert import quantized_bert
from precision.measure.claims.shown.tensorflow import tensorflow_models
from transformers import PreTrainedModel

print("torch.nn.Module.half is defined in:", torch.nn.Module.half.__module__)
print("what Transformers makes of it:")
print(inspect.getsource(PreTrainedModel.half))
print("of a model that Transformers quantized:", raised(quantized_bert().half))
print("TensorFlow model classes in Transformers, and whether they have half():", tensorflow_models())
""",
    ),
    Claim(
        id="half-only-transformers",
        question="Does half() work on Transformers models only?",
        statements=half_or_to(
            "It does; other modules need to(torch.float16).",
            "to(torch.float16) casts any PyTorch module, whatever library it comes from.",
        ),
        method="Call both on modules of torch.nn, and to(torch.float16) on a copy of this model; read the dtypes of "
        "the parameters.",
        scope="for this model",
        code="""\
import copy
from precision.measure.claims.shown.any_module import cast_modules
from precision.measure.claims.shown.calls import CALLS

for name, call in CALLS.items():
    print("all float16 after", name, cast_modules(call, this_model=copy.deepcopy(model)))
""",
    ),
    Claim(
        id="quantization",
        question="Do the two calls quantize the model?",
        statements=half_or_to("Both achieve quantization."),
        method="See how many parameters are integers with a scale after either call; the others are floating-point "
        "still.",
        scope="for this model",
        code=_COPIES
        + """\
for name, module in {"half()": half, "to(torch.float16)": to}.items():
    parameters = list(module.parameters())
    print("after", name, "floating-point:", sum(p.is_floating_point() for p in parameters), "of", len(parameters))
""",
    ),
    Claim(
        id="to-casts-more",
        question="Does to(torch.float16) cast tensors that half() leaves alone?",
        statements=half_or_to(
            "This is the main difference between the two.",
            "half() casts weights only; buffers and other tensors stay as they are.",
            "to(torch.float16) converts the whole model, buffers and other tensors included.",
        ),
        method="List the stored tensors whose dtype differs between a copy after half() and one after "
        "to(torch.float16), those that are not float16 after the latter, and the floating-point buffers after half(); "
        "without any, those of a BatchNorm.",
        scope="for this model",
        code="""\
import copy

for model in (model, torch.nn.BatchNorm1d(2)):
    half, to = copy.deepcopy(model).half(), copy.deepcopy(model).to(torch.float16)
    tensors = [dict(m.named_parameters()) | dict(m.named_buffers()) for m in (model, half, to)]
    print(type(model).__name__, "stores", len(tensors[0]), "tensors")
    for name, each in {"half()": tensors[1], "to(torch.float16)": tensors[2]}.items():
        print("cast by", name, sum(each[fqn].dtype != before.dtype for fqn, before in tensors[0].items()))
        print("not float16:", {fqn: tensor.dtype for fqn, tensor in each.items() if tensor.dtype != torch.float16})
    for name, buffer in model.named_buffers():
        print(name, buffer.dtype, "becomes", tensors[1][name].dtype, "by half(),", tensors[2][name].dtype, "by to()")
""",
    ),
    Claim(
        id="internal-state",
        question="Does either call change anything of the model besides its tensors?",
        statements=half_or_to("Both switch all internal state of the model to float16."),
        method="Compare all settings (numbers, texts, dtypes, hooks) of all modules, and the configuration, before and "
        "after.",
        scope="for this model",
        code=_COPIES
        + """\
from precision.measure.claims.shown.settings import settings_of

before = settings_of(model)
print("settings and hooks:", len(before))
for name, module in {"half()": half, "to(torch.float16)": to}.items():
    after = settings_of(module)
    print("changed by", name, [key for key in before if before[key] != after.get(key)])
""",
    ),
    Claim(
        id="interchangeable",
        question="Can the two calls be used interchangeably?",
        statements=half_or_to(
            "No: which one is better depends on the use.",
            "A model that needs activations in float16 should be cast by to(torch.float16).",
        ),
        method="Compare stored tensors, outputs and bytes after half() with those after to(torch.float16), bit "
        "for bit; compare the dtypes of all layers' outputs.",
        scope="for this model, on this device",
        code=_COPIES
        + """\
from precision.measure.claims.shown.attempt import raised
from precision.measure.claims.shown.watching import activations

one, other = (dict(m.named_parameters()) | dict(m.named_buffers()) for m in (half, to))
differ = [name for name in one if one[name].dtype != other[name].dtype or not torch.equal(one[name], other[name])]
print("stored tensors that differ:", differ)
outputs = []
for name, module in {"half()": half, "to(torch.float16)": to}.items():
    with activations(module) as counts:
        said = raised(lambda: outputs.append(run(module, torch.float16)))
    print("outputs of layers after", name, dict(counts), f"raises: {said}" if said else "")
print("outputs are bit-identical:", len(outputs) == 2 and torch.equal(*outputs))
""",
    ),
    Claim(
        id="activations-cast",
        question="Are activations float16 after the cast?",
        statements=half_or_to("Both calls convert weights and activations."),
        method="Run a copy after half() and count the dtypes of the floating-point outputs of all layers.",
        scope="for this model, on this device",
        code="""\
import copy
from precision.measure.claims.shown.watching import activations

half = copy.deepcopy(model).half()
with activations(half) as counts:
    run(half, torch.float16)
print("floating-point outputs of layers after half():", dict(counts))
""",
    ),
    Claim(
        id="inputs-cast",
        question="Does half() cast the inputs?",
        statements=half_or_to("Inputs are cast without extra code.", "Only to(torch.float16) needs them cast by hand."),
        method="Give the model float32 inputs after either call; use a linear layer if the model takes none.",
        scope="for this model, on this device",
        code="""\
import copy
from precision.measure.claims.shown.attempt import raised
from precision.measure.claims.shown.calls import CALLS

for name, call in CALLS.items():
    layer, module = torch.nn.Linear(2, 2), copy.deepcopy(model)
    call(layer), call(module)
    print("after", name, "on float32 inputs")
    print("  this model:", raised(lambda: run(module, torch.float32)) or "runs")
    print("  a linear layer:", raised(lambda: layer(torch.zeros(1, 2))) or "runs")  # which takes floating-point input
""",
    ),
    Claim(
        id="outputs-cast",
        question="Does half() cast the outputs, so that no precision is lost?",
        statements=half_or_to("Outputs are cast.", "Precision is maintained by correct casting."),
        method="Read the dtypes of the floating-point outputs after half(), after to(torch.float16) and before. half() "
        "and then float(): count the parameter values that come back unchanged.",
        scope="for this model, on this device",
        code=_COPIES
        + """\
from precision.measure.claims.shown.attempt import raised

print("in float32:", run(model, torch.float32).dtype)
for name, module in {"half()": half, "to(torch.float16)": to}.items():
    print("after", name, raised(lambda: print(run(module, torch.float16).dtype)) or "it runs")
back = copy.deepcopy(model).half().float()
same = sum((a == b).sum().item() for a, b in zip(model.parameters(), back.parameters(), strict=True))
print("parameter values that come back unchanged:", same, "of", sum(p.numel() for p in model.parameters()))
""",
    ),
    Claim(
        id="half-optimized",
        question="Does half() have optimizations or special handling that to(torch.float16) lacks?",
        statements=half_or_to(
            "It runs optimizations, tuned for models of Transformers.",
            "to(torch.float16) lacks the special handling that half() has for them.",
        ),
        method="Record every operator, with its dtypes, of a run after either call, and compare the two lists. Read "
        "the modules that the model's class names for float32, and their dtypes after either call.",
        scope="for this model, on this device",
        code=_COPIES
        + """\
from precision.measure.claims.shown.islands import float32_islands
from precision.measure.claims.shown.watching import Operators

seen = []
for module in (half, to):
    with Operators() as operators:
        run(module, torch.float16)
    seen.append(operators.seen)
print("operators after half():", len(seen[0]), "after to():", len(seen[1]))
print("the same, in the same order and dtypes:", seen[0] == seen[1])
for name, parameters in float32_islands(model).items():
    for fqn in parameters:
        print("named for float32:", fqn, half.get_parameter(fqn).dtype, to.get_parameter(fqn).dtype)
""",
    ),
    Claim(
        id="memory-halved",
        question="Does half precision halve the memory?",
        statements=half_or_to("Half of the memory is saved."),
        method="Add up the bytes of all stored tensors, tied ones once, before and after half().",
        scope="for this model",
        code="""\
import copy

for name, module in {"before": model, "after half()": copy.deepcopy(model).half()}.items():
    sizes = {tensor.data_ptr(): tensor.nbytes for tensor in (*module.parameters(), *module.buffers())}
    print("bytes", name, sum(sizes.values()))
""",
    ),
    Claim(
        id="twice-as-fast",
        question="Is inference faster in float16?",
        statements=half_or_to("By up to two times."),
        method="Time float32 and half() in alternating blocks; median with interquartile range.",
        scope="for this model, on this device",
        code="import copy\n"
        + _TIMED
        + """\
half = copy.deepcopy(model).half()
for _ in range(3):
    print("float32:", time(model, torch.float32), "s; half():", time(half, torch.float16), "s")
""",
    ),
    Claim(
        id="half-faster",
        question="Is a model faster and smaller after half() than after to(torch.float16)?",
        statements=half_or_to("Generally it is faster.", "It takes less memory."),
        method="Time both in alternating blocks, with a second copy after half() to see how much equal "
        "models differ.  Add up the bytes of all stored tensors after either call.",
        scope="for this model, on this device",
        code=_TIMED
        + _COPIES
        + """\
models = {"half()": half, "half() again": copy.deepcopy(model).half(), "to()": to}
for _ in range(3):
    print({name: time(each, torch.float16) for name, each in models.items()})
for name, each in models.items():
    sizes = {tensor.data_ptr(): tensor.nbytes for tensor in (*each.parameters(), *each.buffers())}
    print("bytes after", name, sum(sizes.values()))
""",
    ),
    Claim(
        id="tensor-cores",
        question="Does float16 use Tensor Cores?",
        statements=half_or_to("It uses NVIDIA's Tensor Cores."),
        method="On a CUDA device: time large matrix products. More than 4 × full float32's speed needs Tensor Cores.",
        scope="on this device",
        code="""\
from torch.utils.benchmark import Timer

if device.type != "cuda":
    print(device, "has no Tensor Cores")
else:
    torch.backends.cuda.matmul.allow_tf32 = False
    x = torch.ones(4096, 4096, device=device)
    full, low = (Timer("y @ y", globals={"y": y}).blocked_autorange().median for y in (x, x.half()))
    print("compute capability:", torch.cuda.get_device_capability(device))
    print("float16 products are", full / low, "times as fast as float32 ones; CUDA cores alone: at most 4")
""",
    ),
    Claim(
        id="modules-without-half",
        question="Are there modules that break after one of the calls?",
        statements=half_or_to(
            "Some have no half precision, and do not work after half().",
            "Each call has pitfalls of its own: to(torch.float16) where not all components are compatible.",
        ),
        method="Run modules of torch.nn, and a model that Transformers quantized, in float32 and after either call; "
        "list those that run in float32 only, and compare what fails.",
        scope="on this device",
        code="""\
from precision.measure.claims.shown.modules import failing_modules

for name, said in failing_modules(device).items():
    print(name, said)
""",
    ),
)
