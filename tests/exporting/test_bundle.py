from __future__ import annotations

import shutil
import subprocess

import pytest

from foveal.exporting.bundle import bundle, script_modules

THREE = {
    "one.js": "export const twice = (x) => 2 * x;\nconst own = 1;\n",
    "two.js": 'import { twice } from "./one.js";\n'
    "export function quadruple(x) {\n  return twice(twice(x));\n}\n",
    "app.js": 'import { quadruple } from "./two.js";\nimport { twice } from "./one.js";\n'
    "const own = 3;\nconsole.log(quadruple(own) + twice(own));\n",
}


def test_modules_keep_their_own_names_and_run_in_the_order_of_their_needs() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    done = subprocess.run(
        [node, "-e", bundle(THREE, "app.js")], capture_output=True, text=True, check=True
    )
    assert done.stdout == "18\n"


def test_a_module_that_two_need_is_there_once() -> None:
    assert bundle(THREE, "app.js").count("// one.js") == 1


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('import { a } from "./none.js";\n', "app.js needs none.js, which is not there"),
        ('import { a } from "./app.js";\n', "app.js needs app.js, which is a circle"),
        ('import { twice, own } from "./one.js";\n', "app.js needs own of one.js, which does not"),
        ('import a from "./one.js";\n', "expected import { ... } or export of a name"),
        ("export default 3;\n", "expected import { ... } or export of a name"),
        ("export let x = 3;\n", "expected import { ... } or export of a name"),
    ],
)
def test_what_is_not_understood_is_named(source: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bundle({**THREE, "app.js": source}, "app.js")


@pytest.mark.parametrize("entry", ["app.js", "worker.js"])
def test_the_pages_own_modules_are_one_script_without_a_word_of_modules(entry: str) -> None:
    script = bundle(script_modules(), entry)
    assert "\nimport " not in script
    assert "\nexport " not in script
