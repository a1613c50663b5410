"""The claims of the article on loading a model in full and in half precision."""

from precision.claims.claim import Claim, half_or_to, loading

LOADING_CLAIMS = (
    Claim(
        id="loaded-in-float32",
        question="Which dtype do parameters have by default?",
        statements=loading("float32: parameters are created and loaded in it by default."),
        method="Without naming a dtype: create a linear layer, load float16 weights into another with load_state_dict, "
        "and load a float16 checkpoint with from_pretrained.",
        scope="with the installed packages",
        code="""\
from precision.measure.claims.shown.loading import dtypes_unasked

for way, dtype in dtypes_unasked().items():
    print(f"{way}:", dtype)
""",
    ),
    Claim(
        id="named-parameters",
        question="Do the dtypes in named_parameters() show those of the whole model?",
        statements=loading("They show the model's data type, which is that of its learnable parameters."),
        method="Compare the dtypes of named_parameters() with those of every tensor that the model stores.",
        scope="for this model",
        code="""\
print("named_parameters():", {str(parameter.dtype) for name, parameter in model.named_parameters()})
for name, buffer in model.named_buffers():
    print("not listed:", name, buffer.dtype)
""",
    ),
    Claim(
        id="half-casts-parameters",
        question="Does each call, without an assignment, cast all parameters to float16?",
        statements=(
            *loading("half() turns every parameter from float32 into float16."),
            *half_or_to("Both calls convert the weights to float16.", "The call alone does it, without an assignment."),
        ),
        method="Call both on copies: see whether the copy comes back, read the dtype of every parameter before and "
        "after, and compare the parameters after one call with those after the other, bit for bit.",
        scope="for this model",
        code="""\
import copy
from precision.measure.claims.shown.calls import CALLS

print("before:", {parameter.dtype for parameter in model.parameters()})
copies = {name: copy.deepcopy(model) for name in CALLS}
for name, call in CALLS.items():
    print(name, "returns the same object:", call(copies[name]) is copies[name])
    print("  and it is now:", {parameter.dtype for parameter in copies[name].parameters()})
pairs = list(zip(*(each.parameters() for each in copies.values()), strict=True))
print("bit-identical:", sum(torch.equal(a, b) and a.dtype == b.dtype for a, b in pairs), "of", len(pairs), "parameters")
""",
    ),
    Claim(
        id="cpu-throws",
        question="Does float16 fail on the CPU?",
        statements=loading("On a CPU the model would raise an error: float16 kernels are not implemented there."),
        method="Cast a copy with half() and run it on the CPU. Run operators on the CPU in float32 and in float16; "
        "count those that run in float32 only.",
        scope="for this model, on this device",
        code="""\
import copy
from precision.measure.claims.shown.operators import without_float16_kernel

for name, said in without_float16_kernel().items():
    print(name, f"raises: {said}" if said else "runs in float16")
try:
    print("on", device, "the model runs, and returns", run(copy.deepcopy(model).half(), torch.float16).dtype)
except RuntimeError as error:
    print("on", device, "the model raises:", error)
""",
    ),
    Claim(
        id="gpu-unasked",
        question="Does a model move to the GPU by itself?",
        statements=loading("If there is a GPU, PyTorch runs the model on it automatically."),
        method="On a machine with an accelerator: create and run a float16 layer without naming a device.",
        scope="on this device",
        code="""\
from precision.measure.claims.shown.placing import placed_unasked

print("accelerator here:", torch.accelerator.current_accelerator(check_available=True))
for what, where in placed_unasked().items():
    print(what, "is on", where)
""",
    ),
    Claim(
        id="article-numbers",
        question="Are the article's outputs and errors of TinyNet in float16 reproduced?",
        statements=loading(
            "Outputs of −0.6872 and 0.7132 become −0.6870 and 0.7134: mean absolute difference 0.000204548, largest "
            "0.000225902."
        ),
        method="Run the same TinyNet, with the same seed, in float32 and after half(); subtract in float32.",
        scope="on this device",
        code="""\
import copy
from precision.measure.models.articles import TinyNet

torch.manual_seed(123)
model = TinyNet().eval().to(device)
ids = torch.tensor([[0, 1], [1, 0]]).to(device)
with torch.no_grad():
    full, low = model(ids), copy.deepcopy(model).half()(ids)
difference = (full - low).abs()
print("outputs:", full[0, 0].tolist(), "in float16:", low[0, 0].tolist())
print("mean:", difference.mean().item(), "(article: 0.00020454823970794678)")
print("largest:", difference.max().item(), "(article: 0.00022590160369873047)")
""",
    ),
    Claim(
        id="small-error",
        question="Is the error of half() small?",
        statements=loading("The loss is small."),
        method="Compare the outputs with float32's, with the error of only rounding them to float16, and check "
        "what they decide.",
        scope="for this model, on this device",
        code="""\
import copy

full, low = run(model, torch.float32), run(copy.deepcopy(model).half(), torch.float16)
error = low.double() - full.double()
rounding = full.half().double() - full.double()
print("root mean square error of the first output:", error.square().mean().sqrt().item())
print("of merely rounding the outputs:", rounding.square().mean().sqrt().item())
""",
    ),
    Claim(
        id="no-impact",
        question="Does float16 leave this model's results unchanged?",
        statements=loading("In most cases performance is not affected at all."),
        method="Count the output elements that are unchanged, and the samples that changed class.",
        scope="for this model, on this device",
        code="""\
import copy

full, low = run(model, torch.float32), run(copy.deepcopy(model).half(), torch.float16)
print("outputs unchanged:", (full == low.float()).sum().item(), "of", full.numel())
print("first class changed:", (full.argmax(-1) != low.argmax(-1)).sum().item(), "of", full[..., 0].numel())
""",
    ),
    Claim(
        id="most-models",
        question="Do most models decide the same after half()?",
        statements=loading("In most cases half precision costs no performance."),
        method="Here “performance” means the predicted classes. Run small classifiers and language models of several "
        "kinds, none designed to overflow, in float32 and after half(); count the samples that change class.",
        scope="on this device",
        code="""\
import copy
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
    model, given = model.eval().to(device), given.to(device)
    half = copy.deepcopy(model).half()
    with torch.no_grad():
        full = model(given).logits
        low = half(given.half() if given.is_floating_point() else given).logits
    changed = (full.argmax(-1) != low.argmax(-1)).sum().item()
    print(type(model).__name__, "other first class:", changed, "of", full[..., 0].numel())
""",
    ),
)
