/** What is wrong with a Midfill that does not start. */

import type { Problem } from "./problem";
import { lastLine, type Ran, run } from "./running";

/** The oldest Midfill that this extension knows how to talk to. */
export const OLDEST_MIDFILL = "0.1.0";
const TIMEOUT = 20_000;

/** How the program was found: its environment is the user's business, or ours. */
export type Origin = "setting" | "path" | "private";

export interface Program {
  readonly file: string;
  readonly origin: Origin;
}

const LEADS_TO: Readonly<Record<Origin, string>> = {
  setting: "midfill.server.command names",
  path: "Midfill was",
  private: "The environment that this extension has made is broken: Midfill was",
};

/** Ask a program for its version; undefined if all is well with it. */
export async function probe(program: Program): Promise<Problem | undefined> {
  return judgedVersion(program, await run(program.file, ["--version"], { timeout: TIMEOUT }));
}

/** What the outcome of `--version` says. */
export function judgedVersion(program: Program, ran: Ran): Problem | undefined {
  if (ran.notStarted === "ENOENT") {
    return problem(program, "missing", `${LEADS_TO[program.origin]} ${program.file}, which is not there any more or has lost its Python.`);
  }
  if (ran.notStarted) {
    return problem(program, "denied", `${program.file} cannot be run (${ran.notStarted}). Check its permissions.`);
  }
  if (ran.timedOut) {
    return problem(program, "slow", `${program.file} does not answer within ${TIMEOUT / 1000} seconds.`);
  }
  if (ran.code !== 0) {
    const why = lastLine(ran.stderr) || lastLine(ran.stdout) || `it ended with status ${ran.code}`;
    return problem(program, "broken", `Midfill's environment is broken: ${shortened(why)} (${program.file})`);
  }
  const version = /^midfill (\S+)/m.exec(ran.stdout)?.[1];
  if (!version) {
    return problem(program, "foreign", `${program.file} is not Midfill: it calls itself ${JSON.stringify(shortened(lastLine(ran.stdout)))}.`);
  }
  return oldVersion(program, version);
}

/** What to say of a version that is too old; undefined if it is not. */
export function oldVersion(program: Program, version: string): Problem | undefined {
  return isOlder(version, OLDEST_MIDFILL)
    ? problem(program, "old", `${program.file} is Midfill ${version}; this extension needs ${OLDEST_MIDFILL} or newer.`)
    : undefined;
}

/** Whether a version stands before another, by their numbers. */
export function isOlder(version: string, than: string): boolean {
  const [left, right] = [version, than].map((one) => one.split(/[.+-]/, 3).map((part) => Number.parseInt(part, 10) || 0));
  for (let place = 0; place < 3; place++) {
    const difference = (left?.[place] ?? 0) - (right?.[place] ?? 0);
    if (difference) {
      return difference < 0;
    }
  }
  return false;
}

function problem(program: Program, kind: string, message: string): Problem {
  const repair = program.origin === "private" ? "installAnew" : program.origin === "setting" ? "settings" : "install";
  return { kind, message, actions: [repair, "restart", "log"] };
}

function shortened(text: string): string {
  return text.length > 160 ? `${text.slice(0, 160)}…` : text;
}
