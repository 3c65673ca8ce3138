# make run    measure this machine in a minute: table on the terminal, HTML report in reports/
# make test   everything the tests need, and all tests
# make check  formatters, linters, types and the quick tests
# make example  measure for the page that the README shows, and take its picture
# PYTHON names the Python to use, 3.11 or newer:  make run PYTHON=python3.12

PYTHON ?= python3
export PYTHON

.PHONY: run test check example clean setup-run setup-test

run: setup-run
	.venv/bin/rseqbench run --quick --label quick --force
	.venv/bin/rseqbench report quick

test: setup-test
	.venv/bin/python -m pytest -n 2 --no-loadscope-reorder

check:
	scripts/check

example: setup-test
	scripts/example

setup-run setup-test: setup-%:
	@scripts/packages $*
	@scripts/venv $*

# Leaves results/ and reports/ alone: they are yours.
clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find rseqbench tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
