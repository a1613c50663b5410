"""What a session has chosen to run. Only this file and `view_state` touch session state and the link.

The sidebar's widgets hold the choice, the link mirrors it: a link opened in a new session sets the widgets once,
and every later change rewrites the link.
"""

from collections.abc import Mapping

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.ui import view_state
from pages.ui.view_state import VIEW
from precision.errors import InputError
from precision.findings.page_link import query_of
from precision.models import pasted
from precision.models.catalogue import HUB_PREFIX, describe
from precision.models.pasted import PASTED_PREFIX
from precision.models.request import OWN_DATA, request_input
from precision.models.uploads import UPLOAD_PREFIX
from precision.results import ModelDescription
from precision.spec import AUTOCAST_DTYPE, Analysis, RunSpec
from precision.spec.keep import Kept
from precision.spec.output_kinds import OutputKind
from precision.text.names import enclosing

PRETRAINED = HUB_PREFIX
"""The picker's entry for a Hugging Face id or folder."""
PASTED = PASTED_PREFIX
"""The picker's entry for code."""
UPLOADED = UPLOAD_PREFIX
"""The picker's entry for a checkpoint from the browser's machine."""
_NAMED_BY = {PRETRAINED: "checkpoint", PASTED: "pasted", UPLOADED: "uploaded"}
"""What holds the rest of the id of a model that is not one of the picker's own."""
_AWAITED = {
    PRETRAINED: "Name a Hugging Face model, or a folder on the server, in the sidebar.",
    PASTED: "Write the model in the sidebar, then press *Use*.",
    UPLOADED: "Choose the checkpoint's files, or its folder, in the sidebar.",
}
_DEFAULT = RunSpec(model="digits", dtype="bfloat16")
"""What a link without a model shows: a trained network on real images."""
_HELD = (
    "dtype",
    "method",
    "device",
    "reference",
    "seed",
    "regime",
    "keep",
    "wide_inputs",
    "plan",
    "weights",
    "outputs",
    "own_weights",
    "candidate_weights",
)
"""Settings of a run that the sidebar holds whatever the model is."""
_SIZES = ("input", "batch", "length", "text", "data")
"""Settings that some models do not have."""


def session_id() -> str:
    """This browser session's id."""
    context = get_script_run_ctx()
    return context.session_id if context else "no-session"


def open_link() -> tuple[str, ...]:
    """Set the widgets from the link, once a session; a link that cannot be followed is kept and explained.

    Returns:
        The names of parameters that are nobody's here, such as those that trackers add; they are gone from the link.
    """
    if "model" in st.session_state:
        return ()
    unknown = tuple(name for name in st.query_params if name not in ("job", *VIEW, *RunSpec.model_fields))
    for name in unknown:
        del st.query_params[name]
    query = {name: value for name, value in st.query_params.to_dict().items() if name not in ("job", *VIEW)}
    try:
        usual = {} if "model" in query else {"model": _DEFAULT.model, "dtype": _DEFAULT.dtype}
        if st.query_params.get("section") == "Autocast":
            usual["dtype"] = AUTOCAST_DTYPE
        spec = RunSpec.parse(usual | query)
        request_input(describe(spec.model), spec)
    except InputError as error:
        spec = _DEFAULT
        st.session_state["link_error"] = str(error)
    _set_widgets(spec)
    st.session_state["jobs"] = {}
    view_state.forget_all_refused()
    st.session_state["linked_job"] = st.query_params.get("job")
    return unknown


def _set_widgets(spec: RunSpec) -> None:
    state = st.session_state
    for name in (*_HELD, *_SIZES):
        state[name] = getattr(spec, name)
    state["model"] = next((entry for entry in _NAMED_BY if spec.model.startswith(entry)), spec.model)
    for entry, named_by in _NAMED_BY.items():
        state[named_by] = spec.model.removeprefix(entry) if state["model"] == entry else ""
    state["pasted_code"] = pasted.text_of(spec.model) if state["model"] == PASTED else pasted.TEMPLATE
    state["method"] = spec.method.value
    state["text"] = spec.text or ""
    state["keep"] = list(spec.keep)
    state["wide_inputs"] = list(spec.wide_inputs)


def link_error() -> str | None:
    """Why the link that opened this session could not be followed, until another choice is made."""
    error: str | None = st.session_state.get("link_error")
    return error


def show_default() -> None:
    """Set every picker to what a link without settings shows."""
    _set_widgets(_DEFAULT)
    choice_changed()


def choice_changed() -> None:
    """A picker moved: an unusable link is forgotten, and the job that it belonged to."""
    st.session_state["link_error"] = None
    st.session_state["jobs"] = {}
    view_state.forget_all_refused()
    st.session_state["linked_job"] = None


def model_changed() -> None:
    """Another model was picked: its input choices are its own."""
    for name in _SIZES:
        st.session_state[name] = {"text": "", "input": "default"}.get(name)
    st.session_state["keep"] = []
    st.session_state["outputs"] = ()
    st.session_state["own_weights"] = st.session_state["candidate_weights"] = None
    st.session_state["wide_inputs"] = []
    drop_plan()


def planned() -> bool:
    """Whether the candidate is a plan, whose layers have different formats, or has weights of several formats."""
    return bool(st.session_state["plan"] or st.session_state["weights"])


def drop_plan() -> None:
    """Another candidate was picked: one format for all layers."""
    st.session_state["plan"] = st.session_state["weights"] = ()
    choice_changed()


def choose_model(model_id: str) -> None:
    """Pick a model of the catalogue, as the sidebar does."""
    st.session_state["model"] = model_id
    model_changed()


def use_upload(reference: str) -> None:
    """Pick the checkpoint that was uploaded."""
    st.session_state["uploaded"] = reference.removeprefix(UPLOADED)
    choose_model(UPLOADED)


def use_data(reference: str) -> None:
    """Take the uploaded samples in place of the model's input; "" for that again."""
    for name in _SIZES:
        st.session_state[name] = {"text": "", "input": "default", "data": reference or None}.get(name)
    choice_changed()


def use_weights(name: str, reference: str) -> None:
    """Take the uploaded weights as `own_weights` or `candidate_weights`; "" for the model's again."""
    choose(name, reference or None)


def use_code(model_id: str) -> None:
    """Pick the model of a pasted text."""
    st.session_state["pasted"] = model_id.removeprefix(PASTED)
    choose_model(PASTED)


def choose(name: str, value: object) -> None:
    """Change one setting of the run, as its picker does."""
    st.session_state[name] = value
    choice_changed()


def choose_cast(name: str, value: str) -> None:
    """Change the format or the method, as its picker does: a plan is of others."""
    st.session_state[name] = value
    drop_plan()


def say_output_is(path: str, kind: OutputKind) -> None:
    """Say what an output is, instead of the guess."""
    said = [entry for entry in st.session_state["outputs"] if entry.rpartition("=")[0] != path]
    st.session_state["outputs"] = (*said, f"{path}={kind}")
    choice_changed()


def kept_modules() -> list[str]:
    """fqns of the modules that the candidate does not cast."""
    kept: list[str] = st.session_state["keep"]
    return kept


def wide_inputs() -> list[str]:
    """The arguments that the candidate gets uncast."""
    wide: list[str] = st.session_state["wide_inputs"]
    return wide


def leave_uncast(name: str) -> None:
    """Give the candidate one more argument uncast."""
    st.session_state["wide_inputs"] = [*dict.fromkeys([*wide_inputs(), name])]
    choice_changed()


def kept_around(fqn: str) -> str | None:
    """The module that keeps `fqn` out of the cast: itself or one around it; None if it is cast."""
    parts = [part for part in map(Kept.parse, kept_modules()) if not part.operator]
    kept = [part.fqn for part in parts if not part.own_code or part.fqn == fqn]
    return fqn if fqn in kept else enclosing(fqn, kept) or None


def is_kept(part: str) -> bool:
    """Whether this part is out of the cast already, by itself or with a module around it."""
    fqn = Kept.parse(part).fqn
    return part in kept_modules() or (bool(fqn) and kept_around(fqn) is not None)


def keep_module(fqn: str) -> None:
    """Keep one more part of the candidate in the reference's precision."""
    st.session_state["keep"] = [*dict.fromkeys([*kept_modules(), fqn])]
    drop_plan()


def choice(name: str) -> str:
    """What one picker holds."""
    value: str = st.session_state[name]
    return value


def keep_among(name: str, options: list[str]) -> None:
    """Set a picker to its first option if it holds one that is no longer offered."""
    if st.session_state[name] not in options:
        st.session_state[name] = options[0]


def awaited() -> str | None:
    """What is still to be typed before there is a model; None where there is one."""
    return _AWAITED.get(_model_id())


def chosen_model() -> ModelDescription | None:
    """The model picked, or None while it is not named yet."""
    return None if awaited() else describe(_model_id())


def _model_id() -> str:
    state = st.session_state
    picked: str = state["model"]
    return picked + state[_NAMED_BY[picked]].strip() if picked in _NAMED_BY else picked


def spec(analysis: Analysis, also: Mapping[str, object] | None = None) -> RunSpec:
    """What the sidebar asks for.

    Args:
        analysis: what the page shows of it.
        also: settings of the page's own.

    Raises:
        InputError: the choice is not complete or not valid; the message says what to do.
    """
    state = st.session_state
    if missing := awaited():
        raise InputError(missing)
    model = describe(_model_id())
    default_input = model.inputs[0]
    chosen_input = (
        OWN_DATA
        if state["data"]
        else next((choice for choice in model.inputs if choice.name == state["input"]), default_input)
    )
    asked = RunSpec.parse(
        {
            "model": model.id,
            **{name: state[name] for name in _HELD if not (state["weights"] and name in ("dtype", "method"))},
            "input": "default" if chosen_input in (default_input, OWN_DATA) else chosen_input.name,
            # A picker that is not drawn keeps its old value.
            "batch": state["batch"] if chosen_input.takes_batch else None,
            "length": state["length"] if chosen_input.takes_length else None,
            "text": (state["text"].strip() or None) if chosen_input.takes_text else None,
            "data": state["data"],
            "analysis": analysis,
            **(also or {}),
        }
    )
    request_input(model, asked)
    return asked


def job_id(analysis: Analysis) -> str | None:
    """The job of this analysis that the session is looking at; at first, that of the link."""
    job: str | None = st.session_state["jobs"].get(analysis) or st.session_state["linked_job"]
    return job


def follows_jobs() -> bool:
    """Whether the session is looking at any job of the choice that the sidebar shows."""
    return bool(st.session_state["jobs"] or st.session_state["linked_job"])


def last_shown(analysis: Analysis) -> str | None:
    """The job of this analysis whose result the session saw last."""
    shown: dict[str, str] = st.session_state.setdefault("shown", {})
    return shown.get(analysis)


def remember_shown(analysis: Analysis, job: str) -> None:
    """Note that the session sees this job's result."""
    st.session_state.setdefault("shown", {})[analysis] = job


def follow_job(analysis: Analysis, job: str) -> None:
    """Look at this job of the analysis from now on."""
    st.session_state["jobs"][analysis] = job
    st.session_state["linked_job"] = None


def side_jobs(purpose: str) -> dict[str, str]:
    """Ids of the jobs that this session started for one purpose besides a page's main job, by digest of the spec."""
    every: dict[str, dict[str, str]] = st.session_state.setdefault("side_jobs", {})
    return every.setdefault(purpose, {})


def swept() -> set[str]:
    """Digests of the runs that were asked for by the button of the page Sweep, or by its link."""
    asked: set[str] = st.session_state.setdefault("swept", set())
    return asked


def swept_times() -> set[str]:
    """Digests of those whose times were asked for too."""
    asked: set[str] = st.session_state.setdefault("swept_times", set())
    return asked


def sweep_cancelled() -> set[str]:
    """Digests of the runs that were asked for until Cancel was pressed on the page Sweep."""
    cancelled: set[str] = st.session_state.setdefault("sweep_cancelled", set())
    return cancelled


def mirror_in_link(chosen: RunSpec) -> None:
    """Make the address bar's link reproduce what is shown, and re-attach to its job."""
    wanted = {name: value for name, value in query_of(chosen).items() if name not in VIEW}  # those are bound to widgets
    if job := job_id(chosen.analysis):
        wanted["job"] = job
    shown = st.query_params.to_dict()
    # One by one, and only what differs: a parameter that a widget is bound to may not be set from here.
    for name in shown.keys() - wanted.keys() - set(VIEW):
        del st.query_params[name]
    for name, value in wanted.items():
        if shown.get(name) != value:
            st.query_params[name] = value


def mirror_choice_in_link() -> None:
    """As `mirror_in_link`, for a page that shows no run; a link that cannot be followed stays as it is."""
    if link_error():
        return
    try:
        chosen = spec(Analysis.COMPARE)
    except InputError:
        return
    mirror_in_link(chosen)
