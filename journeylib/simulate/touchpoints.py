"""What a touch can be, and the log in which touches are collected."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Touchpoint:
    """One sort of touch, as the columns of the contract's events tell it.

    >>> Touchpoint("visit", "aware", "direct", "pull").team
    'marketing'
    """

    kind: str
    stage: str
    channel: str
    direction: str
    control: str = "owned"
    layer: str = "other"
    influencer_type: str | None = None
    setting: str = "online"
    evidence: str = "tracked"
    actor_type: str = "customer"
    team: str | None = "marketing"
    cost: float = 0.0


_PAID = {"control": "paid", "actor_type": "automated"}
_SOCIAL = {"layer": "social"}
_TOLD = {"control": "earned", "layer": "physical", "setting": "offline", "evidence": "self_reported", "team": None}
_SALES = {"actor_type": "human_agent", "team": "sales"}
_MAIL = {"actor_type": "automated", "layer": "direct"}
_SERVED = {"layer": "direct", "team": "service"}

# By name, so that the rest of the story can call them.
SORTS = {
    "banner": Touchpoint("impression", "aware", "display", "push", **_PAID, cost=0.02),
    "social_ad": Touchpoint("impression", "aware", "paid_social", "push", **_PAID, **_SOCIAL, cost=0.03),
    "leaflet": Touchpoint(
        "impression", "aware", "print", "push", "paid", "physical", None, "offline", "self_reported", cost=0.1
    ),
    "find": Touchpoint("search", "aware", "organic_search", "pull", "earned", "search"),
    "drop_in": Touchpoint("visit", "aware", "direct", "pull", layer="direct"),
    "search_ad": Touchpoint("visit", "aware", "paid_search", "pull", "paid", "search", cost=0.8),
    "creator": Touchpoint("post", "aware", "social", "peer", "shared", "social", "creator", team=None),
    "friend_told": Touchpoint("message", "aware", "word_of_mouth", "peer", influencer_type="family_friend", **_TOLD),
    "article": Touchpoint("view", "aware", "press", "peer", "earned", influencer_type="reviewer", team=None),
    "mailing": Touchpoint("message", "consider", "email", "push", **_MAIL),
    "reminder_ad": Touchpoint("impression", "consider", "paid_social", "push", **_PAID, **_SOCIAL, cost=0.05),
    "cold_call": Touchpoint("call", "consider", "phone", "push", **_SALES, cost=4.0),
    "return_visit": Touchpoint("visit", "consider", "direct", "pull", layer="direct"),
    "compare": Touchpoint("search", "consider", "organic_search", "pull", "earned", "search"),
    "read": Touchpoint("view", "consider", "website", "pull"),
    "colleague_told": Touchpoint("message", "consider", "word_of_mouth", "peer", influencer_type="colleague", **_TOLD),
    "forum": Touchpoint("view", "consider", "community", "peer", "shared", "social", "community", team=None),
    "reviews": Touchpoint("view", "consider", "review_site", "peer", "earned", influencer_type="reviewer", team=None),
    "offer_mail": Touchpoint("message", "evaluate", "email", "push", **_MAIL),
    "offer_call": Touchpoint("call", "evaluate", "phone", "push", **_SALES, cost=4.0),
    "offer_ad": Touchpoint("impression", "evaluate", "display", "push", **_PAID, cost=0.05),
    "product_page": Touchpoint("view", "evaluate", "website", "pull"),
    "trial": Touchpoint("trial", "evaluate", "website", "pull", team="product"),
    "demo": Touchpoint("demo", "evaluate", "shop", "pull", layer="physical", setting="offline", team="sales"),
    "check_reviews": Touchpoint("view", "evaluate", "review_site", "peer", "earned", influencer_type="reviewer"),
    "expert_told": Touchpoint("message", "evaluate", "word_of_mouth", "peer", influencer_type="expert", **_TOLD),
    "friend_advised": Touchpoint("message", "evaluate", "word_of_mouth", "peer", influencer_type="family_friend",
        **_TOLD),
    "request": Touchpoint("request", "decide", "chat", "pull", layer="direct", team="sales"),
    "reply": Touchpoint("reply", "decide", "chat", "push", layer="direct", **_SALES, cost=2.0),
    "cart": Touchpoint("cart", "decide", "website", "pull", team="sales"),
    "research": Touchpoint("search", "unaware", "organic_search", "pull", "earned", "search"),
    "invitation": Touchpoint(
        "message", "aware", "referral", "peer", "shared", "social", "family_friend", team="marketing"
    ),
    "invited_visit": Touchpoint("visit", "evaluate", "referral", "pull"),
    "delivery": Touchpoint("delivery", "own", "logistics", "push", layer="physical", setting="offline", team="service"),
    "use": Touchpoint("use", "use", "product", "pull", team="product"),
    "help": Touchpoint("request", "use", "chat", "pull", **_SERVED),
    "helped": Touchpoint("reply", "use", "chat", "push", **_SERVED | {"actor_type": "human_agent"}, cost=2.0),
    "newsletter": Touchpoint("message", "use", "email", "push", **_MAIL, cost=0.01),
    "loop_visit": Touchpoint("visit", "evaluate", "direct", "pull", layer="direct"),
    "survey": Touchpoint("survey", "use", "email", "push", **_MAIL),
    "returned": Touchpoint("return", "use", "logistics", "pull", layer="physical", setting="offline", team="service"),
    "complaint": Touchpoint("complaint", "detractor", "phone", "pull", **_SERVED),
    "share": Touchpoint("share", "advocate", "social", "pull", "shared", **_SOCIAL),
    "community": Touchpoint("community", "advocate", "community", "pull", "owned", **_SOCIAL),
    "cocreate": Touchpoint("cocreate", "advocate", "community", "pull", "owned", **_SOCIAL, team="product"),
}  # fmt: skip
CODE = {name: code for code, name in enumerate(SORTS)}


def codes(*rows: tuple[str, ...]) -> np.ndarray:
    """Return the codes of named sorts as an array: rows of cells of names.

    >>> codes(("banner leaflet", "find drop_in")).tolist()
    [[[0, 2], [3, 4]]]
    """
    return np.array([[[CODE[name] for name in cell.split()] for cell in row] for row in rows], dtype=np.int8)


@dataclass
class TouchLog:
    """Touches as they are told, in any order; a touch may point to the one it answers or was caused by.

    >>> log = TouchLog()
    >>> asked = log.add("request", np.array([7]), np.array([0.5]))
    >>> log.add("reply", np.array([7]), np.array([0.6]), link=asked).tolist()
    [1]
    """

    size: int = 0
    _parts: list[tuple[np.ndarray, ...]] = field(default_factory=list)

    def add(
        self, sort: str | np.ndarray, person: np.ndarray, time: np.ndarray, link: np.ndarray | None = None
    ) -> np.ndarray:
        """Add touches of one sort, or of the sorts given by code; returns their numbers, for links to them."""
        code = np.full(person.size, CODE[sort], dtype=np.int8) if isinstance(sort, str) else sort
        links = np.full(person.size, -1) if link is None else link
        self._parts.append((person, time, code, links))
        self.size += person.size
        return np.arange(self.size - person.size, self.size)

    def columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return person, time, sort and link of every touch, in the order they were added."""
        return tuple(np.concatenate(part) for part in zip(*self._parts, strict=True))
