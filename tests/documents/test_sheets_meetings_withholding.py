"""In the sheets of plans, meetings and requests too: hidden persons and withheld fields are nowhere, staff and offices stay."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from tests.documents import sample_meetings as samples
from tests.documents.sample_meetings import MULTI_AGENCY, OUTREACH, PARTICIPATION, decided
from tests.documents.sample_referrals import PERSON, SON
from tests.documents.test_sheets_meetings import FULL, OWN_ALLOCATION, SHEETS, context_of
from tsunagi_documents.kinds import CONTACT_LOG, PLAN, SUPPORT_REQUEST
from tsunagi_documents.sheets import SheetData
from tsunagi_documents.sheets_wording import WITHHELD
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.forms.plan import PlanAllocation

ADDRESS, PHONE = f"{PERSON}:address", f"{PERSON}:phone"
TELLING = msgspec.structs.replace(
    OUTREACH, issues="電話は042-000-0009。見本町1-2-3に住む。", policy="見本　一郎さんを訪ねる。"
)
HIDING: dict[str, tuple[str, Callable[[], SheetData], View, str]] = {
    name: (kind, event, view, recipient) for name, (kind, event, view, recipient, _) in SHEETS.items()
} | {"a telling plan": (PLAN, lambda: decided(TELLING), FULL, "")}


@pytest.mark.parametrize("name", HIDING)
def test_a_hidden_person_is_named_nowhere(name: str) -> None:
    """Neither whole nor by the given name, in whichever sheet and view."""
    kind, event, view, recipient = HIDING[name]
    context = str(context_of(event(), kind, view, recipient, hidden=(SON,)))
    assert "一郎" not in context
    assert "太郎" not in str(context_of(event(), kind, view, recipient, hidden=(PERSON,)))


@pytest.mark.parametrize("name", HIDING)
def test_a_protected_address_and_telephone_are_in_no_text(name: str) -> None:
    """What looks like one goes; names of agencies, dates and numbers of papers stay."""
    kind, event, view, recipient = HIDING[name]
    context = context_of(event(), kind, view, recipient, withheld=(ADDRESS, PHONE))
    for words in ("見本町1-2-3", "042-000-0009"):
        assert words not in str(context)
    assert context["number"] == event().number  # type: ignore[union-attr]


def test_a_protected_plan_does_not_tell_where_the_person_goes() -> None:
    """The place to take part in, its host, the visits: as telling as an address."""
    context = context_of(decided(PARTICIPATION), PLAN, withheld=(ADDRESS,))
    assert (context["resource"], context["resource_contact"]) == (WITHHELD, WITHHELD)
    context = context_of(decided(OUTREACH), PLAN, withheld=(ADDRESS,))
    assert (context["visits"], context["accompanied_by"]) == (WITHHELD, WITHHELD)


def test_names_of_staff_and_offices_stay_where_they_look_alike() -> None:
    """Somebody in charge who is called like a hidden person is still named, the hidden person is not."""
    row = PlanAllocation(agency="care", in_charge="見本 一郎", part="見本 一郎さんの見守り。")
    event = decided(msgspec.structs.replace(MULTI_AGENCY, allocations=[row]))
    for kind, view, recipient in ((PLAN, FULL, ""), (SUPPORT_REQUEST, OWN_ALLOCATION, "care")):
        shown = context_of(event, kind, view, recipient, hidden=(SON,))["allocations"][0]
        assert (shown["in_charge"], shown["part"]) == ("見本 一郎", f"{WITHHELD}さんの見守り。")
    entry = msgspec.structs.replace(samples.CONTACT, recorder="見本 一郎")
    log = context_of(samples.logged(entry), CONTACT_LOG, hidden=(SON,))["entries"][0]
    assert (log["recorder"], log["counterpart"]) == ("見本 一郎", WITHHELD)
    assert "一郎" not in log["content"]
