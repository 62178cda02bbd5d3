/** A draft of what is being filled, laid over the lines of its range. */

export interface Position {
  readonly line: number;
  readonly character: number;
}

export interface Range {
  readonly start: Position;
  readonly end: Position;
}

/** What the server says when it begins to fill. */
export interface Filling {
  readonly uri: string;
  /** What is filled, in order, in the document as it is then. */
  readonly holes: readonly Range[];
}

/** What the server reports after each step of denoising. */
export interface Draft {
  /** Which hole, from 0. */
  readonly hole: number;
  /** What is settled. */
  readonly text: string;
  /** What the slots behind it guess; the next step verifies it. */
  readonly guess: string;
  /** How many slots behind that are still masked. */
  readonly masked: number;
}

/** One line of the range: what covers it. */
export interface CoveredLine {
  readonly line: number;
  readonly start: number;
  /** Undefined: to the line's end. */
  readonly end: number | undefined;
  readonly settled: string;
  readonly open: string;
}

export const MASK = "░";
export const BREAK = "⏎ ";
const MOST_MASKS = 24;

/** What a progress that begins is about; undefined if it is not a fill. */
export function fillingIn(begin: unknown): Filling | undefined {
  const fill = (begin as { fill?: Partial<Filling> } | null | undefined)?.fill;
  return typeof fill?.uri === "string" && Array.isArray(fill.holes) ? { uri: fill.uri, holes: fill.holes } : undefined;
}

/** A draft in a progress report; undefined if there is none. */
export function draftIn(report: unknown): Draft | undefined {
  const draft = (report as { draft?: Partial<Draft> } | null | undefined)?.draft;
  if (typeof draft?.text !== "string") {
    return undefined;
  }
  return { hole: draft.hole ?? 0, text: draft.text, guess: draft.guess ?? "", masked: draft.masked ?? 0 };
}

/**
 * The draft, a line of it over each line of the range.
 *
 * Where it has more lines than the range, the last line shows the others behind a mark; an editor
 * cannot show lines that are not there.
 */
export function covered(draft: Draft, range: Range): CoveredLine[] {
  const masks = MASK.repeat(Math.min(draft.masked, MOST_MASKS));
  const settled = draft.text.split(/\r\n|\n|\r/);
  const open = (draft.guess + masks).split(/\r\n|\n|\r/);
  // The line in which the settled text ends goes on with the open one.
  const parts = settled.map((text) => ({ settled: text, open: "" }));
  const [first, ...others] = open;
  parts[parts.length - 1] = { settled: settled[settled.length - 1] ?? "", open: first ?? "" };
  parts.push(...others.map((text) => ({ settled: "", open: text })));
  const height = range.end.line - range.start.line + 1;
  const shown = parts.slice(0, height);
  const rest = parts.slice(height);
  const last = shown[shown.length - 1];
  if (last) {
    shown[shown.length - 1] = joined([last, ...rest]);
  }
  return Array.from({ length: height }, (_, n) => ({
    line: range.start.line + n,
    start: n === 0 ? range.start.character : 0,
    end: n === height - 1 ? range.end.character : undefined,
    settled: shown[n]?.settled ?? "",
    open: shown[n]?.open ?? "",
  }));
}

function joined(parts: readonly { settled: string; open: string }[]): { settled: string; open: string } {
  let settled = "";
  let open = "";
  parts.forEach((part, n) => {
    const mark = n ? BREAK : "";
    const text = n ? part.settled.trimStart() : part.settled;
    if (open || (!part.settled && part.open)) {
      open += mark + text + (n && !text ? part.open.trimStart() : part.open);
    } else {
      settled += mark + text;
      open += part.open;
    }
  });
  return { settled, open };
}

/** Where a range is after a change; undefined if the change is in it. */
export function shifted(range: Range, change: { range: Range; text: string }): Range | undefined {
  if (!before(change.range.end, range.start)) {
    return before(range.end, change.range.start) ? range : undefined;
  }
  const lines = change.text.split(/\r\n|\n|\r/);
  const added = lines.length - 1 - (change.range.end.line - change.range.start.line);
  const move = (place: Position): Position => {
    if (place.line !== change.range.end.line) {
      return { line: place.line + added, character: place.character };
    }
    const from = lines.length === 1 ? change.range.start.character : 0;
    const last = lines[lines.length - 1] ?? "";
    return { line: place.line + added, character: place.character - change.range.end.character + from + last.length };
  };
  return { start: move(range.start), end: move(range.end) };
}

function before(left: Position, right: Position): boolean {
  return left.line < right.line || (left.line === right.line && left.character <= right.character);
}
