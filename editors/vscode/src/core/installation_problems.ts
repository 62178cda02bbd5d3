/** Why Midfill could not be installed, in words for the user. */

import type { Problem } from "./problem";
import { lastLine, type Ran } from "./running";

export const MISSING: Problem = {
  kind: "missing",
  message: "Midfill is not installed. Install it into an environment of this extension's own, or name the program in midfill.server.command.",
  actions: ["install", "settings"],
};

/** The user has not said what to install. */
export const NOTHING_ENTERED: Problem = {
  kind: "cancelled",
  message: "Nothing was installed, as nothing was entered.",
  actions: ["install"],
};

/** The user has thought better of it. */
export const CANCELLED: Problem = {
  kind: "cancelled",
  message: "The installation of Midfill was cancelled. Nothing of it is left on the disk.",
  actions: ["install"],
};

/** What to enter, for those whose entry did not do. */
const FROM_A_CHECKOUT =
  "In midfill.server.package, name the folder of a Midfill checkout, or the wheel that `pip wheel --no-deps .` makes there.";

const DISK = /Permission denied|Read-only file system|No space left on device/i;
const NETWORK =
  /Temporary failure in name resolution|Failed to establish a new connection|Could not fetch URL|ConnectionError|ProxyError|Network is unreachable/i;

/** What the failure of `python -m venv` means. */
export function environmentProblem(ran: Ran, storage: string): Problem {
  const message = `Midfill could not be installed: making an environment failed: ${reasonOf(ran)}.`;
  return diskProblem(ran, storage) ?? { kind: "not-installed", message, actions: ["install", "log", "settings"] };
}

/**
 * What the failure of pip means.
 *
 * @param source what pip was to install.
 */
export function pipProblem(ran: Ran, storage: string, source: string): Problem {
  const output = outputOf(ran);
  const onDisk = diskProblem(ran, storage);
  if (onDisk) {
    return onDisk;
  }
  if (NETWORK.test(output)) {
    return {
      kind: "offline",
      message:
        `Midfill could not be installed from ${source}: pip cannot reach its package index, which has what Midfill needs. ` +
        "Connect this machine and try again, or name an index of your own in midfill.server.pipArguments.",
      actions: ["install", "settings", "log"],
    };
  }
  return notInstalled(source, reasonOf(ran));
}

/** What to say where a source does not do. */
export function notInstalled(source: string, why: string): Problem {
  return {
    kind: "not-installed",
    message: `Midfill could not be installed from ${source}: ${why}. ${FROM_A_CHECKOUT}`,
    actions: ["install", "settings", "log"],
  };
}

export function notWritable(storage: string, why: unknown): Problem {
  const reason = why instanceof Error ? ((why as NodeJS.ErrnoException).code ?? why.message) : String(why);
  return {
    kind: "not-writable",
    message: `Midfill cannot be installed into ${storage}: ${reason}. Make the folder writable, or install Midfill yourself and name it in midfill.server.command.`,
    actions: ["install", "settings", "log"],
  };
}

function diskProblem(ran: Ran, storage: string): Problem | undefined {
  const found = DISK.exec(outputOf(ran));
  return found ? notWritable(storage, found[0]) : undefined;
}

function reasonOf(ran: Ran): string {
  if (ran.timedOut) {
    return "it took too long";
  }
  const error = outputOf(ran).split(/\r?\n/).findLast((line) => /^ERROR/.test(line)) ?? lastLine(ran.stderr || ran.stdout);
  return error.replace(/^ERROR: */, "").slice(0, 200) || `exit status ${ran.code}`;
}

function outputOf(ran: Ran): string {
  return `${ran.stdout}\n${ran.stderr}`;
}
