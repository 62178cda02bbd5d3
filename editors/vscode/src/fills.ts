import {
  commands,
  type Disposable,
  type DecorationOptions,
  Range,
  type TextDocumentChangeEvent,
  ThemeColor,
  window,
  workspace,
} from "vscode";
import { WorkDoneProgressCancelNotification } from "vscode-languageclient/node";
import { covered, type Draft, draftIn, type Filling, fillingIn, type Range as PlainRange, shifted } from "./core/drafts";
import type { QuietClient } from "./quiet_client";

type Token = string | number;

interface Fill {
  readonly uri: string;
  /** Undefined where the text itself has changed meanwhile. */
  holes: (PlainRange | undefined)[];
  draft: Draft | undefined;
  /** The edit is still to come, if there is one. */
  ended: boolean;
}

/** What is being filled, shown in the text while it is denoised. */
export class Fills implements Disposable {
  private readonly fills = new Map<Token, Fill>();
  private drawn = false;
  private readonly disposables: Disposable[];
  /** Covers the text that is replaced; the draft stands in front of it. */
  private readonly cover = window.createTextEditorDecorationType({ textDecoration: "none; display: none" });
  private readonly around = window.createTextEditorDecorationType({
    backgroundColor: new ThemeColor("editor.inactiveSelectionBackground"),
    isWholeLine: true,
    overviewRulerColor: new ThemeColor("editorOverviewRuler.findMatchForeground"),
  });

  constructor(private readonly client: () => QuietClient | undefined) {
    this.disposables = [
      this.cover,
      this.around,
      workspace.onDidChangeTextDocument((event) => this.follow(event)),
      window.onDidChangeVisibleTextEditors(() => this.draw()),
    ];
  }

  /** A progress of the server's has changed. */
  heard(token: Token, value: { kind: string }): void {
    const begun = value.kind === "begin" ? fillingIn(value) : undefined;
    if (begun) {
      this.fills.set(token, begunFill(begun));
    }
    const fill = this.fills.get(token);
    if (!fill) {
      return;
    }
    if (value.kind === "end") {
      fill.ended = true;
      setTimeout(() => this.remove(token), EDIT_MILLISECONDS);
    }
    fill.draft = draftIn(value) ?? fill.draft;
    this.draw();
  }

  private remove(token: Token): void {
    if (this.fills.delete(token)) {
      this.draw();
    }
  }

  /** The server is gone. */
  clear(): void {
    this.fills.clear();
    this.draw();
  }

  /** Have the server stop. */
  async cancel(): Promise<void> {
    for (const [token, fill] of this.fills) {
      if (fill.ended) {
        continue;
      }
      await this.client()?.sendNotification(WorkDoneProgressCancelNotification.type, { token });
    }
  }

  dispose(): void {
    for (const one of this.disposables) {
      one.dispose();
    }
  }

  private follow(event: TextDocumentChangeEvent): void {
    const uri = event.document.uri.toString();
    for (const [token, fill] of this.fills) {
      if (!sameDocument(fill.uri, uri)) {
        continue;
      }
      if (fill.ended && event.contentChanges.length) {
        this.fills.delete(token); // this is the edit
      } else {
        for (const change of event.contentChanges) {
          fill.holes = fill.holes.map((hole) => hole && shifted(hole, change));
        }
      }
    }
    this.draw();
  }

  private draw(): void {
    if (!this.fills.size && !this.drawn) {
      return;
    }
    this.drawn = this.fills.size > 0;
    void commands.executeCommand("setContext", "midfill.filling", this.drawn);
    for (const editor of window.visibleTextEditors) {
      const uri = editor.document.uri.toString();
      const covers: DecorationOptions[] = [];
      const areas: Range[] = [];
      for (const fill of this.fills.values()) {
        if (sameDocument(fill.uri, uri)) {
          const hole = fill.holes[fill.draft?.hole ?? 0];
          if (hole) {
            areas.push(new Range(hole.start.line, 0, hole.end.line, 0));
            covers.push(...this.covers(fill.draft ?? NOTHING_YET, hole));
          }
        }
      }
      editor.setDecorations(this.around, areas);
      editor.setDecorations(this.cover, covers);
    }
  }

  private covers(draft: Draft, hole: PlainRange): DecorationOptions[] {
    return covered(draft, hole).map(({ line, start, end, settled, open }) => ({
      range: new Range(line, start, line, end ?? Number.MAX_SAFE_INTEGER),
      renderOptions: {
        before: { contentText: visible(settled), color: SETTLED },
        after: { contentText: visible(open), color: OPEN, fontStyle: "italic" },
      },
    }));
  }
}

/** So long the draft stays where no edit follows it. */
const EDIT_MILLISECONDS = 500;

const SETTLED = new ThemeColor("descriptionForeground");
const OPEN = new ThemeColor("editorGhostText.foreground");
const NOTHING_YET: Draft = { hole: 0, text: "", guess: "", masked: 8 };

function begunFill({ uri, holes }: Filling): Fill {
  return { uri, holes: [...holes], draft: undefined, ended: false };
}

/** URIs of the server and of the editor may be written in different ways. */
function sameDocument(left: string, right: string): boolean {
  return left === right || decodeURIComponent(left) === decodeURIComponent(right);
}

/** Blanks at the ends would not be drawn. */
function visible(text: string): string {
  return text.replace(/ /g, "\u00a0");
}
