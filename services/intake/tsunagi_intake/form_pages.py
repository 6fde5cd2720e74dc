"""The page of any form: drawn from its definition, filled with what was typed, posted to the same resource as JSON."""

from __future__ import annotations

import secrets
import urllib.parse
from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from litestar import MediaType, Response
from sqlalchemy import Connection

from tsunagi_intake import cases, pages, people, rules, standing
from tsunagi_intake.drafts import FIELD as DRAFT_FIELD
from tsunagi_intake.rules import Action, Standing
from tsunagi_intake.standing import CaseRow
from tsunagi_intake.tables import cases as cases_table
from tsunagi_intake.tables import consents, records
from tsunagi_intake.withholding import Kept, of_form, shown
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import Agency, Profile
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.forms.codes import Codes, fields_for
from tsunagi_shared.forms.fields import Field, Kind
from tsunagi_shared.forms.kinds import FORMS
from tsunagi_shared.forms.withheld_text import WITHHELD
from tsunagi_shared.problems import Refusal, not_found, problem_of
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.web.forms import form_values

KEY_FIELD = "_idempotency_key"
_ABOUT_A_PERSON = frozenset({"consent", "protection"})


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a form belongs to, as in its address: numbers of a case or referral, ids of a consent, a person, a record.

    `record` is `<kind>/<id>` of what is corrected (`referral/<number>` for a referral).
    """

    case: str = ""
    referral: str = ""
    consent: str = ""
    person: str = ""
    record: str = ""

    def query(self) -> str:
        """The same as the query of an address; empty fields are left out."""
        return urllib.parse.urlencode({name: value for name, value in msgspec.structs.asdict(self).items() if value})


class _Page(msgspec.Struct, frozen=True, kw_only=True):
    """How a kind of form is asked on a page: where it posts to, what it is about, and what it is made on."""

    action: str
    about: str = ""  # the field of Place without which there is no such page
    permissions: tuple[Action, ...] = ()  # any of them
    made_on: str = ""  # referral | consent | case: whose revision the post carries
    button: str = "提出する"
    lead: tuple[str, ...] = ()


_PAGES: dict[str, _Page] = {
    "referral": _Page(
        action="/referrals",
        lead=(
            "相談を、ほかの機関へつなぐための様式です。本人が同じ話をくり返さずにすむように、聞き取ったことを書いてください。",
            "本人の同意がないときは、つなぎ先には何も届きません。つなぎ元のほかは、所管課と支援会議の事務局だけが見ます。",
        ),
    ),
    "reply": _Page(
        action="/referrals/{referral}/reply", about="referral", permissions=(Action.REPLY,), made_on="referral",
        button="回答する", lead=("つなぎ元に、受理するか差し戻すかを伝えます。回答の文書は、つなぎ元に届きます。",),
    ),
    "withdrawal": _Page(
        action="/referrals/{referral}/withdrawal", about="referral", made_on="referral", button="取り消す",
        permissions=(Action.WITHDRAW_REFERRAL, Action.RECALL_REFERRAL),
        lead=(
            "この共通様式を取り消します。取り消すと、つなぎ先などは、すぐに文書を開けなくなります。",
            "送る相手を間違えたときは「誤送付」を選んでください。だれが開いていたかを記した、所管課のための記録ができます。",
        ),
    ),
    "consent": _Page(
        action="/cases/{case}/consents", about="case", permissions=(Action.GIVE_CONSENT,), button="記録する",
        lead=("同意は、一人ひとりから得ます。本人に説明し、本人が選んだとおりに書いてください。",),
    ),
    "consent_withdrawal": _Page(
        action="/consents/{consent}/withdrawal", about="consent", permissions=(Action.WITHDRAW_CONSENT,), made_on="consent",
        button="撤回を記録する",
        lead=(
            "撤回はいつでもできます。理由を聞き出す必要はありません。",
            "記録すると、すぐに、その機関は文書を開けなくなります。すでに開いた機関は、ケースの画面で確かめられます。",
        ),
    ),
    "consent_extension": _Page(
        action="/consents/{consent}/extension", about="consent", permissions=(Action.EXTEND_CONSENT,), made_on="consent",
        button="記録する", lead=("同意の期限を延ばすか、共有してよい機関を加えます。本人に確かめてから記録してください。",),
    ),
    "assessment": _Page(
        action="/cases/{case}/assessments", about="case", permissions=(Action.ASSESS,),
        lead=("提出すると、インテーク・アセスメントシートができます。同意のある機関には、概要だけが届きます。",),
    ),
    "contact": _Page(
        action="/cases/{case}/contacts", about="case", permissions=(Action.LOG_CONTACT,), button="記録する",
        lead=("支援経過記録は、書いた機関と多機関協働事業者、所管課だけが見ます。文書はできません。",),
    ),
    "evaluation": _Page(
        action="/cases/{case}/evaluations", about="case", permissions=(Action.EVALUATE,),
        lead=("ここでの判定は案です。終結・再プラン・中断は、重層的支援会議で決めます。",),
    ),
    "pledge": _Page(action="/pledges", permissions=(Action.PLEDGE,), button="記録する"),
    "protection": _Page(
        action="/cases/{case}/protections", about="case", permissions=(Action.PROTECT,), made_on="case", button="秘匿を始める",
        lead=(
            "設定すると、すぐに、見せない項目の入った文書が閉じ、その項目を伏せた文書が作り直されます。",
            "すでに開いた機関は、ケースの画面で確かめられます。",
        ),
    ),
    "allocation": _Page(
        action="/cases/{case}/allocations", about="case", permissions=(Action.ALLOCATE,), made_on="case", button="加える",
        lead=("同意のある機関には、ここで加えたときから、このケースの概要が届きます。",),
    ),
    "ground": _Page(
        action="/cases/{case}/grounds", about="case", permissions=(Action.RECORD_GROUND,), button="記録する",
        lead=(
            "本人の同意がなくても、法令の定め（通告など）や、生命・身体・財産の保護のために知らせるときの記録です。",
            "記録すると、その機関に文書が届きます。緊急の対応は、あとで所管課が確認します。",
        ),
    ),
    "closure": _Page(
        action="/cases/{case}/closure", about="case", permissions=(Action.CLOSE_CASE,), made_on="case", button="ケースを終了する",
        lead=("プランを策定していないケースを終了します。策定したプランがあるときは、重層的支援会議で決めます。",),
    ),
}  # fmt: skip

# Forms that stand on the list of forms by themselves; the others are reached from what they belong to
BY_THEMSELVES = ("referral", "pledge")


class _Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows around the fields, as the database has it."""

    case_number: str = ""
    revision: int | None = None
    people: tuple[tuple[str, str], ...] = ()
    some_hidden: bool = False
    withheld: bool = False


class _Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a form is about: its case, how the caller stands to it, and the revision a write would be made on."""

    case: CaseRow
    own: Standing
    revision: int
    row: Any = None  # of the record that is corrected


def has_page(kind: str) -> bool:
    """Whether there is a page for that kind of form."""
    return kind in _PAGES


def opening(connection: Connection, principal: Principal, profile: Profile, kind: str, place: Place) -> dict[str, Any]:
    """What the page shows at first, for somebody who may hand the form in there. Refusal otherwise: 404, or a rule's 409."""
    page = _PAGES.get(kind)
    if page is None:
        raise not_found()
    if not page.about and not place.record:
        return {"case_number": place.case} if place.case and kind == "referral" else _started(kind, place, principal)
    subject = _subject(connection, principal, profile, page, place)
    if place.record:
        standing.allow(Action.CORRECT, principal, profile, subject.own)
        return _to_correct(connection, principal, subject)
    allowed = page.permissions[-1]
    for action in page.permissions:
        if rules.permitted(action, rules.actor_of(principal, profile, clock.today()), subject.own) is None:
            allowed = action
    standing.allow(allowed, principal, profile, subject.own)
    return _started(kind, place, principal)


def _to_correct(connection: Connection, principal: Principal, subject: _Subject) -> dict[str, Any]:
    """The form as it stands. What is withheld from the caller's agency is left empty, and cut out of texts that repeat it:
    what a correction leaves empty there stays as it was."""
    kind = getattr(subject.row, "kind", "referral")
    kept = of_form(connection, principal, f"{kind}/{subject.row.id}", subject.row.case)
    form: dict[str, Any] = msgspec.json.decode(subject.row.form)
    if kept == Kept():
        return form
    cut = shown(kind, form, kept)
    for part in ("person", "reception"):
        if isinstance(group := cut.get(part), dict):
            cut[part] = {name: "" if value == WITHHELD else value for name, value in group.items()}
    return cut


def _withheld(connection: Connection, principal: Principal, subject: _Subject) -> tuple[str, ...]:
    """What a protection keeps from the caller's agency on the record that is corrected."""
    entries = cases.audience_of(connection, f"{getattr(subject.row, 'kind', 'referral')}/{subject.row.id}")
    return next((entry.withheld for entry in entries if entry.agency == principal.agency), ())


def _started(kind: str, place: Place, principal: Principal) -> dict[str, Any]:
    """What most would type: today, their own name, the person they came from."""
    today, name = clock.today().isoformat(), principal.name if principal.via == "session" else ""
    begun: dict[str, dict[str, Any]] = {
        "assessment": {"received_on": today, "author": name},
        "contact": {"at": today, "recorder": name},
        "evaluation": {"evaluated_on": today},
        "allocation": {"since": today},
        "protection": {"since": today, "person": place.person},
        "consent": {"person": place.person, "explained_by": name},
        "consent_withdrawal": {"withdrawn_on": today, "heard_by": name},
        "consent_extension": {"given_on": today, "heard_by": name},
        "withdrawal": {"noticed_on": today},
    }
    return begun.get(kind, {})


def _subject(connection: Connection, principal: Principal, profile: Profile, page: _Page, place: Place) -> _Subject:
    """What the place names, if this person may see it; the common 404 otherwise."""
    row: Any
    kind, _, identity = place.record.partition("/")
    if page.about == "referral" or kind == "referral":
        row = cases.referral(connection, principal, identity or place.referral)
        case = standing.case_row(connection, seq=row.case)
        own = standing.on_referral(connection, principal, profile, row, case)
        return _Subject(case=case, own=own, revision=row.revision, row=row)
    if place.record:
        row = connection.execute(sa.select(records).where(records.c.id == identity, records.c.kind == kind)).first()
        if row is None or row.case is None:
            raise not_found()
        case = standing.case_row(connection, seq=row.case)
        own = standing.on_record(connection, principal, profile, row, case)
        return _Subject(case=case, own=own, revision=row.revision, row=row)
    revision, number = 0, place.case
    if page.about == "consent":
        of_case = cases_table.c.seq == consents.c.case
        row = connection.execute(
            sa.select(consents.c.revision, cases_table.c.number).join(cases_table, of_case)
            .where(consents.c.id == place.consent)
        ).first()  # fmt: skip
        if row is None:
            raise not_found()
        revision, number = row.revision, row.number
    if not number or cases.readable(connection, principal, number) is None:
        raise not_found()
    case = standing.case_row(connection, number=number)
    own = standing.on_case(connection, principal, profile, case)
    return _Subject(case=case, own=own, revision=revision or case.revision)


def _scene(connection: Connection, principal: Principal, profile: Profile, kind: str, place: Place) -> _Scene:
    """What stands around the fields. Nothing for somebody who may not see what the form is about."""
    page = _PAGES[kind]
    if not page.about and not place.record:
        return _Scene()
    if not profile.acts_for(principal.agency, principal.contractor, clock.today()):
        return _Scene()
    try:
        subject = _subject(connection, principal, profile, page, place)
    except Refusal:
        return _Scene()
    shown = people.People()
    if kind in _ABOUT_A_PERSON:
        shown = people.people_of(connection, principal, (subject.case.seq,))
    return _Scene(
        withheld=bool(place.record and _withheld(connection, principal, subject)),
        case_number=subject.case.number, revision=subject.revision,
        people=tuple((line.id, line.label) for line in shown.lines), some_hidden=shown.some_hidden,
    )  # fmt: skip


async def form_page_for(
    runtime: Runtime,
    principal: Principal,
    kind: str,
    place: Place | None = None,
    *,
    key: str = "",
    raw: object = None,
    errors: tuple[FieldError, ...] = (),
    rows: Mapping[str, int] | None = None,
    revision: int | None = None,
    draft: str = "",
    status: int = 200,
) -> Response[str]:
    """The page of a form with whatever was typed (`raw`, the shape of its JSON) and what is wrong with it.

    `revision`: what the write was made on; None (a new page, or one that was told to look again): what there is now.
    Whatever fails around the fields, what was typed is shown.
    """
    place = place or Place()
    try:
        scene = await runtime.database.read(
            lambda connection: _scene(connection, principal, runtime.profile, kind, place)
        )
    except Exception as error:  # noqa: BLE001 - nothing that was typed may be lost
        problem_of(error)
        scene = _Scene()
    definition, page = FORMS[kind], _PAGES[kind]
    codes = runtime.profile.codes(definition.settings, clock.today())
    text = runtime.pages.render(
        "form_page.html",
        principal=principal,
        kind=kind,
        title=f"{definition.title}の訂正" if place.record else definition.title,
        lead=page.lead,
        button="訂正する" if place.record else page.button,
        fields=_fields(definition.struct, codes, scene),
        values=form_values(definition.struct, raw, errors, rows, codes.local),
        agencies={agency.id: agency.name for agency in runtime.profile.agencies if _offered(kind, agency)},
        case_number=scene.case_number,
        some_hidden=scene.some_hidden,
        withheld=scene.withheld,
        action=_action(page, place, scene.revision if revision is None else revision),
        drafts=f"/drafts?{urllib.parse.urlencode({'kind': kind})}&{place.query()}".rstrip("&"),
        hidden=[(KEY_FIELD, key or secrets.token_urlsafe(16)), (DRAFT_FIELD, draft)],
    )
    return Response(text, media_type=MediaType.HTML, status_code=status, headers=pages.NO_STORE)


def _offered(kind: str, agency: Agency) -> bool:
    return agency.accepts_referrals or kind != "referral"


def _fields(struct: type[msgspec.Struct], codes: Codes, scene: _Scene) -> tuple[Field, ...]:
    """The fields as this page asks them: a person of the case is chosen, not typed."""
    return tuple(
        msgspec.structs.replace(field, kind=Kind.CHOICE, choices=scene.people)
        if field.name == "person" and field.kind is Kind.LINE and scene.people
        else field
        for field in fields_for(struct, codes)
    )


def _action(page: _Page, place: Place, revision: int | None) -> str:
    """Where the page posts to."""
    kind, _, identity = place.record.partition("/")
    if place.record:
        path = (
            f"/referrals/{_quoted(identity)}" if kind == "referral" else f"/records/{_quoted(kind)}/{_quoted(identity)}"
        )
    else:
        path = page.action.format(
            case=_quoted(place.case), referral=_quoted(place.referral), consent=_quoted(place.consent)
        )
    return f"{path}?revision={revision}" if revision is not None and (page.made_on or place.record) else path


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")
