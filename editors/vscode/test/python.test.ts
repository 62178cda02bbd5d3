import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Trouble } from "../src/core/problem";
import { findPython } from "../src/core/python";
import { scratch } from "./scratch";

/** A folder with programs that behave like Pythons. */
async function folder(programs: Readonly<Record<string, string>>): Promise<string> {
  const made = scratch();
  for (const [name, script] of Object.entries(programs)) {
    await writeFile(join(made, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(made, name), 0o755);
  }
  return made;
}

async function problem(wanted: string, path: string): Promise<string> {
  try {
    await findPython(wanted, path);
  } catch (error) {
    assert.ok(error instanceof Trouble);
    assert.ok(error.problem.actions.length);
    return error.problem.kind;
  }
  return "none";
}

test("without a Python it is said so", async () => {
  assert.equal(await problem("", await folder({})), "no-python");
  assert.equal(await problem("/nowhere/python3", ""), "no-python");
});

test("an old Python is not taken, and a newer one beside it is", async () => {
  const old = "echo python 3 9";
  assert.equal(await problem("", await folder({ python3: old })), "old-python");
  const both = await folder({ python3: old, "python3.12": "echo python 3 12" });
  assert.deepEqual(await findPython("", both), { program: join(both, "python3.12"), version: "3.12" });
});

test("a Python that cannot make environments is told from one that is broken", async () => {
  assert.equal(await problem("", await folder({ python3: "echo python 3 11; exit 1" })), "python-without-venv");
  assert.equal(await problem("", await folder({ python3: "echo nothing >&2; exit 1" })), "broken-python");
});

test("the one that the user has chosen is the one that is asked", async () => {
  const good = join(await folder({ mine: "echo python 3 13" }), "mine");
  const path = await folder({ python3: "echo python 3 12" });
  assert.equal((await findPython(good, path)).program, good);
});
