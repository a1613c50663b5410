"""Which operators autocast lowers on this device, measured."""

import streamlit as st

from pages.ui import detail, downloads, frame, share
from pages.ui.casting import autocast_model
from pages.ui.casting.format import require_16_bits
from pages.ui.job import current_result
from precision.findings.autocast import autocast_table
from precision.results import AutocastResult
from precision.results.autocast import AutocastRule
from precision.text.names import escape_markdown
from precision.text.units import count_text

HOW_TO_READ = """\
Every operator was run under `torch.autocast` on this device. Its rule follows from the dtype of its result. The columns
list the dtypes of the kernels that ran; an operator may run several.

- **lower**: returns the format although its inputs are float32. Matrix products gain most from it.
- **float32**: returns float32 although its inputs are in the format.
- **widest input**: where inputs have different dtypes, returns the widest of them.
- **as given**: autocast does not change it; inputs of different dtypes may raise an error.
- **not run**: it raised an error with float32 inputs; the reason is in its row.

**With gradients** says whether an operator also runs, forward and backward, if its float32 inputs require gradients, as
in training; the other columns are from runs without gradients. It is *the same*, it *computes in* other dtypes, it
*raises* an error, or it is *not differentiable*: its output has no gradient.

**For mixed inputs**: the first in the format, the others in float32. In an empty cell it raised, or it has one input.

The table is for this device and this version of torch, and does not depend on the model. Other devices differ.
"""
_RULES: tuple[AutocastRule, ...] = ("lower", "float32", "widest input", "as given", "not run")


def section() -> None:
    """How many operators have each rule, the operators of the model, and a table of all."""
    require_16_bits("Autocast lowers to float16 or bfloat16", "Autocast has no other formats. Choose one of these.")
    result = current_result(AutocastResult)
    dtype, device = result.spec.dtype, escape_markdown(result.device.id)
    lowered, tried = len(result.of_rule("lower")), len(result.operators)
    with st.container(key=share.ANSWER):
        frame.title(f"Autocast lowers {lowered} of {count_text(tried, 'operator')} to {dtype}", result)
        st.caption(f"{device}, {escape_markdown(result.device.name)} · for every model · **measured**")
    frame.say_troubles(result)
    autocast_model.section()
    if detail.shows_all("the rule of every operator"):
        _operators(result)
    frame.footer(result, how_to_read=HOW_TO_READ)


def _operators(result: AutocastResult) -> None:
    st.header("Every operator, by its rule", anchor=False)
    for rule in _RULES:
        if operators := result.of_rule(rule):
            names = ", ".join(f"`{operator.name}`" for operator in operators)
            st.markdown(f"**{rule}** ({len(operators)}): {names}")
    st.markdown(_gradients_text(result))
    downloads.table(
        autocast_table(result),
        name=f"{downloads.file_stem(result)}-operators",
        key="operators",
        alt="The rule of every operator under autocast, and the dtypes in which it computed",
        pinned=True,
    )


def _gradients_text(result: AutocastResult) -> str:
    if not result.untrainable:
        return "With gradients required, as in training, every operator that runs here runs too."
    names = ", ".join(f"`{operator.name}`" for operator in result.untrainable)
    return f"With gradients required, as in training, {names} cannot run: see the last column of the table."
