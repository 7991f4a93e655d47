# Two commands on a fresh machine: `make study` and `make test`. Each makes .venv first; run again it is quick.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: study test test-fast check clean

study: .venv/.installed
	$(BIN)/robustpose study quick

test: .venv/.installed
	scripts/test

test-fast: .venv/.installed
	$(BIN)/pytest -n auto -m "not slow"

check: .venv/.installed
	scripts/check

.venv/.installed: pyproject.toml constraints.txt
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps imgcorr==1.1.3  # tests compare with it; it asks for a second OpenCV
	touch $@

clean:
	rm -rf .venv runs .mypy_cache .ruff_cache .pytest_cache
