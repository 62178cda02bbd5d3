import assert from "node:assert/strict";
import { test } from "node:test";
import { BREAK, covered, draftIn, fillingIn, MASK, type Range, shifted } from "../src/core/drafts";

function range(line: number, character: number, endLine: number, endCharacter: number): Range {
  return { start: { line, character }, end: { line: endLine, character: endCharacter } };
}

function draft(text: string, guess = "", masked = 0) {
  return { hole: 0, text, guess, masked };
}

test("a draft of one line covers its range: settled text, guesses, masked slots", () => {
  assert.deepEqual(covered(draft("self.", "width *", 2), range(3, 4, 3, 9)), [
    { line: 3, start: 4, end: 9, settled: "self.", open: `width *${MASK}${MASK}` },
  ]);
});

test("every line of a draft covers a line of the range", () => {
  const lines = covered(draft("a = 1\n    b =", " 2\n    c", 1), range(0, 4, 3, 7));
  assert.deepEqual(
    lines.map(({ line, settled, open }) => [line, settled, open]),
    [
      [0, "a = 1", ""],
      [1, "    b =", " 2"],
      [2, "", `    c${MASK}`],
      [3, "", ""],
    ],
  );
  assert.deepEqual(
    lines.map(({ start, end }) => [start, end]),
    [
      [4, undefined],
      [0, undefined],
      [0, undefined],
      [0, 7],
    ],
  );
});

test("lines for which there is no room stand behind a mark on the last one", () => {
  const [only] = covered(draft("if x:\n    return", " 1\n    y", 0), range(0, 4, 0, 7));
  assert.equal(only?.settled, `if x:${BREAK}return`);
  assert.equal(only?.open, ` 1${BREAK}y`);
});

test("text that is guessed stays behind text that is settled", () => {
  const [only] = covered(draft("", "x\ny", 0), range(0, 0, 0, 1));
  assert.equal(only?.settled, "");
  assert.equal(only?.open, `x${BREAK}y`);
});

test("never more masks than fit on a line", () => {
  const [only] = covered(draft("", "", 1000), range(0, 0, 0, 0));
  assert.ok((only?.open.length ?? 0) < 40);
});

test("a range moves with text that changes before it, and is given up where it is changed itself", () => {
  const where = range(5, 4, 6, 8);
  const change = (changed: Range, text: string) => shifted(where, { range: changed, text });
  assert.deepEqual(change(range(0, 0, 0, 0), "a\nb\n"), range(7, 4, 8, 8));
  assert.deepEqual(change(range(1, 0, 3, 0), ""), range(3, 4, 4, 8));
  assert.deepEqual(change(range(5, 0, 5, 2), "abc"), range(5, 5, 6, 8));
  assert.deepEqual(change(range(4, 3, 5, 4), ""), range(4, 3, 5, 8));
  assert.deepEqual(change(range(7, 0, 7, 1), "x"), where);
  assert.equal(change(range(5, 6, 5, 7), "x"), undefined);
});

test("reports that are not about a fill are left alone", () => {
  assert.equal(draftIn({ kind: "report", message: "loading" }), undefined);
  assert.equal(draftIn(undefined), undefined);
  assert.equal(fillingIn({ kind: "begin", title: "Midfill" }), undefined);
  const holes = [range(0, 0, 0, 3)];
  assert.deepEqual(fillingIn({ kind: "begin", fill: { uri: "file:///a.py", holes } }), { uri: "file:///a.py", holes });
});
