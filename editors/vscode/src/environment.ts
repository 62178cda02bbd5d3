import { type ExtensionContext, type LogOutputChannel, ProgressLocation, window, workspace } from "vscode";
import { expanded, onPath } from "./core/finding";
import { PrivateEnvironment } from "./core/private_environment";
import type { Program } from "./core/probing";
import { Trouble } from "./core/problem";
import { findPython } from "./core/python";
import { tell } from "./problems";

/** Finds Midfill, and installs it where there is none. */
export class Environment {
  private readonly own: PrivateEnvironment;
  private installing: Promise<boolean> | undefined;

  constructor(
    context: ExtensionContext,
    private readonly log: LogOutputChannel,
  ) {
    this.own = new PrivateEnvironment(context.globalStorageUri.fsPath);
  }

  /** The program to start: the user's own choice, else the one on PATH, else ours. */
  async find(): Promise<Program | undefined> {
    const chosen = this.settings.get("command", "").trim();
    if (chosen) {
      return { file: expanded(chosen), origin: "setting" };
    }
    const found = await onPath("midfill");
    if (found) {
      return { file: found, origin: "path" };
    }
    return (await this.own.isComplete()) ? { file: this.own.program, origin: "private" } : undefined;
  }

  /** Install it with visible progress; whether it is there now. */
  async install(): Promise<boolean> {
    this.installing ??= this.visibly().finally(() => {
      this.installing = undefined;
    });
    return await this.installing;
  }

  private async visibly(): Promise<boolean> {
    const options = { location: ProgressLocation.Notification, title: "Installing Midfill", cancellable: true };
    return await window.withProgress(options, async (progress, token) => {
      const cancelled = new AbortController();
      token.onCancellationRequested(() => cancelled.abort());
      try {
        progress.report({ message: "looking for Python" });
        const python = await findPython(this.settings.get("python", "").trim());
        this.log.info(`installing with Python ${python.version}, ${python.program}`);
        let step = "";
        await this.own.install({
          python,
          source: expanded(this.settings.get("package", "midfill").trim() || "midfill"),
          pipArguments: this.settings.get<string[]>("pipArguments", []),
          signal: cancelled.signal,
          onStep: (now) => {
            step = now;
            progress.report({ message: step });
          },
          onLine: (line) => {
            this.log.info(line);
            progress.report({ message: `${step}: ${line.trim().slice(0, 80)}` });
          },
        });
        this.log.info(`installed into ${this.own.folder}`);
        return true;
      } catch (error) {
        const problem = error instanceof Trouble ? error.problem : undefined;
        this.log.error(String(error));
        if (problem?.kind !== "cancelled") {
          void tell(problem ?? { kind: "unknown", message: `Midfill could not be installed: ${error}.`, actions: ["log"] });
        }
        return false;
      }
    });
  }

  private get settings() {
    return workspace.getConfiguration("midfill.server");
  }
}
