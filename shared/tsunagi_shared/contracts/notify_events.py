"""What the events of notify carry."""

from __future__ import annotations

import datetime as dt

import msgspec


class DeliverySent(msgspec.Struct, frozen=True, kw_only=True):
    """A notice left on a channel (inbox: it is there to be read; email: the mail server took it)."""

    delivery_id: str
    document_id: str
    version: int
    case_number: str
    agency: str
    channel: str
    attempt: int
    at: dt.datetime


class DeliveryFailed(msgspec.Struct, frozen=True, kw_only=True):
    """A notice will not be tried again on this channel; `code` says why."""

    delivery_id: str
    document_id: str
    version: int
    case_number: str
    agency: str
    channel: str
    attempt: int
    code: str
    at: dt.datetime


class DocumentAcknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """A named person of the agency said: received."""

    delivery_id: str
    document_id: str
    version: int
    case_number: str
    agency: str
    user: str
    user_name: str
    at: dt.datetime


class DocumentMisdelivered(msgspec.Struct, frozen=True, kw_only=True):
    """A named person of the agency said: this should not have come to us. `code`, never free text."""

    delivery_id: str
    document_id: str
    version: int
    case_number: str
    agency: str
    user: str
    user_name: str
    code: str  # not_ours | no_longer_in_charge | contract_ended
    at: dt.datetime
