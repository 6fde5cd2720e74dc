"""`python -m deploy.local demo` and `python -m deploy.local up`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from deploy.local import demo
from deploy.local.processes import ServerError
from deploy.local.stack import SAMPLE_USERS, SETTINGS_FILE, Stack, add_sample_users

VAR = Path("var")


async def up(folder: Path, profile: str) -> None:
    """The stack left running until Ctrl-C; its data stays in the folder."""
    stack = Stack(folder, profile=profile)
    print("つなぎを動かしています。", flush=True)
    await stack.start()
    try:
        accounts = stack.accounts()
        passwords = add_sample_users(accounts)
        accounts.close()
        print(f"受付: {stack.url_of('intake')}/")
        print(f"文書: {stack.url_of('documents')}/")
        print(f"お知らせ: {stack.url_of('notify')}/")
        print(f"届いたメール: {stack.mail.mails_folder}/")
        for sample in SAMPLE_USERS:
            if sample.user in passwords:
                roles = "、".join(sample.roles)
                print(
                    f"  ID {sample.user}　パスワード {passwords[sample.user]}　{sample.name}（{sample.agency}：{roles}）"
                )
        if not passwords:
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


def main() -> int:
    """0 when it did its work; 1 with one plain sentence when not."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="1台の機械で、つなぎのすべてを動かす")
    parser.add_argument("command", choices=("demo", "up"))
    parser.add_argument("--profile", default="fussa")
    options = parser.parse_args()
    try:
        if options.command == "demo":
            folder = VAR / "demo"
            demo.say(asyncio.run(demo.run(folder)), folder)
        else:
            asyncio.run(up(VAR / "up", options.profile))
    except (ServerError, demo.DemoError) as error:
        print(f"うまくいきませんでした。{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("止めました。動いているものは残っていません。", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
