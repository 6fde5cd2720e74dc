"""評価シート: what became of a plan, and what follows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import msgspec

from tsunagi_shared.forms import fields as ask
from tsunagi_shared.forms.fields import CodeList, DateRange


class EvaluationOutcome(CodeList):
    """判定."""

    ENDED = "ended", "終結"
    REPLANNED = "replanned", "再プランして継続"
    SUSPENDED = "suspended", "中断"


class Change(CodeList):
    """見られた変化."""

    HEALTH = "health", "健康状態の改善"
    HOUSING = "housing", "住まいの確保・安定"
    INCOME = "income", "収入・家計の改善"
    DEBT = "debt", "債務・滞納の整理"
    WORK = "work", "就職・就労の定着"
    STUDY = "study", "登校・学び直し"
    PARTICIPATION = "participation", "社会参加・居場所"
    ISOLATION = "isolation", "孤立の解消"
    FAMILY = "family", "家族関係の改善"
    CARE = "care", "介護・子育ての負担の軽減"
    AGENCIES = "agencies", "支援関係機関とのつながりの安定"
    SELF_ESTEEM = "self_esteem", "自己肯定感・意欲の向上"
    NONE = "none", "目立った変化なし"
    OTHER = "other", "その他"


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """評価シート. The outcome is a proposal until a meeting has decided."""

    evaluated_on: Annotated[dt.date, ask.date("評価日", dates=DateRange.UP_TO_TODAY)]
    plan: Annotated[str, ask.reference("対象のプランの番号", limit=40)] = ""
    achievement: Annotated[str, ask.text("目標の達成状況", limit=2000)]
    changes: Annotated[list[Change], ask.choices("見られた変化", "あてはまるものをすべて選んでください。")] = (
        msgspec.field(default_factory=list)
    )
    changes_note: Annotated[str, ask.text("変化の内容", limit=1000)] = ""
    remaining: Annotated[str, ask.text("残る課題", limit=2000)] = ""
    wishes: Annotated[str, ask.text("本人の希望", "本人の言葉で書いてください。", limit=1000)] = ""
    outcome: Annotated[EvaluationOutcome, ask.choice("判定")]
    reason: Annotated[str, ask.text("終結・中断の理由", "終結又は中断のときは必ず入力してください。", limit=1000)] = ""
    follow_up: Annotated[bool, ask.flag("フォローアップが必要")] = False
    follow_up_method: Annotated[
        str, ask.text("フォローアップの方法", "だれが、いつまで、どのようにするか。", limit=1000)
    ] = ""
    lead_agency: Annotated[str, ask.agency("引継ぎ先の主担当")] = ""
    local: Annotated[dict[str, str], ask.local("市町村の項目")] = msgspec.field(default_factory=dict)

    @staticmethod
    def contradictions(values: Mapping[str, Any], wrong: Collection[str]) -> Iterator[tuple[str, str, str]]:
        """(field, code, message) of each rule between fields that does not hold; fields in `wrong` are left out."""
        ends = values.get("outcome") in (EvaluationOutcome.ENDED, EvaluationOutcome.SUSPENDED)
        if ends and "reason" not in wrong and not values.get("reason"):
            yield "reason", "required", "終結又は中断のときは、理由を入力してください。"
        if values.get("follow_up") and "follow_up_method" not in wrong and not values.get("follow_up_method"):
            yield "follow_up_method", "required", "フォローアップが必要なときは、その方法を入力してください。"
        if Change.NONE in values.get("changes", ()) and len(values["changes"]) > 1:
            yield "changes", "none-and-more", "「目立った変化なし」は、ほかの変化といっしょに選べません。"
