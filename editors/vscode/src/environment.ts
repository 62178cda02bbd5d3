import { type ExtensionContext, type LogOutputChannel, ProgressLocation, window, workspace } from "vscode";
import { keepPackage, packageToInstall } from "./asking";
import { expanded, onPath } from "./core/finding";
import { NOTHING_ENTERED } from "./core/installation_problems";
import { PrivateEnvironment } from "./core/private_environment";
import type { Program } from "./core/probing";
import { type Problem, Trouble } from "./core/problem";
import { findPython } from "./core/python";

/** Finds Midfill, and installs it where there is none. */
export class Environment {
  private readonly own: PrivateEnvironment;
  private installing: Promise<Problem | undefined> | undefined;
  private running: Promise<unknown> | undefined;
  private cancelled = new AbortController();

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
    return (await this.own.isInstalled()) ? { file: this.own.program, origin: "private" } : undefined;
  }

  /** Install it with visible progress; why it is not there, if it is not. */
  async install(): Promise<Problem | undefined> {
    this.installing ??= this.asked().finally(() => {
      this.installing = undefined;
    });
    return await this.installing;
  }

  /** Stop an installation, and return when nothing of it is left. */
  async cancel(): Promise<void> {
    this.cancelled.abort();
    await this.running;
  }

  private async asked(): Promise<Problem | undefined> {
    const source = await packageToInstall();
    if (source === undefined) {
      return NOTHING_ENTERED;
    }
    const visible = this.visibly(source);
    this.running = visible;
    const problem = await visible;
    if (!problem) {
      await keepPackage().catch((error: unknown) => this.log.warn(`midfill.server.package was not set: ${error}`));
    }
    return problem;
  }

  private async visibly(source: string): Promise<Problem | undefined> {
    const options = { location: ProgressLocation.Notification, title: "Installing Midfill", cancellable: true };
    return await window.withProgress(options, async (progress, token) => {
      const cancelled = new AbortController();
      this.cancelled = cancelled;
      token.onCancellationRequested(() => cancelled.abort());
      try {
        progress.report({ message: "looking for Python" });
        const python = await findPython(this.settings.get("python", "").trim());
        this.log.info(`installing with Python ${python.version}, ${python.program}`);
        let step = "";
        await this.own.install({
          python,
          source,
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
        return undefined;
      } catch (error) {
        this.log.error(String(error));
        return error instanceof Trouble
          ? error.problem
          : { kind: "unknown", message: `Midfill could not be installed: ${error}.`, actions: ["log"] };
      }
    });
  }

  private get settings() {
    return workspace.getConfiguration("midfill.server");
  }
}
