import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, engineFailed, modelToFetch } from "../src/core/fetching";

const DETAIL = "the embedded model cannot be fetched: check the network connection, then run `midfill model pull embedded`";

test("a failure of the engine is told in its own words", () => {
  assert.equal(engineFailed("it is full.").message, "Midfill's engine has failed: it is full.");
  assert.equal(engineFailed("").message, "Midfill's engine has failed: it does not say why.");
  assert.deepEqual(engineFailed("it is full").actions, ["restart", "log"]);
});

test("a model that is missing can be fetched, and its size is told", () => {
  const problem = engineFailed(DETAIL, 491_400_064);
  assert.equal(problem.model, "embedded");
  assert.equal(problem.actions[0], "fetch");
  assert.ok(problem.message.includes(`${DETAIL}. The model has 491 MB. `));
  assert.ok(!engineFailed(DETAIL).message.includes("MB"));
});

test("the model to fetch is the one that the command names", () => {
  assert.equal(modelToFetch("run `midfill model pull owner/name@main --accept-licence`"), "owner/name@main");
  assert.equal(modelToFetch("`midfill doctor` may know why"), undefined);
});

test("a model's size is looked up by its name", () => {
  const printed = JSON.stringify({ models: [{ name: "embedded", bytes: 5 }] });
  assert.equal(bytesOf(printed, "embedded"), 5);
  assert.equal(bytesOf(printed, "other"), undefined);
});
