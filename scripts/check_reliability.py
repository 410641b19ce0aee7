#!/usr/bin/env python3
"""Fails where docs/reliability.md names a test that is not in the tree, or names one twice.

A name is that of the crate, or of the file or folder below tests/ (a crate there is shuffledet-FOLDER), with the path of modules: `program::track::a_test`.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reliability.md"
ROOTS = {"lib", "main", "mod"}


def modules(binary, file, source):
    """The path of the module in a file: `source` is the folder of the binary's root."""
    parts = list(file.relative_to(source).with_suffix("").parts)
    return [binary] + parts[: -1 if parts[-1] in ROOTS else None]


def tests(text):
    """The tests of a file, each with the modules inside the file that it is in."""
    inside, is_test = [], False
    for line in text.splitlines():
        code = line.strip()
        depth = len(line) - len(line.lstrip())
        if code.startswith("#[") and "test]" in code:
            is_test = True
        elif found := re.match(r"(?:pub(?:\([a-z]+\))? )?mod (\w+) \{", code):
            inside.append((depth, found.group(1)))
        elif code == "}" and inside and inside[-1][0] == depth:
            inside.pop()
        elif is_test and (found := re.match(r"fn (\w+)", code)):
            yield [name for _, name in inside] + [found.group(1)]
            is_test = False


def tree():
    """The names of all tests."""
    found = set()
    sources = [("shuffledet", ROOT / "src")]
    for crate in sorted((ROOT / "crates").iterdir()):
        sources.append((f"shuffledet-{crate.name}", crate / "src"))
    for entry in sorted((ROOT / "tests").iterdir()):
        if (entry / "Cargo.toml").exists():
            sources.append((f"shuffledet-{entry.name}", entry / "src"))
        elif entry.is_dir():
            sources.append((entry.name, entry))
        elif entry.suffix == ".rs":
            found.update("::".join([entry.stem, *test]) for test in tests(entry.read_text()))
    for binary, source in sources:
        for file in sorted(source.rglob("*.rs")):
            path = modules(binary, file, source)
            found.update("::".join(path + test) for test in tests(file.read_text()))
    return found


def main():
    known, named, failed = tree(), set(), False
    for number, line in enumerate(PAGE.read_text().splitlines(), 1):
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) != 6 or not cells[3].startswith("`"):
            continue
        name = cells[3].strip("`")
        problem = "is not in the tree" if name not in known else "is named twice" if name in named else None
        named.add(name)
        if problem:
            print(f"{PAGE.relative_to(ROOT)}:{number}: the test {name} {problem}", file=sys.stderr)
            failed = True
    if not named:
        print(f"{PAGE.relative_to(ROOT)}: expected a table of tests, found none", file=sys.stderr)
        failed = True
    sys.exit(failed)


if __name__ == "__main__":
    main()
