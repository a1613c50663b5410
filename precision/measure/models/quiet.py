"""transformers and torchao without their bars and reports."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No bars or reports on standard error: what matters of them is in the warnings of the result."""
    with quiet_torchao():
        from transformers.utils import logging as untyped_logging

        reports: Any = untyped_logging
        verbosity, bars = reports.get_verbosity(), reports.is_progress_bar_enabled()
        reports.set_verbosity_error()
        reports.disable_progress_bar()
        try:
            yield
        finally:
            reports.set_verbosity(verbosity)
            if bars:
                reports.enable_progress_bar()


@contextmanager
def quiet_torchao() -> Iterator[None]:
    """Without what torchao says, as transformers imports it, of kernels that it ships and this machine cannot load."""
    loggers = [logging.getLogger(name) for name in ("torchao", "torch.utils._pytree")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
