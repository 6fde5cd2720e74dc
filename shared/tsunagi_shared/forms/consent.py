"""個人情報共有同意書 and what changes it: a withdrawal, an extension. Consent is per person; `until` is inclusive.

Items follow the 同意書 of domain practice: named agencies, purpose, scope, exclusions, period, signature or a record of
the oral consent. Agencies are named one by one or by a list of the profile (別紙).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import msgspec

from tsunagi_shared.forms import fields as ask
from tsunagi_shared.forms.fields import CodeList, DateRange
from tsunagi_shared.forms.referral import ConsentMethod, ConsentStatus

Found = Iterator[tuple[str, str, str]]


class Signer(CodeList):
    """Who gives the consent."""

    PERSON = "person", "本人"
    LEGAL_REPRESENTATIVE = "legal_representative", "法定代理人"
    FAMILY_REPRESENTATIVE = "family_representative", "その他の代理人"


class ConsentScope(CodeList):
    """What may be shared."""

    CONSULTATION = "consultation", "相談の内容"
    ASSESSMENT = "assessment", "アセスメント"
    PLAN = "plan", "プラン"
    CONTACT = "contact", "支援の経過"


class ConsentMeeting(CodeList):
    """The meetings in which the person's case may be spoken of."""

    LAYERED_SUPPORT_MEETING = "layered_support_meeting", "重層的支援会議"
    SUPPORT_COORDINATION_MEETING = "support_coordination_meeting", "支援調整会議"
    OTHER = "other", "その他の会議"


class ToldBy(CodeList):
    """Who said that the consent is withdrawn."""

    PERSON = "person", "本人"
    REPRESENTATIVE = "representative", "代理人"


class ConsentForm(msgspec.Struct, frozen=True, kw_only=True):
    """個人情報共有同意書 of one person of a case, or where that person stands when there is no consent."""

    person: Annotated[str, ask.line("同意する人", limit=80, section="同意する人")]
    status: Annotated[ConsentStatus, ask.choice("同意の状況")]
    signer: Annotated[Signer, ask.choice("意思を示した人")] = Signer.PERSON
    signer_name: Annotated[
        str, ask.line("代理人の氏名", "本人以外が意思を示したときに入力してください。", limit=60)
    ] = ""
    signer_relationship: Annotated[str, ask.line("代理人の続柄", limit=40)] = ""
    authority: Annotated[str, ask.line("代理の根拠", "例：成年後見人（登記事項証明書を確認）、親権者", limit=100)] = ""
    explained_by: Annotated[str, ask.line("説明した人", limit=60, section="説明と同意")] = ""
    explained_on: Annotated[dt.date | None, ask.date("説明した日", dates=DateRange.UP_TO_TODAY)] = None
    given_on: Annotated[
        dt.date | None, ask.date("同意を得た日", "同意ありのときに入力してください。", dates=DateRange.UP_TO_TODAY)
    ] = None
    method: Annotated[ConsentMethod | None, ask.choice("同意の方法", "同意ありのときに選んでください。")] = None
    heard_by: Annotated[str, ask.line("同意を聞いた人", "口頭のときは必ず入力してください。", limit=60)] = ""
    oral_record: Annotated[
        str, ask.text("口頭で同意を得たときの記録", "聞いた日時、場所、本人の言葉など。", limit=1000)
    ] = ""
    evidence: Annotated[str, ask.line("同意書の原本の保管", "例：窓口の鍵付き書庫", limit=200)] = ""
    purpose: Annotated[
        str,
        ask.text(
            "利用の目的",
            "何のために共有するかを、本人に説明したとおりに書いてください。",
            limit=400,
            section="共有の範囲",
        ),
    ] = ""
    scope: Annotated[list[ConsentScope], ask.choices("共有する情報")] = msgspec.field(default_factory=list)
    agencies: Annotated[list[str], ask.agencies("共有してよい機関", "本人が同意した機関だけを選んでください。")] = (
        msgspec.field(default_factory=list)
    )
    lists: Annotated[
        list[str],
        ask.agency_lists(
            "共有してよい機関の一覧（別紙）",
            "別紙を本人に示して同意を得たときに選んでください。その日の一覧の機関を写し取ります。",
        ),
    ] = msgspec.field(default_factory=list)
    excluded_agencies: Annotated[
        list[str], ask.agencies("共有してほしくない機関", "別紙の一覧にあっても、ここに選んだ機関には共有しません。")
    ] = msgspec.field(default_factory=list)
    excluded_matters: Annotated[str, ask.text("共有してほしくない事項", limit=400)] = ""
    meetings: Annotated[list[ConsentMeeting], ask.choices("共有してよい会議")] = msgspec.field(default_factory=list)
    until: Annotated[dt.date | None, ask.date("同意の有効期限", "その日まで有効です。空欄のときは期限なしです。")] = (
        None
    )
    covers_successor: Annotated[
        bool, ask.flag("機関の受託者が替わったときも、次の受託者に共有してよい", "本人に説明したうえで選んでください。")
    ] = False
    note: Annotated[str, ask.text("同意についての補足", limit=400)] = ""
    local: Annotated[dict[str, str], ask.local("市町村の項目")] = msgspec.field(default_factory=dict)

    @staticmethod
    def contradictions(values: Mapping[str, Any], wrong: Collection[str]) -> Found:
        """(field, code, message) of each rule between fields that does not hold; fields in `wrong` are left out."""
        yield from _signer_gaps(values, wrong)
        if "status" not in wrong and "status" in values:
            if values["status"] == ConsentStatus.GIVEN:
                yield from _given_gaps(values, wrong)
            else:
                for name in ("agencies", "lists"):
                    if values.get(name):
                        yield (
                            name,
                            "consent-not-given",
                            "同意を得ていないときは、共有してよい機関を選べません。選択を外すか、同意の状況を直してください。",
                        )
        if set(values.get("agencies", ())) & set(values.get("excluded_agencies", ())):
            yield (
                "excluded_agencies",
                "named-and-excluded",
                "共有してよい機関と、共有してほしくない機関の両方に選ばれた機関があります。どちらかを外してください。",
            )
        given_on, explained_on, until = values.get("given_on"), values.get("explained_on"), values.get("until")
        if given_on and explained_on and given_on < explained_on:
            yield "given_on", "before-explanation", "同意を得た日は、説明した日と同じか、それより後の日にしてください。"
        if given_on and until and until < given_on:
            yield "until", "before-start", "同意の有効期限は、同意を得た日より後の日にしてください。"


def _signer_gaps(values: Mapping[str, Any], wrong: Collection[str]) -> Found:
    signer = values.get("signer", Signer.PERSON)
    if "signer" in wrong or signer == Signer.PERSON:
        return
    if "signer_name" not in wrong and not values.get("signer_name"):
        yield "signer_name", "required", "代理人が意思を示したときは、代理人の氏名を入力してください。"
    if signer == Signer.LEGAL_REPRESENTATIVE and "authority" not in wrong and not values.get("authority"):
        yield "authority", "required", "法定代理人のときは、代理の根拠を入力してください。"
    relationship_known = "signer_relationship" in wrong or values.get("signer_relationship")
    if signer == Signer.FAMILY_REPRESENTATIVE and not relationship_known:
        yield "signer_relationship", "required", "その他の代理人のときは、代理人の続柄を入力してください。"


def _given_gaps(values: Mapping[str, Any], wrong: Collection[str]) -> Found:
    for name, message in (
        ("given_on", "同意ありのときは、同意を得た日を入力してください。"),
        ("method", "同意ありのときは、同意の方法を選んでください。"),
        ("purpose", "同意ありのときは、利用の目的を入力してください。"),
        ("scope", "同意ありのときは、共有する情報を1つ以上選んでください。"),
    ):
        if name not in wrong and not values.get(name):
            yield name, "required", message
    if values.get("method") == ConsentMethod.ORAL and "heard_by" not in wrong and not values.get("heard_by"):
        yield "heard_by", "required", "口頭で同意を得たときは、同意を聞いた人を入力してください。"
    named = values.get("agencies") or values.get("lists")
    if not named and "agencies" not in wrong and "lists" not in wrong:
        yield (
            "agencies",
            "required",
            "同意ありのときは、共有してよい機関を、1つ以上選ぶか、別紙の一覧で選んでください。",
        )


class ConsentWithdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """同意の撤回, whole or for some agencies. It asks for as little as possible: nobody has to give a reason."""

    withdrawn_on: Annotated[dt.date, ask.date("撤回の申し出があった日", dates=DateRange.UP_TO_TODAY)]
    whole: Annotated[bool, ask.flag("すべての機関について撤回する")] = False
    agencies: Annotated[
        list[str], ask.agencies("共有をやめる機関", "一部の機関だけについて撤回するときに選んでください。")
    ] = msgspec.field(default_factory=list)
    reason: Annotated[
        str, ask.text("撤回の理由", "本人が話したときだけ書いてください。聞き出す必要はありません。", limit=400)
    ] = ""
    told_by: Annotated[ToldBy, ask.choice("申し出た人")] = ToldBy.PERSON
    heard_by: Annotated[str, ask.line("申し出を聞いた人", limit=60)] = ""

    @staticmethod
    def contradictions(values: Mapping[str, Any], wrong: Collection[str]) -> Found:
        """(field, code, message) of each rule between fields that does not hold; fields in `wrong` are left out."""
        if "whole" in wrong or "agencies" in wrong:
            return
        if values.get("whole") and values.get("agencies"):
            yield (
                "agencies",
                "whole-and-part",
                "すべての機関について撤回するときは、機関を選ばないでください。どちらかにしてください。",
            )
        if not values.get("whole") and not values.get("agencies"):
            yield (
                "agencies",
                "required",
                "共有をやめる機関を選んでください。すべてのときは「すべての機関について撤回する」を選んでください。",
            )


class ConsentExtension(msgspec.Struct, frozen=True, kw_only=True):
    """同意の追加・延長: a later day, further agencies, or both. Without `until` the period stays as it is."""

    until: Annotated[
        dt.date | None, ask.date("新しい有効期限", "その日まで有効です。空欄のときは、いまの期限のままです。")
    ] = None
    agencies: Annotated[
        list[str], ask.agencies("新しく共有してよい機関", "本人が同意した機関だけを選んでください。")
    ] = msgspec.field(default_factory=list)
    given_on: Annotated[dt.date, ask.date("同意を得た日", dates=DateRange.UP_TO_TODAY)]
    method: Annotated[ConsentMethod, ask.choice("同意の方法")]
    heard_by: Annotated[str, ask.line("同意を聞いた人", "口頭のときは必ず入力してください。", limit=60)] = ""

    @staticmethod
    def contradictions(values: Mapping[str, Any], wrong: Collection[str]) -> Found:
        """(field, code, message) of each rule between fields that does not hold; fields in `wrong` are left out."""
        given_on, until = values.get("given_on"), values.get("until")
        if not until and not values.get("agencies") and "until" not in wrong and "agencies" not in wrong:
            yield (
                "until",
                "nothing-extended",
                "新しい有効期限か、新しく共有してよい機関の、少なくとも一方を入力してください。",
            )
        if given_on and until and until < given_on:
            yield "until", "before-start", "新しい有効期限は、同意を得た日より後の日にしてください。"
        if values.get("method") == ConsentMethod.ORAL and "heard_by" not in wrong and not values.get("heard_by"):
            yield "heard_by", "required", "口頭で同意を得たときは、同意を聞いた人を入力してください。"
