"""Imports are read, found in the workspace, and shown by the heads of what they define."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from context_workspace import Workspace

from midfill.inference.exclusion.policy import ExclusionPolicy
from midfill.inference.syntax.parsing import parse
from midfill.lsp.context.definitions import Definition, definitions_of
from midfill.lsp.context.import_statements import Import, imports_of
from midfill.lsp.context.import_targets import targets_of
from midfill.lsp.context.imported_definitions import (
    DefinitionFinder,
    ImportedDefinitions,
    Importer,
)
from midfill.lsp.context.readable_files import ReadableFiles
from midfill.lsp.context.snippet import stripped_lines
from midfill.lsp.context.view import view_at

STATEMENTS: dict[str, tuple[str, list[Import]]] = {
    "python": (
        "import a.b as c, d\nfrom ..x import y as z, w\nfrom . import k\nfrom .m import *\n"
        "if True:\n    from q import r\ntry:\n    import s\nexcept ImportError:\n    import t\n",
        [
            Import("a.b"),
            Import("d"),
            Import("x", ("y", "w"), 2),
            Import("", ("k",), 1),
            Import("m", ("*",), 1),
            Import("q", ("r",)),
            Import("s"),
            Import("t"),
        ],
    ),
    "typescript": (
        "import D, {a, b as c} from './x'\nimport * as ns from '../y'\nimport './side'\n"
        "export * from './z'\nexport { q } from \"./w\"\nconst r = require('./r')\n",
        [
            Import("./x", ("a", "b", "D")),
            Import("../y", ("*",)),
            Import("./side"),
            Import("./z", ("*",)),
            Import("./w", ("q",)),
            Import("./r", ("*",)),
        ],
    ),
    "go": (
        'package x\nimport (\n\t"fmt"\n\tq "example.com/m/pkg"\n)\nimport "os"\n',
        [Import("fmt"), Import("example.com/m/pkg"), Import("os")],
    ),
    "rust": (
        "use crate::a::{C, d::{E, self}, F as G};\nuse super::x::*;\nmod foo;\nmod bar { }\n",
        [
            Import("crate::a", ("C",)),
            Import("crate::a::d", ("E",)),
            Import("crate::a::d"),
            Import("crate::a", ("F",)),
            Import("super::x", ("*",)),
            Import("self::foo"),
        ],
    ),
    "java": (
        "package p;\nimport com.foo.Bar;\nimport com.foo.*;\nimport static com.foo.Baz.qux;\n",
        [
            Import("com.foo.Bar", ("Bar",)),
            Import("com.foo", ("*",)),
            Import("com.foo.Baz", ("qux",)),
        ],
    ),
    "cpp": (
        '#ifndef A\n#include "x.h"\n#include <y/z.hpp>\n#endif\n',
        [Import("x.h", ("*",)), Import("y/z.hpp", ("*",))],
    ),
}


@pytest.mark.parametrize("grammar", STATEMENTS)
def test_the_imports_of_a_file_are_read(grammar: str) -> None:
    text, expected = STATEMENTS[grammar]

    assert list(imports_of(parse(text, grammar))) == expected


def test_a_file_of_another_language_imports_nothing() -> None:
    assert imports_of(parse("import x", "markdown")) == ()


@pytest.mark.parametrize(
    ("grammar", "importing", "one", "there", "expected"),
    [
        ("python", "p/q/a.py", Import("b", ("f",), 1), ["p/q/b.py"], ["p/q/b.py"]),
        ("python", "p/q/a.py", Import("", ("b",), 2), ["p/b.py"], ["p/b.py"]),
        ("python", "p/q/a.py", Import("p.r"), ["p/r/__init__.py"], ["p/r/__init__.py"]),
        (
            "python",
            "src/p/a.py",
            Import("p.b", ("c", "f")),
            ["src/p/b/__init__.py", "src/p/b/c.py"],
            ["src/p/b/__init__.py", "src/p/b/c.py"],
        ),
        ("python", "tests/t.py", Import("p"), ["src/p/__init__.py"], ["src/p/__init__.py"]),
        ("python", "a.py", Import("os"), ["b.py"], []),
        ("python", "a.py", Import("x", (), 9), ["x.py"], []),
        ("typescript", "s/a.ts", Import("./b"), ["s/b.tsx"], ["s/b.tsx"]),
        ("typescript", "s/a.ts", Import("../b.js"), ["b.ts"], ["b.ts"]),
        ("javascript", "s/a.js", Import("./b"), ["s/b/index.js"], ["s/b/index.js"]),
        ("typescript", "src/x/a.ts", Import("@/b"), ["src/b.ts"], ["src/b.ts"]),
        ("typescript", "a.ts", Import("react"), ["react.ts"], []),
        ("go", "m/a/a.go", Import("example.com/m/b"), ["m/b/b.go", "m/b/b_test.go"], ["m/b/b.go"]),
        ("go", "m/a/a.go", Import("fmt"), ["m/fmt/fmt.go"], []),
        ("rust", "c/src/a.rs", Import("crate::b", ("C",)), ["c/src/b.rs"], ["c/src/b.rs"]),
        ("rust", "c/src/a.rs", Import("crate::b::C", ("D",)), ["c/src/b.rs"], ["c/src/b.rs"]),
        ("rust", "c/src/a/x.rs", Import("super::b"), ["c/src/a/b.rs"], ["c/src/a/b.rs"]),
        ("rust", "c/src/lib.rs", Import("self::b"), ["c/src/b/mod.rs"], ["c/src/b/mod.rs"]),
        (
            "java",
            "src/main/java/p/A.java",
            Import("q.B", ("B",)),
            ["src/main/java/q/B.java"],
            ["src/main/java/q/B.java"],
        ),
        (
            "java",
            "p/A.java",
            Import("q", ("*",)),
            ["q/B.java", "q/C.java"],
            ["q/B.java", "q/C.java"],
        ),
        ("c", "src/a.c", Import("b.h", ("*",)), ["include/b.h"], ["include/b.h"]),
        ("cpp", "src/a.cpp", Import("b.h", ("*",)), ["src/b.h", "include/b.h"], ["src/b.h"]),
    ],
)
def test_an_import_is_found_where_the_language_puts_it(
    grammar: str, importing: str, one: Import, there: list[str], expected: list[str], tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path)
    workspace.write("m/go.mod", "module example.com/m\n\ngo 1.22\n")
    workspace.write("c/Cargo.toml", '[package]\nname = "c"\n')
    for name in (importing, *there):
        workspace.write(name, "")
    files = ReadableFiles(ExclusionPolicy(), [str(tmp_path)])

    found = targets_of(one, str(tmp_path / importing), grammar, files)

    assert [Path(path).relative_to(tmp_path).as_posix() for path in found] == expected


def shown(definitions: tuple[Definition, ...]) -> str:
    lines = []
    for definition in definitions:
        lines.append(definition.text)
        lines += [f"    {member.text}" for member in definition.members]
        lines += [definition.closing] if definition.closing else []
    return "\n".join(lines)


DEFINITIONS = {
    "python": (
        '''MAX = 3


@dataclass(frozen=True)
class Basket(Base):
    """What is bought.

    And more.
    """

    items: list[Item]

    def __init__(
        self,
        a,
        b=1,
    ):
        self.a = a

    @property
    def total(self) -> int:
        return 1


async def load(path, *, strict=False) -> Basket:
    """Read it."""
    secret = 1
    return secret
''',
        '''MAX = 3
@dataclass(frozen=True)
class Basket(Base):
    """What is bought."""
    items: list[Item]
    def __init__(self, a, b=1): ...
    @property
def total(self) -> int: ...
async def load(path, *, strict=False) -> Basket:
    """Read it."""''',
    ),
    "typescript": (
        """/** Adds two. */
export function add(a: number, b: number): number { return a + b }
export const sub = (a: number) => { return 1 }
export const LIMIT = 5;
export type Id = string | number
export class Circle extends Base<Shape> {
  r: number = 1;
  async area(): Promise<number> { return 1 }
}
export enum Color { Red, Green }
""",
        """// Adds two.
export function add(a: number, b: number): number;
export const sub = (a: number) => ...
export const LIMIT = 5;
export type Id = string | number
export class Circle extends Base<Shape> {
    r: number = 1;
    async area(): Promise<number>;
}
export enum Color { Red, Green }""",
    ),
    "go": (
        """package x
const Max = 3
type Basket struct {
\tItems []string
}
// Add adds.
// More of it.
func (b *Basket) Add(item string) error {
\treturn nil
}
""",
        """const Max = 3
type Basket struct {
\tItems []string
}
// Add adds.
func (b *Basket) Add(item string) error""",
    ),
    "rust": (
        """pub const MAX: u32 = 3;
impl Basket {
    /// Makes one.
    pub fn new(n: u32) -> Self { Self {} }
}
pub trait Shape { fn area(&self) -> f64; }
""",
        """pub const MAX: u32 = 3;
impl Basket {
    // Makes one.
pub fn new(n: u32) -> Self;
}
pub trait Shape {
    fn area(&self) -> f64;
}""",
    ),
    "java": (
        """package p;
public class Basket extends Base {
    private final int n = 3;
    public Basket(int n) { this.n = n; }
    public int total() throws E { return n; }
}
""",
        """public class Basket extends Base {
    private final int n = 3;
    public Basket(int n);
    public int total() throws E;
}""",
    ),
    "cpp": (
        """#ifndef A_H
#define MAX 3
namespace a {
class Basket : public Base {
 public:
  int total() const { return n_; }
};
int add(int a, int b);
template <typename T> T twice(T x) { return x; }
}
#endif
""",
        """#define MAX 3
class Basket : public Base {
    int total() const;
}
int add(int a, int b);
template <typename T> T twice(T x);""",
    ),
    "c": (
        "typedef struct { int x; } P;\n"
        "static int add(int a, int b) { return a; }\nint *sub(int);\n",
        "typedef struct { int x; } P;\nstatic int add(int a, int b);\nint *sub(int);",
    ),
}


@pytest.mark.parametrize("grammar", DEFINITIONS)
def test_definitions_are_shown_by_their_heads(grammar: str) -> None:
    text, expected = DEFINITIONS[grammar]

    assert shown(definitions_of(parse(text, grammar))) == expected


@pytest.mark.parametrize("grammar", DEFINITIONS)
def test_a_definition_says_which_lines_it_is_made_of(grammar: str) -> None:
    text, _ = DEFINITIONS[grammar]
    lines = stripped_lines([text])

    for definition in definitions_of(parse(text, grammar)):
        for one in (definition, *definition.members):
            assert one.made_of
            assert one.made_of <= lines


@pytest.mark.parametrize("text", ["", "def (:\n", "class\n\n@", "x" * 100_000, "def f(" * 500])
def test_broken_source_defines_what_can_be_read_of_it(text: str) -> None:
    assert all(one.name for one in definitions_of(parse(text, "python")))


def shop(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path)
    workspace.write(
        "shop/basket.py",
        "def unrelated():\n    return 0\n\n\ndef add_item(basket, item, count=1):\n"
        '    """Put something in."""\n    return basket\n\n\n'
        "def total_price(basket):\n    return 0\n",
    )
    workspace.write("shop/__init__.py", "from .basket import add_item, total_price\n")
    return workspace


def offered(workspace: Workspace, uri: str, line: int = 0, tokens: int = 300) -> dict[str, str]:
    provider = ImportedDefinitions(tokens)
    importer = workspace.sources.errand(uri).importer
    assert importer is not None
    files = ReadableFiles(ExclusionPolicy(), [str(workspace.folder)], importer.open.keys())
    provider.found(uri, DefinitionFinder().find(importer, files))
    lines = workspace.texts.lines_of(uri)
    assert lines is not None
    snippets = provider.snippets(view_at(uri, lines, line))
    return {snippet.origin.shown: snippet.text for snippet in snippets}


def test_only_what_is_imported_is_offered(tmp_path: Path) -> None:
    workspace = shop(tmp_path)
    uri = workspace.open("app.py", "from shop.basket import add_item\n\n")

    assert offered(workspace, uri) == {
        "shop/basket.py": 'def add_item(basket, item, count=1):\n    """Put something in."""'
    }


def test_a_name_that_a_package_passes_on_is_followed_to_where_it_is_defined(tmp_path: Path) -> None:
    workspace = shop(tmp_path)
    uri = workspace.open("app.py", "from shop import total_price\n")

    assert offered(workspace, uri) == {"shop/basket.py": "def total_price(basket): ..."}


def test_names_next_to_the_cursor_are_offered_first(tmp_path: Path) -> None:
    workspace = shop(tmp_path)
    uri = workspace.open("app.py", "from shop.basket import *\n" + 50 * "\n" + "total_price(\n")

    assert offered(workspace, uri, 51, tokens=12) == {
        "shop/basket.py": "def total_price(basket): ..."
    }


def test_what_is_open_counts_as_it_is_in_the_editor(tmp_path: Path) -> None:
    workspace = shop(tmp_path)
    workspace.open("shop/basket.py", "def add_item(basket, changed): ...\n")
    workspace.open("shop/new.py", "def never_saved(argument): ...\n")
    uri = workspace.open(
        "app.py", "from shop.basket import add_item\nfrom shop.new import never_saved\n"
    )

    assert offered(workspace, uri) == {
        "shop/basket.py": "def add_item(basket, changed): ...",
        "shop/new.py": "def never_saved(argument): ...",
    }


def test_a_file_that_was_written_is_read_again(tmp_path: Path) -> None:
    workspace = shop(tmp_path)
    uri = workspace.open("app.py", "from shop.basket import add_item\n")
    finder = DefinitionFinder()
    files = ReadableFiles(ExclusionPolicy(), [str(tmp_path)])
    importer = workspace.sources.errand(uri).importer
    assert importer is not None
    before = finder.find(importer, files)
    workspace.write("shop/basket.py", "def add_item(something, entirely, different): ...\n")
    after = finder.find(importer, files)

    assert "item" in before.outlines[0].parts[0].text
    assert "entirely" in after.outlines[0].parts[0].text


def test_modules_that_import_each_other_are_no_circle(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.write("a.py", "from b import *\nfrom c import *\ndef in_a(): ...\n")
    workspace.write("b.py", "from a import *\nfrom c import *\ndef in_b(): ...\n")
    workspace.write("c.py", "from a import *\nfrom b import *\ndef in_c(): ...\n")
    uri = workspace.open("app.py", "from a import *\n")

    assert set(offered(workspace, uri)) == {"a.py", "b.py", "c.py"}


def test_what_is_offered_comes_from_memory(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    names = [f"module_{n}" for n in range(20)]
    for name in names:
        body = "".join(f"def {name}_{n}(argument, other={n}):\n    ...\n\n" for n in range(60))
        workspace.write(f"{name}.py", body)
    uri = workspace.open("app.py", "".join(f"from {name} import *\n" for name in names))
    provider = ImportedDefinitions(512)
    files = ReadableFiles(ExclusionPolicy(), [str(tmp_path)])
    importer = workspace.sources.errand(uri).importer
    assert isinstance(importer, Importer)
    provider.found(uri, DefinitionFinder().find(importer, files))
    view = view_at(uri, [f"x = module_3_7({n})\n" for n in range(90)], 50)
    offered = provider.snippets(view)
    shutil.rmtree(tmp_path)

    assert offered
    assert provider.snippets(view) == offered
