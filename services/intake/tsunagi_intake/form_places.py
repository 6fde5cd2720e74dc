"""Where each kind of form stands: what it belongs to, where its page posts to, and the words around it."""

from __future__ import annotations

import urllib.parse

import msgspec

from tsunagi_intake.rules import Action


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a form belongs to, as in its address: numbers of a case or referral, ids of a consent, a person, a record, a plan.

    `record` is `<kind>/<id>` of what is corrected (`referral/<number>` for a referral); `row`: which one of a plan, from 1;
    `variant`: which fields of the form are asked, where that is not all (a PlanKind); `meeting`, `item`, `member`: of a sitting;
    `request`: an information request; `resource`: a 社会資源; `follow_up`: one that is due; `issue`: a 地域課題.
    """

    case: str = ""
    referral: str = ""
    consent: str = ""
    person: str = ""
    record: str = ""
    plan: str = ""
    row: str = ""
    variant: str = ""
    meeting: str = ""
    item: str = ""
    member: str = ""
    request: str = ""
    resource: str = ""
    follow_up: str = ""
    issue: str = ""

    def query(self) -> str:
        """The same as the query of an address; empty fields are left out."""
        return urllib.parse.urlencode({name: value for name, value in msgspec.structs.asdict(self).items() if value})


class FormPage(msgspec.Struct, frozen=True, kw_only=True):
    """How a kind of form is asked on a page: where it posts to, what it is about, and what it is made on."""

    action: str
    about: str = ""  # the field of Place without which there is no such page
    permissions: tuple[Action, ...] = ()  # any of them
    made_on: str = ""  # referral | consent | case | plan: whose revision the post carries
    button: str = "提出する"
    lead: tuple[str, ...] = ()


PAGES: dict[str, FormPage] = {
    "referral": FormPage(
        action="/referrals",
        lead=(
            "相談を、ほかの機関へつなぐための様式です。本人が同じ話をくり返さずにすむように、聞き取ったことを書いてください。",
            "本人の同意がないときは、つなぎ先には何も届きません。つなぎ元のほかは、所管課と支援会議の事務局だけが見ます。",
        ),
    ),
    "reply": FormPage(
        action="/referrals/{referral}/reply", about="referral", permissions=(Action.REPLY,), made_on="referral",
        button="回答する", lead=("つなぎ元に、受理するか差し戻すかを伝えます。回答の文書は、つなぎ元に届きます。",),
    ),
    "withdrawal": FormPage(
        action="/referrals/{referral}/withdrawal", about="referral", made_on="referral", button="取り消す",
        permissions=(Action.WITHDRAW_REFERRAL, Action.RECALL_REFERRAL),
        lead=(
            "この共通様式を取り消します。取り消すと、つなぎ先などは、すぐに文書を開けなくなります。",
            "送る相手を間違えたときは「誤送付」を選んでください。だれが開いていたかを記した、所管課のための記録ができます。",
        ),
    ),
    "consent": FormPage(
        action="/cases/{case}/consents", about="case", permissions=(Action.GIVE_CONSENT,), button="記録する",
        lead=("同意は、一人ひとりから得ます。本人に説明し、本人が選んだとおりに書いてください。",),
    ),
    "consent_withdrawal": FormPage(
        action="/consents/{consent}/withdrawal", about="consent", permissions=(Action.WITHDRAW_CONSENT,), made_on="consent",
        button="撤回を記録する",
        lead=(
            "撤回はいつでもできます。理由を聞き出す必要はありません。",
            "記録すると、すぐに、その機関は文書を開けなくなります。すでに開いた機関は、ケースの画面で確かめられます。",
        ),
    ),
    "consent_extension": FormPage(
        action="/consents/{consent}/extension", about="consent", permissions=(Action.EXTEND_CONSENT,), made_on="consent",
        button="記録する", lead=("同意の期限を延ばすか、共有してよい機関を加えます。本人に確かめてから記録してください。",),
    ),
    "assessment": FormPage(
        action="/cases/{case}/assessments", about="case", permissions=(Action.ASSESS,),
        lead=("提出すると、インテーク・アセスメントシートができます。同意のある機関には、概要だけが届きます。",),
    ),
    "contact": FormPage(
        action="/cases/{case}/contacts", about="case", permissions=(Action.LOG_CONTACT,), button="記録する",
        lead=("支援経過記録は、書いた機関と多機関協働事業者、所管課だけが見ます。文書はできません。",),
    ),
    "evaluation": FormPage(
        action="/cases/{case}/evaluations", about="case", permissions=(Action.EVALUATE,),
        lead=("ここでの判定は案です。終結・再プラン・中断は、重層的支援会議で決めます。",),
    ),
    "plan": FormPage(
        action="/cases/{case}/plans?kind={variant}", about="case", permissions=(Action.PROPOSE_PLAN,),
        button="保存する（作成中）",
        lead=(
            "プランは、本人といっしょに作ります。保存しても、まだどこにも届きません。できあがったら、プランの画面で付議してください。",
            "策定には、重層的支援会議の決定、本人の合意、市町村の支援決定の3つの日がそろうことが必要です。",
        ),
    ),
    "plan_agreement": FormPage(
        action="/plans/{plan}/agreement", about="plan", permissions=(Action.AGREE_PLAN,), made_on="plan", button="記録する",
        lead=("本人にプランを説明し、合意を得た日を記録します。3つの日がそろうと、プランは策定になります。",),
    ),
    "municipal_decision": FormPage(
        action="/plans/{plan}/municipal-decision", about="plan", permissions=(Action.DECIDE_PLAN,), made_on="plan",
        button="支援決定を記録する", lead=("3つの日がそろうと、プランは策定になり、支援依頼書が各機関に届きます。",),
    ),
    "support_answer": FormPage(
        action="/plans/{plan}/allocations/{row}/answer", about="plan", permissions=(Action.ANSWER_SUPPORT,),
        button="回答する", lead=("支援依頼への回答です。プランを作った機関と多機関協働事業者、所管課が見ます。",),
    ),
    "meeting": FormPage(
        action="/meetings/{meeting}", about="meeting", made_on="meeting", button="保存する",
        lead=("開催の日時と場所です。議題と構成員は、保存したあとで加えます。招集するまで、どこにも届きません。",),
    ),
    "agenda_item": FormPage(
        action="/meetings/{meeting}/items", about="meeting", button="付議する",
        lead=("議題は、ケースごとに1つ、法的位置付けを1つだけ選びます。招集通知に載るのは、番号だけです。",),
    ),
    "meeting_member": FormPage(
        action="/meetings/{meeting}/members/{member}", about="meeting", button="保存する",
        lead=("支援会議で扱う議題には、設置者が選び、守秘義務を告知した人だけが出られます。",),
    ),
    "minutes": FormPage(
        action="/meetings/{meeting}/items/{item}/minutes", about="meeting", made_on="meeting", button="保存する",
        lead=(
            "書きかけでも、そのまま保存します。会議録になるのは、会長などが開催を終了したときです。",
            "決定は、終了したときに、プランとケースに反映されます。",
        ),
    ),
    "information_request": FormPage(
        action="/cases/{case}/information-requests", about="case", permissions=(Action.REQUEST_INFORMATION,),
        button="依頼する", lead=("依頼の文書が、その機関に届きます。本人の同意か、法令の根拠が要ります。",),
    ),
    "information_answer": FormPage(
        action="/information-requests/{request}/answer", about="request", permissions=(Action.ANSWER_INFORMATION,),
        button="回答する", lead=("依頼した機関と多機関協働事業者、所管課が見ます。",),
    ),
    "contact_log": FormPage(
        action="/cases/{case}/contact-logs", about="case", permissions=(Action.ISSUE_CONTACT_LOG,), button="発行する",
        lead=("期間の支援経過記録を、1つの文書にまとめます。載るのは、あなたの機関が見られる記録だけです。",),
    ),
    "pledge": FormPage(action="/pledges", permissions=(Action.PLEDGE,), button="記録する"),
    "protection": FormPage(
        action="/cases/{case}/protections", about="case", permissions=(Action.PROTECT,), made_on="case", button="秘匿を始める",
        lead=(
            "設定すると、すぐに、見せない項目の入った文書が閉じ、その項目を伏せた文書が作り直されます。",
            "すでに開いた機関は、ケースの画面で確かめられます。",
        ),
    ),
    "allocation": FormPage(
        action="/cases/{case}/allocations", about="case", permissions=(Action.ALLOCATE,), made_on="case", button="加える",
        lead=("同意のある機関には、ここで加えたときから、このケースの概要が届きます。",),
    ),
    "ground": FormPage(
        action="/cases/{case}/grounds", about="case", permissions=(Action.RECORD_GROUND,), button="記録する",
        lead=(
            "本人の同意がなくても、法令の定め（通告など）や、生命・身体・財産の保護のために知らせるときの記録です。",
            "記録すると、その機関に文書が届きます。緊急の対応は、あとで所管課が確認します。",
        ),
    ),
    "closure": FormPage(
        action="/cases/{case}/closure", about="case", permissions=(Action.CLOSE_CASE,), made_on="case", button="ケースを終了する",
        lead=("プランを策定していないケースを終了します。策定したプランがあるときは、重層的支援会議で決めます。",),
    ),
    "resource": FormPage(
        action="/resources/{resource}", about="resource", made_on="resource", button="登録する",
        lead=("参加支援のプランで選べる受入先です。利用する人のことは、ここには書きません。",),
    ),
    "follow_up": FormPage(
        action="/follow-ups/{follow_up}/completion", about="follow_up", button="記録する",
        lead=("フォローをしたことを記録します。話した内容は、ケースの支援経過に記録してください。",),
    ),
    "community_issue": FormPage(
        action="/community-issues/{issue}/handing-on", about="issue", button="伝える",
        lead=("地域に共通する課題を、会議体に伝えます。ケースの番号も、個人の名前も、伝わりません。",),
    ),
    "issue_proposal": FormPage(
        action="/community-issues/{issue}/proposal", about="issue", button="提案を記録する",
        lead=("課題に対して、会議体として何をするかを書きます。",),
    ),
    "issue_project": FormPage(
        action="/community-issues/{issue}/project", about="issue", button="記録する",
        lead=("提案から始まったプロジェクトです。進み具合が変わったときは、もう一度記録してください。",),
    ),
}  # fmt: skip

# Forms that stand on the list of forms by themselves; the others are reached from what they belong to
BY_THEMSELVES = ("referral", "pledge", "meeting")
