"""The codes a profile is written in. English, as in the rest of the suite; each has its Japanese name in `.label`."""

from __future__ import annotations

from tsunagi_shared.forms.fields import CodeList


class LegalRole(CodeList):
    """What a meeting body is in law or in the programme (its local name is a separate, dated field)."""

    LAYERED_SUPPORT_MEETING = "layered_support_meeting", "重層的支援会議"
    SUPPORT_MEETING = "support_meeting", "支援会議"
    HARDSHIP_SUPPORT_MEETING = "hardship_support_meeting", "支援会議（生活困窮者自立支援法）"
    SUPPORT_COORDINATION_MEETING = "support_coordination_meeting", "支援調整会議"
    COMMUNITY_CARE_MEETING = "community_care_meeting", "地域ケア会議"
    DISABILITY_COUNCIL = "disability_council", "自立支援協議会"
    CHILD_PROTECTION_COUNCIL = "child_protection_council", "要保護児童対策地域協議会"
    TEAM_MEETING = "team_meeting", "チーム会議"
    PROMOTION = "promotion", "推進・評価"
    INTERNAL_LIAISON = "internal_liaison", "庁内連携"
    LIAISON = "liaison", "連絡会議"
    OTHER = "other", "その他"


class Role(CodeList):
    """What a person may do. Titles map to roles in the profile."""

    CLERK = "clerk", "相談員"
    PROMOTER = "promoter", "断らない相談窓口推進員"
    COORDINATOR = "coordinator", "地域福祉コーディネーター"
    CHAIR = "chair", "会長"
    AGENCY_STAFF = "agency_staff", "支援関係機関の職員"
    RESPONSIBLE_SECTION = "responsible_section", "所管課"
    AUDITOR = "auditor", "監査"
    ADMINISTRATOR = "administrator", "システム管理者"


class Operation(CodeList):
    """How the municipality has an agency's work done. Several together are possible (直営・委託)."""

    DIRECT = "direct", "直営"
    ENTRUSTED = "entrusted", "委託"
    SUBSIDISED = "subsidised", "補助"


class AgencyKind(CodeList):
    """What sort of organisation an agency is."""

    CITY_SECTION = "city_section", "市町村の課"
    PUBLIC_BODY = "public_body", "国・都道府県等の機関"
    SOCIAL_WELFARE_COUNCIL = "social_welfare_council", "社会福祉協議会"
    SOCIAL_WELFARE_CORPORATION = "social_welfare_corporation", "社会福祉法人"
    MEDICAL_CORPORATION = "medical_corporation", "医療法人"
    COMPANY = "company", "株式会社等"
    NPO = "npo", "NPO法人"
    COMMISSIONED_VOLUNTEERS = "commissioned_volunteers", "民生委員・児童委員"
    RESIDENTS = "residents", "町会・自治会"
    OTHER = "other", "その他"


class BodyConsent(CodeList):
    """Whether a body hears a case only with the person's consent."""

    REQUIRED = "required", "本人同意が必要"
    NOT_REQUIRED = "not_required", "本人同意は不要"
    NOT_STATED = "not_stated", "定めなし"


class HolidayMove(CodeList):
    """What happens to a regular sitting that falls on a public holiday."""

    NONE = "none", "動かさない"
    EARLIER = "earlier", "前の開庁日"
    LATER = "later", "次の開庁日"
    SKIP = "skip", "開かない"


class Activity(CodeList):
    """What a partner outside the agencies contributes."""

    ENTRY = "entry", "相談・発見の入口"
    INFORMATION = "information", "情報提供"
    COMMUNITY_BUILDING = "community_building", "地域づくり"
    PARTICIPATION = "participation", "参加の受入れ・連携"
    OUTREACH = "outreach", "アウトリーチ先"


class FormKind(CodeList):
    """The forms a profile can extend and for which it sets how long they are kept."""

    REFERRAL = "referral", "共通様式（つなぎシート）"
    CONSENT = "consent", "個人情報の共有の同意"
    PLEDGE = "pledge", "守秘義務誓約"
    ASSESSMENT = "assessment", "アセスメント"
    PLAN = "plan", "プラン"
    EVALUATION = "evaluation", "評価シート"
    CONTACT_LOG = "contact_log", "支援経過記録"
    MEETING = "meeting", "会議録"
    INFORMATION_REQUEST = "information_request", "情報提供依頼"
    REPORT = "report", "実績報告"


class RetentionStart(CodeList):
    """The day after which the years of a retention class are counted (起算日)."""

    COMPLETED = "completed", "完結の日"
    FISCAL_YEAR_END = "fiscal_year_end", "完結した年度の末日"


class ResourceKind(CodeList):
    """What sort of place or offer a 社会資源 is."""

    FACILITY = "facility", "福祉施設・事業所"
    COMPANY = "company", "企業"
    SHOP = "shop", "商店"
    FARM = "farm", "農家"
    GATHERING = "gathering", "居場所・住民活動"
    EATERY = "eatery", "地域食堂"
    MARKET = "market", "市"
    TALENT = "talent", "人材バンク"
    OTHER = "other", "その他"


class TargetCount(CodeList):
    """What is counted towards a target, other than the new plans of one kind."""

    CONSULTATIONS = "consultations", "相談受付件数"
    PARTICIPANTS = "participants", "参加の場の利用につながった人数"
    PARTNER_RESOURCES = "partner_resources", "協力企業・団体数"
    CASE_REVIEWS = "case_reviews", "事例検討件数"
    JOINT_CASES = "joint_cases", "支援連携・協働ケース数"
    OUTREACH_CONSULTATIONS = "outreach_consultations", "アウトリーチの相談件数"
    TRIGGER_USERS = "trigger_users", "きっかけ事業の利用者数"


TARGETS_BY_AGENCY = frozenset({TargetCount.CONSULTATIONS, TargetCount.OUTREACH_CONSULTATIONS})  # may name an agency
