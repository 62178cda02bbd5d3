/** What stands in the way of a running server, in words for the user. */

export type Action = "install" | "installAnew" | "restart" | "log" | "settings" | "trust" | "python" | "fetch";

export interface Problem {
  /** A short name, the same for all cases of a kind. */
  readonly kind: string;
  /** One sentence, or two: what is wrong, and what to do about it. */
  readonly message: string;
  /** What to offer, the likeliest first. */
  readonly actions: readonly Action[];
  /** The model that is missing, if that is the problem. */
  readonly model?: string;
}

export const TITLES: Readonly<Record<Action, string>> = {
  install: "Install Midfill",
  installAnew: "Install Anew",
  restart: "Restart",
  log: "Show Log",
  settings: "Open Settings",
  trust: "Manage Trust",
  python: "Get Python",
  fetch: "Fetch the Model",
};

/** Something that was not found or does not work. */
export class Trouble extends Error {
  constructor(readonly problem: Problem) {
    super(problem.message);
  }
}
