PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt --build-constraint constraints.txt
PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal

.PHONY: run test test-slow lint fonts docs reference seeds seeds-quick system constraints clean

run: .venv/.run                ## set up and run the first experiment
	$(BIN)/python -m capbench +experiment=quickstart

test: .venv/.test              ## set up with every extra and run the tests
	$(PYTEST) -m "not slow"

test-slow: .venv/.test         ## the tests that take long
	$(PYTEST) -m slow

lint: .venv/.test              ## style, types, and which room may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fonts: .venv/.run              ## install the font families that style=wild draws, by npm into the cache
	$(BIN)/python -m capbench.render.install_fonts

docs: .venv/.test              ## the site, below build/site; a link that leads nowhere is an error
	$(BIN)/python -m tools.docs.site
	$(BIN)/zensical build --clean --strict
	@echo "to read it: $(BIN)/python -m http.server --bind 127.0.0.1 --directory build/site 8080"

reference: .venv/.test         ## write the pages of docs/reference/ that come from conf/, signatures, docstrings and OpenAPI
	$(BIN)/python -m tools.docs.reference

seeds: .venv/.test             ## what the seed articles' systems reach; SETS=DIR holds the real sets
	$(BIN)/python experiments/study.py experiments/seeds $(SETS)
	$(BIN)/python experiments/seeds/needed.py
	$(BIN)/python experiments/seeds/curves.py
	$(BIN)/python experiments/seeds/ceiling.py

seeds-quick: .venv/.test       ## the same on a handful of rendered images
	$(BIN)/python experiments/study.py experiments/seeds --quick

system:                        ## what needs a system package (Debian, as root): tesseract's data; for the tests a browser, SLURM and zsh
	ls /usr/share/tesseract-ocr/*/tessdata/eng.traineddata || { apt-get update --quiet && apt-get install --quiet --yes tesseract-ocr-eng; }
	command -v chromium || { apt-get update --quiet && apt-get install --quiet --yes --no-install-recommends chromium; }
	command -v slurmctld || { apt-get update --quiet && apt-get install --quiet --yes --no-install-recommends slurmctld slurmd slurm-client munge; }
	command -v zsh || { apt-get update --quiet && apt-get install --quiet --yes --no-install-recommends zsh; }

constraints: .venv/.test       ## pin what is installed now and what builds it, with the hashes of every platform's files
	{ $(BIN)/uv pip freeze --quiet --python $(BIN)/python --exclude-editable | grep -v '^pip='; printf 'editables\nsetuptools\n'; } > constraints.in
	{ head -n 1 constraints.txt; $(BIN)/uv pip compile --quiet --no-deps --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-annotate --no-header --python $(BIN)/python constraints.in; } > constraints.new
	mv constraints.new constraints.txt
	rm constraints.in

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .cache build dist

.venv/bin/uv: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "CapBench needs Python 3.11 to 3.13; $(PYTHON) is $$($(PYTHON) -V); set PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	sed -n '/^uv==/,/[^\]$$/p' constraints.txt > .venv/uv.txt
	$(BIN)/python -m pip install --quiet --require-hashes --requirement .venv/uv.txt
	@touch $@

.venv/.run: .venv/bin/uv pyproject.toml
	$(UV) --editable .
	@touch $@

.venv/.test: .venv/bin/uv pyproject.toml
	$(UV) --editable '.[test]'
	@touch $@ .venv/.run
