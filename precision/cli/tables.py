"""Columns of text, and the models, devices and formats to choose from, as tables and as JSON."""

import json
from collections.abc import Sequence

from precision.findings.format_tables import constants_table
from precision.findings.tables import Column, Table, written
from precision.formats import FORMATS
from precision.models.catalogue import missing_package, offered
from precision.results import DeviceInfo, Result
from precision.text.names import plain
from precision.text.units import bytes_text

_CONSTANTS = (
    *("format", "bits", "exponent", "mantissa", "max", "smallest normal", "smallest subnormal", "epsilon"),
    *("element", "shared scale", "also"),
)


def columns(rows: Sequence[Sequence[str]]) -> str:
    """`rows` as left-aligned columns, two spaces apart; without rows, an empty text."""
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def table_text(table: Table, *, indents: Sequence[int] = ()) -> str:
    """A table as columns under its headings, without empty columns; without rows, an empty text.

    `indents` move the first cell of each row to the right, as in a tree.
    """
    if not table.rows:
        return ""
    said = table.without_empty()
    lines = [[written(value, kind) for value, (_, kind, _) in zip(row, said.columns, strict=True)] for row in said.rows]
    for line, indent in zip(lines, indents, strict=False):
        line[0] = "  " * indent + line[0]
    return columns([list(map(_heading, said.columns)), *lines])


def _heading(column: Column) -> str:
    return f"{column.name.upper()} dB" if column.kind == "decibels" else column.name.upper()


def models_text() -> str:
    """One line a model."""
    rows = [["MODEL", "FAMILY", "WEIGHTS", "PARAMETERS", "INPUTS", "TITLE"]]
    for model in offered():
        parameters = "not counted" if model.parameters is None else f"{model.parameters:,}"
        inputs = " ".join(choice.name for choice in model.inputs)
        missing = missing_package(model.id)
        title = f"{model.title}, not installed: {missing.install}" if missing else model.title
        rows.append([model.id, model.family, model.weights, parameters, inputs, title])
    note = (
        "Also hf:<hub id or local folder>: any Hugging Face model of text, pictures or sound. "
        "Models of your own: docs/your_models.md."
    )
    return f"{columns(rows)}\n\n{note}"


def formats_text() -> str:
    """One line a number format."""
    native = ", ".join(row.name for row in FORMATS if row.computes)
    note = f"Arithmetic is real in {native}, simulated in all others. Any eXmY can be typed, such as e5m7 or e3m4fn."
    return f"{table_text(constants_table(None).pick(*_CONSTANTS))}\n\n{note}"


def devices_text(devices: Sequence[DeviceInfo]) -> str:
    """One line a device."""
    rows = (
        [device.id, memory_text_of(device), " ".join(device.native_formats), plain(device.name)] for device in devices
    )
    return columns([["DEVICE", "MEMORY", "COMPUTES IN", "NAME"], *rows])


def memory_text_of(device: DeviceInfo) -> str:
    """The size of a device's memory."""
    return "unknown" if device.memory_bytes is None else bytes_text(device.memory_bytes)


def results_json(results: Sequence[Result]) -> str:
    """Several results as one list."""
    return json_text([result.model_dump(mode="json") for result in results])


def json_text(value: object) -> str:
    """Indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
