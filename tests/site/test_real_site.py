"""The reports that ship with the project, built for real: twice, elsewhere, and with hostile data."""

import shutil
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from small_project import entries, journey

ROOT = Path(__file__).parents[2]
HOSTILE = "<script>ran.push(1)</script><img src=x onerror=ran.push(2)>"


def copy_project(target: Path) -> Path:
    for room in ("notebooks", "data/cdnow", "data/cdnow_full", "requirements"):
        shutil.copytree(ROOT / room, target / room, ignore=shutil.ignore_patterns(".*"))
    (target / "reports").mkdir()
    shutil.copy(ROOT / "reports/cdnow.toml", target / "reports")
    return target


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    """Two builds, in folders of unlike names, time zones and locales."""
    first, second = (copy_project(tmp_path_factory.mktemp(name)) for name in ("a", "another-place"))
    for root, variables in ((first, {"TZ": "Asia/Tokyo"}), (second, {"TZ": "America/Lima", "LC_ALL": "C"})):
        built = journey(root, "build", **variables)
        assert built.returncode == 0, built.stderr
    return first / "reports/site", second / "reports/site"


def test_two_builds_in_two_directories_are_equal_byte_for_byte(sites):
    pages = [{p.relative_to(s): p.read_bytes() for p in s.rglob("*.*") if p.name != "run.json"} for s in sites]
    assert {p.suffix for p in pages[0]} >= {".html", ".ipynb", ".csv"}
    assert pages[0] == pages[1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index.html", "cdnow/lifetime_value.html", "cdnow/repeat_purchase_survival.html"])
def test_axe_finds_nothing_and_nothing_is_loaded(open_page, sites, name, scheme):
    html = (sites[0] / name).read_text()
    page = open_page(html, scheme=scheme, bypass_csp=True)
    assert page.asked == []
    found = Axe().run(page).response
    assert [v["id"] for v in found["violations"]] == []
    phone = open_page(html, scheme=scheme, width=390)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390


def test_script_planted_in_the_data_never_runs(open_page, tmp_path):
    root = copy_project(tmp_path)
    dataset, orders = root / "data/cdnow/dataset.toml", root / "data/cdnow/orders.csv"
    dataset.write_text(dataset.read_text().replace('"CDNOW, 1/10 sample"', f"'{HOSTILE}'"))
    rows = orders.read_text().replace("00004,", f"{HOSTILE},") + f"{HOSTILE},1,{HOSTILE},1,{HOSTILE}\n"
    orders.write_text(rows)
    built = journey(root, "build", "cdnow/lifetime_value")
    assert built.returncode == 0, built.stderr
    assert entries(root)["lifetime_value"]["status"] == "built"
    for name in ("index.html", "cdnow/lifetime_value.html"):
        html = (root / "reports/site" / name).read_text()
        assert "ran.push" in html  # the title is shown, as text
        for bypass_csp in (False, True):
            page = open_page(html, bypass_csp=bypass_csp)
            assert page.evaluate("window.ran") == [] and page.asked == []
