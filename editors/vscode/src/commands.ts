import { commands, type Disposable, type LogOutputChannel, type TextEditor, window, workspace } from "vscode";
import { entries } from "./core/menu";
import { choices } from "./core/models";
import type { Problem } from "./core/problem";
import { lastLine, run } from "./core/running";
import type { Environment } from "./environment";
import type { Fills } from "./fills";
import type { Pages } from "./pages";
import { tell } from "./problems";
import type { Server } from "./server";
import type { StatusItem } from "./status_item";

/** What the commands work on. */
export interface Parts {
  readonly environment: Environment;
  readonly fills: Fills;
  readonly log: LogOutputChannel;
  readonly pages: Pages;
  readonly server: Server;
  readonly status: StatusItem;
}

const TOOL_TIMEOUT = 60_000;
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
  const made: Readonly<Record<string, () => unknown>> = {
    "midfill.fillSelection": () => fillSelection(parts),
    "midfill.fillPlaceholders": () => fillPlaceholders(parts),
    "midfill.cancelFill": () => fills.cancel(),
    "midfill.whyNothing": () => whyNothing(parts),
    "midfill.openPrompt": () => openPrompt(parts),
    "midfill.pause": () => pause(parts),
    "midfill.goOn": () => served(parts, () => server.execute("midfill.resume")),
    "midfill.pickModel": () => pickModel(parts),
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

/** What one of Midfill's own commands prints. */
async function printed(parts: Parts, ...args: string[]): Promise<string> {
  const program = await parts.environment.find();
  if (!program) {
    throw new Error("Midfill is not installed");
  }
  const ran = await run(program.file, args, { timeout: TOOL_TIMEOUT });
  if (ran.code !== 0) {
    throw new Error(lastLine(ran.stderr) || `\`midfill ${args.join(" ")}\` did not work`);
  }
  return ran.stdout;
}

async function pickModel(parts: Parts): Promise<void> {
  await served(parts, async () => {
    const settings = workspace.getConfiguration("midfill");
    const listed = printed(parts, "model", "list", "--json").then((text) => choices(text, settings.get("model", "embedded")));
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
    await settings.update("model", chosen.name, true);
  });
}

/** A model has to be fetched first, in a terminal, as its licence may be asked about there. */
async function offerToPull(parts: Parts, name: string): Promise<boolean> {
  const [fetch, only] = ["Fetch It", "Only Set It"];
  const answer = await window.showInformationMessage(`${name} is not on this machine yet.`, { modal: true }, fetch, only);
  if (answer === fetch) {
    const program = await parts.environment.find();
    const terminal = window.createTerminal({ name: "Midfill", shellPath: program?.file ?? "midfill", shellArgs: ["model", "pull", name] });
    terminal.show();
  }
  return answer !== undefined;
}

async function showStatistics(parts: Parts): Promise<void> {
  try {
    await parts.pages.show("statistics.txt", await printed(parts, "stats"));
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
  await parts.environment.install();
  await parts.server.restart();
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
