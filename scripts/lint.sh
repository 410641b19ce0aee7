#!/usr/bin/env bash
# Formatting, clippy, shell scripts and shell in documentation, licences and advisories of the dependencies, and the
# commands in README.md and CONTRIBUTING.md.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

"$ROOT/scripts/setup.sh" ci
use_own_rust
# before the first build: OpenCV's bindings are made anew whenever what it sets changes
ros=false
use_ros && ros=true
cd "$ROOT"

say 'cargo fmt'
cargo fmt --all --check

say 'cargo clippy'
cargo clippy --workspace --all-targets --locked -- -D warnings

if $ros; then
    say 'cargo clippy, with ROS 2'
    cargo clippy --workspace --all-targets --features ros --locked -- -D warnings
else
    say '  no ROS 2 here: the node (feature ros) was not checked'
fi

say 'rings between modules, and crates that must stay free of OpenCV and ONNX Runtime'
python3 scripts/check_modules.py
for crate in core msg bag onnx eval report; do
    if cargo tree --locked --edges normal,build --package "shuffledet-$crate" --prefix none |
        grep -E '^(opencv|ort|turbojpeg|clang-sys) '; then
        fail "a shuffledet-$crate without the crates above" 'take its use of them out, or move it to another crate'
    fi
done

say 'shell scripts'
shell_scripts=(scripts/*.sh rosbags/*.sh .ci/run)
for script in "${shell_scripts[@]}"; do
    bash -n "$script"
done
if have shellcheck; then
    shellcheck -x "${shell_scripts[@]}"
else
    say '  no shellcheck here: only their syntax was checked'
fi

say 'shell in documentation and workflows'
# shell_blocks FILE: the lines of its blocks of shell, in place, so that an error has the right line
shell_blocks() { awk '/^ *```(sh|bash)$/ { code = 1; print ""; next } /^ *```/ { code = 0 } { print code ? $0 : "" }' "$1"; }
while read -r document; do
    shell_blocks "$document" | bash -n || fail "shell in $document" 'correct the block that is named above'
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
cargo deny --locked check --hide-inclusion-graph licenses bans sources

say 'cargo deny: advisories'
if timeout 120 cargo deny fetch db; then
    cargo deny --locked check --disable-fetch advisories
else
    say '  NOT CHECKED: the RustSec advisory database (on GitHub) cannot be fetched from here'
fi

say 'docs/dependencies.md'
while read -r crate; do
    grep -qE "^\|.*\b$crate\b.*\|.*\|" docs/dependencies.md || fail "$crate in docs/dependencies.md" 'say there why it is needed'
done < <(awk '/^\[/ { listed = /dependencies\]$/ } listed && /^[a-z0-9_-]+ *=/ && !/^shuffledet-/ { print $1 }' Cargo.toml)

say 'README and CONTRIBUTING'
cargo build --locked
scripts/check_readme.sh "$TARGET/debug/shuffledet"
scripts/check_readme.sh "$TARGET/debug/shuffledet" CONTRIBUTING.md
