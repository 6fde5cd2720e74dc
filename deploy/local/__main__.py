"""`python -m deploy.local demo` and `python -m deploy.local up`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from deploy.local import demo
from deploy.local.processes import ServerError
from deploy.local.stack import SETTINGS_FILE, Stack, UnknownProfileError, add_sample_users, sample_users
from deploy.local.visitor import VisitError
from tsunagi_shared.contracts.profile import ProfileError

VAR = Path("var")
FIRST_PROFILE = "fussa"


async def up(folder: Path, profile: str) -> None:
    """The stack left running until Ctrl-C; its data stays in the folder."""
    stack = Stack(folder, profile=profile)
    print("つなぎを動かしています。", flush=True)
    await stack.start()
    try:
        accounts = stack.accounts()
        staff = sample_users(stack.profile)
        passwords = add_sample_users(accounts, staff)
        accounts.close()
        print(f"受付: {stack.url_of('intake')}/")
        print(f"文書: {stack.url_of('documents')}/")
        print(f"お知らせ: {stack.url_of('notify')}/")
        print(f"届いたメール: {stack.mail.mails_folder}/")
        for sample in staff:
            if sample.user in passwords:
                roles = "、".join(sample.roles)
                print(
                    f"  ID {sample.user}　パスワード {passwords[sample.user]}　{sample.name}（{sample.agency}：{roles}）"
                )
        if not staff:
            print(
                "このプロファイルに、見本の職員（sample_users.toml）はありません。別の画面で、アカウントを作ってください。"
            )
            print(f"  . {folder}/intake/{SETTINGS_FILE} && .venv/bin/tsunagi-intake accounts add --help")
        elif not passwords:
            print(
                "見本の職員のパスワードは、初めて動かしたときに表示したものです。作り直すには、別の画面で次を実行します。"
            )
            print(f"  . {folder}/intake/{SETTINGS_FILE} && .venv/bin/tsunagi-intake accounts reset ID")
        print("Ctrl-C で止まります。データは残ります。", flush=True)
        stopping = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        await stopping.wait()
    finally:
        print("止めています。", flush=True)
        await stack.stop()
    print("すべて止めました。", flush=True)


def _folder_of(profile: str) -> Path:
    """Each profile has its own data: numbers, accounts and cases of one city mean nothing to another."""
    return VAR / "up" if profile == FIRST_PROFILE else VAR / f"up-{profile}"


def main() -> int:
    """0 when it did its work; 1 with one plain sentence when not."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="1台の機械で、つなぎのすべてを動かす")
    parser.add_argument("command", choices=("demo", "up"))
    parser.add_argument("--profile", default=FIRST_PROFILE, help="deploy/profiles/ にあるもの（up だけ）")
    options = parser.parse_args()
    try:
        if options.command == "demo":
            folder = VAR / "demo"
            demo.say(asyncio.run(demo.run(folder)), folder)
        else:
            asyncio.run(up(_folder_of(options.profile), options.profile))
    except (ServerError, VisitError, UnknownProfileError, ProfileError) as error:
        print(f"うまくいきませんでした。{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("止めました。動いているものは残っていません。", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
