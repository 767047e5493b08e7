# Every target sets up what it needs; `make clean` removes it again.
PYTHON ?= python3
CODE := src tests examples
PACKAGE := pyproject.toml $(shell find src -name '*.py' -o -name '*.onnx')

.PHONY: demo test lint clean

demo: .venv/.installed
	.venv/bin/earmark detect examples/programme.opus

test: .venv-test/.installed
	.venv-test/bin/python -m pytest

lint: .venv-test/.installed
	.venv-test/bin/ruff check $(CODE)
	.venv-test/bin/ruff format --check $(CODE)
	.venv-test/bin/mypy

clean:
	rm -rf .venv .venv-test .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed: $(PACKAGE)
	@echo "installing earmark into .venv"
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet .
	@touch $@

# Dependency groups need pip 25.1.
.venv-test/.installed: $(PACKAGE) constraints.txt
	@echo "installing earmark, its training extra and the development tools into .venv-test"
	@test -x .venv-test/bin/python || $(PYTHON) -m venv .venv-test
	@.venv-test/bin/python -m pip install --quiet --upgrade pip
	@.venv-test/bin/python -m pip install --quiet --constraint constraints.txt '.[train]' --group dev
	@touch $@
