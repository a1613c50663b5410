"""The memory of a model in every format, by theory."""

from precision.results.base import Result
from precision.results.model import ModelDescription
from precision.results.run import AnalysisResult


class FormatMemory(Result):
    """The model's stored tensors in one format, from their shapes alone."""

    format: str
    stored_bytes: int
    """Parameters, buffers and plain tensor attributes, ties once; scales of scaled formats included."""


class ModelMemory(Result):
    """The model's stored tensors in every format."""

    parameters: int
    """Elements, ties once."""
    reference_bytes: int
    """Stored bytes in float32."""
    formats: tuple[FormatMemory, ...]

    def stored_bytes(self, name: str) -> int | None:
        """Bytes in the format of that name; None where it was not computed."""
        return next((each.stored_bytes for each in self.formats if each.format == name), None)


class MemoryResult(AnalysisResult):
    """Bytes of one model in every format, computed without allocating it."""

    model: ModelDescription
    memory: ModelMemory
