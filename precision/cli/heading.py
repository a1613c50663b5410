"""What every analysis says first on a terminal."""

from precision.cli.tables import columns
from precision.results import RunResult
from precision.text.names import plain
from precision.text.units import moment_text, shape_text


def paragraphs(*parts: str) -> str:
    """The parts that are not empty, with an empty line between them."""
    return "\n\n".join(part for part in parts if part)


def report_of(result: RunResult, *parts: str) -> str:
    """Heading, warnings, and the parts that are not empty."""
    return paragraphs(heading(result), warnings_text(*result.warnings), *parts)


def nothing_text(result: RunResult, said: str) -> str:
    """A report without its table: `said`, and why the run stopped."""
    return report_of(result, said if result.failure is None else f"{said} {plain(result.failure.message, limit=None)}")


def heading(result: RunResult) -> str:
    """Model, formats, device and input."""
    spec = result.spec
    tensors = result.input.tensors if result.input else ()
    shapes = ", ".join(f"{plain(name)} {dtype} {shape_text(shape)}" for name, dtype, shape in tensors)
    how = f"{'cast by ' if spec.method.row.is_route else ''}{spec.method.label}"
    cast = spec.candidate if spec.plan or spec.weights else f"{spec.dtype}, {how}"
    candidate = f"{cast}; {result.execution.label}: {result.execution.explanation}"
    is_seeded = result.model.weights == "random" or not (result.input and result.input.real)
    seed = f", seed {spec.seed}" if is_seeded else ""
    rows = [
        ["Model", plain(result.model.title, limit=None)],
        *([["Candidate", candidate]] if spec.analysis.info.has_candidate else []),
        *([["Kept", f"{', '.join(map(plain, spec.keep))} in {spec.reference}"]] if spec.keep else []),
        *([["Not cast", f"inputs {', '.join(map(plain, spec.wide_inputs))}"]] if spec.wide_inputs else []),
        ["Reference", spec.reference],
        ["Device", f"{spec.device} ({plain(result.device.name)}), {result.environment.packages}"],
        ["Input", f"{result.input.name if result.input else spec.input}: {shapes}{seed}"],
        ["Measured", moment_text(result.measured_at)],
    ]
    return columns(rows)


def warnings_text(*warnings: str) -> str:
    """Each warning once, on its own line."""
    return "\n".join(f"Warning: {plain(warning, limit=None)}" for warning in dict.fromkeys(warnings))
