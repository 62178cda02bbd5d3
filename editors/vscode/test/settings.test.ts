import assert from "node:assert/strict";
import { test } from "node:test";
import { choices } from "../src/core/models";
import { enabledIn, forServer } from "../src/core/settings";

test("the server is not asked to know settings of the extension", () => {
  assert.deepEqual(forServer({ mode: "subtle", server: { command: "x" } }), { mode: "subtle" });
  assert.deepEqual(forServer({ settingOfLater: { a: [1] } }), { settingOfLater: { a: [1] } });
  assert.deepEqual(forServer({ mode: "subtle", settingOfLater: "" }), { mode: "subtle" });
  assert.equal(forServer(null), null);
});

test("a language's own switch wins over the general one", () => {
  assert.equal(enabledIn("python", true, { python: { enabled: false } }), false);
  assert.equal(enabledIn("python", false, { python: { enabled: true } }), true);
  assert.equal(enabledIn("go", true, { python: { enabled: false } }), true);
  assert.equal(enabledIn(undefined, false, undefined), false);
});

const MODELS = JSON.stringify({
  models: [
    { name: "big/model", state: "missing", bytes: 15.2e9, licence: "MIT", description: "large", fits: { memory: null } },
    { name: "embedded", state: "ready", bytes: 491e6, licence: "Apache-2.0", description: "small", fits: { memory: "float32" } },
  ],
});

test("models that are here stand first, and the one in use is marked", () => {
  const [first, second] = choices(MODELS, "embedded");
  assert.equal(first?.label, "$(check) embedded");
  assert.equal(first?.missing, false);
  assert.equal(second?.description, "15.2 GB to fetch · MIT · does not fit this machine");
});

test("a model that the user has named is among them, whatever the list says", () => {
  assert.deepEqual(choices(MODELS, "vllm:http://box#m").map((one) => one.name), ["vllm:http://box#m", "embedded", "big/model"]);
  assert.throws(() => choices("{}", "embedded"), SyntaxError);
});
