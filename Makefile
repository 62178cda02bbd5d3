PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: demo test test-cluster test-editors check soak bench setup vsix vscode-packages clean

setup:
	@MIDFILL_VENV=$(abspath $(VENV)) $(PYTHON) scripts/set_up.py

# Fill several holes of real files with the embedded model.
demo: setup
	@$(BIN)/python examples/demo.py

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# What is typed into real editors; the rest of what they do is in `test-editors`.
TYPED := tests/editors/test_neovim_typing.py tests/editors/test_vscode_typing.py

# Two files at a time: an engine of its own for each takes about a gigabyte. tests/conftest.py
# decides which files come first.
test: check
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --ignore=tests/editors --ignore=tests/cluster
	$(BIN)/pytest $(TYPED)

# Everything that real editors do, ten minutes of it. They have the machine to themselves: two at
# once take as long as one after the other, and their latencies would be those of a busy machine.
test-editors: setup
	$(BIN)/pytest tests/editors

# On a small Ray of its own, which the extra `cluster` brings along: half a gigabyte.
test-cluster: setup
	$(BIN)/pip install --quiet "$$($(BIN)/python scripts/extra.py cluster)"
	$(BIN)/pytest tests/cluster

# The same properties with many more examples, which takes as long as it takes; then a server in
# steady use for ten minutes, whose memory must not grow.
soak: setup
	MIDFILL_SOAK=1 $(BIN)/pytest --timeout=3600
	$(BIN)/python benchmarks/soak.py

bench: setup
	$(BIN)/python benchmarks/suggestion_latency.py

# The VS Code extension, in one file that can be installed.
VSCODE := editors/vscode

vsix: $(VSCODE)/build/midfill.vsix

vscode-packages: $(VSCODE)/node_modules/.package-lock.json

$(VSCODE)/build/midfill.vsix: $(VSCODE)/node_modules/.package-lock.json $(VSCODE)/build.mjs \
		$(VSCODE)/package.json $(VSCODE)/README.md LICENSE $(wildcard $(VSCODE)/src/*.ts $(VSCODE)/src/*/*.ts $(VSCODE)/media/*)
	cp LICENSE $(VSCODE)/LICENSE
	cd $(VSCODE) && npm run --silent check && npm run --silent package

$(VSCODE)/node_modules/.package-lock.json: $(VSCODE)/package-lock.json
	cd $(VSCODE) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

clean:
	rm -rf build $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
