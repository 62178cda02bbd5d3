/** The models that can be chosen. */

export interface Model {
  readonly name: string;
  readonly state: string;
  readonly bytes: number;
  readonly licence: string;
  readonly description: string;
  /** By the name of a memory, in which weights the model fits into it. */
  readonly fits: Readonly<Record<string, string | null>>;
}

export interface Choice {
  readonly name: string;
  readonly label: string;
  readonly description: string;
  readonly detail: string;
  /** Whether it has to be fetched first. */
  readonly missing: boolean;
}

/**
 * What `midfill model list --json` printed, as a list to choose from: what is here first.
 *
 * @throws SyntaxError if it is not that.
 */
export function choices(printed: string, current: string): Choice[] {
  const { models } = JSON.parse(printed) as { models?: readonly Model[] };
  if (!Array.isArray(models)) {
    throw new SyntaxError("there is no list of models in it");
  }
  const made = (models as readonly Model[]).map((model) => choice(model, current));
  const rest = made.some((one) => one.name === current) ? [] : [unknownChoice(current)];
  return [...rest, ...made].sort((left, right) => Number(left.missing) - Number(right.missing));
}

function choice(model: Model, current: string): Choice {
  const missing = model.state !== "ready";
  const fits = Object.values(model.fits).some((weights) => weights !== null);
  const facts = [missing ? `${size(model.bytes)} to fetch` : "here", model.licence, fits ? "" : "does not fit this machine"];
  return {
    name: model.name,
    label: `${model.name === current ? "$(check) " : ""}${model.name}`,
    description: facts.filter(Boolean).join(" · "),
    detail: model.description,
    missing,
  };
}

function unknownChoice(name: string): Choice {
  return { name, label: `$(check) ${name}`, description: "set by you", detail: "", missing: false };
}

/** Bytes as people read them. */
export function size(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
}
