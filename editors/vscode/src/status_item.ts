import { type Disposable, StatusBarAlignment, ThemeColor, window, workspace } from "vscode";
import { enabledIn } from "./core/settings";
import { type View, view } from "./core/status";
import type { Server } from "./server";

/** The item in the status bar. */
export class StatusItem implements Disposable {
  private readonly item = window.createStatusBarItem("midfill.status", StatusBarAlignment.Right, 100);
  private readonly disposables: Disposable[];

  constructor(private readonly server: Server) {
    this.item.name = "Midfill";
    this.item.command = "midfill.menu";
    this.disposables = [
      this.item,
      server.onDidChange(() => this.draw()),
      window.onDidChangeActiveTextEditor(() => this.draw()),
      workspace.onDidChangeConfiguration((event) => event.affectsConfiguration("midfill") && this.draw()),
    ];
    this.draw();
    this.item.show();
  }

  /** What it shows now. */
  get view(): View {
    const document = window.activeTextEditor?.document;
    const settings = workspace.getConfiguration("midfill", document);
    const enabled = enabledIn(document?.languageId, settings.get("enabled", true), settings.get("languages"));
    const { state, problem, engine } = this.server;
    return view({ server: state, problem: problem?.message, engine, enabled });
  }

  dispose(): void {
    for (const one of this.disposables) {
      one.dispose();
    }
  }

  private draw(): void {
    const { text, tooltip, severity } = this.view;
    this.item.text = text;
    this.item.tooltip = tooltip;
    this.item.accessibilityInformation = { label: tooltip, role: "button" };
    this.item.backgroundColor = severity === "none" ? undefined : new ThemeColor(`statusBarItem.${severity}Background`);
  }
}
