"""The byte counter: records, ragged ones, lines, and files that are refused outright."""

import csv
import io

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from journeylib.errors import DataError
from journeylib.intake import records
from journeylib.intake.records import Dialect, scan


@pytest.fixture
def written(tmp_path):
    def write(content: bytes | str):
        file = tmp_path / "orders.csv"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return write


@pytest.mark.parametrize(
    ("content", "count", "ragged", "lines"),
    [
        (b"a,b\n1,2\n3,4\n", 2, [], [2, 3]),
        (b"a,b\n1,2\n3,4", 2, [], [2, 3]),
        (b"\xef\xbb\xbfa,b\n1,2\n", 1, [], [2]),
        (b"a,b\r\n1,2\r\n\r\n3\r\n4,5\r\n", 3, [1], [2, 4, 5]),
        (b"a,b\r1,2\r\r3,4", 2, [], [2, 4]),
        (b'a,b\n"1\n1",2\n3,4,5\n\n\n6,7', 3, [1], [2, 4, 7]),
        (b'a,b\n"x""y",""""\n"",2\n', 2, [], [2, 3]),
        (b'"a\nb",c\n1,2\n', 1, [], [3]),
        (b"a,b\n,\n  \n", 2, [1], [2, 3]),
        (b'a,b\n1,2,\n1,2,,\n1,2,""\n1,2, \n,,,\n1,2,"",x\n', 6, [3, 5], [2, 3, 4, 5, 6, 7]),
        (b"a,b\r\n1,2,\r\n1,2,x\r\n3,4\r", 3, [1], [2, 3, 4]),
    ],
)
def test_records_are_counted_and_found_again(written, content, count, ragged, lines):
    found = scan(written(content))
    assert (found.records, found.ragged.tolist()) == (count, ragged)
    assert [found.locate(i)[0] for i in range(count)] == lines


@pytest.mark.parametrize("block", [8, 16, 1 << 22])
def test_block_size_changes_nothing(written, monkeypatch, block):
    lines = [f'"{i}\r\n""{i}""",Zoë' if i % 3 else f"{i},x,y" for i in range(200)]
    file = written("a,b\r\n" + "\r\n".join(lines))
    whole = scan(file)
    monkeypatch.setattr(records, "BLOCK", block)
    parts = scan(file)
    assert parts.records == whole.records == 200
    assert parts.sha256 == whole.sha256
    np.testing.assert_array_equal(parts.ragged, np.arange(0, 200, 3))
    assert [parts.locate(i) for i in range(200)] == [whole.locate(i) for i in range(200)]
    assert parts.locate(199)[1] == lines[199]


@given(st.lists(st.lists(st.text('ab",\n\r é', max_size=4), min_size=1, max_size=4), min_size=1, max_size=8))
def test_count_agrees_with_python_s_csv_module(tmp_path_factory, rows):
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([["x", "y"], *rows])
    file = tmp_path_factory.mktemp("csv") / "orders.csv"
    file.write_bytes(text.getvalue().encode())
    found = scan(file)
    assert found.records == len(rows)
    assert found.ragged.tolist() == [i for i, row in enumerate(rows) if len(row) < 2 or any(row[2:])]
    assert [Dialect().fields(found.locate(i)[1]) for i in range(len(rows))] == rows


def test_rows_the_engine_keeps_are_mapped_to_records(written):
    found = scan(written("a,b\n0\n1,1\n2\n3\n4,4\n5,5\n6"))
    assert [found.record_of(row) for row in range(3)] == [1, 4, 5]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "orders.csv is empty. Export it again, with its header."),
        (b"\n\na,b\n1,2\n", "orders.csv: line 1 is empty. Let the header be the first line."),
        (b"a,b\n1,\x00\n", "orders.csv, line 2: a NUL byte at byte 6."),
        (b"a,b\n1,2\n1,Zo\xeb\n", "orders.csv, line 3: byte 0xeb, which is not UTF-8, at byte 12. Save the file as"),
        ("a,b\n".encode("utf-16"), 'orders.csv is UTF-16 text, not UTF-8 text. Set encoding = "utf-16"'),
        (b"PK\x03\x04rest", "orders.csv is a zip or Excel file, not UTF-8 text. Save the sheet as CSV (UTF-8)."),
        (b"\x1f\x8brest", "orders.csv is a gzip file"),
        (b"PAR1rest", "orders.csv is a Parquet file"),
        (b'a,b\n1,"2\n3,4\n', "orders.csv, line 2: the quote that opens here never closes."),
        (b'a,b\n1,2\n1,"2\n3,"4"\n', "orders.csv, line 3: the quote that opens here closes in the middle of a field."),
        (b'a,b\n1,2\n1,x"y\n', "orders.csv, line 3: a quote inside a field that does not start with one."),
        (b"a,b\n1,2\n" + b"x" * 1_000_001, "orders.csv, line 3: a record of more than 1,000,000 bytes starts here"),
        (b'a,b\n1,"' + b"2\n" * 600_000, "orders.csv, line 2: "),
    ],
)
def test_unreadable_file_is_refused_with_its_line(written, content, message):
    with pytest.raises(DataError) as refused:
        scan(written(content))
    assert str(refused.value).startswith(message)


def test_quotes_without_meaning_are_text(written):
    found = scan(written('a\tb\n5" pipe\t1\n"x\t2\n'), Dialect("\t", ""))
    assert (found.records, found.ragged.tolist()) == (2, [])
    assert Dialect("\t", "").fields(found.locate(0)[1]) == ['5" pipe', "1"]
