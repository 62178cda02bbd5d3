/** Running other programs, with a time limit, and so that they can be stopped with their children. */

import { type ChildProcess, spawn } from "node:child_process";

export interface Ran {
  /** The exit status; null if it did not start, was stopped, or took too long. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The system's name of the error that kept it from starting, such as ENOENT. */
  readonly notStarted?: string;
  readonly timedOut: boolean;
}

export interface RunOptions {
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** Hears every line of both outputs. */
  readonly onLine?: (line: string) => void;
  readonly env?: NodeJS.ProcessEnv;
}

/** Run a program to its end. Never fails: what went wrong is in the result. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve) => {
    let child: ChildProcess;
    try {
      child = spawn(command, args, {
        stdio: ["ignore", "pipe", "pipe"],
        env: options.env ?? process.env,
        // In a group of its own it can be stopped together with its children.
        detached: process.platform !== "win32",
        windowsHide: true,
      });
    } catch (error) {
      resolve({ code: null, stdout: "", stderr: String(error), notStarted: codeOf(error), timedOut: false });
      return;
    }
    const outputs = { stdout: "", stderr: "" };
    let timedOut = false;
    const stop = () => killTree(child);
    const timer = options.timeout
      ? setTimeout(() => {
          timedOut = true;
          stop();
        }, options.timeout)
      : undefined;
    options.signal?.addEventListener("abort", stop, { once: true });
    if (options.signal?.aborted) {
      stop();
    }
    for (const name of ["stdout", "stderr"] as const) {
      const lines = new Lines(options.onLine);
      child[name]?.setEncoding("utf8");
      child[name]?.on("data", (text: string) => {
        outputs[name] += text;
        lines.take(text);
      });
      child[name]?.on("end", () => lines.end());
    }
    const done = (ran: Ran) => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", stop);
      resolve(ran);
    };
    child.on("error", (error) =>
      done({ code: null, stdout: "", stderr: error.message, notStarted: codeOf(error), timedOut }),
    );
    child.on("close", (code) => done({ code: timedOut ? null : code, ...outputs, timedOut }));
  });
}

/** End a process and what it has started. */
export function killTree(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null) {
    return;
  }
  try {
    if (process.platform === "win32") {
      spawn("taskkill", ["/pid", String(child.pid), "/T", "/F"], { windowsHide: true });
    } else {
      process.kill(-child.pid, "SIGKILL");
    }
  } catch {
    child.kill("SIGKILL");
  }
}

/** The last line of an output that says something. */
export function lastLine(output: string): string {
  return output.trim().split(/\r?\n/).pop()?.trim() ?? "";
}

function codeOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === "string" ? code : "UNKNOWN";
}

/** Cuts what comes in pieces into lines. */
class Lines {
  private rest = "";

  constructor(private readonly onLine: ((line: string) => void) | undefined) {}

  take(text: string): void {
    const lines = (this.rest + text).split(/\r\n|\n|\r/);
    this.rest = lines.pop() ?? "";
    for (const line of lines.filter((line) => line.trim())) {
      this.onLine?.(line);
    }
  }

  end(): void {
    if (this.rest.trim()) {
      this.onLine?.(this.rest);
    }
    this.rest = "";
  }
}
