/** The menu of the status bar item. */

import type { Mood, ServerState } from "./status";

export interface Entry {
  readonly label: string;
  readonly command: string;
  readonly description?: string;
}

const RUNNING: readonly Entry[] = [
  { label: "$(question) Why is there no suggestion?", command: "midfill.whyNothing" },
  { label: "$(wand) Fill all placeholders of this file", command: "midfill.fillPlaceholders" },
  { label: "$(eye) Show what the model was given", command: "midfill.openPrompt" },
  { label: "$(graph) Statistics", command: "midfill.showStatistics" },
  { label: "$(server-environment) Pick a model", command: "midfill.pickModel" },
];

const ALWAYS: readonly Entry[] = [
  { label: "$(debug-restart) Restart", command: "midfill.restart" },
  { label: "$(output) Show log", command: "midfill.showLog" },
  { label: "$(gear) Settings", command: "midfill.openSettings" },
];

const INSTALL: Entry = { label: "$(cloud-download) Install Midfill", command: "midfill.install" };
const TRUST: Entry = { label: "$(workspace-trusted) Manage workspace trust", command: "workbench.trust.manage" };
const PAUSE: Entry = { label: "$(debug-pause) Pause suggestions", command: "midfill.pause" };
const RESUME: Entry = { label: "$(debug-continue) Resume suggestions", command: "midfill.goOn" };
const SWITCH_ON: Entry = { label: "$(circle-large-filled) Switch on", command: "midfill.switchOn" };
const SWITCH_OFF: Entry = { label: "$(circle-slash) Switch off", command: "midfill.switchOff" };

/** What can be done as things are. */
export function entries(server: ServerState, mood: Mood): Entry[] {
  switch (server) {
    case "untrusted":
      return [TRUST, ...ALWAYS.slice(1)];
    case "missing":
      return [INSTALL, ...ALWAYS];
    case "running":
      break;
    default:
      return [...ALWAYS];
  }
  if (mood === "off") {
    return [SWITCH_ON, ...RUNNING.slice(3), ...ALWAYS];
  }
  return [mood === "paused" ? RESUME : PAUSE, ...RUNNING, SWITCH_OFF, ...ALWAYS];
}
