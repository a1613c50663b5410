"""Modules that only the process has that made them: their results come from a file, and here nothing runs them."""

from typing import NoReturn

import streamlit as st

from precision.findings.library_call import library_call
from precision.findings.page_link import page_link
from precision.models.catalogue import describe
from precision.models.opened import file_now, results_of
from precision.spec import RunSpec
from precision.spec.cast_methods import usual_method
from precision.text.names import escape_markdown, for_markdown


def not_in_file(spec: RunSpec) -> NoReturn:
    """The whole page of a run that the file lacks: the call that measures it, and what the file has."""
    name, path = escape_markdown(describe(spec.model).short_title), file_now()
    st.title("Not in the file", anchor=False)
    st.info(
        f"{for_markdown(path.name) if path else 'The file'} has other results of **{name}**, and the module itself is "
        "not here. Measure this where it is, and open both:",
        icon=":material/output:",
    )
    st.code(f"more = {library_call(spec)}\nrun.open(more)", language="python", wrap_lines=True)
    known = [result.spec for result in results_of(spec.model)]
    links = [f"- [{escape_markdown(_in_words(each))}](./{link})" for each in known if (link := page_link(each))]
    st.markdown("\n".join(["The file has:", "", *links]))
    st.stop()


def offer_call(spec: RunSpec) -> None:
    """How to measure it, in place of a button that would."""
    st.caption("The module is not here to be run. Where it is:")
    st.code(library_call(spec), language="python", wrap_lines=True)


def formats_beside(spec: RunSpec) -> list[str]:
    """The other formats, each by its usual method, of which the file has the same comparison."""
    alike = {"dtype": spec.dtype, "method": spec.method, "plan": (), "weights": ()}
    known = (result.spec for result in results_of(spec.model))
    others = (each for each in known if each.dtype != spec.dtype and each.method is usual_method(each.format))
    return [each.dtype for each in others if each.model_copy(update=alike) == spec.model_copy(update=alike)]


def _in_words(spec: RunSpec) -> str:
    return spec.in_words(f"{spec.analysis.value}: {spec.analysis.info.about}".replace("*", ""))
