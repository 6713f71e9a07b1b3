# make demo [MUSIC=folder]   classify the pieces in examples/, or your music
# make bench [MUSIC=folder]  time and memory next to other programs, about an hour
# make docs                  the documentation as a site in build/site, with its links checked
# make site                  the page that needs no server, as static files in build/browser
# make test                  lint, types and every test, in an environment it makes itself

PYTHON ?= python3
MUSIC ?= examples
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: demo docs site test lint lint-page bench clean

demo: .venv/core
	@$(BIN)/tonearm predict --timeline "$(patsubst ~%,$(HOME)%,$(MUSIC))"; code=$$?; \
	  echo "The same as a page: $(BIN)/pip install -e '.[serve]' && $(BIN)/tonearm serve"; exit $$code

test: .venv/all lint
	@command -v espeak-ng >/dev/null || echo "skipped: tests with speech (espeak-ng is not installed)"
	@command -v chromium >/dev/null || echo "skipped: tests of the page in a browser (chromium is not installed)"
	$(BIN)/python -m pytest

lint: .venv/all lint-page
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The page's JavaScript: format, lint and types, with the packages of package-lock.json.
lint-page:
	@if command -v npm >/dev/null; then \
	  $(MAKE) --no-print-directory node_modules && npm run --silent lint; \
	else echo "skipped: checks of the page's JavaScript (Node is not installed)"; fi

node_modules: package-lock.json
	npm ci --no-progress
	@touch $@

bench: .venv/all
	$(BIN)/python -m benchmarks --music "$(patsubst ~%,$(HOME)%,$(MUSIC))"

# NO_MKDOCS_2_WARNING: an advertisement of MkDocs' successor.
docs: .venv/docs
	$(BIN)/python docs/assemble.py build/site-source
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build -q --strict
	$(BIN)/python docs/check_site.py build/site
	@echo "build/site/index.html"

site: .venv/core
	@command -v npm >/dev/null || { echo "make site needs Node: install npm"; exit 2; }
	@$(MAKE) --no-print-directory node_modules
	$(BIN)/python site/build.py build/browser
	@echo "build/browser: python -m http.server -d build/browser"

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "Tonearm needs Python 3.11 to 3.13: make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/core: .venv/python pyproject.toml constraints.txt
	$(PIP) install -c constraints.txt -e .
	@touch $@

.venv/all: .venv/python pyproject.toml constraints.txt
	$(PIP) install -c constraints.txt -e '.[train,serve,ray,dev]'
	@touch $@ .venv/core

.venv/docs: .venv/all
	$(PIP) install -c constraints.txt -e '.[docs]'
	@touch $@

clean:
	rm -rf .venv .bench build dist *.egg-info
