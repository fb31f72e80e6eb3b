# The one door: `make demo` to see it, `make test` to check it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PY := .venv/bin/python
VENV := .venv/.installed
SYSTEM := .venv/.system-packages
WEB := app/web/static/.built
WORDS := app/translations/es/LC_MESSAGES/messages.mo
ICONS := app/web/public/icons/icon-192.png
MODEL := vision/models/pose_landmarker_full.task
R4 := tests/fhir/r4_validator/node_modules/.installed
EHR := tests/interop/ehr/node_modules/.installed
OIDC := tests/smart_launch/oidc_provider/node_modules/.installed
POSE := app/web/node_modules/@mediapipe/pose
export PATH := $(CURDIR)/.venv/node/bin:$(PATH)

.PHONY: help setup test-setup demo demo-once test lint format words bench screenshots clean

help:
	@echo "make setup       .venv, web assets and pose model"
	@echo "make demo        serve the app and a sandbox EHR with synthetic patients"
	@echo "make demo-once   the whole path once, headless; results in var/demo/"
	@echo "make test        every test      make lint   every static check"
	@echo "make words       new texts into the catalogues in app/translations"
	@echo "make bench       ratios measured in one run"
	@echo "make screenshots docs/images from a real browser"

setup: $(VENV) $(WEB) $(MODEL) $(WORDS)

test-setup: setup $(R4) $(EHR) $(OIDC)
	@.ci/system-packages .ci/apt-test.txt

$(SYSTEM): .ci/apt-run.txt .ci/system-packages
	@.ci/system-packages .ci/apt-run.txt
	@mkdir -p .venv && touch $@

$(VENV): requirements.lock pyproject.toml $(SYSTEM)
	@[ -x $(PY) ] || $${PYTHON:-python3} -m venv .venv
	$(PY) -m pip install --quiet --require-hashes -r requirements.lock
	$(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@.ci/node
	@touch $@

app/web/node_modules/.installed: app/web/package.json app/web/package-lock.json $(VENV)
	cd app/web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(ICONS): app/web/icons/icon.svg app/app_icons.py $(VENV)
	$(PY) -m app.app_icons --from $< --out $(dir $@)

$(WEB): app/web/node_modules/.installed $(MODEL) $(ICONS) $(shell find app/web/src app/web/*.ts -type f 2>/dev/null)
	cd app/web && npm run --silent build
	@touch $@

$(MODEL): app/web/node_modules/.installed vision/models/build.py
	$(PY) -m vision.models.build --from $(POSE) --out vision/models
	@touch $@

%.mo: %.po $(VENV)
	.venv/bin/pybabel -q compile --input-file $< --output-file $@ --locale es

$(R4): tests/fhir/r4_validator/package.json tests/fhir/r4_validator/package-lock.json $(VENV)
	cd tests/fhir/r4_validator && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(EHR): tests/interop/ehr/package.json tests/interop/ehr/package-lock.json $(VENV)
	cd tests/interop/ehr && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(OIDC): tests/smart_launch/oidc_provider/package.json tests/smart_launch/oidc_provider/package-lock.json $(VENV)
	cd tests/smart_launch/oidc_provider && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

demo: setup
	.venv/bin/homestretch demo

demo-once: setup
	.venv/bin/homestretch demo --once

test: test-setup
	cd app/web && npm run --silent test
	$(PY) -m pytest -n auto --dist loadfile

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	cd app/web && npm run --silent check && npm run --silent lint

format: setup
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

# Takes the texts marked for translation into the catalogues; new ones wait there untranslated.
words: setup
	.venv/bin/pybabel -q extract --mapping-file babel.cfg --keywords _l --sort-by-file --no-location --output-file .venv/messages.pot .
	.venv/bin/pybabel -q update --input-file .venv/messages.pot --output-dir app/translations --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date

bench: setup
	$(PY) -m bench

screenshots: test-setup
	HOMESTRETCH_SCREENSHOTS=docs/images $(PY) -m pytest tests/e2e
	$(PY) -m bench.overlay_pictures

clean:
	rm -rf .venv app/web/node_modules app/web/static app/web/public vision/models/*.task $(dir $(R4)) $(dir $(EHR)) $(dir $(OIDC)) build dist *.egg-info
