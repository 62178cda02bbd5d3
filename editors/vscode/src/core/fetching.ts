/** A model that is not on this machine, and what its engine says of that. */

import { type Model, size } from "./models";
import type { Problem } from "./problem";

const COMMAND = /`midfill model pull ([^\s`]+)/;

/** The model that an engine's complaint says to fetch; undefined if it says no such thing. */
export function modelToFetch(detail: string): string | undefined {
  return COMMAND.exec(detail)?.[1];
}

/**
 * What to say of an engine that has failed; its own words say what to do about it.
 *
 * @param detail its words.
 * @param bytes how large the model is that they say to fetch, if that is known.
 */
export function engineFailed(detail: string, bytes?: number): Problem {
  const failed = `Midfill's engine has failed: ${detail || "it does not say why"}`;
  const model = modelToFetch(detail);
  if (model === undefined) {
    return { kind: "engine", message: sentence(failed), actions: ["restart", "log"] };
  }
  const large = bytes === undefined ? "" : `The model has ${size(bytes)}. `;
  return {
    kind: "no-model",
    message: `${sentence(failed)} ${large}"Fetch the Model" runs this command in a terminal.`,
    actions: ["fetch", "restart", "log"],
    model,
  };
}

/**
 * How large a model is.
 *
 * @param printed what `midfill model list --json` printed.
 * @throws SyntaxError if it is not that.
 */
export function bytesOf(printed: string, name: string): number | undefined {
  const { models } = JSON.parse(printed) as { models?: readonly Model[] };
  return models?.find((model) => model.name === name)?.bytes;
}

function sentence(text: string): string {
  return text.endsWith(".") ? text : `${text}.`;
}
