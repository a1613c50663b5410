"""What the article on loading a model in full and in half precision claims. Needs no torch."""

from __future__ import annotations

from precision.claims.claim import LOADING, Claim

LOADING_CLAIMS = (
    Claim(
        id="loaded-in-float32",
        article=LOADING,
        question="In which dtype does PyTorch make a model's parameters?",
        claim="In float32, unless told otherwise.",
        method="Make a linear layer without naming a dtype, and read torch's default.",
        scope="with the installed packages",
    ),
    Claim(
        id="checkpoint-in-float32",
        article=LOADING,
        question="Is a checkpoint loaded in float32 too?",
        claim="Parameters are loaded in float32 by default.",
        method="Save a small model in float16; load it with load_state_dict and with from_pretrained, naming no dtype.",
        scope="with the installed packages",
    ),
    Claim(
        id="named-parameters",
        article=LOADING,
        question="Do the dtypes in named_parameters() tell those of the whole model?",
        claim="They show the model's data type, which is that of its learnable parameters.",
        method="Compare the dtypes of named_parameters() with those of every tensor that the model stores.",
        scope="for this model",
    ),
    Claim(
        id="half-casts-parameters",
        article=LOADING,
        question="Are all parameters float16 after half()?",
        claim="half() turns every parameter from float32 into float16.",
        method="Read the dtype of every parameter before and after half() of a copy.",
        scope="for this model",
    ),
    Claim(
        id="cpu-throws",
        article=LOADING,
        question="Does the model raise an error when it runs in float16 on the CPU?",
        claim="On a CPU it would: float16 kernels are missing there.",
        method="Cast a copy with half() and run it on the CPU.",
        scope="for this model, on this device",
    ),
    Claim(
        id="cpu-kernels",
        article=LOADING,
        question="Which operators have no float16 kernel on the CPU?",
        claim="All of them: float16 is not implemented on the CPU.",
        method="Run operators on the CPU in float32 and in float16; count those that run in float32 only.",
        scope="on this device",
    ),
    Claim(
        id="gpu-unasked",
        article=LOADING,
        question="Does a model move to the GPU by itself?",
        claim="Where there is a GPU, PyTorch runs the model on it unasked.",
        method="On a machine with an accelerator: make and run a float16 layer without naming a device.",
        scope="on this device",
    ),
    Claim(
        id="article-numbers",
        article=LOADING,
        question="Are the article's outputs and errors of TinyNet in float16 reproduced?",
        claim="Outputs of −0.6872 and 0.7132 become −0.6870 and 0.7134: mean absolute difference 0.000204548, largest "
        "0.000225902.",
        method="Run the same TinyNet, with the same seed, in float32 and after half(); subtract in float32.",
        scope="on this device",
    ),
    Claim(
        id="small-error",
        article=LOADING,
        question="Is the error of half() small?",
        claim="What is lost is not much.",
        method="Compare the outputs with float32's, against the error of merely rounding them to float16 and against "
        "what they decide.",
        scope="for this model, on this device",
    ),
    Claim(
        id="no-impact",
        article=LOADING,
        question="Does float16 leave this model's results as they were?",
        claim="In most cases performance is not affected at all.",
        method="Count the output elements that are unchanged, and the samples that got another first class.",
        scope="for this model, on this device",
    ),
    Claim(
        id="most-models",
        article=LOADING,
        question="Do most models decide the same after half()?",
        claim="In most cases half precision costs no performance.",
        method="Take performance for what is decided. Run small classifiers and language models of several kinds, none "
        "of them made to overflow, in float32 and after half(); count the samples that get another first class.",
        scope="on this device",
    ),
)
