import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A new folder that is gone when the tests have ended. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), "midfill-node-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
