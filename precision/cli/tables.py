"""What there is to choose from, as tables and as JSON: models, devices, formats."""

from __future__ import annotations

import json
from collections.abc import Sequence

from precision.formats import FORMATS, NumericFormat
from precision.models.catalogue import CATALOGUE
from precision.names import plain
from precision.results import DeviceInfo
from precision.units import bytes_text


def columns(rows: Sequence[Sequence[str]]) -> str:
    """`rows` as left-aligned columns, two spaces apart. No rows: an empty text."""
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def models_text() -> str:
    """One line a model of the catalogue."""
    rows = [["MODEL", "FAMILY", "WEIGHTS", "PARAMETERS", "INPUTS", "TITLE"]]
    for model in CATALOGUE:
        parameters = "not counted" if model.parameters is None else f"{model.parameters:,}"
        inputs = " ".join(choice.name for choice in model.inputs)
        rows.append([model.id, model.family, model.weights, parameters, inputs, model.title])
    note = "Also hf:<hub id or local folder>: a Hugging Face encoder, classifier or causal language model."
    return f"{columns(rows)}\n\n{note}"


def models_json() -> str:
    """The catalogue, whole."""
    return _json([model.model_dump(mode="json") for model in CATALOGUE])


def formats_text() -> str:
    """One line a number format."""
    rows = [["FORMAT", "BITS", "EXPONENT", "MANTISSA", "MAX", "SMALLEST NORMAL", "SMALLEST", "EPSILON", "ALSO"]]
    for row in FORMATS:
        sizes = [str(row.bits), str(row.exponent_bits), str(row.mantissa_bits)]
        limits = [f"{value:.6g}" for value in (row.max, row.smallest_normal, row.smallest_subnormal, row.epsilon)]
        rows.append([row.name, *sizes, *limits, " ".join(row.aliases)])
    simulated = ", ".join(row.name for row in FORMATS if not row.computes)
    return f"{columns(rows)}\n\nSimulated, because no kernel computes in them: {simulated}."


def formats_json() -> str:
    """Every number format with its widths and limits."""
    return _json([_format(row) for row in FORMATS])


def devices_text(devices: Sequence[DeviceInfo]) -> str:
    """One line a device."""
    rows = [["DEVICE", "MEMORY", "COMPUTES IN", "NAME"]]
    for device in devices:
        memory = "unknown" if device.memory_bytes is None else bytes_text(device.memory_bytes)
        rows.append([device.id, memory, " ".join(device.native_formats), plain(device.name)])
    return columns(rows)


def devices_json(devices: Sequence[DeviceInfo]) -> str:
    """Every device with its memory and formats."""
    return _json([device.model_dump(mode="json") for device in devices])


def _format(row: NumericFormat) -> dict[str, object]:
    return {
        "name": row.name,
        "aliases": row.aliases,
        "bits": row.bits,
        "exponent_bits": row.exponent_bits,
        "mantissa_bits": row.mantissa_bits,
        "max": row.max,
        "smallest_normal": row.smallest_normal,
        "smallest_subnormal": row.smallest_subnormal,
        "epsilon": row.epsilon,
        "has_infinities": row.has_infinities,
        "computes": row.computes,
    }


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
