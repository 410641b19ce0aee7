#!/usr/bin/env python3
"""Fails where the top-level modules of a crate import each other in a ring, or a crate depends on one above it.

Tests do not count: a `mod tests` may use what it likes. Items that a crate's root gives out count as those of the
module that they come from.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def without_tests(text):
    """The code above `#[cfg(test)] mod tests`, which ends each file, without comments and texts."""
    text = re.split(r"#\[cfg\(test\)\]\s*(?:pub(?:\([a-z]+\))? )?mod tests\b", text)[0]
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r'"(?:\\.|[^"\\])*"', '""', text, flags=re.S)


def names(tree):
    """The first segments of a use tree: `{a::B, c}` gives a and c."""
    tree = tree.strip()
    if not tree.startswith("{"):
        return [re.match(r"[A-Za-z0-9_]*", tree).group()]
    found, depth, start = [], 0, 1
    for at, character in enumerate(tree):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if (character == "," and depth == 1) or depth == 0:
            found += names(tree[start:at]) if tree[start:at].strip() else []
            start = at + 1
    return found


def exported(root, modules):
    """By name, the module that an item which the crate's root gives out comes from."""
    origin = {}
    for module, tree in re.findall(r"pub use (?:self::)?(\w+)::([^;]+);", root):
        for name in re.findall(r"\w+", tree):
            if module in modules:
                origin[name] = module
    return origin


def imports(crate):
    """By top-level module of the crate in `crate/src`: the modules that it imports."""
    source = crate / "src"
    root = without_tests((source / "lib.rs").read_text())
    modules = set(re.findall(r"^(?:pub(?:\([a-z]+\))? )?mod (\w+);", root, flags=re.M))
    origin = exported(root, modules)
    graph = {module: set() for module in modules}
    for file in sorted(source.rglob("*.rs")):
        inside = file.relative_to(source).with_suffix("").parts
        module = inside[0]
        if module not in modules or inside[-1] == "tests" or "tests" in inside:
            continue
        depth = len(inside) - (inside[-1] == "mod")
        to_root = r"(?:crate|" + "::".join(["super"] * depth) + r")(?!::super)"
        for tree in re.findall(r"(?<![:\w])" + to_root + r"::(\{[^;]*\}|\w+)", without_tests(file.read_text())):
            for name in names(tree):
                target = name if name in modules else origin.get(name)
                if target and target != module:
                    graph[module].add(target)
    return graph


def ring(graph):
    """The modules of a ring, in order; nothing where there is none."""
    state, path = {}, []

    def visit(node):
        state[node] = "open"
        path.append(node)
        for following in sorted(graph[node]):
            if state.get(following) == "open":
                return path[path.index(following):] + [following]
            if following not in state and (found := visit(following)):
                return found
        path.pop()
        state[node] = "done"
        return []

    for node in sorted(graph):
        if node not in state and (found := visit(node)):
            return found
    return []


def main():
    failed = False
    for crate in [ROOT, *sorted((ROOT / "crates").iterdir())]:
        found = ring(imports(crate))
        if found:
            name = crate.name if crate != ROOT else "the program"
            print(f"{name}: modules import each other in a ring: {' -> '.join(found)}", file=sys.stderr)
            failed = True
    sys.exit(failed)


main()
