PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: demo test check soak bench setup clean

setup:
	@MIDFILL_VENV=$(abspath $(VENV)) $(PYTHON) scripts/set_up.py

# Fill several holes of real files with the embedded model.
demo: setup
	@$(BIN)/python examples/demo.py

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Two files at a time: an engine of its own for each takes about a gigabyte.
test: check
	$(BIN)/pytest -n 2 --dist loadfile

# The same properties with many more examples; takes as long as it takes.
soak: setup
	MIDFILL_SOAK=1 $(BIN)/pytest --timeout=3600

bench: setup
	$(BIN)/python benchmarks/suggestion_latency.py

clean:
	rm -rf build $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
