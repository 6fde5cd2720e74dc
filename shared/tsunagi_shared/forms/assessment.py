"""インテーク・アセスメントシート. Items follow the national sheets 1 to 4 as far as public pages show them, the list of
issues merges those of the cities' plans with that of 自立相談支援."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import msgspec

from tsunagi_shared.forms import fields as ask
from tsunagi_shared.forms.fields import CodeList, DateRange
from tsunagi_shared.forms.referral import FINDING_CHANNELS, FindingRoute, Urgency

ISSUES = "issues"  # the profile's code list that adds to Issue


class Stage(CodeList):
    """How far the assessment has come."""

    INTAKE = "intake", "インテーク"
    ASSESSMENT = "assessment", "アセスメント"


class Screening(CodeList):
    """スクリーニング結果."""

    ADVISED = "advised", "情報提供のみで終了"
    HANDED_OVER = "handed_over", "他制度・機関へつなぐ"
    CONSENT_PENDING = "consent_pending", "同意未了（同意に向け継続）"
    CONTINUED = "continued", "継続支援・プラン作成"
    SUSPENDED = "suspended", "中断"


class Issue(CodeList):
    """課題と特性. A municipality adds to it, and renames, with `[[code_lists.issues]]` in its profile."""

    ILLNESS = "illness", "病気"
    INJURY = "injury", "けが"
    DISABILITY = "disability", "障害（手帳あり）"
    SUSPECTED_DISABILITY = "suspected_disability", "障害（疑い）"
    MENTAL_HEALTH = "mental_health", "こころの不調"
    SUICIDE_RISK = "suicide_risk", "自死企図・自傷"
    ANXIETY = "anxiety", "不安やストレス"
    HOUSING = "housing", "住まいの不安定"
    HOMELESSNESS = "homelessness", "ホームレス"
    HOARDING = "hoarding", "ごみ屋敷"
    POVERTY = "poverty", "経済的困窮"
    DEBT = "debt", "債務・多重債務"
    ARREARS = "arrears", "家賃・税金・公共料金などの滞納"
    MONEY_MANAGEMENT = "money_management", "家計管理"
    FOOD = "food", "食べるものがない"
    JOB_SEARCH = "job_search", "就職活動の困難"
    JOB_RETENTION = "job_retention", "仕事の定着の困難"
    LIFESTYLE = "lifestyle", "生活習慣の乱れ"
    ISOLATION = "isolation", "社会的孤立・孤独"
    WITHDRAWAL = "withdrawal", "ひきこもり"
    LONELY_DEATH = "lonely_death", "孤独死のおそれ"
    FAMILY = "family", "家族関係"
    NO_RELATIVES = "no_relatives", "頼れる家族がいない"
    AGED_PARENT_ADULT_CHILD = "aged_parent_adult_child", "8050問題"
    CARE = "care", "介護"
    CHILDCARE = "childcare", "子育て"
    ISOLATED_CHILDREARING = "isolated_childrearing", "子育て家庭の孤立"
    DOUBLE_CARE = "double_care", "ダブルケア"
    YOUNG_CARER = "young_carer", "ヤングケアラー"
    SINGLE_PARENT = "single_parent", "ひとり親"
    TRUANCY = "truancy", "不登校"
    DELINQUENCY = "delinquency", "非行"
    SCHOOLING = "schooling", "中卒・高校中退"
    DOMESTIC_VIOLENCE = "domestic_violence", "DV・家庭内暴力"
    CHILD_ABUSE = "child_abuse", "児童虐待"
    ABUSE = "abuse", "高齢者・障害者への虐待"
    RIGHTS = "rights", "権利擁護（成年後見など）"
    FOREIGN_NATIONALITY = "foreign_nationality", "外国籍・言葉の壁"
    OFFENCE = "offence", "犯罪をした者等（刑余者）"
    COMMUNICATION = "communication", "コミュニケーションの困難"
    ABILITY = "ability", "本人の能力（識字・言語・理解など）"
    DISASTER = "disaster", "被災"
    BETWEEN_SYSTEMS = "between_systems", "制度の狭間"
    OTHER = "other", "その他"


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """インテーク・アセスメントシート of a case. Issues are kept for the person and for the household (世帯)."""

    stage: Annotated[Stage, ask.choice("段階", section="受付")]
    received_on: Annotated[dt.date, ask.date("受付日", dates=DateRange.UP_TO_TODAY)]
    route: Annotated[str, ask.open_choice("相談経路", codes=FindingRoute, extended_by=FINDING_CHANNELS)] | None = None
    visitor: Annotated[
        str, ask.line("来談者", "本人以外の人が来たときに、本人との関係も書いてください。", limit=100)
    ] = ""
    household: Annotated[
        str, ask.text("家族・世帯の状況", "家族図は別に添えられます。", limit=2000, section="生活の状況")
    ] = ""
    housing: Annotated[str, ask.text("住まい", limit=1000)] = ""
    health: Annotated[str, ask.text("健康・障害", "手帳、通院、服薬など。", limit=2000)] = ""
    income: Annotated[str, ask.text("収入・公的給付・債務・滞納", limit=2000)] = ""
    work: Annotated[str, ask.text("就労・職歴・学歴", limit=2000)] = ""
    community: Annotated[str, ask.text("地域・社会との関係", limit=1000)] = ""
    involved: Annotated[str, ask.text("すでに関わっている機関", limit=1000)] = ""
    wishes: Annotated[str, ask.text("本人の希望", "本人の言葉で書いてください。", limit=1000)] = ""
    strengths: Annotated[str, ask.text("本人の強み", limit=1000)] = ""
    issues: Annotated[
        list[str],
        ask.open_choices(
            "本人の課題と特性",
            "あてはまるものをすべて選んでください。",
            codes=Issue,
            extended_by=ISSUES,
            section="課題",
        ),
    ] = msgspec.field(default_factory=list)
    household_issues: Annotated[
        list[str],
        ask.open_choices("世帯の課題", "世帯のほかの人や、世帯全体の課題です。", codes=Issue, extended_by=ISSUES),
    ] = msgspec.field(default_factory=list)
    main_issue: Annotated[
        str,
        ask.open_choice("主な課題（◎）", "上で選んだものの中から1つ選んでください。", codes=Issue, extended_by=ISSUES),
    ] = ""
    urgency: Annotated[Urgency, ask.choice("緊急性")] = Urgency.NORMAL
    risk: Annotated[str, ask.text("リスク", "生命や身体の危険、連絡が途絶えるおそれなど。", limit=1000)] = ""
    summary: Annotated[str, ask.text("課題のまとめ", limit=2000, section="まとめ")] = ""
    direction: Annotated[str, ask.text("支援の方向性", limit=2000)] = ""
    screening: Annotated[Screening | None, ask.choice("スクリーニング結果")] = None
    handed_over_to: Annotated[
        list[str], ask.agencies("つなぐ先の機関", "「他制度・機関へつなぐ」のときに選んでください。")
    ] = msgspec.field(default_factory=list)
    community_issue: Annotated[
        str,
        ask.text(
            "地域課題",
            "スクリーニングで見えた、地域に共通する課題です。個人の名前や、だれのことか分かることは書かないでください。",
            limit=1000,
        ),
    ] = ""
    issue_to: Annotated[str, ask.body("地域課題を伝える会議体", "提出すると、その会議体に内容だけが伝わります。")] = ""
    author: Annotated[str, ask.line("作成者", limit=60)]
    local: Annotated[dict[str, str], ask.local("市町村の項目")] = msgspec.field(default_factory=dict)

    @staticmethod
    def contradictions(values: Mapping[str, Any], wrong: Collection[str]) -> Iterator[tuple[str, str, str]]:
        """(field, code, message) of each rule between fields that does not hold; fields in `wrong` are left out."""
        main, chosen = values.get("main_issue"), {*values.get("issues", ()), *values.get("household_issues", ())}
        if main and main not in chosen and "issues" not in wrong and "household_issues" not in wrong:
            yield "main_issue", "not-among-issues", "主な課題は、本人か世帯の課題で選んだものの中から選んでください。"
        if values.get("stage") == Stage.ASSESSMENT:
            for name, title in (("summary", "課題のまとめ"), ("direction", "支援の方向性")):
                if name not in wrong and not values.get(name):
                    yield name, "required", f"アセスメントの段階では、{title}を入力してください。"
        for name, other, message in (
            ("issue_to", "community_issue", "地域課題を伝える会議体を選んでください。"),
            ("community_issue", "issue_to", "伝える地域課題を入力してください。"),
        ):
            if name not in wrong and other not in wrong and values.get(other) and not values.get(name):
                yield name, "required", message
        if "screening" in wrong or "handed_over_to" in wrong:
            return
        handed_over = values.get("screening") == Screening.HANDED_OVER
        if handed_over and not values.get("handed_over_to"):
            yield "handed_over_to", "required", "他制度・機関へつなぐときは、つなぐ先の機関を選んでください。"
        if not handed_over and values.get("handed_over_to"):
            yield (
                "handed_over_to",
                "not-handed-over",
                "つなぐ先の機関は、スクリーニング結果が「他制度・機関へつなぐ」のときだけ選べます。",
            )
