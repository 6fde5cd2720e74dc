"""A case as stories need it before a plan: handed in with the person's consent, accepted, assessed."""

from __future__ import annotations

from typing import Any

from tests.data.forms import sample
from tests.data.referrals import referral
from tests.scenarios.story import Story


def window_referral(**changes: Any) -> dict[str, Any]:
    """A referral in which the names of the household stand in its rows alone."""
    return {**referral(**changes), "client_kind": "person", "client_name": ""}


async def taken_up(
    story: Story, window: str, provider: str, destinations: tuple[str, ...], named: tuple[str, ...]
) -> str:
    """A case with a consent of today that names these agencies, accepted and assessed by the provider; its number."""
    today = story.stack.clock.today().isoformat()
    said = {
        "status": "given", "given_on": today, "method": "written", "heard_by": story.staff[window][1],
        "agencies": list(named),
    }  # fmt: skip
    form = window_referral(destinations=list(destinations), consent=said)
    receipt = (await (await story.who(window)).post("intake", "/referrals", form)).made()
    visitor = await story.who(provider)
    reply = sample("reply", lead_agency=story.staff[provider][0])
    (await visitor.post("intake", f"/referrals/{receipt['referral_number']}/reply?revision=1", reply)).made()
    assessment = sample("assessment", screening="continued", handed_over_to=[])
    made = (await visitor.post("intake", f"/cases/{receipt['case_number']}/assessments", assessment)).made()
    story.must(made["case_state"] == "assessed", "同意とアセスメントがそろう")
    return str(receipt["case_number"])


async def page_of(story: Story, user: str, case: str) -> dict[str, Any]:
    """The case as a reader sees it."""
    found: dict[str, Any] = (await (await story.who(user)).get("intake", f"/cases/{case}")).made()
    return found


async def allocated(story: Story, user: str, case: str, agency: str) -> None:
    """Give an agency a part in the case, from today on."""
    form = sample("allocation", agency=agency, since=story.stack.clock.today().isoformat(), until=None)
    revision = (await page_of(story, user, case))["revision"]
    (await (await story.who(user)).post("intake", f"/cases/{case}/allocations?revision={revision}", form)).made()
