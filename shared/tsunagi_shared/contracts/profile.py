"""One municipality's settings: `load_profile` for all three services, `load_contacts` for notify alone.

The files are written by administrators, so a broken one is answered with every mistake at once, in Japanese, each with
its file, the place in the TOML and the line.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from tsunagi_shared.contracts import profile_checks
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
from tsunagi_shared.contracts.profile_tables import (
    Agency,
    AgencyList,
    Body,
    Choice,
    Code,
    ConsentSettings,
    Contact,
    Contract,
    FormSettings,
    ImplementationPlan,
    LegalBasis,
    Limits,
    LocalField,
    Municipality,
    Numbering,
    Paper,
    Partner,
    Post,
    Project,
    Resource,
    RetentionClass,
    RetentionSettings,
    Roles,
    Target,
    Title,
    YearPlan,
)
from tsunagi_shared.contracts.toml_tables import Problem, TomlFile
from tsunagi_shared.forms.codes import Codes
from tsunagi_shared.forms.fields import Field, Kind

__all__ = [
    "Activity",
    "Agency",
    "AgencyKind",
    "AgencyList",
    "Body",
    "BodyConsent",
    "Choice",
    "Code",
    "ConsentSettings",
    "Contact",
    "Contacts",
    "Contract",
    "FormKind",
    "FormSettings",
    "HolidayMove",
    "ImplementationPlan",
    "LegalBasis",
    "LegalRole",
    "Limits",
    "LocalField",
    "Municipality",
    "NumberKind",
    "Numbering",
    "Operation",
    "Paper",
    "Partner",
    "Post",
    "Problem",
    "Profile",
    "ProfileError",
    "Project",
    "Resource",
    "ResourceKind",
    "RetentionClass",
    "RetentionSettings",
    "RetentionStart",
    "Role",
    "Roles",
    "Target",
    "TargetCount",
    "Title",
    "YearPlan",
    "load_contacts",
    "load_profile",
]

PROFILE_FILE = "profile.toml"
CONTACTS_FILE = "contacts.toml"
VERSION_DIGITS = 12  # of the sha256 in hexadecimal: enough to tell the versions of one city's file apart

NumberKind = Literal["referral", "case", "plan", "meeting"]
Table = TypeVar("Table", bound=msgspec.Struct)


class ProfileError(Exception):
    """The profile cannot be used. `problems` holds every mistake found; the text is one line for each, in Japanese."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class ProfileFile(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """profile.toml as it is written. Switches a rule reads: `municipal_decision` (支援決定 is needed for a plan to take
    effect), `pledge_required` (支援会議 members sign a 誓約), `joint_sittings` (several bodies in one sitting)."""

    municipality: Municipality
    roles: Roles
    agencies: tuple[Agency, ...]
    bodies: tuple[Body, ...]
    titles: tuple[Title, ...]
    retention: RetentionSettings
    summary_to_destinations: bool = True
    municipal_decision: bool = True
    pledge_required: bool = False
    joint_sittings: bool = False
    plan: ImplementationPlan | None = None
    posts: tuple[Post, ...] = ()
    partners: tuple[Partner, ...] = ()
    projects: tuple[Project, ...] = ()
    papers: tuple[Paper, ...] = ()
    targets: tuple[Target, ...] = ()
    resources: tuple[Resource, ...] = ()
    year_plan: tuple[YearPlan, ...] = ()
    agency_lists: tuple[AgencyList, ...] = ()
    numbering: Numbering = Numbering()
    code_lists: dict[str, tuple[Code, ...]] = {}
    labels: dict[str, str] = {}
    forms: dict[FormKind, FormSettings] = {}
    legal_basis: tuple[LegalBasis, ...] = ()
    consent: ConsentSettings = ConsentSettings()
    limits: Limits = Limits()


class Profile(ProfileFile, frozen=True, kw_only=True, dict=True):
    """A loaded profile. `version` is the start of the SHA-256 of the file's bytes (profileversion of events)."""

    version: str

    @functools.cached_property
    def agencies_by_id(self) -> dict[str, Agency]:
        """Every agency by its id."""
        return {agency.id: agency for agency in self.agencies}

    @functools.cached_property
    def agency_names(self) -> dict[str, str]:
        """The name people see, by agency id."""
        return {agency.id: agency.name for agency in self.agencies}

    @functools.cached_property
    def bodies_by_id(self) -> dict[str, Body]:
        """Every meeting body by its id."""
        return {body.id: body for body in self.bodies}

    def agency(self, agency_id: str) -> Agency:
        """The agency. KeyError when the profile does not know it."""
        return self.agencies_by_id[agency_id]

    def body(self, body_id: str) -> Body:
        """The meeting body. KeyError when the profile does not know it."""
        return self.bodies_by_id[body_id]

    def section_name(self, agency_id: str) -> str:
        """The 所管課 of an agency by name; empty where it has none. KeyError for an unknown agency."""
        section = self.agency(agency_id).section
        return self.agency_names.get(section, section)

    def contract_live(self, agency_id: str, day: dt.date) -> bool:
        """Whether the agency's people still act for it on that Japanese date. KeyError for an unknown agency.

        直営 always; an agency run under contracts while one covers the day; one without contracts is its own master.
        """
        return not self._runs_under_contracts(agency_id) or self.agency(agency_id).contract_on(day) is not None

    def acts_for(self, agency_id: str, contractor: str, day: dt.date) -> bool:
        """Whether people taken on by `contractor` act for the agency on that Japanese date (rule `contract`).

        直営, and an agency without contracts: always. Else the contract that covers the day must be that contractor's. For
        an agency that the profile does not know nobody acts.
        """
        if agency_id not in self.agencies_by_id:
            return False
        if not self._runs_under_contracts(agency_id):
            return True
        contract = self.agency(agency_id).contract_on(day)
        return contract is not None and contract.contractor == contractor

    def contractor_on(self, agency_id: str, day: dt.date) -> str:
        """Who runs the agency under contract on that Japanese date; empty for 直営, for one without contracts, between two
        contracts, and for an unknown agency."""
        if agency_id not in self.agencies_by_id or not self._runs_under_contracts(agency_id):
            return ""
        contract = self.agency(agency_id).contract_on(day)
        return "" if contract is None else contract.contractor

    def _runs_under_contracts(self, agency_id: str) -> bool:
        agency = self.agency(agency_id)
        return Operation.DIRECT not in agency.operation and bool(agency.operated_by)

    @functools.cached_property
    def resources_by_id(self) -> dict[str, Resource]:
        """Every 社会資源 of the profile by its id; those that staff add live in intake."""
        return {resource.id: resource for resource in self.resources}

    @property
    def provider_direct(self) -> bool:
        """Whether the 多機関協働事業者 is run by the municipality itself (直営)."""
        return Operation.DIRECT in self.agency(self.roles.multi_agency_provider).operation

    @property
    def is_provider_exempt_from_consent(self) -> bool:
        """Whether the provider gets referrals without consent: 直営, or secretariat of the 支援会議 (rule 4)."""
        return self.provider_direct or self.roles.multi_agency_provider == self.roles.support_meeting_secretariat

    def roles_for_title(self, title: str, agency_id: str = "") -> tuple[Role, ...]:
        """The roles a title gives, in the order of the profile; none for an unknown title.

        A row that names agencies counts only for a person of one of them.
        """
        rows = [row for row in self.titles if title == row.name or title in row.other_names]
        roles = [role for row in rows if not row.agencies or agency_id in row.agencies for role in row.roles]
        return tuple(dict.fromkeys(roles))

    def number(self, kind: NumberKind, fiscal_year: int, number: int) -> str:
        """The nth number of that kind in the 年度, e.g. R2026-00012. ValueError for a number below 1."""
        if number < 1:
            raise ValueError("numbers start at 1")
        return profile_checks.write_number(getattr(self.numbering, kind), fiscal_year, number)

    def retention_class_for(self, kind: FormKind) -> RetentionClass:
        """How long a form of that kind is kept."""
        wanted = self.retention.forms.get(kind, self.retention.default)
        return next(row for row in self.retention.classes if row.id == wanted)

    def legal_basis_on(self, basis_id: str, day: dt.date) -> LegalBasis | None:
        """The article as it may be printed on that date; None where the profile has none for the day."""
        return next((row for row in self.legal_basis if row.id == basis_id and row.covers(day)), None)

    def agency_list_on(self, list_id: str, day: dt.date) -> AgencyList | None:
        """The 別紙 as it stands on that Japanese date; None where the profile has none for the day."""
        return next((row for row in self.agency_lists if row.id == list_id and row.covers(day)), None)

    def bodies_with(self, role: LegalRole, day: dt.date) -> tuple[Body, ...]:
        """The bodies that have the legal role on that date."""
        return tuple(body for body in self.bodies if role in body.roles_on(day))

    def local_fields(self, kind: FormKind) -> tuple[Field, ...]:
        """The fields the municipality adds to a form, as the page, the checks and the sheets walk them."""
        return self._local_fields.get(kind, ())

    @functools.cached_property
    def _local_fields(self) -> dict[FormKind, tuple[Field, ...]]:
        return {kind: self._asked(settings) for kind, settings in self.forms.items()}

    def _asked(self, settings: FormSettings) -> tuple[Field, ...]:
        return tuple(
            Field(
                name=row.name,
                path=f"local.{row.name}",
                kind=Kind.CHOICE if row.choices else Kind.TEXT if row.several_lines else Kind.LINE,
                title=row.label,
                help=row.help,
                required=row.required,
                limit=None if row.choices else row.limit,
                choices=tuple((choice.code, choice.label) for choice in row.choices),
            )
            for row in settings.fields
        )

    def code_labels(self, name: str, day: dt.date) -> dict[str, str]:
        """The codes that the municipality adds to a list, or renames, as they stand on that Japanese date."""
        return {row.code: row.label for row in self.code_lists.get(name, ()) if row.covers(day)}

    def codes(self, kind: FormKind, today: dt.date) -> Codes:
        """What a check, a page and a schema of that form need of the profile, as it stands on that Japanese date."""
        kept = self._codes.get((kind, today))
        if kept is None:
            kept = Codes(
                today=today,
                agencies=self.agency_names,
                lists={row.id: row.name for row in self.agency_lists if row.covers(today)},
                bodies={body.id: body.name_on(today) for body in self.bodies},
                laws={row.id: row.text for row in self.legal_basis if row.allows_provision and row.covers(today)},
                code_lists={name: self.code_labels(name, today) for name in self.code_lists},
                limits=self._limits if kind is FormKind.REFERRAL else {},
                local=self.local_fields(kind),
            )
            if len(self._codes) > len(FormKind):  # those of the days before
                self._codes.clear()
            self._codes[kind, today] = kept
        return kept

    @property
    def _limits(self) -> dict[str, int]:
        """By the path of the referral's field."""
        return {"destinations": self.limits.destinations, "household": self.limits.household_members}

    @functools.cached_property
    def _codes(self) -> dict[tuple[FormKind, dt.date], Codes]:
        return {}


class ContactsFile(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """contacts.toml as it is written."""

    contacts: tuple[Contact, ...] = ()


class Contacts(ContactsFile, frozen=True, kw_only=True, dict=True):
    """Where notices go. Only notify reads it."""

    version: str

    def of(self, agency_id: str, contractor: str = "") -> Contact:
        """The addresses of that contractor of the agency; else the agency's own; without any, the inbox alone (empty
        Contact)."""
        rows = {row.contractor: row for row in self.contacts if row.agency == agency_id}
        return rows.get(contractor) or rows.get("") or Contact(agency=agency_id)


def load_profile(folder: Path) -> Profile:
    """The profile in `folder`. ProfileError with every mistake of profile.toml."""
    path = folder / PROFILE_FILE
    found, version = _read(path, ProfileFile, profile_checks.check_profile)
    return Profile(version=version, **{name: getattr(found, name) for name in ProfileFile.__struct_fields__})


def load_contacts(folder: Path, profile: Profile) -> Contacts:
    """The contacts in `folder`. ProfileError with every mistake of contacts.toml, unknown agencies among them."""

    def check(found: ContactsFile, report: profile_checks.Report) -> None:
        profile_checks.check_contacts(found.contacts, profile.agencies_by_id, report)

    found, version = _read(folder / CONTACTS_FILE, ContactsFile, check)
    return Contacts(version=version, contacts=found.contacts)


def _read(path: Path, table: type[Table], check: profile_checks.Check[Table]) -> tuple[Table, str]:
    source = TomlFile(path)
    found = source.read(table)
    if found is not None:
        check(found, source.report)
    if found is None or source.problems:
        raise ProfileError(source.sorted_problems())
    return found, hashlib.sha256(source.content).hexdigest()[:VERSION_DIGITS]


if __name__ == "__main__":  # only as a command: what reads the clock and speaks to people is no part of the contracts
    import importlib
    import sys

    sys.exit(importlib.import_module("tsunagi_shared.profile_checking").main())
