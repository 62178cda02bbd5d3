import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { pipProblem } from "../src/core/installation_problems";
import { cleanEnvironment, PrivateEnvironment } from "../src/core/private_environment";
import { Trouble } from "../src/core/problem";
import { scratch } from "./scratch";

/** A "Python" whose `-m venv` makes an environment in which pip does what a script says. */
async function pythonWith(pip: string): Promise<string> {
  const folder = scratch();
  const inner = join(folder, "inner");
  await writeFile(inner, `#!/bin/sh\nhere=$(dirname "$0")\n${pip}\n`);
  await chmod(inner, 0o755);
  const program = join(folder, "python3");
  await writeFile(program, `#!/bin/sh\nmkdir -p "$3/bin" && cp '${inner}' "$3/bin/python"\n`);
  await chmod(program, 0o755);
  return program;
}

async function install(environment: PrivateEnvironment, pip: string, signal = new AbortController().signal): Promise<string> {
  const python = { program: await pythonWith(pip), version: "3.12" };
  const quiet = { onStep: () => undefined, onLine: () => undefined };
  try {
    await environment.install({ python, source: "midfill", pipArguments: [], signal, ...quiet });
    return "installed";
  } catch (error) {
    assert.ok(error instanceof Trouble);
    return error.problem.kind;
  }
}

const GOOD_PIP = `printf '#!/bin/sh\\n' > "$here/midfill"; chmod 755 "$here/midfill"`;

async function storage(): Promise<string> {
  return join(scratch(), "storage");
}

test("it is complete once pip has put the program there", async () => {
  const environment = new PrivateEnvironment(await storage());
  assert.equal(await environment.isInstalled(), false);
  assert.equal(await install(environment, GOOD_PIP), "installed");
  assert.equal(await environment.isInstalled(), true);
});

test("nothing half-made is left behind by a failure", async () => {
  const environment = new PrivateEnvironment(await storage());
  assert.equal(await install(environment, "echo 'ERROR: No matching distribution found for midfill' >&2; exit 1"), "not-installed");
  assert.equal(existsSync(environment.folder), false);
  assert.equal(await install(environment, "exit 0"), "not-installed");
  assert.equal(existsSync(environment.folder), false);
});

test("an installation can be cancelled, with whatever pip has started", async () => {
  const environment = new PrivateEnvironment(await storage());
  const cancelled = new AbortController();
  setTimeout(() => cancelled.abort(), 300);
  const began = Date.now();
  assert.equal(await install(environment, "sleep 60", cancelled.signal), "cancelled");
  assert.ok(Date.now() - began < 20_000);
  assert.equal(existsSync(environment.folder), false);
});

test("two windows do not install at once, and a lock of a process that is gone is no lock", async () => {
  const environment = new PrivateEnvironment(await storage());
  await mkdir(environment.storage, { recursive: true });
  const lock = join(environment.storage, "installing");
  await writeFile(lock, String(process.pid));
  assert.equal(await install(environment, GOOD_PIP), "busy");
  await writeFile(lock, "999999999");
  assert.equal(await install(environment, GOOD_PIP), "installed");
});

test("a folder that cannot be written to is named", async () => {
  const file = join(scratch(), "file");
  await writeFile(file, "");
  for (const folder of [file, join(file, "storage")]) {
    assert.equal(await install(new PrivateEnvironment(folder), GOOD_PIP), "not-writable");
  }
});

test("the reason of pip's failure is found in what it prints", () => {
  const ran = (stderr: string) => ({ code: 1, stdout: "", stderr, timedOut: false });
  const problem = (stderr: string) => pipProblem(ran(stderr), "/storage", "/a/checkout");
  const kind = (stderr: string) => problem(stderr).kind;
  assert.equal(kind("WARNING: Retrying after connection broken: Temporary failure in name resolution"), "offline");
  assert.equal(kind("ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/x'"), "not-writable");
  const other = problem("ERROR: torch has no wheel\nmore");
  assert.match(other.message, /from \/a\/checkout: torch has no wheel\./);
  assert.match(other.message, /midfill\.server\.package/);
});

test("variables that lead out of the environment are left out", () => {
  assert.deepEqual(cleanEnvironment({ PYTHONPATH: "/x", PIP_TARGET: "/y", PATH: "/bin" }), { PATH: "/bin" });
});
