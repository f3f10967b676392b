"""Write the two CDNOW order files from the lifetimes wheel.

    pip download --no-deps lifetimes==0.11.3
    python data/convert_cdnow.py Lifetimes-0.11.3-py3-none-any.whl

Columns are renamed and dates written as ISO; no row, id or amount is touched, and the order of rows is kept.
"""

import csv
import hashlib
import io
import sys
import zipfile
from pathlib import Path

WHEEL_SHA256 = "261e3dc89977c2b60767ca6728aaa29d429de0c814635070a749c36555895da8"
HEADER = ("customer_id", "ordered_on", "quantity", "revenue")


def convert(text: str) -> str:
    """Return blank-separated CDNOW lines as CSV; a fifth column, the sample's own id, becomes ``sample_id``.

    >>> print(convert(" 00004 0001 19970101  2   29.33"), end="")
    customer_id,sample_id,ordered_on,quantity,revenue
    00004,0001,1997-01-01,2,29.33
    """
    rows = [fields for line in text.splitlines() if (fields := line.split()) and fields[0].isdigit()]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER if len(rows[0]) == len(HEADER) else (HEADER[0], "sample_id", *HEADER[1:]))
    for *ids, day, quantity, revenue in rows:
        writer.writerow([*ids, f"{day[:4]}-{day[4:6]}-{day[6:]}", quantity, revenue])
    return out.getvalue()


def main(wheel: Path) -> None:
    """Check the wheel's checksum and write both files beside this script."""
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != WHEEL_SHA256:
        sys.exit(f"{wheel} is not the lifetimes 0.11.3 wheel (checksum differs)")
    with zipfile.ZipFile(wheel) as archive:
        for dataset, name in (("cdnow", "CDNOW_sample.txt"), ("cdnow_full", "CDNOW_master.txt")):
            text = archive.read(f"lifetimes/datasets/{name}").decode("ascii")
            (Path(__file__).parent / dataset / "orders.csv").write_text(convert(text), encoding="utf-8", newline="")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
