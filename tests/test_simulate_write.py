"""A world on disk: the same bytes, whole or not at all, through the same door; and the command that makes it."""

import hashlib
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import small_project
from click.testing import CliRunner

import journeylib as jl
from journeylib.errors import UsageError
from journeylib.parameters import dataset_file
from journeylib.report.cli import main
from journeylib.simulate import PRESETS, QUANTITIES, world_settings, write
from journeylib.simulate import world as worlds

ROOT = Path(__file__).parents[1]
DATA = ROOT / "data" / "simulated"
TABLES = ("customers", "orders", "events", "referrals", "feedback")
TINY = world_settings("tiny", seed=3)


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file by its path in the folder."""
    files = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def orders_only(folder: Path, orders: pd.DataFrame | None = None) -> Path:
    """Return a dataset.toml beside the world's own that names its orders, or other ones, and nothing else."""
    text = (folder / "dataset.toml").read_text()
    head, rest = text.split("\n[", 1)
    source = re.search(r'orders\]\nsource = "(.*)"', rest)[1]
    if orders is not None:
        source = "other_orders.csv"
        orders.to_csv(folder / source, index=False)
    path = folder / "orders_only.toml"
    path.write_text(f'{head}\n[orders]\nsource = "{source}"\n')
    return path


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "shop"
    return folder, write.write_world(world_settings("healthy", 1_500, 4), folder)


# What is written


def test_folder_holds_five_tables_their_toml_and_the_truth_apart(shop):
    folder, rows = shop
    assert {p.name for p in folder.iterdir()} == {f"{t}.csv" for t in TABLES} | {"dataset.toml", "README.md", "truth"}
    truth = {"customers.parquet", "orders.parquet", "referrals.parquet", "requests.parquet", "feedback.parquet"}
    assert {p.name for p in (folder / "truth").iterdir()} == truth | {"truth.json", "README.md"}
    for name in TABLES:
        assert (folder / f"{name}.csv").read_text().count("\n") - 1 == rows[name]
    readme = (folder / "README.md").read_text()
    assert "**Synthetic data.**" in readme
    assert "journey simulate --preset healthy --customers 1500 --seed 4 --format csv" in readme
    assert f"| `orders` | {rows['orders']:,} |" in readme


def test_truth_json_names_preset_settings_and_every_quantity(shop):
    folder, rows = shop
    truth = json.loads((folder / "truth" / "truth.json").read_text())
    assert (truth["preset"], truth["settings"]["customers"], truth["settings"]["seed"]) == ("healthy", 1500, 4)
    assert truth["synthetic"] is True
    assert truth["rows"] == rows
    assert set(truth["quantities"]) == set(QUANTITIES)
    world = jl.simulate("healthy", 1_500, 4)
    assert {n: q["value"] for n, q in truth["quantities"].items()} == world.truth.summary
    assert truth["declared"]["l2_incrementality"] == pytest.approx(world.settings.declared_incrementality, abs=1e-6)
    conclusion = " ".join(PRESETS["healthy"].conclusion.split())
    assert conclusion in (folder / "truth" / "README.md").read_text()


def test_csv_and_parquet_hold_the_tables_as_simulate_gives_them(tmp_path):
    world = jl.simulate(TINY)
    for form in ("csv", "parquet"):
        write.write_world(world, tmp_path / form, form)
    for name, frame in world.tables.items():
        expected = frame.astype(object).where(frame.notna(), None)
        stored = pq.read_table(tmp_path / "parquet" / f"{name}.parquet").to_pandas().astype(object)
        text = pd.read_csv(tmp_path / "csv" / f"{name}.csv", dtype=str, keep_default_na=False)
        assert list(text) == list(stored) == list(expected)
        for column in expected:
            said = ["" if v is None else v for v in expected[column]]
            if column in ("revenue", "margin", "cost", "incentive_cost", "reward_referrer", "reward_referee"):
                said = [f"{v:.2f}" if v != "" else "" for v in said]
            elif expected[column].map(type).eq(bool).all():
                said = [str(v).lower() for v in said]
            elif column == "score":
                said = [f"{v:.0f}" if v != "" else "" for v in said]
            assert text[column].tolist() == [str(v) for v in said], (name, column)
            numbers = ["" if pd.isna(v) else f"{v:.0f}" if column == "score" else str(v) for v in stored[column]]
            assert [n.lower() if n in ("True", "False") else n for n in numbers] == text[column].tolist()


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_world_and_settings_write_the_same_bytes_in_blocks_of_any_number(tmp_path, monkeypatch, form):
    monkeypatch.setattr(worlds, "BLOCK", 150)
    settings = world_settings("healthy", 400, 8)
    seen = []
    write.write_world(settings, tmp_path / "a", form, progress=seen.append)
    write.write_world(jl.simulate(settings), tmp_path / "b", form)
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    assert seen == [150, 150, 100]


def test_another_seed_writes_other_bytes(tmp_path):
    for seed in (1, 2):
        write.write_world(world_settings("tiny", seed=seed), tmp_path / str(seed))
    one, two = hashes(tmp_path / "1"), hashes(tmp_path / "2")
    assert not {n for n in one if one[n] == two[n]} - {"dataset.toml", "truth/README.md"}


def test_settings_of_ones_own_are_named_so(tmp_path):
    write.write_world(world_settings("healthy", 300, homophily=0.1), tmp_path / "mine")
    assert json.loads((tmp_path / "mine/truth/truth.json").read_text())["preset"] == "custom"
    assert "`journeylib.write_world` takes them" in (tmp_path / "mine" / "README.md").read_text()
    assert write.preset_of(TINY) == "tiny"
    assert write.preset_of(world_settings("healthy", 300)) == "healthy"


# Whole or not at all


def test_existing_folder_is_kept_unless_forced(tmp_path):
    write.write_world(TINY, tmp_path / "w")
    before = hashes(tmp_path / "w")
    with pytest.raises(UsageError, match=r"the folder is there already \(first: .*/w\). Give another, or --force"):
        write.write_world(world_settings("tiny", seed=9), tmp_path / "w")
    assert hashes(tmp_path / "w") == before
    write.write_world(world_settings("tiny", seed=9), tmp_path / "w", force=True)
    assert hashes(tmp_path / "w") != before
    assert [p.name for p in tmp_path.iterdir()] == ["w"]


def test_force_never_replaces_what_is_no_simulated_world(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "orders.csv").write_text("precious")
    with pytest.raises(UsageError, match="the folder holds no simulated world"):
        write.write_world(TINY, tmp_path / "mine", force=True)
    assert (tmp_path / "mine" / "orders.csv").read_text() == "precious"


def test_empty_folder_is_filled(tmp_path):
    (tmp_path / "w").mkdir()
    assert write.write_world(TINY, tmp_path / "w")["customers"] == 200


@pytest.mark.parametrize("there", [True, False])
def test_failure_half_way_leaves_what_was_there(tmp_path, monkeypatch, there):
    if there:
        write.write_world(TINY, tmp_path / "w")
    before = hashes(tmp_path)
    monkeypatch.setattr(worlds, "BLOCK", 100)

    def full(people: int) -> None:
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write.write_world(world_settings("tiny", seed=5), tmp_path / "w", force=True, progress=full)
    assert hashes(tmp_path) == before


def test_unknown_format_is_refused(tmp_path):
    with pytest.raises(UsageError, match='no format is called "parqet". Did you mean "parquet"'):
        write.write_world(TINY, tmp_path / "w", "parqet")


# Through the same door


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_orders_come_in_by_the_door_and_nothing_is_refused(tmp_path, form):
    rows = write.write_world(TINY, tmp_path / "w", form)
    study = jl.open_study(str(orders_only(tmp_path / "w")))
    assert study.ledger.rows.iloc[0].tolist()[:4] == ["orders", rows["orders"], rows["orders"], 0]
    buyers = np.count_nonzero(pq.read_table(tmp_path / "w/truth/customers.parquet")["joined_at"].is_valid())
    assert study.purchase_cells()["customers"].sum() == buyers
    assert study.currency == "EUR"
    assert (study.observed_from.isoformat(), study.observed_until.isoformat()) == ("2022-01-01", "2024-12-31")


def test_row_order_ids_and_currency_scale_change_no_purchase_history(shop):
    folder, _ = shop
    orders = pd.read_csv(folder / "orders.csv", dtype=str)
    rng = np.random.default_rng(1)
    customers = orders["customer_id"].unique()
    names = dict(zip(customers, rng.permutation(len(customers)).astype(str), strict=True))
    cents = orders["revenue"].str.replace(".", "", regex=False).str.replace(r"^(-?)0+(?=\d)", r"\1", regex=True)
    told = {
        "as they are": orders,
        "shuffled": orders.sample(frac=1, random_state=2),
        "relabelled": orders.assign(customer_id=orders["customer_id"].map(names), order_id=[f"x{i}" for i in range(len(orders))]),
        "in cents": orders.assign(revenue=cents),
    }  # fmt: skip
    cells = {
        how: jl.open_study(str(orders_only(folder, frame))).purchase_cells("2024-06-30") for how, frame in told.items()
    }
    for how in told:
        pd.testing.assert_frame_equal(cells[how], cells["as they are"])
    spend = jl.open_study(str(orders_only(folder, told["in cents"]))).spend_cells()
    plain = jl.open_study(str(orders_only(folder, orders))).spend_cells()
    assert np.allclose(spend["mean_spend"], 100 * plain["mean_spend"])


def test_shipped_world_is_what_the_generator_makes(tmp_path):
    write.write_world(world_settings("healthy", 5_000, 1), tmp_path / "simulated", "parquet")
    made, shipped = hashes(tmp_path / "simulated"), hashes(DATA)
    # Other bytes: numpy, pyarrow or the story changed. Then `journey simulate` makes it anew, see its README.
    assert made == shipped
    assert sum(p.stat().st_size for p in DATA.rglob("*") if p.is_file()) < 2_000_000
    assert dataset_file("simulated") == DATA / "dataset.toml"


# The command


def test_command_makes_a_world_and_says_what_is_in_it(tmp_path):
    out = tmp_path / "deep" / "w"
    done = small_project.journey(ROOT, "simulate", "--preset", "tiny", "--seed", "3", "--out", str(out))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{out}: 200 customers, ")
    write.write_world(TINY, tmp_path / "same")
    assert hashes(out) == hashes(tmp_path / "same")


@pytest.mark.parametrize(
    "words, code, message",
    [
        (["--preset", "push_heav"], 2, 'journey: no preset is called "push_heav". Did you mean "push_heavy"?'),
        (["--customers", "3"], 2, "journey: simulate.customers must lie between 10 and 100000000 people, not 3."),
        (["--format", "cvs"], 2, 'journey: no format is called "cvs". Did you mean "csv"?'),
        (["--customers", "many"], 2, "Invalid value for '--customers'"),
        (["--out", "/proc/nowhere/w"], 1, "journey: No such file or directory (/proc/nowhere)."),
    ],
)  # fmt: skip
def test_command_leaves_with_a_message_and_a_code_and_no_traceback(tmp_path, words, code, message):
    out = [] if "--out" in words else ["--out", str(tmp_path / "w")]
    done = small_project.journey(ROOT, "simulate", *words, *out)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_command_that_is_terminated_leaves_nothing_behind(tmp_path):
    process = small_project.start(ROOT, "simulate", "--customers", "3000000", "--out", str(tmp_path / "w"))
    deadline = time.monotonic() + 60
    while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in errors
    assert not list(tmp_path.iterdir())


def test_help_names_every_preset():
    shown = CliRunner().invoke(main, ["simulate", "--help"]).output
    for preset in PRESETS.values():
        assert re.search(rf"{preset.name} +{re.escape(preset.title)}\n", shown)


def test_simulate_loads_nothing_heavy_into_the_command():
    code = (
        "import sys\nfrom journeylib.report.cli import main\n"
        "try: main(['simulate', '--preset', 'none', '--out', '/nowhere'])\nexcept SystemExit: pass\n"
        "print({'numpy', 'pandas', 'pyarrow', 'journeylib.simulate'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
