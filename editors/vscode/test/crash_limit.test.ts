import assert from "node:assert/strict";
import { test } from "node:test";
import { CrashLimit } from "../src/core/crash_limit";

test("a server that ends is started again, later each time, and in the end not any more", () => {
  const limit = new CrashLimit(4, 1000);
  const delays = [0, 10, 20, 30].map((now) => limit.crashed(now));
  assert.deepEqual(delays, [250, 500, 1000, undefined]);
});

test("crashes of long ago do not count", () => {
  const limit = new CrashLimit(2, 1000);
  assert.equal(limit.crashed(0), 250);
  assert.equal(limit.crashed(1000), 250);
  assert.equal(limit.crashed(1500), undefined);
});

test("whoever restarts it by hand gives it all its chances back", () => {
  const limit = new CrashLimit(2, 1000);
  limit.crashed(0);
  limit.forget();
  assert.equal(limit.crashed(1), 250);
});
