/** Where programs are. */

import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, isAbsolute, join } from "node:path";

/** Whether a file is there and may be run. */
export async function isProgram(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}

/**
 * The first program of a name.
 *
 * @param path the PATH variable's value.
 */
export async function onPath(name: string, path = process.env.PATH ?? ""): Promise<string | undefined> {
  const endings = process.platform === "win32" ? [".exe", ".cmd", ".bat"] : [""];
  for (const folder of path.split(delimiter).filter(isAbsolute)) {
    for (const ending of endings) {
      const file = join(folder, name + ending);
      if (await isProgram(file)) {
        return file;
      }
    }
  }
  return undefined;
}

/** A path as people write it, with `~` for their home. */
export function expanded(path: string): string {
  return path === "~" || path.startsWith("~/") || path.startsWith("~\\") ? join(homedir(), path.slice(1)) : path;
}

/** The folder of an environment's programs. */
export function binOf(environment: string): string {
  return join(environment, process.platform === "win32" ? "Scripts" : "bin");
}

/** A program of an environment. */
export function programOf(environment: string, name: string): string {
  return join(binOf(environment), process.platform === "win32" ? `${name}.exe` : name);
}
