"""The five tables. Names carry units; one meaning, one name."""

from journeylib.contract.shapes import Column, Table
from journeylib.errors import ContractError, did_you_mean

_KINDS = (
    "impression", "visit", "search", "view", "message", "call", "meeting", "demo", "request", "reply", "trial", "cart",
    "quote", "delivery", "install", "use", "support", "return", "complaint", "share", "post", "community", "cocreate",
    "survey",
)  # fmt: skip
_STAGES = (
    "unaware", "aware", "consider", "evaluate", "decide", "own", "use", "advocate", "detractor", "lapsed",
)  # fmt: skip
_INFLUENCERS = ("family_friend", "colleague", "reviewer", "creator", "expert", "community")
_CUSTOMER = Column(
    "customer_id", "id", "who; text, so 007 is not 7 and NA is an id", required=True, empty="missing_customer"
)
_CURRENCY = Column("currency", "currency", "ISO 4217 code; without it, the dataset's currency")

_CUSTOMERS = Table(
    "customers",
    "One row a customer. Without this table, the customers are those who ordered, and first_seen_on is the day of"
    " their first order, free ones included.",
    (
        _CUSTOMER,
        Column("first_seen_at", "day", "first contact or registration", unit="day"),
        Column("observed_from", "day", "first day this customer's records are complete; kept within the window"),
        Column("observed_until", "day", "last day this customer's records are complete; kept within the window"),
        Column("left_truncated", "boolean", "true when earlier records of this customer are missing"),
        Column("acquired_via", "enum", "how the customer was won", allowed=("earned", "bought", "unknown")),
        Column("acquisition_channel", "text", "channel of the first contact, such as referral, paid or organic"),
        Column("consent", "boolean", "true when the customer agreed to the use of these records"),
    ),
    key="customer_id",
    clock="first_seen_at",
    keeps_earlier=True,
    prefix="segment_",
)

_ORDERS = Table(
    "orders",
    "One row an order or refund. Rows without order_id are never merged, even when they are the same.",
    (
        Column("order_id", "id", "the order's own id, unique; repeats are collapsed or refused"),
        _CUSTOMER,
        Column("ordered_at", "day", "when it was ordered", required=True, unit="day"),
        Column("revenue", "money", "what was paid; a refund is a negative amount", required=True, unit="currency"),
        Column("margin", "money", "what is left of it after variable cost", unit="currency"),
        _CURRENCY,
        Column("category", "text", "what was bought"),
        Column("tier", "text", "price or service level of what was bought"),
        Column(
            "order_kind",
            "enum",
            "place in the history",
            allowed=("first", "repeat", "cross_sell", "up_sell"),
        ),
        Column("returned_at", "day", "when it was sent back", unit="day", known_from="returned_at"),
    ),
    key="order_id",
    clock="ordered_at",
    money="revenue",
    required=True,
)

_EVENTS = Table(
    "events",
    "One row a touchpoint. Their order is occurred_at, then sequence, then event_id; ties are counted and noted.",
    (
        Column("event_id", "id", "the touchpoint's own id, unique", required=True),
        _CUSTOMER,
        Column("anonymous_id", "id", "device or cookie it was tracked under"),
        Column("occurred_at", "time", "when it happened", required=True, unit="UTC"),
        Column("sequence", "integer", "place among touchpoints of the same instant"),
        Column("kind", "enum", "what happened", required=True, allowed=_KINDS),
        Column("stage", "enum", "stage of the circular journey, where the source knows it", allowed=_STAGES),
        Column("channel", "text", "where it happened, such as email, store or search"),
        Column(
            "direction",
            "enum",
            "who started it: pull the customer, push the company, peer another customer or influencer",
            allowed=("pull", "push", "peer", "unknown"),
        ),
        Column("control", "enum", "whose medium it was", allowed=("owned", "paid", "earned", "shared")),
        Column("layer", "enum", "kind of place", allowed=("social", "search", "direct", "physical", "other")),
        Column("influencer_type", "enum", "who the peer was", allowed=_INFLUENCERS),
        Column("setting", "enum", "online or offline", allowed=("online", "offline")),
        Column("evidence", "enum", "how it is known", allowed=("tracked", "self_reported", "imputed")),
        Column("actor_type", "enum", "who acted", allowed=("customer", "human_agent", "automated")),
        Column("team", "enum", "which team acted", allowed=("marketing", "sales", "service", "product")),
        Column("in_reply_to", "id", "event_id of what this replies to"),
        Column("caused_by_event_id", "id", "event_id of what led to this"),
        Column("session_id", "id", "visit it was part of"),
        Column("campaign_id", "id", "campaign it was part of"),
        Column("cost", "money", "what it cost the company", unit="currency"),
        _CURRENCY,
        Column("assignment", "text", "arm of an experiment it was part of"),
    ),
    key="event_id",
    clock="occurred_at",
    money="cost",
)

_REFERRALS = Table(
    "referrals",
    "One row an invite, also those that came to nothing.",
    (
        Column("referral_id", "id", "the invite's own id, unique", required=True),
        Column("referrer_id", "id", "customer who invited", required=True, empty="missing_customer"),
        Column("referee_id", "id", "customer who joined; empty until then", known_from="accepted_at"),
        Column("invited_at", "day", "when the invite was sent", required=True, unit="day"),
        Column("clicked_at", "day", "when it was opened", unit="day", known_from="clicked_at"),
        Column("accepted_at", "day", "when the invited person joined", unit="day", known_from="accepted_at"),
        Column("first_order_at", "day", "first order of who joined", unit="day", known_from="first_order_at"),
        Column("reward_paid_at", "day", "when the reward was paid", unit="day", known_from="reward_paid_at"),
        Column("converted_order_id", "id", "order_id of that first order", known_from="first_order_at"),
        Column("incentive_cost", "money", "cost of both rewards together, whenever paid", unit="currency"),
        Column("reward_referrer", "money", "reward of who invited", unit="currency", known_from="reward_paid_at"),
        Column("reward_referee", "money", "reward of who joined", unit="currency", known_from="reward_paid_at"),
        _CURRENCY,
        Column("channel", "text", "how the invite travelled, such as email, link or code"),
        Column("code", "text", "code or link of the invite"),
        Column(
            "status",
            "enum",
            "what became of it",
            allowed=("pending", "joined", "rejected", "fraud"),
            known_from="accepted_at",
            until_then="pending",
        ),
        Column("verified", "boolean", "true when the tie between the two is confirmed"),
        Column("earlier_paid_touch", "boolean", "true when paid media reached who joined before the invite"),
        Column("arm", "text", "arm of an experiment"),
        Column("holdout", "boolean", "true when held out of the programme"),
    ),
    key="referral_id",
    clock="invited_at",
    money="incentive_cost",
)

_FEEDBACK = Table(
    "feedback",
    "One row a question asked, answered or not.",
    (
        Column("response_id", "id", "the question's own id, unique", required=True),
        _CUSTOMER,
        Column("asked_at", "day", "when it was asked", required=True, unit="day"),
        Column(
            "responded_at", "day", "when it was answered; empty = not answered", unit="day", known_from="responded_at"
        ),
        Column(
            "instrument",
            "enum",
            "kind of question",
            required=True,
            allowed=("nps", "csat", "ces", "rating", "review"),
        ),
        Column("score", "number", "the answer, on the scale", unit="points", known_from="responded_at"),
        Column("scale_min", "number", "lowest score there is", unit="points"),
        Column("scale_max", "number", "highest score there is", unit="points"),
        Column("is_public", "boolean", "true when others can read it", known_from="responded_at"),
        Column("text_ref", "id", "where its words are kept; the words themselves stay out", known_from="responded_at"),
    ),
    key="response_id",
    clock="asked_at",
)

TABLES = {table.name: table for table in (_CUSTOMERS, _ORDERS, _EVENTS, _REFERRALS, _FEEDBACK)}
# The columns that name a customer, by table.
CUSTOMER_COLUMNS = dict.fromkeys(TABLES, ("customer_id",)) | {"referrals": ("referrer_id", "referee_id")}


def contract_table(name: str) -> Table:
    """Return a table of the contract, or refuse with the nearest name.

    >>> contract_table("orders").money
    'revenue'
    """
    if name not in TABLES:
        raise ContractError(f'the contract has no table "{name}"', way_out=did_you_mean(name, TABLES))
    return TABLES[name]
