"""Numbers, and the sentences they stand in, as text for people, the same on pages and in the terminal."""

import math
import re
from datetime import UTC, datetime

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB")
_BYTES = {"": 1, "B": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
          "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}  # fmt: skip
_NEAR_ONE = 1e-8
"""What is nearer to one is written by its distance, not by its digits."""
_IN_FULL = 1e8
"""Larger whole numbers are written with a power of ten."""
_SECONDS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))


def bytes_text(count: int) -> str:
    """Bytes with a binary unit.

    >>> bytes_text(168), bytes_text(2048), bytes_text(438_000_000), bytes_text(2**20 - 1)
    ('168 B', '2.00 KiB', '418 MiB', '1.00 MiB')
    """
    if count < 1024:
        return f"{count} B"
    power = min(int(math.log2(count) // 10), len(_BINARY) - 1)
    if round(count / 1024**power) >= 1024 and power < len(_BINARY) - 1:
        power += 1
    return f"{_three_digits(count / 1024**power)} {_BINARY[power]}"


def parse_bytes(text: str) -> int:
    """A number of bytes above zero, with or without a unit; binary and decimal units differ.

    >>> parse_bytes("8GiB"), parse_bytes("500 MB"), parse_bytes("1.5kib"), parse_bytes("20")
    (8589934592, 500000000, 1536, 20)

    Raises:
        ValueError: not such a number; the message says what is expected.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", text)
    if match is None or match[2].upper() not in _BYTES:
        raise ValueError("expected a size such as 8GiB or 500MB")
    size = int(float(match[1]) * _BYTES[match[2].upper()])
    if size < 1:
        raise ValueError("must be more than zero")
    return size


def seconds_text(seconds: float) -> str:
    """Seconds with the unit that leaves one to three digits before the point.

    >>> seconds_text(0.0000123), seconds_text(0.25), seconds_text(90), seconds_text(0.0009996)
    ('12.3 µs', '250 ms', '90.0 s', '1.00 ms')
    """
    for unit, scale in _SECONDS:
        if seconds >= 0.9995 * scale:
            return f"{_three_digits(seconds / scale)} {unit}"
    return f"{seconds:.0e} s" if seconds else "0 s"


def moment_text(moment: datetime) -> str:
    """A moment to the minute, in UTC.

    >>> moment_text(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2026-01-02 03:04 UTC'
    """
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def number_text(value: float | None, digits: int = 4) -> str:
    """So many significant digits, more just below one, all of whole numbers below 1e8; words for what is no number.

    >>> number_text(0.00022590160369873047), number_text(None), number_text(float("inf")), number_text(0.0)
    ('2.259e-4', 'not measured', '∞', '0')
    >>> number_text(0.99999999999999989), number_text(-0.9999999999)
    ('1 − 1.1e-16', '−1 + 1.0e-10')
    >>> number_text(0.9999857), number_text(1.0), number_text(12345.6), number_text(16777216)
    ('0.9999857', '1', '12,346', '16,777,216')
    >>> number_text(105064000000000.0), number_text(0.02263, 3), number_text(2345.6, 3)
    ('1.051e14', '0.0226', '2,346')
    """
    if value is None:
        return "not measured"
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    if 0.999 < abs(value) < 1:  # of a cosine or a share, the difference to 1 matters
        missing = 1 - abs(value)
        if missing < _NEAR_ONE:
            return (
                f"1 − {missing:.1e}".replace("e-0", "e-") if value > 0 else f"−1 + {missing:.1e}".replace("e-0", "e-")
            )
        return f"{value:.{3 + int(-math.log10(missing))}f}"
    if value == int(value) and abs(value) < _IN_FULL:
        return f"{int(value):,}"
    if 1e-3 <= abs(value) < 1e3:
        return f"{value:.{digits}g}"
    if 1e3 <= abs(value) < 1e6:
        return f"{value:,.0f}" if abs(value) >= 1e4 or digits < 4 else f"{value:,.1f}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def short_text(value: float | None) -> str:
    """A number to two digits, where there is room for no more; nothing for None.

    >>> short_text(0.012345), short_text(0.00012345), short_text(1234567.0)
    ('0.012', '1.2e-4', '1.2e6')
    """
    if value is None or not math.isfinite(value):
        return "" if value is None else number_text(value)
    if value and not 1e-3 <= abs(value) < 1e3:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{float(f'{value:.2g}'):g}"


def ratio_text(ratio: float, digits: int = 3) -> str:
    """A ratio, to so many significant digits.

    >>> ratio_text(0.99999999), ratio_text(0.01234), ratio_text(12345.6), ratio_text(21.4, 1)
    ('1', '0.0123', '12,300', '20')
    """
    return number_text(float(f"{ratio:.{digits}g}"))


def share_text(share: float | None) -> str:
    """A share as a percentage; only exact shares are shown as 0 % or 100 %.

    >>> share_text(1.0), share_text(0.99999), share_text(0.00001), share_text(0.25)
    ('100 %', '> 99.9 %', '< 0.1 %', '25.0 %')
    """
    if share is None:
        return "not measured"
    if share in (0, 1):
        return f"{share:.0%}".replace("%", " %")
    if share > 0.999:
        return "> 99.9 %"
    if share < 0.001:
        return "< 0.1 %"
    return f"{share * 100:.1f} %"


def fine_share_text(share: float) -> str:
    """A share as a percentage with two or three digits, however small; for limits and the ends of intervals.

    Only an exact share is shown as 100 %: what is just below has more digits.

    >>> fine_share_text(0.00853), fine_share_text(0.2775), fine_share_text(1.0), fine_share_text(0.99152)
    ('0.85 %', '27.8 %', '100 %', '99.2 %')
    >>> fine_share_text(0.0), fine_share_text(1e-9)
    ('0 %', '< 0.001 %')
    >>> fine_share_text(2999 / 3000), fine_share_text(0.9995), fine_share_text(1 - 1e-9), fine_share_text(19.8)
    ('99.97 %', '99.95 %', '> 99.999 %', '1,980 %')
    """
    if 0 < share < 1e-5:
        return "< 0.001 %"
    if 1 - 1e-5 < share < 1:
        return "> 99.999 %"
    if 0.999 < share < 1:
        return f"{100 * share:.{int(-math.log10(1 - share)) - 1}f} %"
    return f"{100 * share:.2g} %" if share < 0.1 else f"{ratio_text(100 * share)} %"


def count_text(count: int, noun: str) -> str:
    """A count with its noun, in the plural unless the count is 1.

    >>> count_text(1, "element"), count_text(2500, "element")
    ('1 element', '2,500 elements')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def capitalised(clause: str) -> str:
    """A clause as the beginning of a sentence.

    >>> capitalised("bfloat16 keeps it"), capitalised("")
    ('Bfloat16 keeps it', '')
    """
    return clause[:1].upper() + clause[1:]


def shape_text(shape: tuple[int, ...]) -> str:
    """A tensor's shape.

    >>> shape_text((2, 3)), shape_text(())
    ('2 × 3', 'scalar')
    """
    return " × ".join(map(str, shape)) or "scalar"


def change_text(before: float, after: float) -> str:
    """By how much something grew or shrank.

    >>> change_text(4, 2), change_text(4, 4), change_text(4, 6), change_text(0, 2), change_text(1000, 999)
    ('−50 %', 'unchanged', '+50 %', 'more', '< 1 % less')
    """
    if before == after:
        return "unchanged"
    if before == 0:
        return "more"
    size = abs(after / before - 1) * 100
    if size < 1:
        return "< 1 % less" if after < before else "< 1 % more"
    change = "> 99 %" if 99 < size < 100 else f"{size:.0f} %"
    return f"−{change}" if after < before else f"+{change}"


def _three_digits(value: float) -> str:
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"
