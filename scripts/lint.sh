#!/usr/bin/env bash
# Checks formatting, clippy, shell scripts and shell in documentation, licences and advisories of the dependencies, and
# the commands in README.md and CONTRIBUTING.md.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

"$ROOT/scripts/setup.sh" ci
use_own_rust
# before the first build: OpenCV's bindings are generated again if these variables change
ros=false
use_ros && ros=true
cd "$ROOT"

say 'cargo fmt'
cargo fmt --all --check
# the trainer is a workspace of its own; `make test-train` runs its clippy, which needs libtorch
cargo fmt --manifest-path crates/train/Cargo.toml --check

say 'cargo clippy'
cargo clippy --workspace --all-targets --locked -- -D warnings

if $ros; then
    say 'cargo clippy, with ROS 2'
    cargo clippy --workspace --all-targets --features ros --locked -- -D warnings
else
    say '  no ROS 2 here: the node (feature ros) was not checked'
fi

say 'rings between modules; crates that must not depend on OpenCV and ONNX Runtime'
python3 scripts/check_modules.py
for crate in core msg bag onnx sight track eval report; do
    if cargo tree --locked --edges normal,build --package "shuffledet-$crate" --prefix none |
        grep -E '^(opencv|ort|turbojpeg|clang-sys) '; then
        say "shuffledet-$crate depends on the crates above: expected neither OpenCV nor ONNX Runtime"
        say '  move the code that uses them to another crate'
        exit 1
    fi
done

say 'tests named in docs/reliability.md'
python3 scripts/check_reliability.py

say 'shell scripts'
shell_scripts=(scripts/*.sh rosbags/*.sh .ci/run)
for script in "${shell_scripts[@]}"; do
    bash -n "$script"
done
if have shellcheck; then
    shellcheck -x "${shell_scripts[@]}"
else
    say '  shellcheck is not installed: only the syntax was checked'
fi

say 'shell in documentation and workflows'
# shell_blocks FILE: prints the lines of its shell blocks in place, so that an error has the right line number
shell_blocks() { awk '/^ *```(sh|bash)$/ { code = 1; print ""; next } /^ *```/ { code = 0 } { print code ? $0 : "" }' "$1"; }
while read -r document; do
    shell_blocks "$document" | bash -n || {
        say "$document: a shell block is not valid; correct the line above"
        exit 1
    }
done < <(git ls-files '*.md')
"$DEPS/venv/bin/python" - .github/workflows/*.yml <<'PYTHON'
import pathlib, subprocess, sys, yaml

for file in sys.argv[1:]:
    for name, job in yaml.safe_load(pathlib.Path(file).read_text())["jobs"].items():
        if "timeout-minutes" not in job:
            sys.exit(f"{file}: job {name} has no timeout-minutes")
        for step in job["steps"]:
            subprocess.run(["bash", "-n"], input=step.get("run", ""), text=True, check=True)
PYTHON

say 'cargo deny: licences, bans, sources'
trainer=(--manifest-path crates/train/Cargo.toml)
cargo deny --locked check --hide-inclusion-graph licenses bans sources
cargo deny --locked "${trainer[@]}" --config deny.toml check --hide-inclusion-graph licenses bans sources

say 'cargo deny: advisories'
if timeout 120 cargo deny fetch db; then
    cargo deny --locked check --disable-fetch advisories
    cargo deny --locked "${trainer[@]}" --config deny.toml check --disable-fetch advisories
else
    say '  NOT CHECKED: the RustSec advisory database (on GitHub) cannot be fetched'
fi

say 'docs/dependencies.md'
while read -r crate; do
    grep -qE "^\|.*\b$crate\b.*\|.*\|" docs/dependencies.md || {
        say "docs/dependencies.md lacks the crate $crate: add a line that says why it is needed"
        exit 1
    }
done < <(awk '/^\[/ { listed = /dependencies\]$/ } listed && /^[a-z0-9_-]+ *=/ && !/^shuffledet-/ { print $1 }' \
    Cargo.toml crates/train/Cargo.toml | sort -u)

say 'README and CONTRIBUTING'
cargo build --locked
scripts/check_readme.sh "$TARGET/debug/shuffledet"
scripts/check_readme.sh "$TARGET/debug/shuffledet" CONTRIBUTING.md
