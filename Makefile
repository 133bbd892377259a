# Everything happens in develop.py; without make, use: python3 develop.py VERB
PYTHON ?= python3
.DEFAULT_GOAL := help
.PHONY: demo test test-slow test-clusters tck dev bench bench-peers check lock clean help

demo: ## run the demo: from offers in a sandbox data space to approved releases
	@$(PYTHON) develop.py demo $(ARGS)

test: ## run the tests (ARGS="-k name" goes to pytest)
	@$(PYTHON) develop.py test $(ARGS)

test-slow: ## run the slow tests: whole processes killed and resumed, servers, memory
	@$(PYTHON) develop.py test-slow $(ARGS)

test-clusters: ## run the plans on Beam's runners, a real Flink among them (fetched once; needs Java and Maven)
	@$(PYTHON) develop.py test-clusters $(ARGS)

tck: ## run the official conformance kit of the Dataspace Protocol (needs Java 17 and Maven)
	@$(PYTHON) develop.py tck $(ARGS)

dev: ## open Dagster's web page on the pipelines
	@$(PYTHON) develop.py dev $(ARGS)

bench: ## measure what benchmarks claim (ARGS: rows, --quick)
	@$(PYTHON) develop.py bench $(ARGS)

bench-peers: ## the same against other toolkits, in .venv-peers
	@$(PYTHON) develop.py bench-peers $(ARGS)

check: ## style, format, types and import rules
	@$(PYTHON) develop.py check

lock: ## write requirements/*.txt anew (needs uv; ARGS=--upgrade for newer versions)
	@$(PYTHON) develop.py lock $(ARGS)

clean: ## remove .venv, .venv-peers and caches; the lab's data stays
	@$(PYTHON) develop.py clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
