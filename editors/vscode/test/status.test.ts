import assert from "node:assert/strict";
import { test } from "node:test";
import { entries } from "../src/core/menu";
import { type EngineStatus, engineStatus, type Seen, view } from "../src/core/status";

const ENGINE: EngineStatus = { state: "ready", model: "embedded", detail: "", fraction: null, activity: "idle" };
const RUNNING: Seen = { server: "running", engine: ENGINE, enabled: true };

function mood(seen: Partial<Seen>): string {
  return view({ ...RUNNING, ...seen }).mood;
}

test("the item shows what the server and its engine are doing", () => {
  assert.equal(mood({}), "ready");
  assert.equal(mood({ server: "starting" }), "starting");
  assert.equal(mood({ engine: undefined }), "starting");
  assert.equal(mood({ engine: { ...ENGINE, state: "loading" } }), "starting");
  assert.equal(mood({ engine: { ...ENGINE, state: "idle" } }), "ready");
  assert.equal(mood({ engine: { ...ENGINE, activity: "thinking" } }), "thinking");
  assert.equal(mood({ engine: { ...ENGINE, activity: "paused" } }), "paused");
  assert.equal(mood({ engine: { ...ENGINE, state: "failed" } }), "error");
  assert.equal(mood({ server: "failed" }), "error");
  assert.equal(mood({ server: "missing" }), "error");
  assert.equal(mood({ server: "untrusted" }), "off");
  assert.equal(mood({ enabled: false }), "off");
});

test("the tooltip says how far loading is, and what failed", () => {
  const loading: EngineStatus = { ...ENGINE, state: "loading", detail: "reading weights", fraction: 0.424 };
  assert.equal(view({ ...RUNNING, engine: loading }).tooltip, "Midfill: reading weights 42 %");
  const failed: EngineStatus = { ...ENGINE, state: "failed", detail: "no weights" };
  assert.equal(view({ ...RUNNING, engine: failed }).tooltip, "Midfill: no weights");
  assert.equal(view({ ...RUNNING, server: "failed", problem: "it is old" }).tooltip, "Midfill: it is old");
});

test("a notification is read forgivingly", () => {
  assert.deepEqual(engineStatus({ state: "ready" }), { ...ENGINE, model: "" });
  assert.equal(engineStatus(null), undefined);
  assert.equal(engineStatus({ model: "embedded" }), undefined);
});

test("the menu offers what helps as things are", () => {
  const commands = (...how: Parameters<typeof entries>) => entries(...how).map((entry) => entry.command);
  assert.ok(commands("running", "ready").includes("midfill.pause"));
  assert.ok(commands("running", "paused").includes("midfill.goOn"));
  assert.ok(!commands("running", "paused").includes("midfill.pause"));
  assert.ok(commands("running", "off").includes("midfill.switchOn"));
  assert.equal(commands("missing", "error")[0], "midfill.install");
  assert.equal(commands("untrusted", "off")[0], "workbench.trust.manage");
  assert.ok(!commands("untrusted", "off").includes("midfill.restart"));
  assert.ok(commands("failed", "error").includes("midfill.restart"));
});
