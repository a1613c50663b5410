"""A model's bytes in every format and the devices that they fit, and a device's measured speed, for a terminal."""

from collections.abc import Sequence

from precision.cli.heading import paragraphs, warnings_text
from precision.cli.tables import columns, memory_text_of, table_text
from precision.findings.device_speed import speed_table
from precision.findings.sweep import fits_text
from precision.results import DeviceInfo, DeviceSpeedResult, MemoryResult
from precision.text.names import plain
from precision.text.units import bytes_text, count_text


def memory_text(result: MemoryResult, devices: Sequence[DeviceInfo] = ()) -> str:
    """A line for every format: bytes by theory, and whether they fit in each device's memory."""
    memory = result.memory
    fits = [f"FITS {device.id} ({memory_text_of(device)})" for device in devices]
    rows = [
        [
            each.format,
            bytes_text(each.stored_bytes),
            f"{each.stored_bytes:,}",
            *(fits_text(each.stored_bytes, None, device.memory_bytes) for device in devices),
        ]
        for each in memory.formats
    ]
    return paragraphs(
        f"{plain(result.model.title, limit=None)}: {count_text(memory.parameters, 'parameter')}, "
        f"{bytes_text(memory.reference_bytes)} in float32",
        columns([["FORMAT", "STORED", "BYTES", *fits], *rows]),
        "By theory, from shapes alone: parameters and buffers, tied ones once, with scales. The additional memory of "
        "a pass is measured by `sweep`.",
    )


def speed_rows_text(result: DeviceSpeedResult) -> str:
    """A line for every operator and dtype: time, float32's time, and what the ratio says."""
    environment = result.environment
    return paragraphs(
        f"{result.device.id}: {plain(result.device.name)}, {environment.threads} threads, "
        f"{environment.cpu_capability}, torch {environment.torch}",
        warnings_text(*result.warnings),
        table_text(speed_table(result).pick("operator", "dtype", "size", "time", "float32", "against float32")),
    )
