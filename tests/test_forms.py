"""Common forms of numbers and dates: what each text can be read as, and what a refusal says of it."""

import pytest
from datasets import used, write_dataset

from journeylib.engine import open_engine
from journeylib.errors import DataError, SpecError
from journeylib.intake import TableSource, read_dataset
from journeylib.intake.forms import NumberForm, date_formats, number_forms
from journeylib.intake.wording import explained

POINT, COMMA = NumberForm(), NumberForm(",")


@pytest.fixture(scope="module")
def engine():
    with open_engine(threads=1, memory_limit="500MB") as opened:
        yield opened


@pytest.fixture
def orders(engine, tmp_path):
    """Read orders with these amounts, one semicolon-separated row each; returns the intake and the amounts."""

    def read(amounts, date="2024-02-01", share=0.05, **given):
        text = "customer_id;ordered_at;revenue\n" + "".join(f"c;{date};{amount}\n" for amount in amounts)
        settings = {"max_quarantined_share": share}
        toml = write_dataset(tmp_path, {"orders": {"delimiter": ";", **given}}, settings=settings, orders=text)
        return read_dataset(toml, engine), used(engine, "revenue")

    return read


@pytest.mark.parametrize(
    ("texts", "forms"),
    [
        (["5", "-12"], [POINT]),
        (["12.50", "5"], [POINT]),
        (["12,50"], [COMMA]),
        (["1,234"], [COMMA, NumberForm(".", ",")]),
        (["1.234,50"], [NumberForm(",", ".")]),
        (["1,234.50", "3"], [NumberForm(".", ",")]),
        (["1'234.50"], [NumberForm(".", "'")]),
        (["1\u202f234,50"], [NumberForm(",", "\u202f")]),
        (["12,50", "12.50"], []),
        (["1.23,50"], []),
        (["$5"], []),
    ],
)
def test_number_forms_are_those_all_texts_can_be_read_in(texts, forms):
    assert number_forms(texts) == forms


@pytest.mark.parametrize(
    ("text", "formats"),
    [
        ("2024-12-31", ("",)), ("2024-12-31 10:00:00.5+01:00", ("",)), ("31.12.2024", ("%d.%m.%Y",)),
        ("31.12.2024 08:30", ("%d.%m.%Y %H:%M",)), ("12/31/2024", ("%m/%d/%Y",)), ("1-2-2024", ("%d-%m-%Y", "%m-%d-%Y")),
        ("20241231", ("%Y%m%d",)), ("2024/12/31", ("%Y/%m/%d",)), ("1719790200000000", ("epoch_us",)),
        ("45292", ()), ("31/31/2024", ()), ("20249999", ()), ("soon", ()),
    ],
)  # fmt: skip
def test_date_formats_are_those_the_text_is_a_day_in(text, formats):
    assert date_formats(text) == formats


@pytest.mark.parametrize(
    ("mark", "decimal", "texts", "amounts"),
    [
        (".", ",", ["1.234,50", "-1.234.567,8", "500,00", "7"], ["1234.5000", "-1234567.8000", "500.0000", "7.0000"]),
        (",", ".", ["1,234.50"], ["1234.5000"]),
        ("'", ".", ["1'234.50"], ["1234.5000"]),
        ("\u00a0", ",", ["1\u00a0234,50"], ["1234.5000"]),
    ],
)
def test_declared_thousands_mark_is_read(orders, mark, decimal, texts, amounts):
    assert orders(texts, thousands=mark, decimal=decimal)[1] == amounts


@pytest.mark.parametrize(
    "text", ["1234,50", "1.23,50", "12.3456,0", "1..234", ".234", "1.234.50", "1,234.50", "1.234,"]
)
def test_with_a_thousands_mark_groups_are_strict(orders, text):
    found, amounts = orders([text, "1.000,00"], thousands=".", decimal=",", share=1.0)
    assert amounts == ["1000.0000"]
    assert found.quarantine["reason"].tolist() == ["bad_amount"]
    assert found.quarantine["explanation"].item() == (
        'not an amount such as -1.234,50, as decimal = "," and thousands = "." declares:'
        " four decimals at most, no currency sign"
    )


@pytest.mark.parametrize(
    ("text", "given", "hint"),
    [
        ("12,50", {}, 'Declare decimal = ",".'),
        ("1.234,50", {}, 'Declare decimal = "," and thousands = ".".'),
        ("1.234,50", {"decimal": ","}, 'Declare thousands = ".".'),
        ("1,234", {}, 'Thousands mark or decimal comma? Declare decimal = "," or thousands = ",".'),
        ("12.50", {"decimal": ","}, 'Declare decimal = ".".'),
        ("$5", {}, "Take the currency out of the amounts"),
        ("five", {}, "Mend the source"),
    ],
)
def test_refused_amount_names_the_key_that_would_read_it(orders, text, given, hint):
    with pytest.raises(DataError) as refused:
        orders([text], **given)
    assert hint in str(refused.value)


@pytest.mark.parametrize(
    ("text", "given", "hint"),
    [
        ("13/04/2024", {}, 'Declare date_format = "%d/%m/%Y".'),
        ("31.12.2024 08:30", {}, 'Declare date_format = "%d.%m.%Y %H:%M".'),
        ("1719790200000", {}, 'Milliseconds since 1970? Declare date_format = "epoch_ms".'),
        ("2024-12-31", {"date_format": "%d.%m.%Y"}, "Remove date_format"),
        ("12/31/2024", {"date_format": "%d/%m/%Y"}, 'Declare date_format = "%m/%d/%Y".'),
    ],
)
def test_refused_date_names_the_key_that_would_read_it(orders, text, given, hint):
    with pytest.raises(DataError) as refused:
        orders(["1"], text, **given)
    assert hint in str(refused.value)


@pytest.mark.parametrize(
    ("date_format", "example"), [("%d/%m/%Y", "31/12/2024"), ("epoch_s", "1735689540"), ("epoch_ms", "1735689540000")]
)
def test_reason_quotes_an_example_in_the_declared_form(date_format, example):
    said = explained("bad_date", TableSource("orders", "orders.csv", date_format=date_format))
    assert said == f'not a date such as {example}, as date_format = "{date_format}" declares'


def test_unknown_word_names_the_table_that_would_translate_it(engine, tmp_path):
    events = "event_id,customer_id,occurred_at,kind\ne1,c,2024-02-01,page_view\n"
    orders = "customer_id,ordered_at,revenue\nc,2024-02-01,1\n"
    with pytest.raises(
        DataError, match=r'Translate its words in .events.values.kind., e.g. "page_view" = "impression"'
    ):
        read_dataset(write_dataset(tmp_path, orders=orders, events=events), engine)


def test_thousands_mark_that_is_the_decimal_one_is_refused(orders):
    with pytest.raises(SpecError, match="thousands and decimal are the same mark. Declare decimal too."):
        orders(["1"], thousands=".")
