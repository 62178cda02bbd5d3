/** What the status bar shows. */

/** How the server is, seen from here. */
export type ServerState = "untrusted" | "missing" | "installing" | "starting" | "running" | "restarting" | "failed" | "stopped";

/** The server's notification `midfill/status`. */
export interface EngineStatus {
  readonly state: "loading" | "ready" | "idle" | "failed" | "draining";
  readonly model: string;
  readonly detail: string;
  readonly fraction: number | null;
  readonly activity: "idle" | "thinking" | "paused";
}

export interface Seen {
  readonly server: ServerState;
  /** Why the server is not there. */
  readonly problem?: string | undefined;
  readonly engine?: EngineStatus | undefined;
  /** Whether suggestions are wanted in the document that is being edited. */
  readonly enabled: boolean;
}

export type Mood = "starting" | "ready" | "thinking" | "paused" | "off" | "error";

export interface View {
  readonly mood: Mood;
  readonly text: string;
  readonly tooltip: string;
  readonly severity: "none" | "warning" | "error";
}

const ICONS: Readonly<Record<Mood, string>> = {
  starting: "$(loading~spin)",
  ready: "$(sparkle)",
  thinking: "$(sync~spin)",
  paused: "$(debug-pause)",
  off: "$(circle-slash)",
  error: "$(warning)",
};

/** What to show for what is known. */
export function view(seen: Seen): View {
  const { mood, tooltip } = moodOf(seen);
  const severity = mood === "error" ? "error" : seen.server === "untrusted" ? "warning" : "none";
  return { mood, text: `${ICONS[mood]} Midfill`, tooltip: `Midfill: ${tooltip}`, severity };
}

function moodOf({ server, problem, engine, enabled }: Seen): { mood: Mood; tooltip: string } {
  switch (server) {
    case "untrusted":
      return { mood: "off", tooltip: "off until you trust this workspace" };
    case "missing":
      return { mood: "error", tooltip: problem ?? "not installed" };
    case "installing":
      return { mood: "starting", tooltip: "being installed" };
    case "starting":
      return { mood: "starting", tooltip: "starting" };
    case "restarting":
      return { mood: "starting", tooltip: "starting again" };
    case "failed":
      return { mood: "error", tooltip: problem ?? "it does not start" };
    case "stopped":
      return { mood: "off", tooltip: "stopped" };
    case "running":
      break;
  }
  if (!enabled) {
    return { mood: "off", tooltip: "switched off here (midfill.enabled)" };
  }
  if (!engine) {
    return { mood: "starting", tooltip: "starting the engine" };
  }
  if (engine.state === "failed") {
    return { mood: "error", tooltip: engine.detail || "the engine failed" };
  }
  if (engine.activity === "paused") {
    return { mood: "paused", tooltip: "paused" };
  }
  if (engine.state === "loading" || engine.state === "draining") {
    const part = engine.fraction === null ? "" : ` ${Math.round(100 * engine.fraction)} %`;
    return { mood: "starting", tooltip: `${engine.detail || "loading the model"}${part}` };
  }
  if (engine.activity === "thinking") {
    return { mood: "thinking", tooltip: `thinking (${engine.model})` };
  }
  const more = engine.state === "idle" ? "; the model is loaded when it is needed" : "";
  return { mood: "ready", tooltip: `ready (${engine.model})${more}` };
}

/** Read a notification; undefined if it is not one. */
export function engineStatus(params: unknown): EngineStatus | undefined {
  const given = params as Partial<EngineStatus> | null | undefined;
  if (typeof given?.state !== "string") {
    return undefined;
  }
  return {
    state: given.state,
    model: given.model ?? "",
    detail: given.detail ?? "",
    fraction: typeof given.fraction === "number" ? given.fraction : null,
    activity: given.activity ?? "idle",
  };
}
