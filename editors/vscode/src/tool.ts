import { window } from "vscode";
import { bytesOf } from "./core/fetching";
import { MISSING } from "./core/installation_problems";
import { lastLine, run } from "./core/running";
import type { Environment } from "./environment";
import { tell } from "./problems";

const MILLISECONDS = 60_000;

/**
 * What one of Midfill's own commands prints.
 *
 * @throws Error if it is not installed, or fails.
 */
export async function printed(environment: Environment, ...args: string[]): Promise<string> {
  const program = await environment.find();
  if (!program) {
    throw new Error("Midfill is not installed");
  }
  const ran = await run(program.file, args, { timeout: MILLISECONDS });
  if (ran.code !== 0) {
    throw new Error(lastLine(ran.stderr) || `\`midfill ${args.join(" ")}\` did not work`);
  }
  return ran.stdout;
}

/** How large a model is, in bytes; undefined if Midfill does not know. */
export async function sizeOfModel(environment: Environment, name: string): Promise<number | undefined> {
  try {
    return bytesOf(await printed(environment, "model", "list", "--json"), name);
  } catch {
    return undefined; // said without its size
  }
}

/** Fetch a model in a terminal, as its licence may be asked about there. */
export async function fetchModel(environment: Environment, name: string): Promise<void> {
  const program = await environment.find();
  if (!program) {
    return await tell(MISSING);
  }
  window.createTerminal({ name: "Midfill", shellPath: program.file, shellArgs: ["model", "pull", name] }).show();
}
