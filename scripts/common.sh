# Sourced by the other scripts: where things are, how to speak, and which Rust is used.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
DEPS=$ROOT/.deps
# shellcheck disable=SC2034 # for the scripts that source this
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
export PATH="$DEPS/bin:$PATH"

# setup.sh makes this folder only where the machine has no Rust, or too old a one.
use_own_rust() {
    [ -x "$DEPS/rust/bin/cargo" ] || return 0
    export CARGO_HOME=$DEPS/rust RUSTUP_HOME=$DEPS/rust/rustup
    export PATH="$DEPS/rust/bin:$PATH"
}

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }

# fail WHAT COMMAND: ends with the missing thing's name and the command that mends it.
fail() {
    say "missing: $1"
    say "  to install it: $2"
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# version_at_least HAVE WANTED
version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

sha256_of() { sha256sum "$1" | cut -d ' ' -f 1; }
