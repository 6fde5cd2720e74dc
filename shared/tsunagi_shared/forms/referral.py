"""The shared referral form (共通様式・つなぎシート).

Its items follow 福生市 実施計画 (相談内容・主訴・つなぐ理由・他機関との個人情報共有の同意 must be there),
岡山市 つなぐシート and the 相談受付・申込票 of 自立相談支援; the finding routes follow the national slides on outreach.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import msgspec

from tsunagi_shared.forms import fields as ask
from tsunagi_shared.forms.fields import CodeList, DateRange
from tsunagi_shared.forms.protection import ProtectionField, ProtectionKind

MOST_DESTINATIONS = 10
# Said at every field that the summary, the only sheet of a destination, leaves out
NOT_TO_DESTINATIONS = "つなぎ先には見えません。"
MOST_HOUSEHOLD_MEMBERS = 20


class Urgency(CodeList):
    """How soon the destination should act."""

    NORMAL = "normal", "通常"
    SOON = "soon", "早め"
    URGENT = "urgent", "至急"


class ClientKind(CodeList):
    """Who came to the window."""

    PERSON = "person", "本人"
    FAMILY = "family", "家族・親族"
    AGENCY = "agency", "支援関係機関"
    COMMUNITY = "community", "地域の人"
    OTHER = "other", "その他"


FINDING_CHANNELS = "finding_channels"  # the profile's code list that adds to FindingRoute


class FindingRoute(CodeList):
    """How the window came to know of the person. A municipality adds to it, and renames, with `[[code_lists.finding_channels]]`
    in its profile."""

    OWN_CONTACT = "own_contact", "本人・家族からの相談（来所・電話など）"
    RESIDENT = "resident", "地域住民からの連絡"
    GATHERING = "gathering", "通いの場や交流拠点での住民同士の対話"
    MEETING = "meeting", "各種会議の情報（地域ケア会議・支援会議など）"
    PROFESSIONAL = "professional", "専門職・民生委員・福祉の事業所・医療機関などからの情報"
    OTHER_FIELD = "other_field", "福祉以外の分野からの情報（水道・電気・ガス・新聞配達など）"
    SURVEY = "survey", "全戸訪問・アンケート・SNS相談などで把握"
    OTHER = "other", "その他"


class Sex(CodeList):
    """As the person answers; never guessed."""

    MALE = "male", "男性"
    FEMALE = "female", "女性"
    OTHER = "other", "その他"
    UNANSWERED = "unanswered", "答えない・不明"


class Trouble(CodeList):
    """お困りごと: the lists of 相談受付・申込票 and つなぐシート merged."""

    HEALTH = "health", "病気・健康・医療"
    MENTAL_HEALTH = "mental_health", "こころの健康"
    DISABILITY = "disability", "障害"
    CARE = "care", "介護"
    CHILDCARE = "childcare", "子育て"
    HOUSING = "housing", "住まい"
    INCOME = "income", "収入・生活費"
    RENT_OR_LOAN = "rent_or_loan", "家賃・ローンの支払い"
    TAXES_OR_BILLS = "taxes_or_bills", "税金・公共料金の支払い"
    DEBT = "debt", "借金・債務"
    JOB_SEARCH = "job_search", "仕事探し・就職"
    WORK = "work", "仕事上の不安・トラブル"
    COMMUNITY = "community", "地域との関係"
    FAMILY = "family", "家族との関係"
    WITHDRAWAL = "withdrawal", "ひきこもり・不登校"
    VIOLENCE = "violence", "DV・虐待"
    FOOD = "food", "食べるものがない"
    RIGHTS = "rights", "権利擁護（成年後見など）"
    OTHER = "other", "その他"


class ConsentStatus(CodeList):
    """Where the person stands on sharing their information with the agencies named."""

    GIVEN = "given", "同意あり"
    NOT_ASKED = "not_asked", "まだ聞いていない"
    ASKING = "asking", "同意に向けて相談中"
    REFUSED = "refused", "同意しない"
    UNABLE = "unable", "同意の意思を確認できない"


class ConsentMethod(CodeList):
    """How the consent was given."""

    WRITTEN = "written", "書面"
    ORAL = "oral", "口頭"


class Work(CodeList):
    """仕事 (相談受付・申込票 B票)."""

    EMPLOYED = "employed", "正社員・公務員"
    PART_TIME = "part_time", "臨時・パート・派遣"
    SELF_EMPLOYED = "self_employed", "自営・内職"
    STUDENT = "student", "学生"
    PENSION = "pension", "年金生活"
    OUT_OF_WORK = "out_of_work", "失業・休職中"
    OTHER = "other", "その他"


class Housing(CodeList):
    """住居 (B票)."""

    OWNED = "owned", "持家"
    RENTED = "rented", "借家・賃貸"
    PUBLIC = "public", "公営住宅"
    COMPANY = "company", "会社寮・借上げ"
    WITH_OTHERS = "with_others", "親族・知人宅"
    FACILITY = "facility", "施設・病院"
    NONE = "none", "野宿・住まいがない"
    OTHER = "other", "その他"


class HealthInsurance(CodeList):
    """健康保険 (B票)."""

    EMPLOYEE = "employee", "社会保険（健康保険・共済）"
    NATIONAL = "national", "国民健康保険"
    ELDERLY = "elderly", "後期高齢者医療"
    PUBLIC_ASSISTANCE = "public_assistance", "生活保護（医療扶助）"
    NONE = "none", "入っていない"
    UNKNOWN = "unknown", "わからない"


class Pension(CodeList):
    """年金 (B票)."""

    RECEIVED = "received", "受給中"
    APPLYING = "applying", "手続き中"
    NOT_RECEIVED = "not_received", "受給していない"
    UNKNOWN = "unknown", "わからない"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """本人. Names are kept exactly as typed."""

    name: Annotated[str, ask.line("氏名", limit=60)]
    kana: Annotated[str, ask.kana("ふりがな", "ひらがな又はカタカナで入力してください。", limit=100)]
    sex: Annotated[Sex, ask.choice("性別")] = Sex.UNANSWERED
    birth_date: Annotated[
        dt.date | None, ask.date("生年月日", "例：昭和30年4月1日、1955-04-01", dates=DateRange.UP_TO_TODAY)
    ] = None
    age_note: Annotated[
        str, ask.line("年齢のめやす", "生年月日がわからないときに入力してください。例：70歳代", limit=40)
    ] = ""
    postal_code: Annotated[str, ask.postal_code("郵便番号", "例：197-0011")] = ""
    address: Annotated[
        str,
        ask.line(
            "住所",
            "住所を知られると危険があるときは、下の「住所等の秘匿」で「住所」を選ぶと、どの機関にも見えません。",
            limit=200,
        ),
    ] = ""
    phone: Annotated[str, ask.phone("電話（自宅）", "市外局番から入力してください。")] = ""
    mobile: Annotated[str, ask.phone("電話（携帯）")] = ""


class HouseholdMember(msgspec.Struct, frozen=True, kw_only=True):
    """世帯員: one row."""

    name: Annotated[str, ask.line("氏名", limit=60)] = ""
    kana: Annotated[str, ask.kana("ふりがな", "わかるときに入力してください。", limit=100)] = ""
    relationship: Annotated[str, ask.line("続柄", "本人から見た続柄です。例：長男", limit=40)]
    birth_date: Annotated[dt.date | None, ask.date("生年月日", dates=DateRange.UP_TO_TODAY)] = None
    age: Annotated[int, ask.number("年齢", limit=130)] | None = None
    note: Annotated[str, ask.line("備考", limit=200)] = ""


class Reception(msgspec.Struct, frozen=True, kw_only=True):
    """相談受付・申込票: what its A票 and B票 ask beyond the rest of the form. All of it 「書ける範囲で」."""

    applied_on: Annotated[dt.date | None, ask.date("支援の利用を申し込んだ日", dates=DateRange.UP_TO_TODAY)] = None
    email: Annotated[str, ask.line("本人のメールアドレス", limit=120)] = ""
    client_phone: Annotated[str, ask.phone("相談者の電話", "相談者が本人以外のときに入力してください。")] = ""
    client_relationship: Annotated[
        str, ask.line("相談者と本人との関係", "相談者が本人以外のときに入力してください。例：家族（長女）", limit=40)
    ] = ""
    work: Annotated[Work | None, ask.choice("仕事")] = None
    housing: Annotated[Housing | None, ask.choice("住まい")] = None
    health_insurance: Annotated[HealthInsurance | None, ask.choice("健康保険")] = None
    pension: Annotated[Pension | None, ask.choice("年金")] = None


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """他機関との個人情報共有の同意, as it stands when the referral is written. `until` is inclusive."""

    status: Annotated[ConsentStatus, ask.choice("同意の状況")]
    given_on: Annotated[
        dt.date | None, ask.date("同意を得た日", "同意ありのときに入力してください。", dates=DateRange.UP_TO_TODAY)
    ] = None
    method: Annotated[ConsentMethod | None, ask.choice("同意の方法", "同意ありのときに選んでください。")] = None
    heard_by: Annotated[str, ask.line("説明し、同意を確認した人", limit=60)] = ""
    agencies: Annotated[
        list[str],
        ask.agencies("情報を共有してよい機関", "本人が同意した機関だけを選んでください。"),
    ] = msgspec.field(default_factory=list)
    until: Annotated[dt.date | None, ask.date("同意の有効期限", "その日まで有効です。空欄のときは期限なしです。")] = (
        None
    )
    note: Annotated[
        str, ask.text("同意についての補足", "共有してほしくない事項など。" + NOT_TO_DESTINATIONS, limit=400)
    ] = ""

    @staticmethod
    def contradictions(values: Mapping[str, Any], wrong: Collection[str]) -> Iterator[tuple[str, str, str]]:
        """(field, code, message) of each rule between fields that does not hold; fields in `wrong` are left out."""
        if "status" in wrong or "status" not in values:
            return
        if values["status"] == ConsentStatus.GIVEN:
            if not values.get("given_on") and "given_on" not in wrong:
                yield "given_on", "required", "同意ありのときは、同意を得た日を入力してください。"
            if not values.get("method") and "method" not in wrong:
                yield "method", "required", "同意ありのときは、同意の方法を選んでください。"
            if not values.get("agencies") and "agencies" not in wrong:
                yield "agencies", "required", "同意ありのときは、情報を共有してよい機関を1つ以上選んでください。"
        elif values.get("agencies"):
            yield (
                "agencies",
                "consent-not-given",
                "同意を得ていないときは、共有してよい機関を選べません。選択を外すか、同意の状況を直してください。",
            )
        given_on, until = values.get("given_on"), values.get("until")
        if given_on and until and until < given_on:
            yield "until", "before-start", "同意の有効期限は、同意を得た日より後の日にしてください。"


class Referral(msgspec.Struct, frozen=True, kw_only=True):
    """共通様式. Unknown fields pass here, because an event may come from a newer build; the HTTP edge refuses them."""

    destinations: Annotated[
        list[str],
        ask.agencies(
            "つなぎ先", "つなぎたい機関を選んでください（10か所まで）。", limit=MOST_DESTINATIONS, section="つなぎ先"
        ),
    ]
    case_number: Annotated[
        str, ask.reference("既存のケース番号", "すでに番号があるときだけ入力してください。", limit=40)
    ] = ""
    urgency: Annotated[Urgency, ask.choice("緊急度")] = Urgency.NORMAL
    reply_by: Annotated[dt.date | None, ask.date("回答希望日", dates=DateRange.FROM_TODAY)] = None
    contact_phone: Annotated[
        str, ask.phone("つなぎ元の連絡先電話", "つなぎ先からの問い合わせを受ける番号です。内線も書けます。")
    ] = ""
    consulted_on: Annotated[
        dt.date,
        ask.date("相談日", "例：令和8年11月23日、2026-11-23", dates=DateRange.UP_TO_TODAY, section="相談の受付"),
    ]
    client_kind: Annotated[ClientKind, ask.choice("相談者", "窓口に来た人、又は連絡をくれた人です。")] = (
        ClientKind.PERSON
    )
    client_name: Annotated[
        str,
        ask.line("相談者の氏名・機関名", "相談者が本人以外のときに入力してください。" + NOT_TO_DESTINATIONS, limit=80),
    ] = ""
    finding_route: (
        Annotated[
            str,
            ask.open_choice("把握の経路", NOT_TO_DESTINATIONS, codes=FindingRoute, extended_by=FINDING_CHANNELS),
        ]
        | None
    ) = None
    person: Annotated[Person, ask.group("本人")]
    protection: Annotated[
        list[ProtectionField],
        ask.choices(
            "見せない項目",
            "本人の居場所を知られると危険があるときなどに選びます。選んだ項目は、つなぎ先にも、どの機関にも見えません。",
            section="住所等の秘匿",
        ),
    ] = msgspec.field(default_factory=list)
    protection_kind: Annotated[
        ProtectionKind | None, ask.choice("秘匿の理由", "見せない項目を選んだときに選んでください。")
    ] = None
    household: Annotated[
        list[HouseholdMember],
        ask.rows(
            "世帯員",
            "本人以外の人を書いてください。同意した人のほかは、つなぎ先には見えません。",
            limit=MOST_HOUSEHOLD_MEMBERS,
        ),
    ] = msgspec.field(default_factory=list)
    household_size: Annotated[int, ask.number("世帯の人数", "本人を含む人数です。", limit=50, lowest=1)] | None = None
    troubles: Annotated[
        list[Trouble], ask.choices("お困りごと", "あてはまるものをすべて選んでください。", section="相談の内容")
    ] = msgspec.field(default_factory=list)
    main_trouble: Annotated[
        Trouble | None, ask.choice("最も重いお困りごと（◎）", "上で選んだものの中から1つ選んでください。")
    ] = None
    consultation: Annotated[str, ask.text("相談内容", "聞き取ったことを、ありのままに書いてください。", limit=4000)]
    chief_complaint: Annotated[
        str, ask.text("主訴", "本人が一番困っていること、望んでいることを、本人の言葉で書いてください。", limit=400)
    ]
    reason: Annotated[str, ask.text("つなぐ理由", "つなぎ先に何をしてほしいかを書いてください。", limit=1000)]
    considerations: Annotated[
        str,
        ask.text(
            "配慮を希望されること",
            "つなぎ先にも届きます。連絡してはいけない相手や時間帯など、連絡するときの注意もここに書いてください。",
            limit=1000,
        ),
    ] = ""
    involved_agencies: Annotated[
        str, ask.text("すでに関わっている機関", NOT_TO_DESTINATIONS, limit=1000, section="これまでの経過と留意すること")
    ] = ""
    actions_taken: Annotated[str, ask.text("これまでの対応", NOT_TO_DESTINATIONS, limit=2000)] = ""
    safety_notes: Annotated[
        str, ask.text("安全上の留意", "DV・虐待のおそれなど。" + NOT_TO_DESTINATIONS, limit=1000)
    ] = ""
    reception: Annotated[
        Reception,
        ask.group("相談受付・申込票の項目", "わかる範囲で入力してください。" + NOT_TO_DESTINATIONS),
    ] = msgspec.field(default_factory=Reception)
    consent: Annotated[
        Consent, ask.group("情報共有の同意", "他機関と個人情報を共有することについて、本人の意思を確認した結果です。")
    ]
    local: Annotated[dict[str, str], ask.local("市町村の項目")] = msgspec.field(default_factory=dict)

    @staticmethod
    def contradictions(values: Mapping[str, Any], wrong: Collection[str]) -> Iterator[tuple[str, str, str]]:
        """(field, code, message) of each rule between fields that does not hold; fields in `wrong` are left out."""
        kind = values.get("client_kind", ClientKind.PERSON)
        known = "client_kind" not in wrong and "client_name" not in wrong
        if known and kind != ClientKind.PERSON and not values.get("client_name"):
            yield "client_name", "required", "相談者が本人以外のときは、相談者の氏名・機関名を入力してください。"
        if "protection" not in wrong and "protection_kind" not in wrong:
            if values.get("protection") and not values.get("protection_kind"):
                yield "protection_kind", "required", "見せない項目を選んだときは、秘匿の理由も選んでください。"
            if values.get("protection_kind") and not values.get("protection"):
                yield "protection", "required", "秘匿の理由を選んだときは、見せない項目を1つ以上選んでください。"
        main = values.get("main_trouble")
        if main and "troubles" not in wrong and main not in values.get("troubles", ()):
            yield (
                "main_trouble",
                "not-among-troubles",
                "最も重いお困りごとは、「お困りごと」で選んだものの中から選んでください。",
            )
