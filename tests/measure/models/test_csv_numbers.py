from __future__ import annotations

import math
from pathlib import Path

import pytest

from precision.errors import InputError
from precision.measure.models.csv_numbers import read_csv


def read(folder: Path, text: str, limit_bytes: int = 2**20) -> list[list[float]]:
    (folder / "a.csv").write_text(text, encoding="utf-8")
    rows: list[list[float]] = read_csv(folder / "a.csv", limit_bytes=limit_bytes).tolist()
    return rows


@pytest.mark.parametrize(
    "text", ["1,2.5\n3,4\n", "a,b\n1,2.5\n\n3,4", "\ufeff1;2.5\r\n3;4", '"x"\t"y"\n1\t2.5\n3\t 4 ', "1,25e-1\n3,+4"]
)
def test_a_matrix(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == [[1.0, 2.5], [3.0, 4.0]]


def test_whole_numbers_stay_whole(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,mask\n101,1\n-7,0\n")
    matrix = read_csv(tmp_path / "a.csv", limit_bytes=1000)
    assert str(matrix.dtype) == "int64"
    assert matrix.tolist() == [[101, 1], [-7, 0]]
    (tmp_path / "a.csv").write_text("9007199254740993")
    beyond = read_csv(tmp_path / "a.csv", limit_bytes=1000)
    assert str(beyond.dtype) == "float64", "more than what is read exactly"


def test_nan_and_infinity_are_numbers(tmp_path: Path) -> None:
    assert math.isnan(read(tmp_path, "nan,inf\n-Infinity,1")[0][0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no row of numbers"),
        ("a,b\n", "has no row of numbers"),
        ("a,b\nc,d\n", "'c' in row 1 of numbers is no number"),
        ("1,2\n3\n", "row 2 of numbers has 1 columns, the first 2"),
        ("1,2\n3,\n", "an empty cell in row 2 of numbers is no number"),
        ("1,2\n1_000,2\n", "'1_000' in row 2 of numbers is no number. Write it with a point"),
        ("1;2\n1,5;2\n", "'1,5' in row 2"),
        ('1,2\n"3,4\n', "is no CSV of numbers"),
        ("1,2\n" + "x" * 200_000, "is no CSV of numbers"),
        ("1," * (8 * 2**20 + 1), "a line has more than 16777216 characters"),
        ("1\n" * 129, "has more than 1024 bytes of numbers"),
    ],
)
def test_what_is_no_matrix(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, text, limit_bytes=1024)


def test_other_encodings(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("1,2\n3,é".encode("latin-1"))
    with pytest.raises(InputError, match="is no CSV of numbers"):
        read_csv(tmp_path / "a.csv", limit_bytes=1024)
