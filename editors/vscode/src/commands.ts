import { commands, type Disposable, type LogOutputChannel, type TextEditor, window, workspace } from "vscode";
import { entries } from "./core/menu";
import { choices } from "./core/models";
import type { Problem } from "./core/problem";
import type { Environment } from "./environment";
import type { Fills } from "./fills";
import type { Pages } from "./pages";
import { tell } from "./problems";
import type { Server } from "./server";
import type { StatusItem } from "./status_item";
import { fetchModel, printed } from "./tool";

/** What the commands work on. */
export interface Parts {
  readonly environment: Environment;
  readonly fills: Fills;
  readonly log: LogOutputChannel;
  readonly pages: Pages;
  readonly server: Server;
  readonly status: StatusItem;
}

const MINUTES = [5, 15, 30, 60, 240] as const;

/** Commands that VS Code has itself, under a name that can be found among ours. */
const EDITOR_COMMANDS: Readonly<Record<string, string>> = {
  "midfill.trigger": "editor.action.inlineSuggest.trigger",
  "midfill.acceptWord": "editor.action.inlineSuggest.acceptNextWord",
  "midfill.acceptLine": "editor.action.inlineSuggest.acceptNextLine",
  "midfill.nextCandidate": "editor.action.inlineSuggest.showNext",
  "midfill.previousCandidate": "editor.action.inlineSuggest.showPrevious",
};

/** Register all of them. */
export function registerCommands(parts: Parts): Disposable[] {
  const { fills, log, server } = parts;
  const made: Readonly<Record<string, (name?: string) => unknown>> = {
    "midfill.fillSelection": () => fillSelection(parts),
    "midfill.fillPlaceholders": () => fillPlaceholders(parts),
    "midfill.cancelFill": () => fills.cancel(),
    "midfill.whyNothing": () => whyNothing(parts),
    "midfill.openPrompt": () => openPrompt(parts),
    "midfill.pause": () => pause(parts),
    "midfill.goOn": () => served(parts, () => server.execute("midfill.resume")),
    "midfill.pickModel": () => pickModel(parts),
    "midfill.fetchModel": (name?: string) => fetchModel(parts.environment, name ?? modelSetting()),
    "midfill.restart": () => server.restart(),
    "midfill.install": () => install(parts),
    "midfill.showLog": () => log.show(),
    "midfill.showStatistics": () => showStatistics(parts),
    "midfill.openSettings": () => commands.executeCommand("workbench.action.openSettings", "@ext:midfill.midfill"),
    "midfill.switchOn": () => switchHere(true),
    "midfill.switchOff": () => switchHere(false),
    "midfill.menu": () => menu(parts),
  };
  const forwarded = Object.entries(EDITOR_COMMANDS).map(([ours, theirs]) =>
    commands.registerCommand(ours, () => commands.executeCommand(theirs)),
  );
  return [...forwarded, ...Object.entries(made).map(([name, work]) => commands.registerCommand(name, work))];
}

/** Do something that needs the server, or say why it is not there. */
async function served(parts: Parts, work: () => Promise<unknown>): Promise<void> {
  if (!parts.server.client) {
    const problem: Problem = parts.server.problem ?? {
      kind: "not-running",
      message: `${parts.status.view.tooltip}.`,
      actions: parts.server.state === "untrusted" ? ["trust"] : ["restart", "log"],
    };
    await tell(problem);
    return;
  }
  try {
    await work();
  } catch (error) {
    parts.log.error(String(error));
    await tell({ kind: "failed", message: `Midfill could not do this: ${messageOf(error)}.`, actions: ["log"] });
  }
}

function editor(): TextEditor | undefined {
  const active = window.activeTextEditor;
  if (!active) {
    void window.showInformationMessage("Open a file first.");
  }
  return active;
}

async function fillSelection(parts: Parts): Promise<void> {
  const active = editor();
  const selections = active?.selections.filter((one) => !one.isEmpty) ?? [];
  if (!active) {
    return;
  }
  if (!selections.length) {
    void window.showInformationMessage("Select what Midfill is to replace.");
    return;
  }
  const uri = active.document.uri.toString();
  // From the last to the first: no edit moves those that are still to come.
  const ranges = selections
    .sort((left, right) => right.start.compareTo(left.start))
    .map(({ start, end }) => ({
      start: { line: start.line, character: start.character },
      end: { line: end.line, character: end.character },
    }));
  await served(parts, async () => {
    for (const range of ranges) {
      await parts.server.execute("midfill.fillRange", uri, range);
    }
  });
}

async function fillPlaceholders(parts: Parts): Promise<void> {
  const active = editor();
  if (active) {
    await served(parts, () => parts.server.execute("midfill.fillHoles", active.document.uri.toString()));
  }
}

async function whyNothing(parts: Parts): Promise<void> {
  // The server shows its sentence itself.
  const uri = window.activeTextEditor?.document.uri.toString();
  await served(parts, () => parts.server.execute("midfill.explain", ...(uri ? [uri] : [])));
}

async function openPrompt(parts: Parts): Promise<void> {
  const active = editor();
  if (!active) {
    return;
  }
  const { line, character } = active.selection.active;
  await served(parts, async () => {
    const page = await parts.server.execute<string | null>("midfill.showPrompt", active.document.uri.toString(), {
      line,
      character,
    });
    if (page) {
      await parts.pages.show("prompt.md", page);
    }
  });
}

async function pause(parts: Parts): Promise<void> {
  const items = MINUTES.map((minutes) => ({ label: minutes < 60 ? `${minutes} minutes` : hours(minutes / 60), minutes }));
  const chosen = await window.showQuickPick(items, { placeHolder: "Suggest nothing unasked for" });
  if (chosen) {
    await served(parts, () => parts.server.execute("midfill.snooze", chosen.minutes));
  }
}

function hours(number: number): string {
  return number === 1 ? "1 hour" : `${number} hours`;
}

async function pickModel(parts: Parts): Promise<void> {
  await served(parts, async () => {
    const listed = printed(parts.environment, "model", "list", "--json").then((text) => choices(text, modelSetting()));
    const chosen = await window.showQuickPick(listed, {
      placeHolder: "The model that fills; the server is started anew with it",
      matchOnDescription: true,
      matchOnDetail: true,
    });
    if (!chosen) {
      return;
    }
    if (chosen.missing && !(await offerToPull(parts, chosen.name))) {
      return;
    }
    await workspace.getConfiguration("midfill").update("model", chosen.name, true);
  });
}

function modelSetting(): string {
  return workspace.getConfiguration("midfill").get("model", "embedded");
}

/** A model has to be fetched first; whether it is to be set. */
async function offerToPull(parts: Parts, name: string): Promise<boolean> {
  const [fetch, only] = ["Fetch It", "Only Set It"];
  const answer = await window.showInformationMessage(`${name} is not on this machine yet.`, { modal: true }, fetch, only);
  if (answer === fetch) {
    await fetchModel(parts.environment, name);
  }
  return answer !== undefined;
}

async function showStatistics(parts: Parts): Promise<void> {
  try {
    await parts.pages.show("statistics.txt", await printed(parts.environment, "stats"));
  } catch (error) {
    await tell({ kind: "failed", message: `Midfill has no statistics to show: ${messageOf(error)}.`, actions: ["log"] });
  }
}

async function install(parts: Parts): Promise<void> {
  if (!workspace.isTrusted) {
    await served(parts, async () => undefined);
    return;
  }
  await parts.server.stop();
  parts.server.become("installing");
  const problem = await parts.environment.install();
  if (problem) {
    void tell(problem);
  }
  if (problem && !(await parts.environment.find())) {
    parts.server.become("missing", problem);
  } else {
    await parts.server.restart();
  }
}

async function switchHere(on: boolean): Promise<void> {
  await workspace.getConfiguration("midfill").update("enabled", on, true);
}

async function menu(parts: Parts): Promise<void> {
  const { mood, tooltip } = parts.status.view;
  const chosen = await window.showQuickPick(entries(parts.server.state, mood), { placeHolder: tooltip });
  if (chosen) {
    await commands.executeCommand(chosen.command);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
