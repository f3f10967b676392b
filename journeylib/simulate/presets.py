"""Companies by name, each with what a right analysis of it must conclude."""

import dataclasses
from dataclasses import dataclass, field

from journeylib.errors import ParameterError, did_you_mean
from journeylib.simulate.settings import WorldSettings


@dataclass(frozen=True)
class Preset:
    """A company: how it differs from the default settings, and the conclusion a right analysis reaches."""

    name: str
    title: str
    conclusion: str
    customers: int = 10_000
    knobs: dict[str, object] = field(default_factory=dict)


_NO_REFERRAL_EFFECT = {
    "referred_hazard_ratio": 1.0,
    "referred_spend_lift": 0.0,
    "referred_invites_ratio": 1.0,
    "referrer_hazard_ratio": 1.0,
}

PRESETS = {
    p.name: p
    for p in (
        Preset(
            "healthy",
            "a company where everything works",
            """Referral adds value, and less than it seems: the referred bring more margin, but part of the naive
            difference is selection, because people of high affinity invite people of high affinity. Among
            people whose circle has a programme, and given affinity, network and date of joining, which the tables
            show, the remaining difference is the effect; searches before joining, the placebo, do not differ.
            Some two thirds of the referred would not have come within a year. Circles without a programme, held
            out by lot, prove that it gains customers; counted to the end of the window they put the share nearer
            four fifths, for who would have come later still, and friends of friends, count as gained. Sending an
            invite keeps its sender longer, by far less than ever-senders against never-senders suggests.
            Co-creation, community and sharing bring people back, in this order. Prompt replies sell.""",
        ),
        Preset(
            "referral_selection_only",
            "referral brings better customers and changes nobody",
            """No lift is to be reported: each person's life is exactly the same with and without having been
            referred, and inviting changes nothing for the inviter. The naive difference is large and favourable
            all the same. Given affinity, network and date of joining, an interval for the lift contains 0 in
            about 95 of 100 such worlds. Acquisition still gains: most of the referred would not have come.""",
            knobs=_NO_REFERRAL_EFFECT | {"homophily": 0.8, "quality_to_invites": 0.5},
        ),
        Preset(
            "hidden_confounding",
            "something no column shows makes people buy, stay and invite",
            """The lift is not identified, and the report must refuse it: given all that is measured, the referred
            searched more before they joined, which no referral can have caused. An adjusted difference is far
            above the true effect, and more data make it look more certain, not more right.""",
            knobs={
                "hidden_confounding": 0.9,
                "homophily": 0.75,
                "quality_to_invites": 0.4,
                "invites": 0.7,
                "research_visits": 2.5,
            },
        ),
        Preset(
            "loyal_few",
            "most buy once, few carry the company",
            """Most customers do not come back within a year; a tenth of them brings more than half of the margin,
            and a mean per customer describes hardly anyone. Values must be shown with their concentration, an
            interval and the share that is still uncertain; a forecast from the mean rate fails for both groups.""",
            knobs={
                "buy_rate": 0.006,
                "buy_spread": 1.2,
                "dropout_rate": 0.012,
                "dropout_spread": 1.5,
                "spend_spread": 1.0,
                "quality_to_buying": 0.7,
                "quality_to_dropout": -0.9,
                "invites": 0.9,
            },
        ),
        Preset(
            "push_heavy",
            "the company does the talking, and nobody listens",
            """Most touches are pushes, and they do little: a push moves people on far less often than a touch
            they sought, messages cause no orders (those held out buy as much), and replies come late when
            people do ask. Counting touches before purchases credits the pushes nevertheless; removal effects,
            the held-out group and the wait for replies do not.""",
            knobs={
                "push_share": 0.75,
                "peer_share": 0.05,
                "push_effect": 0.4,
                "message_rate": 0.025,
                "message_effect": 0.0,
                "reply_hours": 30.0,
                "unanswered_share": 0.35,
                "invites": 0.5,
                "quality_to_invites": 0.2,
            },
        ),
        Preset(
            "tiny",
            "the healthy company, while it is small",
            """Hardly anything can be told from so few people: intervals are wide, small groups are hidden, and most
            estimates of lift are to be refused or say that they cannot tell. A confident number is a fault.""",
            customers=200,
        ),
    )
}


def world_settings(
    preset: str = "healthy", customers: int | None = None, seed: int = 1, **knobs: object
) -> WorldSettings:
    """Return a preset's settings; further knobs of `WorldSettings` change it.

    Raises ParameterError for an unknown preset or knob, with the nearest name, and for a value out of range.

    >>> world_settings("tiny", fraud_share=0.5).customers
    200
    """
    if preset not in PRESETS:
        raise ParameterError(f'no preset is called "{preset}"', way_out=did_you_mean(str(preset), PRESETS))
    known = {f.name for f in dataclasses.fields(WorldSettings)}
    if unknown := sorted(set(knobs) - known):
        raise ParameterError(f'a world has no knob "{unknown[0]}"', way_out=did_you_mean(unknown[0], known))
    chosen = PRESETS[preset]
    size = chosen.customers if customers is None else customers
    return WorldSettings(**{**chosen.knobs, **knobs, "customers": size, "seed": seed})
