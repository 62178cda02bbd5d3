import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { isOlder, judgedVersion, oldVersion, probe } from "../src/core/probing";
import type { Ran } from "../src/core/running";
import { scratch } from "./scratch";

const PROGRAM = { file: "/somewhere/midfill", origin: "path" } as const;

function ran(outcome: Partial<Ran>): Ran {
  return { code: 0, stdout: "", stderr: "", timedOut: false, ...outcome };
}

test("what is wrong with a program is said in one sentence", () => {
  const kind = (outcome: Partial<Ran>) => judgedVersion(PROGRAM, ran(outcome))?.kind;
  assert.equal(kind({ stdout: "midfill 0.1.0\n" }), undefined);
  assert.equal(kind({ code: null, notStarted: "ENOENT" }), "missing");
  assert.equal(kind({ code: null, notStarted: "EACCES" }), "denied");
  assert.equal(kind({ code: null, timedOut: true }), "slow");
  assert.equal(kind({ stdout: "hello\n" }), "foreign");
  assert.equal(kind({ stdout: "midfill 0.0.9\n" }), "old");
  const broken = judgedVersion(PROGRAM, ran({ code: 1, stderr: "Traceback\nModuleNotFoundError: No module named 'typer'\n" }));
  assert.equal(broken?.kind, "broken");
  assert.match(broken?.message ?? "", /No module named 'typer'/);
});

test("an environment of our own can be made anew; the user's is theirs", () => {
  const first = (origin: "path" | "setting" | "private") =>
    judgedVersion({ file: "midfill", origin }, ran({ code: 1 }))?.actions[0];
  assert.equal(first("private"), "installAnew");
  assert.equal(first("setting"), "settings");
  assert.equal(first("path"), "install");
});

test("versions are compared by their numbers", () => {
  assert.ok(isOlder("0.9.0", "0.10.0"));
  assert.ok(!isOlder("1.0.0", "0.10.0"));
  assert.ok(!isOlder("0.1.0", "0.1.0"));
  assert.ok(!isOlder("0.1.0.dev1+local", "0.1.0"));
  assert.equal(oldVersion(PROGRAM, "0.1.0"), undefined);
});

test("a real program that lost its Python is called missing", async () => {
  const file = join(scratch(), "midfill");
  await writeFile(file, "#!/nowhere/python3\n");
  await chmod(file, 0o755);
  assert.equal((await probe({ file, origin: "path" }))?.kind, "missing");
  await chmod(file, 0o644);
  assert.equal((await probe({ file, origin: "path" }))?.kind, "denied");
});
