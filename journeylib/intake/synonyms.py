"""What other systems call the columns, tables and words of the contract: English, and a little German, French, Spanish.

Names are compared in `plain` form, the likeliest first. A name that means this column in one export and another in the
next does not belong here.
"""

import re
import unicodedata

# What a file may be called.
TABLES = {
    "customers": "customer client kunde member user contact account cliente",
    "orders": "order purchase transaction sale invoice deal opportunit bestellung auftrag umsatz commande pedido",
    "events": "event touchpoint activity activities engagement visit session ticket comment task ereignis kontakt",
    "referrals": "referral invite invitation empfehlung parrainage",
    "feedback": "feedback survey nps csat response rating review umfrage bewertung enquete encuesta",
}
_CUSTOMER = (
    "customer_id customer customer_number customer_no client_id client user_id contact_id member_id buyer_id account_id"
    " kunde kunden_id kundennummer kunden_nr kundennr id_client numero_client cliente id_cliente"
)
_CHANNEL = "channel medium utm_medium source_medium kanal canal"
COLUMNS = {
    "customers": {
        "customer_id": f"{_CUSTOMER} id",
        "first_seen_at": "first_seen_at first_seen created_at registered_at signup_date sign_up_date registriert_am",
        "acquired_via": "acquired_via",
        "acquisition_channel": f"acquisition_channel {_CHANNEL}",
        "consent": "consent opt_in accepts_marketing einwilligung consentement",
    },
    "orders": {
        "order_id": "order_id order_number order_no order transaction_id invoice_id invoice_number invoice_no invoice"
        " bestellnummer bestell_id bestellnr auftragsnummer rechnungsnummer commande numero_commande pedido id",
        "customer_id": _CUSTOMER,
        "ordered_at": "ordered_at ordered_on order_date purchase_date purchased_at transaction_date invoice_date"
        " processed_at created_at close_date closedate date timestamp bestelldatum kaufdatum rechnungsdatum datum"
        " date_commande fecha_pedido fecha",
        "revenue": "revenue total_price total amount order_value order_total net_amount sales spend value price"
        " umsatz betrag summe gesamtbetrag montant total_ttc importe",
        "margin": "margin gross_margin contribution profit deckungsbeitrag marge margen",
        "currency": "currency currency_code currency_iso_code waehrung wahrung devise moneda",
        "category": "category product_category product_type kategorie warengruppe categorie categoria",
        "tier": "tier price_tier service_level plan",
        "order_kind": "order_kind order_type",
        "returned_at": "returned_at returned_on return_date refunded_at retourendatum date_retour",
    },
    "events": {
        "event_id": "event_id touchpoint_id activity_id engagement_id hs_object_id id",
        "customer_id": f"{_CUSTOMER} requester_id who_id",
        "anonymous_id": "anonymous_id user_pseudo_id visitor_id cookie_id device_id",
        "occurred_at": "occurred_at event_timestamp event_time hs_timestamp timestamp created_at date zeitpunkt",
        "sequence": "sequence event_index batch_event_index",
        "kind": "kind event_name event_type event activity_type engagement_type type typ art",
        "stage": "stage lifecycle_stage",
        "channel": _CHANNEL,
        "direction": "direction call_direction hs_call_direction richtung",
        "in_reply_to": "in_reply_to parent_id reply_to",
        "session_id": "session_id ga_session_id visit_id",
        "campaign_id": "campaign_id campaign utm_campaign kampagne",
        "cost": "cost costs kosten cout",
        "currency": "currency currency_code",
        "team": "team department abteilung",
    },
    "referrals": {
        "referral_id": "referral_id invite_id invitation_id id",
        "referrer_id": "referrer_id referrer advocate_id sender_id inviter_id invited_by sender_customer_id",
        "referee_id": "referee_id referee friend_id receiver_id invitee_id referred_id receiver_customer_id",
        "invited_at": "invited_at invited_on invite_date sent_at created_at date",
        "clicked_at": "clicked_at clicked_on",
        "accepted_at": "accepted_at accepted_on joined_at signed_up_at",
        "first_order_at": "first_order_at first_purchase_at converted_at",
        "reward_paid_at": "reward_paid_at rewarded_at",
        "converted_order_id": "converted_order_id order_id",
        "incentive_cost": "incentive_cost reward_cost reward_amount reward",
        "currency": "currency currency_code",
        "channel": _CHANNEL,
        "code": "code referral_code coupon coupon_code",
        "status": "status referral_status",
    },
    "feedback": {
        "response_id": "response_id survey_response_id feedback_id review_id id",
        "customer_id": f"{_CUSTOMER} person person_id",
        "asked_at": "asked_at sent_at sent survey_sent_at invited_at created_at date",
        "responded_at": "responded_at answered_at completed_at response_date responded",
        "instrument": "instrument survey_type question_type",
        "score": "score rating nps_score nps answer note bewertung punkte",
        "is_public": "is_public public",
        "text_ref": "text_ref comment_id",
    },
}
# Words of other systems for those of the contract.
WORDS = {
    "kind": {
        "page_view": "visit", "pageview": "visit", "session": "visit", "view_item": "view", "product_view": "view",
        "view_search_results": "search", "add_to_cart": "cart", "generate_lead": "request", "email": "message",
        "incoming_email": "request", "sms": "message", "phone": "call", "ticket": "request", "chat": "request",
    },
    "direction": {"inbound": "pull", "incoming": "pull", "outbound": "push", "outgoing": "push"},
    "status": {
        "invited": "pending", "sent": "pending", "accepted": "joined", "converted": "joined", "declined": "rejected",
    },
}  # fmt: skip
# Google Analytics tells in these how the user was first acquired, on every later event too: no event's own channel.
MISLEADING = ("traffic_source",)
TRUE, FALSE = ("yes", "y", "ja", "oui", "si", "wahr", "vrai"), ("no", "n", "nein", "non", "falsch", "faux")


def plain(name: str) -> str:
    """Return a name in lower case without accents, its words apart by ``_``.

    >>> plain("Währung"), plain("OrderDate"), plain("order.customer.ID")
    ('wahrung', 'order_date', 'order_customer_id')
    """
    letters = unicodedata.normalize("NFKD", name.replace("ß", "ss"))
    letters = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", "".join(c for c in letters if not unicodedata.combining(c)))
    return re.sub(r"[^a-z0-9]+", "_", letters.lower()).strip("_")
