"""The command line that every service has: serve, settings, accounts, keys, dead-letters, backup."""

from __future__ import annotations

import argparse
import sqlite3
import sys
import typing
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import sqlalchemy as sa

from tsunagi_shared import audit, clock, inbox
from tsunagi_shared.accounts import AccountError, Accounts, Post
from tsunagi_shared.contracts.profile import Profile, ProfileError, Role, load_profile
from tsunagi_shared.contracts.streams import STREAMS
from tsunagi_shared.database import Database
from tsunagi_shared.service import PLUMBING_MIGRATIONS, Service, build_runtime, serve
from tsunagi_shared.settings import Settings, SettingsError, read, secret, variable_of

CONTRACTOR_HELP = "受託者の名前（プロファイルの operated_by）。書かなければ、きょうの受託者"


class Command(msgspec.Struct, frozen=True):
    """A command that one service adds: what `--help` says of it, and what runs it with the arguments after its name."""

    help: str
    run: Callable[[list[str]], int]


def main(service: Service, arguments: list[str] | None = None, own: Mapping[str, Command] | None = None) -> int:
    """Run one command; 0 when it did what was asked, 1 with plain sentences when not. `own`: the service's, by name."""
    arguments, own = sys.argv[1:] if arguments is None else arguments, own or {}
    if arguments and arguments[0] in own:
        return own[arguments[0]].run(arguments[1:])
    options = _parser(service, own).parse_args(arguments)
    if options.command == "settings":
        print(example(service.settings), end="")
        return 0
    try:
        settings = read(service.settings)
        if options.command in (None, "serve"):
            serve(service, settings)
        elif options.command == "accounts":
            _accounts(settings, options)
        elif options.command == "keys":
            _keys(settings, options)
        elif options.command == "dead-letters":
            _dead_letters(service, settings, options)
        elif options.command == "backup":
            _backup(settings, options.folder)
        elif options.command == "audit":
            return _audit(settings, options.action)
    except SettingsError as error:
        print(
            "設定に間違いがあります。直してからもう一度起動してください。", *error.problems, sep="\n- ", file=sys.stderr
        )
        return 1
    except (ProfileError, AccountError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser(service: Service, own: Mapping[str, Command]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"tsunagi-{service.name}", description=f"つなぎ {service.title}")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="起動する（既定）")
    commands.add_parser("settings", help="設定の見本（env.example）を出す")
    accounts = commands.add_parser("accounts", help="職員のアカウント").add_subparsers(dest="action", required=True)
    adding = accounts.add_parser("add", help="作る。仮のパスワードを一度だけ表示する")
    adding.add_argument("--name", required=True, help="氏名（画面と記録に出る）")
    again = accounts.add_parser("post", help="役職を加える。同じ機関の役職は、役割と受託者が新しくなる")
    for holding in (adding, again):
        holding.add_argument("user")
        holding.add_argument(
            "--post", required=True, action="append", metavar="機関:役割[,役割]", help="例: office-a:clerk,promoter"
        )
        holding.add_argument("--contractor", default="", help=CONTRACTOR_HELP)
    for action, text in (("disable", "使えなくする"), ("reset", "パスワードを作り直す")):
        accounts.add_parser(action, help=text).add_argument("user")
    accounts.add_parser("list", help="一覧")
    keys = commands.add_parser("keys", help="機械のためのAPIキー").add_subparsers(dest="action", required=True)
    adding = keys.add_parser("add", help="作る。キーを一度だけ表示する")
    adding.add_argument("name")
    adding.add_argument("--agency", required=True)
    adding.add_argument("--role", action="append", default=[])
    adding.add_argument("--scope", action="append", default=[], help="例: referrals:write, cases:read, metrics")
    adding.add_argument("--days", type=int, default=365)
    adding.add_argument("--contractor", default="", help=CONTRACTOR_HELP)
    keys.add_parser("disable", help="使えなくする").add_argument("key")
    keys.add_parser("list", help="一覧")
    letters = commands.add_parser("dead-letters", help="処理できなかったお知らせ").add_subparsers(
        dest="action", required=True
    )
    letters.add_parser("list", help="一覧（中身は表示しない）")
    for action, text in (("retry", "もう一度処理する"), ("drop", "捨てる")):
        letters.add_parser(action, help=text).add_argument("number", type=int)
    commands.add_parser("backup", help="データベースの写しを作る（動かしたままでよい）").add_argument(
        "folder", type=Path
    )
    chain = commands.add_parser("audit", help="閲覧・操作・拒否の記録").add_subparsers(dest="action", required=True)
    chain.add_parser("verify", help="つながりをはじめから確かめる。変えられた行・抜けた行がわかる")
    chain.add_parser("head", help="いまの終わりの番号とハッシュ。別の場所に控える")
    for name, command in own.items():
        commands.add_parser(name, help=command.help)
    return parser


def example(kind: type[Settings]) -> str:
    """`env.example`: every setting with what it means, required ones first to fill in, the others with their default."""
    lines = ["# 設定はこの環境変数だけです。秘密は値ではなく、ファイルの場所を書きます。", ""]
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        meta = next((m for m in typing.get_args(hints[field.name]) if isinstance(m, msgspec.Meta)), None)
        lines.append(f"# {meta.description if meta else ''}")
        default = "" if field.required or field.default is None else _shown(field.default)
        lines.append(
            f"{variable_of(field.name)}={default}" if field.required else f"# {variable_of(field.name)}={default}"
        )
        lines.append("")
    return "\n".join(lines)


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _state(disabled: bool) -> str:
    return "使用停止" if disabled else "有効"


def _posts(profile: Profile, texts: list[str], contractor: str) -> list[Post]:
    """The posts as they were written. AccountError for what the profile does not know."""
    posts: list[Post] = []
    for text in texts:
        agency, _, roles = text.partition(":")
        if agency in {post.agency for post in posts}:
            raise AccountError(f"機関 {agency} が2回あります。役割はコンマで並べてください。")
        giver = _contractor(profile, agency, contractor)
        wanted = tuple(roles.split(","))
        if unknown := [role for role in wanted if role not in set(Role)]:
            raise AccountError(f"役割 {unknown[0]} はありません。使えるのは {'、'.join(Role)} です。")
        posts.append(Post(agency, wanted, giver))
    return posts


def _contractor(profile: Profile, agency: str, named: str) -> str:
    """Who gives a post or a key at the agency: the contractor named, else the one of today; empty for one without contracts.
    AccountError when the named one has no contract there, and when none is named and none runs the agency today."""
    if agency not in profile.agency_names:
        raise AccountError(f"機関 {agency} はプロファイルにありません。")
    known = [contract.contractor for contract in profile.agency(agency).operated_by]
    if named and named not in known:
        raise AccountError(f"受託者 {named} は、機関 {agency} の契約（operated_by）にありません。")
    today = clock.today()
    if not named and not profile.contract_live(agency, today):
        raise AccountError(
            f"機関 {agency} には、きょう有効な契約がありません。--contractor で {'、'.join(known)} から選んでください。"
        )
    return named or profile.contractor_on(agency, today)


def _accounts(settings: Settings, options: argparse.Namespace) -> None:
    accounts = Accounts(settings.accounts, secret(settings.secret_file))
    if options.action == "add":
        posts = _posts(load_profile(settings.profile), options.post, options.contractor)
        print(f"{options.user} のパスワード: {accounts.add_user(options.user, options.name, posts)}")
    elif options.action == "post":
        for post in _posts(load_profile(settings.profile), options.post, options.contractor):
            accounts.set_post(options.user, post)
        print(f"{options.user} の役職を改めました。サインイン中の画面は閉じました。")
    elif options.action == "disable":
        accounts.disable_user(options.user)
        print(f"{options.user} を使えなくし、サインイン中の画面も閉じました。")
    elif options.action == "reset":
        print(f"{options.user} の新しいパスワード: {accounts.reset_password(options.user)}")
    else:
        for user, name, posts, disabled in accounts.users():
            held = " ".join(_held(post) for post in posts)
            print(f"{user}\t{name}\t{held}\t{_state(disabled)}")


def _held(post: Post) -> str:
    given_by = f"（{post.contractor}）" if post.contractor else ""
    return f"{post.agency}:{','.join(post.roles)}{given_by}"


def _keys(settings: Settings, options: argparse.Namespace) -> None:
    accounts = Accounts(settings.accounts, secret(settings.secret_file))
    if options.action == "add":
        giver = _contractor(load_profile(settings.profile), options.agency, options.contractor)
        given = (tuple(options.role), tuple(options.scope), options.days, giver)
        key = accounts.add_key(options.name, options.agency, *given)
        print(f"APIキー（二度と表示しません）: {key}")
    elif options.action == "disable":
        accounts.disable_key(options.key)
        print(f"APIキー {options.key} を使えなくしました。")
    else:
        for key, name, agency, scopes, expires_at, disabled in accounts.machine_keys():
            print(f"{key}\t{name}\t{agency}\t{scopes}\t{clock.japanese_date(expires_at)}まで\t{_state(disabled)}")


def _dead_letters(service: Service, settings: Settings, options: argparse.Namespace) -> None:
    if options.action == "retry":
        _retry(service, settings, options.number)
        return
    database = Database(settings.database)
    database.open(PLUMBING_MIGRATIONS)
    table = inbox.dead_letters
    with database.connection() as connection:
        if options.action == "list":
            for row in connection.execute(sa.select(table)):
                received = clock.moment_of(row.received_at).astimezone(clock.JST)
                print(f"{row.id}\t{row.subject}\t{row.reason}\t{received:%Y-%m-%d %H:%M}")
        else:
            found = connection.execute(table.delete().where(table.c.id == options.number)).rowcount
            print("捨てました。" if found else "その番号はありません。")
    database.close()


def _retry(service: Service, settings: Settings, number: int) -> None:
    runtime = build_runtime(service, settings)
    reader = inbox.Inbox(runtime.database, runtime.profile.municipality.code, runtime.parts.handlers)
    with runtime.database.connection() as connection:
        row = connection.execute(
            sa.select(inbox.dead_letters.c.stream).where(inbox.dead_letters.c.id == number)
        ).first()
        if row is None:
            print("その番号はありません。")
        else:
            stream = next(stream for stream in STREAMS if stream.name == row.stream)
            print(
                "処理しました。"
                if reader.retry(connection, stream, number)
                else "まだ処理できません。理由は list で見られます。"
            )
    runtime.database.close()
    runtime.accounts.close()


def _audit(settings: Settings, action: str) -> int:
    database = Database(settings.database)
    database.open(PLUMBING_MIGRATIONS)
    try:
        with database.connection() as connection:
            if action == "head":
                end = audit.head(connection)
                print(f"{end.seq}\t{end.hash}")
                return 0
            verdict = audit.verify(connection)
    finally:
        database.close()
    if verdict.broken_at is not None:
        print(
            f"記録のつながりが {verdict.broken_at} 番で切れています（その前の{verdict.rows}行は正しい）。"
            "記録に手が加えられたおそれがあります。控えと写し（backup）を比べてください。",
            file=sys.stderr,
        )
        return 1
    print(f"{verdict.rows}行を確かめました。つながりは正しいです。終わりのハッシュ: {verdict.head.hash}")
    return 0


def _backup(settings: Settings, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in (settings.database, settings.accounts):
        copy = folder / path.name
        copy.touch(mode=0o600)
        source, target = sqlite3.connect(f"file:{path}?mode=ro", uri=True), sqlite3.connect(copy)
        with source, target:
            source.backup(target)
        answer = target.execute("PRAGMA integrity_check").fetchone()[0]
        source.close()
        target.close()
        print(f"{copy.name}: 写しを作りました（検査: {answer}）。")
