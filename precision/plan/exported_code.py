"""A plan as a Python module that needs only PyTorch."""

import re
import textwrap
from collections.abc import Mapping, Sequence

from precision.findings.frames import FramedModule, frames_of
from precision.results.flow import Dtypes, Flow, ModuleFlow

_WIDTH = 110


def exported_code(reference: str, formats: Mapping[str, str], flows: Mapping[str, Flow], *, said: str = "") -> str:
    """The module whose `lower_layers(model)` computes what the plan computed when it ran.

    Args:
        reference: the precision of all else.
        formats: of the plan's layers, all of them dtypes of torch.
        said: what the module says of the plan.
        flows: what recorded runs showed, by format; without them the layers' tensors are cast by their dtypes alone.
    """
    known = [flows[name] for name in dict.fromkeys((reference, *formats.values())) if name in flows]
    frames = frames_of(known or [_unrecorded(formats)], formats, base=reference)
    names = {reference, *formats.values()}
    lines = "".join(
        f"    {framed.fqn!a}: {_frame(framed, {name: flows.get(name, Flow()) for name in names})},\n"
        for framed in frames.modules
    )
    held = "".join(f"    {fqn!a}: torch.{name},\n" for fqn, name in frames.held.items())
    values = {
        "REFERENCE": reference,
        "SAID": _comment(said),
        "FRAMES": _braced(lines),
        "HELD": _braced(held),
    }
    # In one pass, as names are data.
    return re.sub(r"<(REFERENCE|FRAMES|HELD|SAID)>", lambda found: values[found[1]], _CODE)


def _unrecorded(formats: Mapping[str, str]) -> Flow:
    return Flow(modules=tuple(ModuleFlow(fqn=fqn, inputs=((),), computes=True) for fqn in formats))


def _comment(said: str) -> str:
    """Lines of a comment, whatever characters names have; none without text."""
    lines = textwrap.wrap(said.encode("unicode_escape").decode(), _WIDTH)
    return "".join(f"# {line}\n" for line in lines)


def _braced(lines: str) -> str:
    return f"{{\n{lines}}}" if lines else "{}"


def _frame(framed: FramedModule, flows: Mapping[str, Flow]) -> str:
    """The call that makes the frame, with what differs from the usual."""
    own = flows[framed.precision].by_name.get(framed.fqn)
    inputs = _doors(own.inputs if own else (), framed.precision)
    outputs = {}
    for name, flow in flows.items():
        module = flow.by_name.get(framed.fqn)
        calls = _doors(module.outputs if module and not flow.raised else (), name)
        if name != framed.precision and calls != "ALL":
            outputs[name] = calls
    parts = [
        f"torch.{framed.precision}",
        *([f"inputs={inputs}"] if inputs != "ALL" else []),
        *([f"outputs={{{', '.join(f'torch.{name}: {calls}' for name, calls in outputs.items())}}}"] if outputs else []),
        *(["writes=True"] if framed.writes else []),
        *([f"borrows={list(framed.borrows)!a}"] if framed.borrows else []),
    ]
    return f"Frame({', '.join(parts)})"


def _doors(calls: Sequence[Dtypes], dtype: str) -> str:
    """The dtypes that tensors get at each call; ALL where every floating-point one gets `dtype`."""
    if not calls:
        return "[]"
    floating = {name for call in calls for name in call if name.startswith(("float", "bfloat"))}
    if floating <= {dtype}:
        return "ALL"
    rows = ", ".join(f"[{', '.join(f'torch.{name}' for name in call)}]" for call in calls)
    return f"[{rows}]"


_CODE = '''"""Mixed precision: every module below computes in a dtype of its own, all else in <REFERENCE>.

    model = lower_layers(model)
    with torch.no_grad():
        output = model(inputs)

A name stands for the module's own code and weights, not for the modules inside it. Floating-point inputs are to be
in the reference's dtype. On CUDA, set torch.backends.cudnn.allow_tf32 = False.
"""

import contextlib
import copy
import dataclasses

import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

ALL = "all floating-point tensors"


class Frame:
    """How one module is called: tensors are cast where they cross from a caller of another dtype, and back.

    `inputs` holds the dtypes that tensors get at each call, and `outputs` those that they get in a caller of each
    dtype. `writes`: the module writes to its inputs. `borrows`: the tensors of other modules that it uses.
    """

    running, doors = [], []  # the modules that run now, and the ways into them

    def __init__(self, dtype, inputs=ALL, outputs=None, writes=False, borrows=()):
        self.dtype, self.inputs, self.outputs, self.writes, self.borrows = dtype, inputs, outputs or {}, writes, borrows

    def __deepcopy__(self, memo):
        return self

    def call(self, module, forward, args, kwargs):
        caller = Frame.running[-1]._frame.dtype if Frame.running else REFERENCE
        call = module._calls
        module._calls += 1
        if caller == self.dtype:
            with entered(module, None):
                return forward(*args, **kwargs)
        door = Door()
        args, kwargs = door.into((args, kwargs), caller, self.dtype, at_call(self.inputs, call), self.writes)
        around = Frame.doors[-1] if Frame.doors else None
        with entered(module, door), door if self.writes and door.copies else contextlib.nullcontext():
            output = forward(*args, **kwargs)
        door.write_back()
        recorded = at_call(self.outputs.get(caller, ALL), call)
        return door.out_of(output, self.dtype, caller, recorded, module._name, around)


<SAID>REFERENCE = torch.<REFERENCE>
FRAMES = <FRAMES>
HELD = <HELD>


def lower_layers(model):
    """A copy of the model, in eval mode, with each module of FRAMES in its dtype."""
    model = copy.deepcopy(model).eval()
    model.float() if REFERENCE is torch.float32 else model.double()
    modules, casts = dict(model.named_modules()), {REFERENCE: copy.deepcopy(model)}
    for dtype in dict.fromkeys([*HELD.values(), *(frame.dtype for frame in FRAMES.values())]):
        casts.setdefault(dtype, copy.deepcopy(model).to(dtype))
    sources = {dtype: dict(cast.named_modules()) for dtype, cast in casts.items()}
    for name, dtype in HELD.items():
        source = sources[dtype][name]
        if isinstance(source, torch.jit.ScriptModule):
            parent, _, own = name.rpartition(".")
            modules[parent]._modules[own] = source
            continue
        for held in (source._parameters, source._buffers):
            for key, tensor in held.items():
                if tensor is not None:
                    setattr(modules[name], key, tensor)
    for name, frame in {"": Frame(REFERENCE), **FRAMES}.items() if FRAMES else ():
        module = modules[name]
        lent = []
        for owner, key in frame.borrows:
            source = sources[frame.dtype][owner]
            table = "_parameters" if key in source._parameters else "_buffers"
            lent.append([modules[owner], table, key, vars(source)[table][key]])
        vars(module).update(_frame=frame, _name=name, _lent=lent, _calls=0)
        kind = type(module)
        module.__class__ = type(kind.__name__, (Framed, kind), {"__module__": kind.__module__})
        module.register_forward_hook(nothing)  # or fused kernels skip the module's code
    return model


class Framed:
    def forward(self, *args, **kwargs):
        return self._frame.call(self, super().forward, args, kwargs)


def nothing(module, args, output):
    return None


@contextlib.contextmanager
def entered(module, door):
    """The module runs, and sees the tensors that it borrows in its own dtype."""
    caller = Frame.running[-1] if Frame.running else None
    lent = [] if caller is module else [*(caller._lent if caller else ()), *module._lent]
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    Frame.running.append(module)
    Frame.doors.append(door)
    swap(lent)
    try:
        yield
    finally:
        swap(reversed(lent))
        Frame.running.pop()
        Frame.doors.pop()
        torch.backends.mha.set_fastpath_enabled(fused)


def swap(lent):
    for each in lent:
        owner, table, key, tensor = each
        each[3], vars(owner)[table][key] = vars(owner)[table][key], tensor


class Door(TorchDispatchMode):
    """One crossing into a module; sees, while it is on, what operators write to the copies that it made."""

    def __init__(self):
        super().__init__()
        self.copies, self.written = {}, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        for place, argument in enumerate(func._schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                given = args[place] if place < len(args) and not argument.kwarg_only else kwargs.get(argument.name)
                self.written += [x for x in pytree.tree_leaves(given) if self.original_of(x) is not None]
        return result

    def into(self, structure, source, target, recorded, writes):
        spans = spans_of(structure) if writes else {}
        shared = {}

        def one(tensor, dtype):
            if tensor.dtype == dtype:
                return tensor
            low = tensor.to(dtype)
            if not is_plain(tensor) or tensor.requires_grad or not tensor.numel():
                return low
            key = storage(tensor)
            if spans.get(key, (0, 0, 1))[2] == 1 and low.stride() == tensor.stride():
                self.copies[storage(low)] = tensor, tensor.storage_offset() - low.storage_offset(), low, None
                return low
            if not writes:
                return low
            start, end, _ = spans[key]
            if (key, dtype) not in shared:
                row = tensor.as_strided((end - start,), (1,), start).to(dtype)
                shared[key, dtype] = row
                self.copies[storage(row)] = tensor, start, row, None
            return shared[key, dtype].as_strided(tensor.size(), tensor.stride(), tensor.storage_offset() - start)

        return cast(structure, source, target, recorded, one)

    def write_back(self):
        with torch.no_grad():
            for view in self.written:
                original = self.original_of(view)
                original.copy_(view.to(original.dtype))

    def out_of(self, structure, source, target, recorded, name, around):
        def one(tensor, dtype):
            original = self.original_of(tensor) if name else None
            if original is not None:
                return original if original.dtype in (target, dtype) else original.to(dtype)
            low = tensor.to(dtype)
            if around is not None and low is not tensor:
                around.remember(tensor, low)
            return low

        return cast(structure, source, target, recorded, one)

    def remember(self, made, low):
        """A module inside returned `made`, and this one sees `low`: handed on unchanged, it is not rounded."""
        if is_plain(made) and is_plain(low) and made.stride() == low.stride() and made.numel():
            if not low.requires_grad and not low.is_inference():
                start = made.storage_offset() - low.storage_offset()
                self.copies[storage(low)] = made, start, low, low._version

    def original_of(self, tensor):
        """The part of the caller's tensor of which `tensor` is a copy; None where it is none."""
        if not isinstance(tensor, torch.Tensor) or not is_plain(tensor):
            return None
        original, start, copied, version = self.copies.get(storage(tensor), (None, 0, None, None))
        if original is None or version not in (None, copied._version):
            return None
        return original.as_strided(tensor.size(), tensor.stride(), tensor.storage_offset() + start)


def at_call(calls, call):
    return calls if calls == ALL else calls[min(call, len(calls) - 1)] if calls else None


def cast(structure, source, target, recorded, one):
    """The structure with its floating-point tensors in the dtypes that they are to have."""
    if recorded is not None and recorded != ALL and len(recorded) != len(tensors_in(structure)):
        recorded = None
    wanted = iter(recorded if recorded not in (None, ALL) else ())

    def change(tensor):
        dtype = next(wanted, None)
        if not tensor.is_floating_point():
            return tensor
        if dtype is None:
            dtype = target if recorded == ALL or tensor.dtype == source else tensor.dtype
        return one(tensor, dtype if dtype.is_floating_point else tensor.dtype)

    return each_tensor(structure, change)


def each_tensor(structure, change):
    """The structure with every tensor replaced; one that occurs twice is replaced by one new tensor."""
    changed = {}

    def leaf(value):
        if isinstance(value, torch.Tensor):
            if id(value) not in changed:
                changed[id(value)] = change(value)
            return changed[id(value)]
        if not dataclasses.is_dataclass(value) or isinstance(value, type):
            return value
        twin = copy.copy(value)
        for field in dataclasses.fields(value):
            object.__setattr__(twin, field.name, pytree.tree_map(leaf, getattr(value, field.name)))
        return twin

    return pytree.tree_map(leaf, structure)


def tensors_in(structure):
    found = []
    each_tensor(structure, lambda tensor: found.append(tensor) or tensor)
    return found


def spans_of(structure):
    """Start and end of the part of each storage in which tensors of the structure lie, and how many do."""
    spans = {}
    for tensor in tensors_in(structure):
        if is_plain(tensor) and tensor.numel():
            start = tensor.storage_offset()
            end = start + sum((n - 1) * step for n, step in zip(tensor.size(), tensor.stride())) + 1
            first, last, count = spans.get(storage(tensor), (start, end, 0))
            spans[storage(tensor)] = min(first, start), max(last, end), count + 1
    return spans


def is_plain(tensor):
    return tensor.layout == torch.strided and not tensor.is_nested


def storage(tensor):
    return tensor.untyped_storage()._cdata
'''
