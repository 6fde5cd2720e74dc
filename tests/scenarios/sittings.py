"""A sitting as stories hold it, from the first plan of it to its closing: short, over HTTP, always on its present revision."""

from __future__ import annotations

import datetime as dt
from typing import Any

from deploy.local.visitor import Answer
from tests.scenarios.story import Story

LAYERED, SUPPORT = "layered_support_meeting", "support_meeting"
BODY = {LAYERED: "layered-support", SUPPORT: "support-meeting"}
NOTICE, MINUTES = "meeting_notice", "minutes"
OWN_ITEM = "own_item"
DECISIONS = {"adopt": "approved", "replan": "approved", "end": "ended", "suspend": "suspended"}


class Sitting:
    """One sitting, run by `user`."""

    def __init__(self, story: Story, user: str, identity: str, number: str) -> None:
        self.story = story
        self.user = user
        self.id = identity
        self.number = number
        self.members: dict[str, str] = {}  # by user, the id of the member

    @classmethod
    async def planned(cls, story: Story, user: str, *roles: str, day: dt.date | None = None, **changes: Any) -> Sitting:
        """A sitting of the bodies with these roles, today unless told otherwise."""
        return await cls.of(story, user, *(BODY[role] for role in roles), day=day, **changes)

    @classmethod
    async def of(cls, story: Story, user: str, *bodies: str, day: dt.date | None = None, **changes: Any) -> Sitting:
        """The same of these bodies, whatever their roles are."""
        made = (await cls.attempt(story, user, list(bodies), day, **changes)).made()
        return cls(story, user, made["id"], made["number"])

    @staticmethod
    async def attempt(story: Story, user: str, bodies: list[str], day: dt.date | None = None, **changes: Any) -> Answer:
        """The same, whatever the answer is."""
        form = {
            "bodies": bodies,
            "held_on": (day or story.stack.clock.today()).isoformat(),
            "starts_at": "13:30",
            "ends_at": "15:30",
            "place": "見本会館　2階会議室",
            "chair": story.staff[user][1],
            "note_taker": "見本　書子",
            **changes,
        }
        return await (await story.who(user)).post("intake", "/meetings", form)

    async def post(self, path: str, body: Any = None, user: str = "") -> Answer:
        """Post to something of the sitting."""
        return await (await self.story.who(user or self.user)).post("intake", f"/meetings/{self.id}/{path}", body or {})

    async def page(self, user: str = "") -> dict[str, Any]:
        """The sitting as a reader sees it."""
        visitor = await self.story.who(user or self.user)
        found: dict[str, Any] = (await visitor.get("intake", f"/meetings/{self.id}")).made()
        return found

    async def put(self, role: str, case: str, occasion: str, plan: str = "", user: str = "", **changes: Any) -> Answer:
        """Put a case on the agenda, under that role of the body that has it."""
        form = {
            "body": BODY.get(role, ""), "legal_role": role, "occasion": occasion, "case_number": case, "plan_number": plan,
            **changes,
        }  # fmt: skip
        return await self.post("items", form, user)

    async def item(self, role: str, case: str, occasion: str, plan: str = "", **changes: Any) -> str:
        """The same; the item's id."""
        return str((await self.put(role, case, occasion, plan, **changes)).made()["id"])

    def _member(self, user: str, *, bound: bool) -> dict[str, Any]:
        agency, name = self.story.staff[user]
        form = {"agency": agency, "user": user, "name": name, "title": "係長", "attends": True, "chosen": bound}
        return form | ({"told_on": self.story.stack.clock.today().isoformat()} if bound else {})

    async def call(self, *users: str, bound: bool = False) -> None:
        """Call these people. `bound`: chosen for the 支援会議, and told of the duty of secrecy."""
        for user in users:
            self.members[user] = (await self.post("members", self._member(user, bound=bound))).made()["id"]

    async def choose(self, item: str, user: str) -> None:
        """Choose somebody who was called for one item."""
        (await self.post(f"items/{item}/members", {"member": self.members[user], "chosen": True})).made()

    async def tell(self, user: str) -> None:
        """Tell somebody who was called of the duty of secrecy."""
        form = {**self._member(user, bound=True), "chosen": False}
        visitor = await self.story.who(self.user)
        (await visitor.put("intake", f"/meetings/{self.id}/members/{self.members[user]}", form)).made()

    async def outlook(self) -> dict[str, Any]:
        """The dry run."""
        found: dict[str, Any] = (
            await (await self.story.who(self.user)).get("intake", f"/meetings/{self.id}/convening")
        ).made()
        return found

    async def leaves(self, user: str) -> dict[int, str]:
        """For which items somebody leaves by the dry run, with the code of the rule."""
        return {
            item["position"]: one["why"]
            for item in (await self.outlook())["items"]
            for one in item["members"]
            if one["member"] == self.members[user] and not one["hears"]
        }

    async def convening(self, user: str = "") -> Answer:
        """Send the notices out."""
        revision = (await self.page())["revision"]
        return await self.post(f"convening?revision={revision}", user=user)

    async def convened(self) -> None:
        """The same, when nothing stands against it."""
        self.story.must((await self.outlook())["ready"], "下調べで、招集を妨げるものがない")
        (await self.convening()).made()

    async def writes(self, item: str, form: dict[str, Any], user: str = "", revision: int = 0) -> Answer:
        """Type the minutes of an item."""
        path = f"/meetings/{self.id}/items/{item}/minutes?revision={revision}"
        return await (await self.story.who(user or self.user)).put("intake", path, form)

    async def says(
        self, item: str, decision: str, *, discussion: str = "順番と役割を話し合った。", **changes: Any
    ) -> None:
        """Type minutes with nothing wrong in them: over what was typed before, or over who was convened."""
        path = f"/meetings/{self.id}/items/{item}/minutes"
        typed = (await (await self.story.who(self.user)).get("intake", path)).made()
        form = {"presences": typed["content"]["presences"], "decision": decision, "discussion": discussion, **changes}
        form = {name: value for name, value in form.items() if value not in ("", None)}
        kept = (await self.writes(item, form, revision=typed["revision"])).made()
        self.story.must(kept["errors"] == [], f"会議録に直すところがない：{kept['errors']}")

    async def closing(self, user: str = "") -> Answer:
        """Close the sitting."""
        revision = (await self.page())["revision"]
        return await self.post(f"closing?revision={revision}", user=user)

    async def closed(self) -> None:
        """The same, when nothing stands against it."""
        (await self.closing()).made()


async def decided(
    story: Story, user: str, case: str, occasion: str, plan: str, *users: str, decision: str = "", **minutes: Any
) -> None:
    """A whole 重層的支援会議 today about one plan, with these people."""
    sitting = await Sitting.planned(story, user, LAYERED)
    item = await sitting.item(LAYERED, case, occasion, plan)
    await sitting.call(user, *users)
    await sitting.convened()
    day = story.stack.clock.today().isoformat()
    said = {"consent_checked_on": day, "consent_scope": ["assessment", "plan"], **minutes}
    await sitting.says(item, decision or DECISIONS[occasion], **said)
    await sitting.closed()
