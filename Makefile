# Every target runs a script or one command; `make help` lists them.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.PHONY: help demo test test-train build install package train sample bench fuzz sbom lint soak ci setup clean distclean

help: ## list the targets
	@echo 'usage: make TARGET   (SKIP_SYSTEM=1: install no system packages)'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

demo: ## install what is missing, build, run replay on the sample recording and the live node
	@scripts/demo.sh

test: ## install what is missing and run every test
	@scripts/test.sh

install: ## install what `make build` has built below $DESTDIR$PREFIX (/usr/local)
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' scripts/install.sh

package: ## make a Debian package of what `make build` has built, in target/debian
	@scripts/package.sh

test-train: ## install what is missing and check the trainer
	@scripts/test_train.sh

build: ## install what is missing, build target/release/shuffledet, and the node if there is a ROS 2
	@scripts/build.sh

train: ## install what is missing and build the trainer, target/train/release/shuffledet-train
	@scripts/train.sh

sample: ## make the sample recording rosbags/sample
	@scripts/build.sh
	@rosbags/make_sample.sh

bench: ## compare replay with its Python equivalent and other engines, then measure single stages
	@scripts/bench.sh

fuzz: ## fuzz the readers of foreign bytes, FUZZ_SECONDS (600) each; needs a nightly Rust
	@scripts/fuzz.sh

sbom: ## write an SBOM and the licences of all crates to target/sbom
	@scripts/sbom.sh

lint: ## check formatting, clippy, shell scripts, dependencies, documentation
	@scripts/lint.sh

soak: ## run the node for SOAK_MINUTES (30) among faults of all kinds; the report is soak/report.md
	@scripts/soak.sh

ci: ## run what continuous integration runs
	@.ci/run

setup: ## only install what the tests need
	@scripts/setup.sh test

clean: ## remove build outputs and results; keep .deps
	rm -rf target demo soak rosbags/sample

distclean: clean ## also remove .deps: models, ONNX Runtime, Python packages
	rm -rf .deps
