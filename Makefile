# The README's commands. `make help` lists them. Needs Python 3.11 or later and make; on Windows use the pip and toccata commands of the README.

PYTHON ?= python3.11
VENV ?= .venv
CASES ?= 200
REQUESTS ?= 10000
FUZZ ?= 100000
GUIDED ?= 100000
KILLS ?= 20
SCHEDULES ?= 10000
MINUTES ?= 1
WORKERS ?= auto

BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check install -qq -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test nightly bench roundtrip page page-test clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing toccata into $(VENV): a few minutes the first time"
	$(PIP) -e ".[studio,train,dataset]"
	@touch $@

$(VENV)/.installed-dev: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing toccata and its checks into $(VENV): a few minutes the first time"
	$(PIP) -e ".[dev]"
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-fuzz: $(VENV)/.installed-dev
	@echo "Installing atheris into $(VENV)"
	$(PIP) -e ".[dev,fuzz]"
	@touch $@

demo: $(VENV)/.installed ## music by the model that comes with toccata, then by the same model finetuned on Bach's chorales for MINUTES (1)
	$(BIN)/toccata generate --model base --bars 16 --audio --plot -o demo/idea.mid --force
	$(BIN)/toccata dataset bach demo/midi
	$(BIN)/toccata finetune demo/midi --model base --minutes $(MINUTES) -o demo/chorales
	$(BIN)/toccata generate --model demo/chorales --bars 16 --audio --plot -o demo/chorale.mid --force
	@echo
	@echo "The first music:       demo/idea.mid, its piano roll demo/idea.png, its sound demo/idea.wav"
	@echo "After the chorales:    demo/chorale.mid, demo/chorale.png, demo/chorale.wav"
	@echo "Another idea:          $(BIN)/toccata generate --model base --style quartets --bars 16 --audio --plot"
	@echo "To write with it:      $(BIN)/toccata studio"

test: $(VENV)/.installed-dev ## every check: ruff, mypy, pytest (import-linter is one of its tests)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@if command -v npm > /dev/null; then $(MAKE) --no-print-directory page-test; \
	else echo "There is no npm here: the studio's page is not built again, and its own tests are left out"; fi
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not slow"

studio/node_modules/.installed: studio/package.json studio/package-lock.json
	@echo "Installing what builds the studio's page into studio/node_modules"
	cd studio && npm ci --silent --no-audit --no-fund
	@touch $@

page: studio/node_modules/.installed ## build the studio's page from studio/ into the package; needs Node 20
	cd studio && npm run --silent build

page-test: studio/node_modules/.installed
	cd studio && npm run --silent check && npm run --silent test && npm run --silent same

nightly: $(VENV)/.installed-fuzz ## all tests, the slow ones too, with CASES (200) for each of fifty tokenizers' grammars, REQUESTS (10,000), SCHEDULES (10,000) mixtures of verbs at once, a studio killed KILLS (20) times, FUZZ mutated files (100,000), and GUIDED more by coverage
	TOCCATA_KILLS=$(KILLS) TOCCATA_SCHEDULES=$(SCHEDULES) TOCCATA_CASES=$(CASES) TOCCATA_REQUESTS=$(REQUESTS) TOCCATA_FUZZ=$(FUZZ) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile
	$(BIN)/python tests/fuzz_coverage.py --runs $(GUIDED)

bench: $(VENV)/.installed-dev ## every figure of BENCHMARKS.md, one script after the other
	for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

roundtrip: $(VENV)/.installed-dev ## encode and decode every file of TOCCATA_DATA with every tokenizer that loses nothing
	$(BIN)/python benchmarks/roundtrip.py

clean: ## remove what the targets above made
	rm -rf $(VENV) demo build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
