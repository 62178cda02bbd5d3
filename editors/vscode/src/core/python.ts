/** A Python that Midfill can be installed with. */

import { expanded, onPath } from "./finding";
import { type Problem, Trouble } from "./problem";
import { lastLine, type Ran, run } from "./running";

export const OLDEST: readonly [number, number] = [3, 11];
const NEWEST_MINOR = 14;
const TIMEOUT = 20_000;
const QUESTION = "import sys; print('python', *sys.version_info[:2]); import venv, ensurepip";

export interface Python {
  readonly program: string;
  readonly version: string;
}

/** The names that a new enough Python may have, the best first. */
export function names(): string[] {
  const minors = Array.from({ length: NEWEST_MINOR - OLDEST[1] + 1 }, (_, n) => NEWEST_MINOR - n);
  return ["python3", "python", ...minors.map((minor) => `python3.${minor}`)];
}

/**
 * Look for one.
 *
 * @param wanted the one that the user has chosen; empty to look for one.
 * @throws Trouble if there is none that can be used.
 */
export async function findPython(wanted: string, path = process.env.PATH ?? ""): Promise<Python> {
  if (wanted) {
    const found = judged(expanded(wanted), await asked(expanded(wanted)));
    if ("problem" in found) {
      throw new Trouble(found.problem);
    }
    return found;
  }
  let nearest: Problem | undefined;
  for (const name of names()) {
    const program = await onPath(name, path);
    if (!program) {
      continue;
    }
    const found = judged(program, await asked(program));
    if ("program" in found) {
      return found;
    }
    // One without venv is nearer to what is needed than one that is too old.
    if (!nearest || found.problem.kind === "python-without-venv") {
      nearest = found.problem;
    }
  }
  throw new Trouble(nearest ?? noPython());
}

async function asked(program: string): Promise<Ran> {
  return await run(program, ["-I", "-c", QUESTION], { timeout: TIMEOUT });
}

/** What a Python's answer to the question says about it. */
export function judged(program: string, ran: Ran): Python | { problem: Problem } {
  const version = /^python (\d+) (\d+)/m.exec(ran.stdout);
  if (!version) {
    return { problem: ran.notStarted ? noPython(program) : brokenPython(program, ran) };
  }
  const [major, minor] = [Number(version[1]), Number(version[2])];
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    return { problem: oldPython(program, `${major}.${minor}`) };
  }
  return ran.code === 0 ? { program, version: `${major}.${minor}` } : { problem: withoutVenv(program, `${major}.${minor}`) };
}

const NEEDED = `Python ${OLDEST.join(".")} or newer`;

function noPython(program?: string): Problem {
  const where = program ? `There is no Python at ${program}` : "No Python was found";
  return {
    kind: "no-python",
    message: `Midfill needs ${NEEDED} to be installed. ${where}.`,
    actions: ["python", "settings"],
  };
}

function oldPython(program: string, version: string): Problem {
  return {
    kind: "old-python",
    message: `Midfill needs ${NEEDED}, and ${program} is ${version}. Name another one in midfill.server.python.`,
    actions: ["settings", "python"],
  };
}

function withoutVenv(program: string, version: string): Problem {
  return {
    kind: "python-without-venv",
    message:
      `${program} cannot make environments. On Debian and Ubuntu, run: sudo apt install python${version}-venv. ` +
      "Then try again.",
    actions: ["install", "settings"],
  };
}

function brokenPython(program: string, ran: Ran): Problem {
  const why = ran.timedOut ? "it does not answer" : lastLine(ran.stderr) || `exit status ${ran.code}`;
  return {
    kind: "broken-python",
    message: `${program} does not work: ${why}. Name another one in midfill.server.python.`,
    actions: ["settings", "log"],
  };
}
