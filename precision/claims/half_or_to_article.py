"""What the article on `half()` against `to(torch.float16)` claims. Needs no torch."""

from __future__ import annotations

from precision.claims.claim import HALF_OR_TO, Claim
from precision.results import Scope

_MODEL: Scope = "for this model"
_BOTH: Scope = "for this model, on this device"
_PACKAGES: Scope = "with the installed packages"

_ROWS: tuple[tuple[str, Scope, str, str, str], ...] = (
    (
        "half-from-transformers",
        _PACKAGES,
        "Who provides half()?",
        "Hugging Face Transformers, made for its own models.",
        "See in which module half() is defined, whether Transformers' own version casts differently, and what it does "
        "to a model that Transformers quantized.",
    ),
    (
        "half-only-transformers",
        _PACKAGES,
        "Does half() work on Transformers models only?",
        "It does; other modules need to(torch.float16).",
        "Call half() on modules of torch.nn and read the dtypes of their parameters.",
    ),
    (
        "to-any-module",
        _MODEL,
        "Does to(torch.float16) cast any PyTorch module?",
        "It does, whatever library it comes from.",
        "Call it on modules of torch.nn and on a copy of this model; read the dtypes of the parameters.",
    ),
    (
        "half-tensorflow",
        _PACKAGES,
        "Does half() support TensorFlow?",
        "It supports PyTorch and TensorFlow natively.",
        "Look for TensorFlow model classes in Transformers, and for half() in them.",
    ),
    (
        "in-place",
        _MODEL,
        "Is the model changed by the call alone, without an assignment?",
        "Both calls change the model itself.",
        "Call both on copies; see whether what comes back is the copy, and whether the copy changed.",
    ),
    (
        "same-goal",
        _MODEL,
        "Do both calls bring the parameters to the same values?",
        "Both convert the weights to float16.",
        "Compare every parameter after half() with the one after to(torch.float16), bit for bit.",
    ),
    (
        "quantization",
        _MODEL,
        "Do the two calls quantize the model?",
        "Both achieve quantization.",
        "See how many parameters are integers with a scale after either call; the others are floating-point still.",
    ),
    (
        "weights-only",
        _MODEL,
        "Does half() leave buffers untouched?",
        "It casts weights only; buffers and other tensors stay as they are.",
        "Read the dtypes of all floating-point buffers before and after half(); without any, those of a BatchNorm.",
    ),
    (
        "to-converts-all",
        _MODEL,
        "Does to(torch.float16) convert every tensor of the model?",
        "It converts the whole model, buffers and other tensors included.",
        "Count the stored tensors that are not float16 afterwards.",
    ),
    (
        "to-casts-more",
        _MODEL,
        "Does to(torch.float16) cast tensors that half() leaves alone?",
        "This is the main difference between the two.",
        "List the stored tensors whose dtype differs between a copy after half() and one after to(torch.float16).",
    ),
    (
        "internal-state",
        _MODEL,
        "Does either call change anything of the model besides its tensors?",
        "Both switch to float16 whatever the model keeps about itself.",
        "Compare all settings (numbers, texts, dtypes, hooks) of all modules, and the configuration, before and after.",
    ),
    (
        "precision-kept",
        _MODEL,
        "Does half() maintain the precision of the weights?",
        "Casting is done so that precision is maintained.",
        "half() and then float(): count the parameter values that come back unchanged.",
    ),
    (
        "interchangeable",
        _BOTH,
        "Can the two calls be used interchangeably?",
        "They cannot: which one to prefer depends on the use.",
        "Compare stored tensors, outputs and bytes after half() with those after to(torch.float16), bit for bit.",
    ),
    (
        "activations-cast",
        _BOTH,
        "Are activations float16 after the cast?",
        "Both calls convert weights and activations.",
        "Run a copy after half() and count the dtypes of the floating-point outputs of all layers.",
    ),
    (
        "activations-need-to",
        _BOTH,
        "Do activations in float16 need to(torch.float16)?",
        "A model that needs them should be cast by it rather than by half().",
        "Compare the dtypes of all layers' outputs after both calls.",
    ),
    (
        "inputs-cast",
        _BOTH,
        "Does half() see to it that inputs are cast?",
        "Inputs are cast without a line of code.",
        "Hand the model float32 inputs after half(). A model without floating-point inputs: a linear layer.",
    ),
    (
        "outputs-cast",
        _BOTH,
        "Does half() see to it that outputs are cast?",
        "They are cast so that no precision is lost.",
        "Read the dtypes of the floating-point outputs after half(), after to(torch.float16) and before.",
    ),
    (
        "manual-casting",
        _BOTH,
        "Does only to(torch.float16) need inputs cast by hand?",
        "It does; half() needs none.",
        "Hand float32 inputs to the model after either call. A model without floating-point inputs: a linear layer.",
    ),
    (
        "half-optimized",
        _BOTH,
        "Does half() run optimizations that to(torch.float16) lacks?",
        "It is tuned for models of Transformers.",
        "Record every operator, with its dtypes, of a run after either call, and compare the two lists.",
    ),
    (
        "half-islands",
        _MODEL,
        "Does half() handle what a Transformers model wants kept in float32?",
        "to(torch.float16) lacks the special handling that half() has.",
        "Read the modules that the model's class names for float32, and their dtypes after either call.",
    ),
    (
        "memory-halved",
        _MODEL,
        "Does half precision halve the memory?",
        "Half of the memory is saved.",
        "Add up the bytes of all stored tensors, tied ones once, before and after half().",
    ),
    (
        "half-lighter",
        _MODEL,
        "Does half() take less memory than to(torch.float16)?",
        "It leaves the smaller model.",
        "Add up the bytes of all stored tensors after either call.",
    ),
    (
        "twice-as-fast",
        _BOTH,
        "Is inference faster in float16?",
        "By up to two times.",
        "Time float32 and half() in blocks that take turns; median with interquartile range.",
    ),
    (
        "half-faster",
        _BOTH,
        "Is a model faster after half() than after to(torch.float16)?",
        "Generally it is.",
        "Time both in blocks that take turns, beside a second copy after half(): two equal models differ by that much.",
    ),
    (
        "tensor-cores",
        "on this device",
        "Does float16 make use of Tensor Cores?",
        "NVIDIA's Tensor Cores are put to work.",
        "On a CUDA device: time large matrix products. More than 4 × full float32's speed takes Tensor Cores.",
    ),
    (
        "modules-without-half",
        "on this device",
        "Are there modules that do not work after half()?",
        "Some have no half precision, and break.",
        "Run modules of torch.nn, and a model that Transformers quantized, in float32 and after half(); list those "
        "that run in float32 only.",
    ),
    (
        "pitfalls-differ",
        "on this device",
        "Do the two calls fail on different modules?",
        "Each has pitfalls of its own.",
        "Run modules of torch.nn, and a model that Transformers quantized, after either call; compare what fails.",
    ),
)

HALF_OR_TO_CLAIMS = tuple(
    Claim(id=name, article=HALF_OR_TO, scope=scope, question=question, claim=claim, method=method)
    for name, scope, question, claim, method in _ROWS
)
