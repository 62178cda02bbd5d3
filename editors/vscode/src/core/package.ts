/** What pip is to install, as the user names it. */

import { stat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { expanded } from "./finding";

/** What is wrong with it, in one sentence; undefined if pip may be given it. */
export async function wrongPackage(entered: string): Promise<string | undefined> {
  const wanted = entered.trim();
  if (!wanted) {
    return "Name the folder of a checkout, a wheel, or what a package index has.";
  }
  if (!isPath(wanted)) {
    return undefined;
  }
  const path = expanded(wanted);
  if (!isAbsolute(path)) {
    return "Give the whole path.";
  }
  try {
    return (await stat(path)).isDirectory() && !(await isFile(join(path, "pyproject.toml")))
      ? "There is no pyproject.toml in this folder."
      : undefined;
  } catch {
    return "There is no such file or folder.";
  }
}

/** Rather than a requirement or an address. */
function isPath(wanted: string): boolean {
  return !wanted.includes("://") && (/[/\\]/.test(wanted) || /^[.~]/.test(wanted) || wanted.endsWith(".whl"));
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
