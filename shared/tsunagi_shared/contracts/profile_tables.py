"""The tables of a municipality's profile.toml as Structs. Attribute names are the TOML keys, but for `from` (`starts`)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec

from tsunagi_shared.contracts.profile_codes import (
    Activity,
    AgencyKind,
    BodyConsent,
    FormKind,
    HolidayMove,
    LegalRole,
    Operation,
    ResourceKind,
    RetentionStart,
    Role,
    TargetCount,
)
from tsunagi_shared.forms.plan import PlanKind

# Ids travel in events, permissions and addresses: short lower-case ASCII, never a word about a person.
Id = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z][a-z0-9-]{0,39}\Z", extra={"ja": "英小文字で始まる40字以内の英小文字・数字・ハイフン"}
    ),
]
Text = Annotated[str, msgspec.Meta(pattern=r"^[^\n]*\S[^\n]*\Z", extra={"ja": "1文字以上、改行のない文字"})]
OptionalText = Annotated[str, msgspec.Meta(pattern=r"^[^\n]*\Z", extra={"ja": "改行のない文字"})]
Passage = Annotated[str, msgspec.Meta(min_length=1, extra={"ja": "1文字以上の文字"})]
Phone = Annotated[
    str, msgspec.Meta(pattern=r"^(?:0[0-9-]{8,13})?\Z", extra={"ja": "0で始まる半角数字とハイフンの電話番号"})
]
Key = Annotated[
    str,
    msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,39}\Z", extra={"ja": "英小文字で始まる40字以内の英小文字・数字・下線"}),
]


LawItem = Annotated[str, msgspec.Meta(pattern=r"^(?:[13][イロハニホ]?|[2456])\Z", extra={"ja": "1イ、2、5 のような号"})]


class Dated(msgspec.Struct, frozen=True, kw_only=True):
    """Something that holds from one Japanese date until another, both inclusive; no `until`: open."""

    starts: dt.date = msgspec.field(name="from")
    until: dt.date | None = None

    def covers(self, day: dt.date) -> bool:
        """Whether it holds on that Japanese date."""
        return self.starts <= day and (self.until is None or day <= self.until)


class Municipality(msgspec.Struct, frozen=True, kw_only=True):
    """The municipality. `code` is the six-digit 全国地方公共団体コード, `mayor` the title papers are addressed to."""

    code: str
    name: Text
    mayor: Text
    responsible_section: str


class PlanningBody(msgspec.Struct, frozen=True, kw_only=True):
    """Who took part in making the 実施計画."""

    name: Text
    members: Text


class ImplementationPlan(Dated, frozen=True, kw_only=True):
    """The 実施計画 the profile was written from: its period, aims and what pays for it."""

    name: Text
    draft: bool = False
    goals: tuple[Text, ...] = ()
    funding: str = ""
    followed_by: str = ""
    prepared_by: tuple[PlanningBody, ...] = ()


class Contract(Dated, frozen=True, kw_only=True):
    """Who runs an agency for the municipality, and when. The agency outlives it."""

    contractor: Text


class Agency(msgspec.Struct, frozen=True, kw_only=True):
    """A 支援関係機関. `section`: the 所管課 beside it, an agency's id or a name; `law_items`: 号 such as 1イ or 5."""

    id: Id
    name: Text
    short_name: OptionalText = ""
    kind: AgencyKind
    field: Text
    law_items: tuple[LawItem, ...] = ()
    operation: tuple[Operation, ...] = ()  # empty: works on its own account, not for the municipality
    area: OptionalText = ""
    section: OptionalText = ""
    phone: Phone = ""
    operated_by: tuple[Contract, ...] = ()
    accepts_referrals: bool = True
    secrecy_basis: str = ""  # a legal_basis id: the duty that binds this agency's people
    invented: bool = False  # a sample made up for trials; shown as such

    def contract_on(self, day: dt.date) -> Contract | None:
        """The contract under which the agency is run on that date, if any."""
        return next((contract for contract in self.operated_by if contract.covers(day)), None)


class AgencyList(Dated, frozen=True, kw_only=True):
    """Agencies that a consent can name together (別紙), as they stood in a period. One id may have several periods."""

    id: Id
    name: Text
    agencies: tuple[str, ...]


class Roles(msgspec.Struct, frozen=True, kw_only=True):
    """Which agency plays which part. `escalation` is the order in which a window asks for help."""

    multi_agency_provider: str
    support_meeting_secretariat: str
    support_meeting_body: str
    escalation: tuple[Role, ...] = (Role.CLERK, Role.PROMOTER, Role.COORDINATOR)


class LocalName(Dated, frozen=True, kw_only=True):
    """What the municipality calls a body; `provisional` for a （仮） name."""

    name: Text
    provisional: bool = False


class HeldRole(Dated, frozen=True, kw_only=True):
    """A legal role a body has during a period."""

    role: LegalRole


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """A 会議体. `convener` 設置者 and `organizer` 運営者 are agencies; `schedule` is read by `schedule.read_schedule`."""

    id: Id
    names: tuple[LocalName, ...]
    legal_roles: tuple[HeldRole, ...]
    hears_cases: bool
    consent: BodyConsent
    secrecy_basis: str = ""  # a legal_basis id; empty: the body has no secrecy duty of its own
    subjects: Text
    content: tuple[Text, ...]
    convener: str
    organizer: str
    schedule: str = ""
    holiday_move: HolidayMove = HolidayMove.NONE
    participants: tuple[str, ...] = ()
    participants_note: str = ""
    hands_over_to: tuple[str, ...] = ()
    predecessors: tuple[Text, ...] = ()

    def name_on(self, day: dt.date) -> str:
        """The local name on that date; outside every period, the nearest known one (papers must name the body)."""
        held = [row for row in self.names if row.covers(day)]
        earlier = [row for row in self.names if row.starts <= day]
        row = held[0] if held else max(earlier or self.names[:1], key=lambda row: row.starts)
        return row.name

    def roles_on(self, day: dt.date) -> frozenset[LegalRole]:
        """The legal roles the body has on that date."""
        return frozenset(row.role for row in self.legal_roles if row.covers(day))


class Title(msgspec.Struct, frozen=True, kw_only=True):
    """A post people hold (職), and the roles it gives. With `agencies`: only there."""

    name: Text
    roles: tuple[Role, ...]
    agencies: tuple[str, ...] = ()
    other_names: tuple[Text, ...] = ()


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """People the plan places: how many of which title, where, for which duties. No `headcount`: the plan gives none."""

    agency: str
    title: Text
    headcount: int | None = None
    duties: tuple[Text, ...] = ()


class Partner(msgspec.Struct, frozen=True, kw_only=True):
    """Someone outside the agencies who finds, informs or takes part. Gets no documents."""

    name: Text
    activities: tuple[Activity, ...]


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A project the municipality runs or pays for, and in how many places; `agency`: who carries it out, where it is one.

    No `places`: the plan gives no number.
    """

    name: Text
    law_item: LawItem | None = None
    operation: tuple[Operation, ...] = ()
    places: Annotated[int, msgspec.Meta(ge=1, le=10_000, extra={"ja": "1以上の整数"})] | None = None
    agency: str = ""
    includes: tuple[Text, ...] = ()


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """A form or document the municipality's plan names, and the form of this system that serves it, if one does."""

    name: Text
    form: FormKind | None = None


class Target(Dated, frozen=True, kw_only=True):
    """A figure the municipality set itself: reach `at_least` `unit` in each 年度 of the period.

    `baseline`: where it stood, with its year. `plans`: the kind of plan whose new ones are counted towards it; `counts`: what
    else is. With neither, the figure comes from elsewhere and this system shows the target alone (集計対象外). `agency`: only
    what its own people took up is counted (of 相談受付 and アウトリーチの相談).
    """

    id: Id
    name: Text
    at_least: int
    unit: Text
    baseline: OptionalText = ""
    plans: PlanKind | None = None
    counts: TargetCount | None = None
    agency: str = ""
    source: str = ""


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """A 社会資源・参加先 the municipality's plan names. `agency`: who looks after it; no `capacity`: the plan gives none."""

    id: Id
    name: Text
    kind: ResourceKind
    agency: str = ""
    capacity: Annotated[int, msgspec.Meta(ge=1, le=10_000, extra={"ja": "1以上の整数"})] | None = None
    conditions: OptionalText = ""
    source: str = ""


class YearPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the plan sets for one 年度 under one of its items (番号や柱)."""

    fiscal_year: Annotated[int, msgspec.Meta(ge=2000, le=2100, extra={"ja": "2000から2100までの西暦の年度"})]
    item: Text
    text: Text
    source: str = ""


class Numbering(msgspec.Struct, frozen=True, kw_only=True):
    """How receipt, case, plan and sitting numbers are written. Placeholders: fiscal_year, era_letter, era_year, number."""

    referral: str = "R{fiscal_year}-{number:05d}"
    case: str = "C{fiscal_year}-{number:05d}"
    plan: str = "P{fiscal_year}-{number:05d}"
    meeting: str = "M{fiscal_year}-{number:05d}"


class Code(Dated, frozen=True, kw_only=True):
    """One entry a municipality adds to a code list."""

    code: Key
    label: Text


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One choice of a local field."""

    code: Key
    label: Text


class LocalField(msgspec.Struct, frozen=True, kw_only=True):
    """A field the municipality adds to a form; it travels in the form's `local`. `limit` counts graphemes."""

    name: Key
    label: Text
    help: str = ""
    required: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000, extra={"ja": "1から1000までの整数"})] = 200
    several_lines: bool = False
    choices: tuple[Choice, ...] = ()


class FormSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the municipality adds to one form."""

    fields: tuple[LocalField, ...] = ()


class RetentionClass(msgspec.Struct, frozen=True, kw_only=True):
    """How long records of the class are kept: `years` after `starts`; no years: for good (永久)."""

    id: Id
    name: Text
    years: Annotated[int, msgspec.Meta(ge=1, le=100, extra={"ja": "1から100までの整数"})] | None = None
    starts: RetentionStart = RetentionStart.FISCAL_YEAR_END
    source: Text


class RetentionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The retention classes and which form falls into which; forms not named fall into `default`."""

    default: str
    classes: tuple[RetentionClass, ...]
    forms: dict[FormKind, str] = {}


class LegalBasis(Dated, frozen=True, kw_only=True):
    """An article as it may be printed during a period, with where the text was taken from.

    `verified_on`: the day somebody compared it with the law itself; None: nobody did yet. `allows_provision`: an agency may be
    told, or asked for, personal data because of it; a mere duty of secrecy or the name of a programme opens nothing.
    """

    id: Id
    law: Text
    article: str = ""
    text: Passage
    source: Text
    note: str = ""
    verified_on: dt.date | None = None
    allows_provision: bool = False


class ConsentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`max_age_hours`: how old the knowledge of consents may be before reads on that basis stop."""

    max_age_hours: Annotated[int, msgspec.Meta(ge=1, le=168, extra={"ja": "1から168までの整数"})] = 24
    covers_successor: bool = False


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows the municipality allows in a referral; never more than the form itself."""

    destinations: Annotated[int, msgspec.Meta(ge=1, le=10, extra={"ja": "1から10までの整数"})] = 10
    household_members: Annotated[int, msgspec.Meta(ge=1, le=20, extra={"ja": "1から20までの整数"})] = 20


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """Where notices to an agency go besides its inbox, which it always has. No `urgent_email`: the same addresses.

    `contractor`: addresses of one that runs the agency under contract, used while it does; empty: the office's own, used
    whoever runs it.
    """

    agency: str
    contractor: OptionalText = ""
    email: tuple[str, ...] = ()
    urgent_email: tuple[str, ...] = ()
