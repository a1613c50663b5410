"""What autocast does to operators on a device, as text for a terminal."""

from __future__ import annotations

from precision.cli.heading import paragraphs, warnings_text
from precision.cli.tables import columns, table_text
from precision.findings.autocast import autocast_table
from precision.results.autocast import AutocastResult
from precision.text.names import plain


def autocast_text(result: AutocastResult) -> str:
    """A line for every operator: its rule, and what it computed in for inputs of each kind."""
    dtype = result.spec.dtype
    device = f"{result.device.id} ({plain(result.device.name)}), torch {result.environment.torch}"
    return paragraphs(
        columns([["Device", device], ["Autocast", f"to {dtype}, measured on {len(result.operators)} operators"]]),
        warnings_text(*result.warnings),
        f"Found: autocast lowers {len(result.of_rule('lower')):,} of {len(result.operators):,} operators to {dtype}.",
        table_text(autocast_table(result)),
        "Rule, by what it returns: lower, the format for float32 inputs; float32, that for inputs in the format; "
        "widest input, the widest dtype of inputs that differ; as given, that of its inputs; not run: it raised on "
        "float32 inputs. Columns: what its kernels computed in, for inputs all in float32, all in the format, and the "
        "first in the format with the others in float32. Empty: it raises, or has a single input. With gradients: "
        "whether it runs the same, forward and backward, where float32 inputs require gradients.",
    )
