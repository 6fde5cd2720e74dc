# つなぎ：make だけで使い方が出ます。必要なものは git、make、python3（3.11以上）です。
PYTHON ?= python3
BIN := .venv/bin
MEMBERS := tsunagi-shared tsunagi-intake tsunagi-documents tsunagi-notify

export PYTHONUTF8 := 1
unexport PYTHONPATH VIRTUAL_ENV

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo up scenarios test check mutation walks rules bench bench-documents lock clean install install-browser python

help:  ## この使い方を出します
	@echo 'つなぎ：使い方'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

demo: install  ## 見本の1件を、受付から受領確認まで通します（結果は var/demo/）
	@$(BIN)/python -m deploy.local demo

up: install  ## 3つのサービスを動かしたままにします（Ctrl-C で止まります）
	@$(BIN)/python -m deploy.local up

scenarios: install  ## 5つの市町村の物語を、会議・プラン・支援の終わりまで通します（結果は var/scenarios/）
	@$(BIN)/python -m tests.scenarios

test: install-browser  ## すべての検査とテストを行います
	@$(MAKE) --no-print-directory check
	@echo 'テストを行っています。'
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder || { echo 'テストに失敗があります。上の「FAILED」「ERROR」の行をご覧ください。'; exit 1; }
	@echo 'すべての検査とテストが終わりました。問題はありません。'

check: install  ## 書き方・型・依存の向きを検査します
	@echo '書き方を検査しています（ruff）。'
	@$(BIN)/ruff check . || { echo '書き方に直すところがあります。上の指摘をご覧ください。'; exit 1; }
	@$(BIN)/ruff format --check . || { echo '整形が要ります。$(BIN)/ruff format . を実行してください。'; exit 1; }
	@echo '型を検査しています（mypy）。'
	@$(BIN)/mypy || { echo '型に直すところがあります。上の指摘をご覧ください。'; exit 1; }
	@echo '依存の向きを検査しています（import-linter）。'
	@$(BIN)/lint-imports || { echo '依存の向きに直すところがあります。上の指摘をご覧ください。'; exit 1; }

mutation: install  ## 規則にわざと誤りを入れ、テストが気付くかを確かめます（20分以内）
	@$(BIN)/python -m tests.mutation

walks: install  ## 無作為な操作を2万手あまり試し、規則に反する状態にならないことを確かめます（10分ほど）
	@$(BIN)/python -m tests.journeys

rules: install  ## docs/rules.md（規則の一覧）を書き直します
	@$(BIN)/python -m tests.architecture.rules_page

bench: install  ## 速さを測ります（結果は var/bench/）
	@$(BIN)/python -m tests.bench

bench-documents: install  ## 文書を作る速さだけを測ります（結果は var/bench/documents.json）
	@$(BIN)/python -m tests.bench sheets

lock: install  ## requirements.lock を作り直します
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.8'
	@$(BIN)/uv pip compile pyproject.toml --group local --group test --group build \
		--no-emit-index-url --no-emit-find-links --generate-hashes --universal --python-version 3.11 \
		$(MEMBERS:%=--no-emit-package %) --custom-compile-command 'make lock' --quiet -o requirements.lock
	@echo 'requirements.lock を作り直しました。次の make で入れ替わります。'

clean:  ## 作り直せるもの（.venv、一時ファイル、var/demo、var/scenarios、var/bench）を消します
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis var/demo var/scenarios var/bench
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo '消しました。make up のデータ（var/ のそのほか）は残しています。'

install: python
	@$(PYTHON) deploy/local/install.py

install-browser: python
	@$(PYTHON) deploy/local/install.py --with-browser

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Python 3.11 以上が必要です。入っている場合は make PYTHON=/usr/bin/python3.11 のように指定してください。'; exit 1; }
