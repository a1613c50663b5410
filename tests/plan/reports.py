"""Made-up sensitivities."""

from __future__ import annotations

import numpy as np

from precision.results.sensitivity import Contribution, LayerSensitivity, SensitivityReport

FORMATS = ("bfloat16", "float16", "float8_e4m3fn", "int8", "float8_e5m2", "mxfp6_e2m3", "nvfp4", "mxfp4_e2m1")
BYTES = (2, 2, 1, 1, 1, 0.78, 0.56, 0.53)
ERRORS = (1e-5, 2e-7, 2e-3, 1e-4, 8e-3, 1e-3, 1e-2, 2e-2)


def contribution(
    squared_error: float | None, stored_bytes: int, *, time_s: float | None = None, nonfinite: int = 0
) -> Contribution:
    return Contribution(
        squared_error=squared_error,
        standard_error=None,
        nonfinite=nonfinite,
        stored_bytes=stored_bytes,
        time_s=time_s,
        exact_squared_error=None,
    )


def layer(
    fqn: str,
    contributions: tuple[Contribution, ...],
    *,
    reference_bytes: int = 400,
    time_s: float | None = 1.0,
    is_norm: bool = False,
    tied_to: tuple[str, ...] = (),
) -> LayerSensitivity:
    return LayerSensitivity(
        fqn=fqn,
        type="LayerNorm" if is_norm else "Linear",
        block="",
        is_norm=is_norm,
        calls=1,
        elements=reference_bytes // 4,
        reference_bytes=reference_bytes,
        reference_time_s=time_s,
        tied_to=tied_to,
        contributions=contributions,
    )


def report(*layers: LayerSensitivity, formats: tuple[str, ...], fixed_bytes: int = 0) -> SensitivityReport:
    return SensitivityReport(
        formats=formats,
        layers=layers,
        output_elements=100,
        output_mean_square=1.0,
        method="adjoint probes",
        reason="",
        probes=16,
        backward_passes=2,
        forward_equivalents=9.0,
        uniform=(),
        fixed_bytes=fixed_bytes,
    )


def random_report(layers: int, formats: int, *, seed: int, fixed_bytes: int = 0) -> SensitivityReport:
    """Layers of sizes and sensitivities that spread over orders of magnitude; one in ten is a norm."""
    random = np.random.default_rng(seed)
    made = []
    for at in range(layers):
        elements = int(random.integers(100, 100_000))
        factor = float(10 ** random.normal(-2, 1))
        made.append(
            layer(
                f"block.{at // 10}.layer_{at}",
                tuple(
                    contribution(
                        factor * ERRORS[column] * float(10 ** random.normal(0, 0.2)),
                        int(elements * BYTES[column]),
                        time_s=float(random.uniform(0.2, 1.2)),
                    )
                    for column in range(formats)
                ),
                reference_bytes=4 * elements,
                is_norm=at % 10 == 9,
            )
        )
    return report(*made, formats=FORMATS[:formats], fixed_bytes=fixed_bytes)
