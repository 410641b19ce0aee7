#!/usr/bin/env bash
# Installs what `make build` has built below $DESTDIR$PREFIX (/usr/local): programs, ONNX Runtime, models, configuration,
# launch files, completions, manual pages, licences. The node is installed if it is built.
#
#   install.sh [--without-node]
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

prefix=${PREFIX:-/usr/local}
to=${DESTDIR:-}$prefix
# the folder of the built programs, for tests
built=${SHUFFLEDET_BUILT:-$TARGET/release}
runtime=${ORT_DYLIB_PATH:-$DEPS/onnxruntime/libonnxruntime.so}
case ${1:-} in
    '') with_node=true ;;
    --without-node) with_node=false ;;
    *) fail "an option that install.sh knows, in place of $1" 'scripts/install.sh [--without-node]' ;;
esac
case $prefix in
    /*) ;;
    *) fail "an absolute PREFIX, in place of $prefix" 'make install PREFIX=/usr/local' ;;
esac
[ -x "$built/shuffledet" ] || fail "$built/shuffledet" 'make build'
[ -f "$runtime" ] || fail "$runtime (ONNX Runtime)" 'make build'
[ -x "$built/shuffledet_node" ] || with_node=false
cd "$ROOT"

share=$to/share/shuffledet
# the folder in which ros2 looks for programs of a package
programs=$to/lib/shuffledet
install -D -m 755 -t "$to/bin" "$built/shuffledet"
install -d "$programs"
ln -sfn ../../bin/shuffledet "$programs/shuffledet"
if $with_node; then
    install -m 755 "$built/shuffledet_node" "$to/bin/shuffledet_node"
    ln -sfn ../../bin/shuffledet_node "$programs/shuffledet_node"
fi
install -m 644 "$runtime" "$programs/libonnxruntime.so"

install -D -m 644 -t "$share/config" config/*
install -D -m 644 -t "$share/launch" launch/*
install -D -m 644 -t "$share/models" models/*
install -D -m 644 -t "$share" package.xml
# makes `ros2 launch shuffledet` find the folder, once AMENT_PREFIX_PATH has the prefix
install -D -m 644 /dev/null "$to/share/ament_index/resource_index/packages/shuffledet"

install -D -m 644 -t "$to/share/doc/shuffledet" LICENSE README.md CHANGELOG.md
for licence in LICENSE ThirdPartyNotices.txt; do
    file=$(dirname "$(realpath "$runtime")")/$licence
    [ ! -f "$file" ] || install -m 644 "$file" "$to/share/doc/shuffledet/onnxruntime.$licence"
done

"$built/shuffledet" man "$to/share/man/man1"
completions() {
    install -d "$(dirname "$2")"
    "$built/shuffledet" completions "$1" >"$2"
}
completions bash "$to/share/bash-completion/completions/shuffledet"
completions zsh "$to/share/zsh/site-functions/_shuffledet"
completions fish "$to/share/fish/vendor_completions.d/shuffledet.fish"

say "installed in $to: shuffledet$($with_node && echo ', shuffledet_node' || echo '; no node')"
