# Every target is a script in scripts/, or one cargo command; `make help` lists them.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.PHONY: help demo test build sample bench lint ci setup clean distclean

help: ## list the targets
	@echo 'usage: make TARGET   (SKIP_SYSTEM=1: install no system packages)'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

demo: ## install what is missing, build, run replay on the sample recording, and the live node on ROS 2
	@scripts/demo.sh

test: ## install what is missing and run every test
	@scripts/test.sh

build: ## install what is missing and build target/release/shuffledet, and the node where there is a ROS 2
	@scripts/build.sh

sample: ## make the sample recording rosbags/solid_white_right
	@scripts/build.sh
	@rosbags/make_sample.sh

bench: ## measure replay against its Python equivalent, then the single stages
	@scripts/bench.sh

lint: ## formatting, clippy, shell scripts, dependencies, README
	@scripts/lint.sh

ci: ## what continuous integration runs
	@.ci/run

setup: ## install what the tests need, and nothing else
	@scripts/setup.sh test

clean: ## remove what was built and written; keep .deps
	rm -rf target demo rosbags/solid_white_right

distclean: clean ## remove .deps too: models, ONNX Runtime, Python packages
	rm -rf .deps
