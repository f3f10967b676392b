"""Scores of single customers: every one of them, in a file that is private and whole, or none."""

import stat

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from datasets import ORDERS, write_dataset
from small_project import journey, make

import journeylib as jl
from journeylib.errors import ContractError, DataError, FitRefusedError
from journeylib.parameters import validate
from journeylib.score import score, segments, worth
from journeylib.study import open_study

HOSTILE = [
    "'; drop table orders; --",
    '=cmd|"/C calc"!A0',
    "<script>alert(1)</script>",
    "\u202eevil",
    "007",
    "NA",
    "null",
    "ＡＮＮＡ",
]
P = validate("lifetime_value", {"dataset": "cdnow", "calibration_end": "1997-09-30"})


DATASET = """title = "Shop"
currency = "USD"
observed_from = 1997-01-01
observed_until = 1998-06-30
zero_amount_orders = "ignore"
[orders]
source = "orders.csv"
"""


@pytest.fixture
def shop(tmp_path):
    root = make(tmp_path)
    (root / "data/shop/dataset.toml").write_text(DATASET)
    return root


@pytest.fixture(scope="module")
def study():
    return open_study("cdnow")


@pytest.fixture(scope="module")
def value(study):
    return worth(study, P)


@pytest.fixture(scope="module")
def written(study, value, tmp_path_factory):
    path = tmp_path_factory.mktemp("private") / "scores.parquet"
    return path, score(study, value, path), pq.read_table(path).to_pandas()


def test_every_customer_has_one_row_and_together_they_are_the_total(value, written):
    _, table, rows = written
    assert len(rows) == rows["customer_id"].nunique() == 2357
    assert rows["value"].sum() == pytest.approx(value.total.value, rel=1e-9)
    assert table["customers"].sum() == 2357
    assert table["value"].sum() == pytest.approx(value.total.value, rel=1e-9)
    assert rows["segment"].value_counts().to_dict() == table.set_index("segment")["customers"].to_dict()
    assert rows["customer_id"].is_monotonic_increasing


def test_columns_say_what_the_models_say_of_the_same_history(study, value, written):
    rows = written[2]
    assert list(rows) == [
        "customer_id", "x", "t_x", "T", "probability_alive", "expected_purchases", "expected_spend",
        "value", "value_lower", "value_upper", "segment",
    ]  # fmt: skip
    assert rows["customer_id"].iloc[0] == "00004"  # text, as in the source
    purchases = jl.BGNBD().fit(study.purchase_cells())
    history = rows["x"], rows["t_x"], rows["T"]
    assert rows["probability_alive"].to_numpy() == pytest.approx(purchases.probability_alive(*history), rel=1e-9)
    assert rows["expected_purchases"].to_numpy() == pytest.approx(purchases.expected_purchases(52, *history), rel=1e-9)
    assert ((rows["value_lower"] <= rows["value"]) & (rows["value_lower"] <= rows["value_upper"])).all()


def test_spend_of_a_row_is_the_customers_own_to_two_per_cent(study, written):
    spend = jl.GammaGamma().fit(study.spend_cells())
    own = study.engine.table(f"select customer_id, x, repeat_revenue from {study.histories()} where repeat_revenue > 0")
    both = own[own["x"] > 0].merge(written[2][["customer_id", "expected_spend"]], on="customer_id")
    expected = spend.expected_spend(both["x"], both["repeat_revenue"].astype(float) / both["x"])
    assert len(both) > 1000
    assert both["expected_spend"].to_numpy() == pytest.approx(expected, rel=0.02)


def test_file_is_for_its_owner_only_and_leaves_nothing_beside_it(written):
    path = written[0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["scores.parquet"]


def test_half_a_file_is_never_there_and_the_last_whole_one_stays(study, value, tmp_path, monkeypatch):
    path, batches = tmp_path / "scores.parquet", type(study.engine).batches

    def broken(self, sql, rows=500):
        yield next(batches(self, sql, rows))
        raise OSError(28, "No space left on device")

    path.write_text("yesterday")
    monkeypatch.setattr(type(study.engine), "batches", broken)
    with pytest.raises(DataError, match="the scores cannot be written: No space left on device"):
        score(study, value, path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("scores.parquet", "yesterday")]


def test_place_that_is_not_there_is_refused(study, value, tmp_path):
    with pytest.raises(DataError, match="the scores cannot be written: No such file .* Name a file in a folder"):
        score(study, value, tmp_path / "nowhere" / "scores.parquet")


def test_values_of_other_cells_are_refused(study, value, tmp_path):
    fits = jl.BGNBD().fit(study.purchase_cells()), jl.GammaGamma().fit(study.spend_cells())
    money = {"horizon": 52, "annual_discount_rate": 0.15, "margin_share": 0.3, "currency": "USD", "draws": 20}
    with pytest.raises(ContractError, match='no column "spend_level". Value the cells of value_cells'):
        score(study, jl.lifetime_value(*fits, study.holdout_cells(), **money), tmp_path / "s.parquet")
    with pytest.raises(ContractError, match="customers were found in the cells, not 2,357"):
        score(study, jl.lifetime_value(*fits, study.value_cells().iloc[1:], **money), tmp_path / "s.parquet")
    assert not list(tmp_path.iterdir())


def test_scores_with_a_segment_as_covariate_are_those_of_the_customers_segment(tmp_path):
    ids = pd.read_csv("data/cdnow/orders.csv", dtype=str)["customer_id"].unique()
    size = np.where(np.arange(ids.size) % 3 == 0, "small", "large")
    known = pd.DataFrame({"customer_id": ids, "first_seen_at": "1997-01-01", "segment_size": size})
    orders = pd.read_csv("data/cdnow/orders.csv", dtype=str)
    opened, segment = open_study("cdnow", frames={"orders": orders, "customers": known}), "customers.segment_size"
    purchases = jl.BGNBD(purchase_covariates=("segment",)).fit(opened.purchase_cells(segment=segment))
    spend = jl.GammaGamma().fit(opened.spend_cells())
    money = {"horizon": 52, "annual_discount_rate": 0.15, "margin_share": 0.3, "currency": "USD", "draws": 20}
    value = jl.lifetime_value(purchases, spend, opened.value_cells(segment=segment), **money)
    score(opened, value, tmp_path / "s.parquet", segment)
    rows = pq.read_table(tmp_path / "s.parquet").to_pandas().merge(known, on="customer_id")
    assert len(rows) == 2357
    each = purchases.expected_purchases(
        52, rows["x"], rows["t_x"], rows["T"], rows.rename(columns={"segment": "class", "segment_size": "segment"})
    )
    assert rows["expected_purchases"].to_numpy() == pytest.approx(each, rel=1e-9)
    assert rows["value"].sum() == pytest.approx(value.total.value, rel=1e-9)
    with pytest.raises(ContractError, match="not 2,357. Value the cells .* and name the segment that parts them"):
        score(opened, value, tmp_path / "t.parquet")
    whole = jl.lifetime_value(jl.BGNBD().fit(opened.purchase_cells()), spend, opened.value_cells(), **money)
    with pytest.raises(ContractError, match="the cells are not parted by customers.segment_size. Value the cells of"):
        score(opened, whole, tmp_path / "t.parquet", segment)


def test_hostile_ids_come_back_letter_by_letter(tmp_path):
    orders = pd.read_csv("data/cdnow/orders.csv", dtype=str)
    names = dict(zip(orders["customer_id"].unique(), HOSTILE, strict=False))
    frame = orders.assign(customer_id=orders["customer_id"].map(lambda c: names.get(c, c)))
    renamed = open_study("cdnow", frames={"orders": frame})
    score(renamed, worth(renamed, P), tmp_path / "s.parquet")
    found = set(pq.read_table(tmp_path / "s.parquet")["customer_id"].to_pylist())
    assert found == set(frame["customer_id"])
    assert set(HOSTILE) <= found


def test_segments_follow_their_rules_in_order():
    cells = pd.DataFrame(
        [
            (5, 0.9, 100.0, 10),
            (5, 0.4, 60.0, 5),
            (5, 0.1, 1.0, 20),
            (0, 1.0, 5.0, 40),
            (2, 0.8, 9.0, 25),
            (0, 0.2, 1.0, 1),
        ],
        columns=["x", "probability_alive", "value", "customers"],
    )
    expected = ["top tenth", "win back", "probably gone", "bought once", "others", "probably gone"]
    # The eleventh of 101 customers is worth 60, so 60 / 0.4 and no other value of one gone is in the top tenth.
    assert segments(cells).tolist() == expected
    assert segments(cells.iloc[::-1]).tolist() == expected[::-1]


def test_what_the_report_refuses_is_refused(tmp_path):
    rows = "".join(f"o{i},c{i},2024-0{1 + i % 3}-01,{i + 1}\n" for i in range(200))
    rows += "".join(f"later{i},c{i},2024-12-01,{i + 1}\n" for i in range(40))
    opened = open_study(str(write_dataset(tmp_path, settings={"time_zone": "UTC"}, orders=ORDERS + rows)))
    with pytest.raises(FitRefusedError, match="repeat buyers: no repeat buyer"):
        worth(opened, validate("lifetime_value", {}))


def test_purchases_like_clockwork_are_refused_as_in_the_report(study, monkeypatch):
    weekly = pd.DataFrame({"d1": [7, 7, 8], "d2": [7, 8, 7], "customers": 500})
    monkeypatch.setattr(type(study), "interval_cells", lambda self: weekly)
    with pytest.raises(FitRefusedError, match=r"value of these customers is refused: purchase regularity k: \d+\.\d+"):
        worth(study, P)


def test_command_writes_the_scores_of_a_report_and_says_who_is_not_in_it(shop):
    with open("data/cdnow/orders.csv") as file:
        rows = file.read().replace("ordered_on", "ordered_at", 1)
    (shop / "data/shop/orders.csv").write_text(rows + "window,0,1997-02-01,1,0.00\n")
    done = journey(shop, "score", "shop/lifetime_value", "-p", "calibration_end=1997-09-30", "-p", "horizon_weeks=26")
    assert done.returncode == 0, done.stderr
    assert "2,349 customers, one row each; only you can read it." in done.stdout
    assert "Value is margin over the next 26 weeks." in done.stdout
    assert "9 customers without a purchase are not in it." in done.stdout
    path = shop / "private/scores/shop-lifetime_value.parquet"
    assert [stat.S_IMODE(p.stat().st_mode) for p in (path, path.parent, path.parents[1])] == [0o600, 0o700, 0o700]
    assert pq.read_metadata(path).num_rows == 2349


@pytest.mark.parametrize(
    "words, code, text",
    [
        (["shop/lifetime_value"], 3, "no purchases after the end of calibration to test against"),
        (["--dataset", "shop"], 3, "no purchases after the end of calibration to test against"),
        ([], 2, "name a report, or a dataset with --dataset"),
        (["shop/lifetime_value", "--dataset", "shop"], 2, "name a report, or a dataset"),
        (["shoop"], 2, 'no suite or report is called "shoop". Did you mean'),
        (["--dataset", "shoop"], 2, 'no dataset is called "shoop"'),
        (["--dataset", "shop", "-p", "horizon=3"], 2, 'has no parameter "horizon". Did you mean "horizon_weeks"'),
        (["--dataset", "shop", "-p", "horizon_weeks"], 2, "-p takes NAME=VALUE"),
    ],
)
def test_command_that_cannot_score_says_why_and_writes_nothing(shop, words, code, text):
    done = journey(shop, "score", *words)
    assert text in done.stderr
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert not list(shop.glob("private/scores/*.parquet"))
