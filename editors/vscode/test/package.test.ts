import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { wrongPackage } from "../src/core/package";
import { scratch } from "./scratch";

test("a checkout's folder is one with a pyproject.toml", async () => {
  const folder = scratch();
  assert.match((await wrongPackage(folder)) ?? "", /no pyproject\.toml/);
  await writeFile(join(folder, "pyproject.toml"), "");
  assert.equal(await wrongPackage(folder), undefined);
  assert.equal(await wrongPackage(` ${folder} `), undefined);
});

test("a wheel has to be there, and named by its whole path", async () => {
  const wheel = join(scratch(), "midfill-0.1.0-py3-none-any.whl");
  assert.match((await wrongPackage(wheel)) ?? "", /no such file/);
  await writeFile(wheel, "");
  assert.equal(await wrongPackage(wheel), undefined);
  assert.match((await wrongPackage("midfill-0.1.0-py3-none-any.whl")) ?? "", /whole path/);
  assert.match((await wrongPackage("./midfill")) ?? "", /whole path/);
});

test("requirements and addresses are pip's to judge; nothing is not", async () => {
  for (const wanted of ["midfill", "midfill==0.1.0", "midfill[models]>=0.1", "git+https://host/midfill.git", "midfill @ file:///a"]) {
    assert.equal(await wrongPackage(wanted), undefined, wanted);
  }
  assert.match((await wrongPackage("  ")) ?? "", /checkout/);
});
