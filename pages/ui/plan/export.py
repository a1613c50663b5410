"""Exports of a plan: PyTorch code, JSON, and lists for other libraries."""

import json
import shlex

import streamlit as st

from pages.ui import downloads, frame
from pages.ui.plan.budget import Chosen
from precision.plan.export import keep_in_float32, plan_code, plan_json, runtime_needs, torchao_configs
from precision.results import SensitivityResult
from precision.results.plan import Plan
from precision.spec import RunSpec
from precision.text.names import escape_markdown


def section(result: SensitivityResult, chosen: Chosen) -> None:
    """Every form of the plan, each with its download."""
    stem, plan = f"{downloads.file_stem(result)}-plan", chosen.plan
    with st.expander("Take the plan home", icon=":material/output:"):
        needs = runtime_needs(plan)
        if needs:
            said = f"No PyTorch code: torch does not compute in every format of the plan. {' '.join(needs)}"
            st.info(escape_markdown(said), icon=":material/memory:")
        else:
            code = plan_code(plan)
            downloads.text_file("PyTorch code", code, name=f"{stem}.py", mime="text/x-python", key="take-code")
            st.code(code, language="python", height=280)
        downloads.text_file(
            "Plan as JSON", plan_json(plan), name=f"{stem}.json", mime="application/json", key="take-plan-json"
        )
        _lists(plan, stem)
        st.caption("The same on the command line, run and written to a file:")
        st.code(_command(result.spec, chosen), language="bash", wrap_lines=True)
        if chosen.kind == "time":
            st.caption("The command measures times again, so its plan may differ a little.")


def _lists(plan: Plan, stem: str) -> None:
    keep = keep_in_float32(plan)
    if keep is None:
        st.caption("transformers: no list, since the plan is not float32 and one 16-bit format.")
    else:
        st.caption(
            escape_markdown(
                f"transformers: load with dtype=torch.{keep.dtype} and these modules in {keep.attribute}. What is "
                "outside the layers is then in 16 bits too: the errors differ a little from the plan's."
            )
        )
        text = json.dumps(list(keep.modules), indent=2)
        downloads.text_file(
            "Modules to keep in float32", text, name=f"{stem}-keep.json", mime="application/json", key="take-keep-json"
        )
    configs = torchao_configs(plan)
    if configs:
        st.caption(
            "torchao: entries of FqnToConfig, for quantize_(model, config, filter_fn=None). Its scales are for "
            "other groups of values: errors are similar to the plan's, not equal.".replace("_", "\\_")
        )
        text = json.dumps(configs, indent=2)
        downloads.text_file(
            "Modules and torchao configs",
            text,
            name=f"{stem}-torchao.json",
            mime="application/json",
            key="take-torchao-json",
        )
    else:
        st.caption("torchao: no list, since it has no class for the formats of the linear layers.")


def _command(spec: RunSpec, chosen: Chosen) -> str:
    asked, share = chosen.constraints, f"{chosen.value / 100:g}"
    budget = {
        "bytes": ("--bytes-share", share),
        "time": ("--time-share", share),
        "error": ("--min-sqnr", f"{chosen.value:g}"),
    }[chosen.kind]
    given = {
        "--keep-norms": asked.keep_norms,
        "--native": asked.formats is not None,
        "--split-ties": not asked.tied_together,
    }
    flags = [flag for flag, is_given in given.items() if is_given]
    kept = ["--keep", ",".join(asked.keep)] if asked.keep else []  # read by plans, not by sensitivities
    settings = spec.model_copy(update={"exact": False})
    start = frame.command_line(settings).replace(f" {spec.analysis.value} ", " plan ", 1)
    file = "plan.json" if runtime_needs(chosen.plan) else "plan.py"
    return f"{start} {shlex.join([*kept, *flags, *budget, '--verify', '--export', file])}"
