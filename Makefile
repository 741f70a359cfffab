# Everything is made from a Python >= 3.10 and a package index.
PYTHON ?= python3
# Series of Tryton and databases, as lists: make test SERIES="8.0 8.2"
SERIES ?= 8.0
DATABASE ?= sqlite postgresql
# A part of the suite: make test TEST=tests.tracking.test_url ARGS="-k click -f"
TEST ?=
ARGS ?=

LINT = .venv/8.0/bin/python -m

.DEFAULT_GOAL := help

.PHONY: help
help:  ## Print the targets
	@echo "Usage: make TARGET [VARIABLE=VALUE...]"
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) \
		| expand -t 16
	@echo
	@echo "Variables of test:"
	@echo "  SERIES=\"8.0 8.2\"          series of Tryton (8.0)"
	@echo "  DATABASE=sqlite           databases (sqlite postgresql)"
	@echo "  TEST=tests.test_module    modules, classes or methods (all)"
	@echo "  ARGS=\"-f -k pattern\"      options for unittest"
	@echo "Variables of benchmark:"
	@echo "  N=10000                   recipients"
	@echo "Variables of demo:"
	@echo "  STAY=1                    stay up, with the web client (npm)"

.PHONY: environment
environment:  ## Create or update the environment .venv/<series>
	@$(PYTHON) scripts/environment.py $(SERIES)

.PHONY: test
test: environment  ## Run the suite on Tryton 8.0, on SQLite and PostgreSQL
	@.venv/$(firstword $(SERIES))/bin/python scripts/run_tests.py --series $(SERIES) \
		--database $(DATABASE) --test "$(TEST)" --args=" $(ARGS)"

.PHONY: test-all
test-all: lint  ## Run the linters and the suite on every series
	@$(MAKE) --no-print-directory test SERIES="8.0 8.2"

.PHONY: lint
lint:  ## Run the linters
	@$(PYTHON) scripts/environment.py 8.0
	$(LINT) flake8
	$(LINT) isort --check-only --diff .

.PHONY: test-ui
test-ui:  ## Walk through the web client, in a headless Chromium
	@$(PYTHON) scripts/environment.py 8.0
	@.venv/8.0/bin/python ui/run.py $(ARGS)

.PHONY: pictures
pictures:  ## Take the pictures of the documentation anew, by the walks
	@$(PYTHON) scripts/environment.py 8.0
	@PICTURES=doc/images .venv/8.0/bin/python ui/run.py -k Walk

.PHONY: demo
demo:  ## Live through a campaign in a minute: mails, opens, clicks
	@$(PYTHON) scripts/environment.py 8.0
	@STAY="$(STAY)" .venv/8.0/bin/python demo/run.py

# The recipients: make benchmark N=100000
N ?= 10000

.PHONY: benchmark
benchmark:  ## Measure what a recipient costs, on PostgreSQL (N=10000)
	@$(PYTHON) scripts/environment.py 8.0
	@.venv/8.0/bin/python benchmarks/run.py --number $(N)

.PHONY: clean
clean:  ## Remove what the targets made, but the environments
	rm -rf .demo .cache build dist *.egg-info
	find . -name .venv -prune -o -name __pycache__ -prune \
		-exec rm -rf {} +
