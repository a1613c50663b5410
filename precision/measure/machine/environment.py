"""Versions and threads: what numbers depend on besides what is asked for."""

import platform
from importlib.metadata import version

import torch

from precision.results import Environment


def environment() -> Environment:
    """What the numbers depend on besides the spec."""
    return Environment(
        torch=torch.__version__,
        transformers=version("transformers"),
        python=platform.python_version(),
        platform=platform.platform(),
        threads=torch.get_num_threads(),
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
    )
