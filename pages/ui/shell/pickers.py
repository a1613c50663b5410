"""The sidebar: which model, format, cast method, device and input.

Each picker keeps its choice for the whole session (`persist_state`). Not every model or input has every picker, and a
browser that draws a picker late, over a slow network, must show the choice and not the default.
"""

from collections.abc import Callable, Collection
from functools import partial

import streamlit as st

from pages.ui import state
from pages.ui.installed import not_installed
from pages.ui.shell import pasted_code
from pages.ui.upload.component import upload_box
from precision.errors import InputError
from precision.formats import AnyFormat, any_format_named, formats_with
from precision.models.catalogue import offered
from precision.models.opened import elsewhere
from precision.models.pasted import is_allowed
from precision.models.uploads import DATA_FILES, MODEL_FILES, UPLOAD_PREFIX
from precision.results import DeviceInfo, InputChoice, ModelDescription
from precision.spec import MAX_BATCH, MAX_LENGTH, MAX_TEXT_CHARACTERS, CastMethod, RunSpec, formats_of
from precision.spec.regimes import USUAL, label_of
from precision.text.names import escape_markdown, plain
from precision.text.units import bytes_text, count_text

_METHOD_HELP = """How the model is brought into the format.

- **.to(dtype)** casts every floating tensor, and runs in it.
- **.half()**, **.bfloat16()** are the shorthands; they differ from `.to` for complex buffers.
- **autocast** keeps the weights in float32; each operator chooses its own precision.
- **weights only** stores the weights in the format and computes in float32.
- **dynamic**, for formats with scales, also rounds the inputs of every layer that has weights.
- **.type(dtype)** casts integer buffers too; **from_pretrained** loads a saved copy, and keeps what transformers keeps
  in float32; **load_state_dict** loads rounded weights, in float32 or, with `assign`, as they are;
  **set_default_dtype** builds the model in the format.
- **torchao** quantizes the weights of linear layers, and multiplies by its own kernels."""

_NO_SIDEBAR = """\
<style>[data-testid="stSidebar"], [data-testid="stExpandSidebarButton"] {display: none}</style>
<span class="px-style"></span>
"""


def sidebar(devices: tuple[DeviceInfo, ...] | None, reads: Collection[str]) -> None:
    """Draw the pickers of the settings that the page `reads`; the others keep what they hold.

    `devices` is None until the worker has named them.
    """
    _require_possible_method()
    if not reads:
        st.html(_NO_SIDEBAR)
        return
    with st.sidebar:
        if "model" in reads:
            _model()
        if "dtype" in reads:
            _format(_native_formats(devices))
        if "method" in reads:
            _method()
        if "keep" in reads:
            _kept()
        if "wide_inputs" in reads:
            _wide_inputs()
        if "device" in reads:
            _device(devices)
        if "input" in reads:
            _input(reads)
        if "own_weights" in reads:
            _weights(reads)


def _pick(widget: Callable[..., object], *given: object, key: str, **settings: object) -> None:
    """Draw a picker; a change of it is another choice, unless its own `on_change` says more."""
    widget(*given, key=key, persist_state="session", **{"on_change": state.choice_changed} | settings)


_selectbox = partial(_pick, st.selectbox)


def _model() -> None:
    trained_first = sorted(offered(), key=lambda model: model.weights == "random")
    titles = {
        **elsewhere(),
        **{model.id: _model_label(model) for model in trained_first},
        state.PRETRAINED: "From Hugging Face, or a folder …",
        state.UPLOADED: "Upload a checkpoint …",
    }
    if is_allowed():
        titles[state.PASTED] = pasted_code.OFFERED
    _selectbox(
        "Model",
        list(titles),
        key="model",
        format_func=titles.__getitem__,
        on_change=state.model_changed,
        help="Built-in models need no network. Random weights show real speed and memory, but indicative errors.",
    )
    if state.choice("model") == state.PRETRAINED:
        _pick(
            st.text_input,
            "Hub id or folder",
            key="checkpoint",
            placeholder="sentence-transformers/all-MiniLM-L6-v2",
            on_change=state.model_changed,
            help="A model of text, pictures or sound that transformers builds, with safetensors weights: an id on the "
            "Hugging Face hub, or a folder on the server. Code in the repository is never run.",
        )
    if state.choice("model") == state.UPLOADED:
        upload_box(
            "model",
            asked="config.json, safetensors, and the tokenizer's or processor's files; or a .zip of them.",
            suffixes=MODEL_FILES,
            folders=True,
            held=_reference(state.choice("uploaded")),
            on_done=state.use_upload,
        )
    if state.choice("model") == state.PASTED:
        pasted_code.editor()

    if model := _chosen():
        size = f" {count_text(model.parameters, 'parameter')}." if model.parameters else ""
        accuracy = f" Accuracy: {model.accuracy}." if model.accuracy else ""
        st.caption(
            escape_markdown(model.good_for), help=escape_markdown(f"{size}{accuracy} Licence: {model.licence}".strip())
        )


def _model_label(model: ModelDescription) -> str:
    # Said in the label, since a picker cannot grey one of its options.
    if not_installed(model.id):
        return f"{model.name} · not installed"
    own = " · own" if model.weights == "own" else ""
    return model.title.replace("(random weights)", "· random") + own


def _chosen() -> ModelDescription | None:
    try:
        return state.chosen_model()
    except InputError:
        return None


def _format(native: tuple[str, ...] | None) -> None:
    widest_first = sorted(formats_with(state.choice("dtype")), key=lambda row: row.bits_per_value, reverse=True)
    _selectbox(
        "Format",
        [row.name for row in widest_first],
        key="dtype",
        format_func=_format_label,
        on_change=state.drop_plan,
        help="The number format under test, the widest first. Its result is compared with the reference below. "
        "**Simulated**: a wider format computes, and its values are rounded to this one.",
    )
    row = any_format_named(state.choice("dtype"))
    st.caption(f"{_where(row, native)}{row.use}")


def _possible_methods() -> list[str]:
    return [method.value for method in CastMethod if formats_of(method, (state.choice("dtype"),))]


def _require_possible_method() -> None:
    """Where the format was changed, its first method if the one that is held does not give it."""
    state.keep_among("method", _possible_methods())


def _method() -> None:
    _selectbox(
        "Cast method",
        _possible_methods(),
        key="method",
        format_func=lambda value: CastMethod(value).label,
        on_change=state.drop_plan,
        help=_METHOD_HELP,
    )
    if state.planned():
        st.button(
            "Remove the weights' formats" if state.choice("weights") else "Remove the plan",
            icon=":material/layers_clear:",
            on_click=state.drop_plan,
            help="The candidate is a plan: its layers have different formats, and *Format* is the coarsest of them. "
            "Without the plan, all layers have that format. Another format or method also removes the plan. Sweep "
            "ignores it. Weights in formats of their own are removed in the same way.",
        )


def _kept() -> None:
    kept = state.kept_modules()
    if kept:
        _pick(
            st.multiselect,
            f"Kept in {state.choice('reference')}",
            kept,
            key="keep",
            help="Modules that the candidate does not cast. Remove one to cast it again.",
        )


def _wide_inputs() -> None:
    model = _chosen()
    inputs = list(dict.fromkeys([*(model.floating_inputs if model else ()), *state.wide_inputs()]))
    if inputs:
        _pick(
            st.multiselect,
            "Inputs that are not cast",
            inputs,
            key="wide_inputs",
            placeholder="none",
            help="Arguments of the model that the candidate gets as they are, such as time steps that the format would "
            "change. Only for models that cast such an input themselves: a layer that gets it in another dtype than "
            "its weights raises.",
        )


def _where(row: AnyFormat, native: tuple[str, ...] | None) -> str:
    if native is None or not row.computes:
        return ""
    return "Computes here. " if row.name in native else "This device has no kernels for it. "


def _native_formats(devices: tuple[DeviceInfo, ...] | None) -> tuple[str, ...] | None:
    """What the chosen device computes in; None where that is not known."""
    return next((each.native_formats for each in devices or () if each.id == state.choice("device")), None)


def _format_label(name: str) -> str:
    # Nothing that depends on the device: the browser sends a label back, which must still be one of the picker's.
    row = any_format_named(name)
    return f"{name} · {row.bits_per_value:g} bits" + ("" if row.computes else ", simulated")


def _device(devices: tuple[DeviceInfo, ...] | None) -> None:
    if devices is None:
        # With another key: the browser keeps the label of a picker whose options change.
        asked = f"{plain(state.choice('device'))} · looking it up"
        st.selectbox("Device", [asked], key="device-asked", help="The worker is starting.")
        return
    named = {device.id: f"{device.id} · {device.name}" for device in devices}
    if named and state.choice("device") == RunSpec().device:
        state.keep_among("device", list(named))  # a cluster's devices have other names
    chosen = state.choice("device")
    if chosen not in named:
        named[chosen] = plain(chosen) + " · not on this machine"
    _selectbox(
        "Device",
        list(named),
        key="device",
        format_func=named.__getitem__,
        help="Where both models run and are timed. This server has "
        f"{escape_markdown('; '.join(map(_device_text, devices)))}.",
    )


def _device_text(device: DeviceInfo) -> str:
    memory = f" with {bytes_text(device.memory_bytes)} of memory" if device.memory_bytes else ""
    return f"{device.id}: {device.name}{memory}"


def _input(reads: Collection[str]) -> None:
    model = _chosen()
    # No limits on these fields: they would only turn red, while the spec says what is wrong.
    with st.expander("Input, seed and reference", expanded=False):
        if model and not state.choice("data"):
            _input_choice(model.inputs)
        if model:
            _own_data()
        if "regime" in reads:
            _selectbox(
                "Input regime",
                [*USUAL, *({state.choice("regime")} - set(USUAL))],  # another factor by a link
                key="regime",
                format_func=label_of,
                help="Runs every page on the input as given, scaled, with one channel a hundred times as large, or "
                "with random values. Of models that take ids, the vectors of the embeddings are scaled.",
            )
        _pick(
            st.number_input,
            "Seed",
            step=1,
            key="seed",
            help="Seeds random weights and random inputs. Equal seeds give equal numbers.",
        )
        if "reference" in reads:
            _selectbox(
                "Reference",
                ["float32", "float64"],
                key="reference",
                help="The trusted precision. float64 also shows float32's own error: choose float32 as the format.",
            )


def _input_choice(choices: tuple[InputChoice, ...]) -> None:
    by_name = {choice.name: choice for choice in choices}
    state.keep_among("input", list(by_name))
    _selectbox(
        "Input",
        list(by_name),
        key="input",
        help=" · ".join(f"{choice.name}: {choice.description}" for choice in choices),
    )
    choice = by_name[state.choice("input")]
    if choice.takes_batch:
        _size("Batch", "batch", choice.default_batch, min(choice.max_batch or MAX_BATCH, MAX_BATCH))
    if choice.takes_length:
        _size("Length", "length", choice.default_length, min(choice.max_length or MAX_LENGTH, MAX_LENGTH))
    if choice.takes_text:
        _pick(
            st.text_area,
            "Text, one sentence a line",
            key="text",
            max_chars=MAX_TEXT_CHARACTERS,
            placeholder="Leave empty for the default sentences.",
        )


def _own_data() -> None:
    data = state.choice("data")
    upload_box(
        "data",
        asked="Your own samples: lines of text, a table, arrays, pictures, recordings, or a .zip of these.",
        suffixes=DATA_FILES,
        folders=True,
        held=data or "",
        on_done=state.use_data,
    )
    if data:
        _size("At once", "batch", None, MAX_BATCH)
        st.button("Use the model's own input", on_click=state.use_data, args=("",))


def _weights(reads: Collection[str]) -> None:
    with st.expander("Weights of your own", expanded=False):
        _weights_box("own_weights", "For the model, in place of its own: safetensors with its tensors' names.")
        if "candidate_weights" in reads:
            _weights_box("candidate_weights", "For the candidate alone: a fine-tuned or quantized copy, say.")


def _weights_box(name: str, asked: str) -> None:
    held = state.choice(name)
    upload_box(
        name,
        asked=asked,
        suffixes=MODEL_FILES,
        folders=True,
        held=held or "",
        on_done=partial(state.use_weights, name),
    )
    if held:
        st.button("Use the model's weights", key=f"no {name}", on_click=state.use_weights, args=(name, ""))


def _reference(key: str) -> str:
    return f"{UPLOAD_PREFIX}{key}" if key else ""


def _size(label: str, key: str, default: int | None, limit: int) -> None:
    _pick(
        st.number_input,
        label,
        step=1,
        key=key,
        value=None,
        placeholder=f"{default}" if default else "model's own",
        help=f"At most {limit:,}. Empty: the model's own default.",
    )
