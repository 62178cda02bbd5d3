/** An environment of the extension's own, in a folder that nobody else writes to. */

import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isProgram, programOf } from "./finding";
import { CANCELLED, environmentProblem, notInstalled, notWritable, pipProblem } from "./installation_problems";
import { type Problem, Trouble } from "./problem";
import type { Python } from "./python";
import { type Ran, run } from "./running";

const NOTHING_HAPPENS = 10 * 60_000;

export interface Installation {
  readonly python: Python;
  /** What pip is to install: a folder, a wheel or a requirement. */
  readonly source: string;
  /** More arguments for pip. */
  readonly pipArguments: readonly string[];
  readonly signal: AbortSignal;
  /** Hears what is going on. */
  readonly onStep: (step: string) => void;
  /** Hears every line that the tools print. */
  readonly onLine: (line: string) => void;
}

export class PrivateEnvironment {
  readonly folder: string;
  readonly program: string;
  private readonly mark: string;
  private readonly lock: string;

  /** @param storage the extension's folder. */
  constructor(readonly storage: string) {
    this.folder = join(storage, "environment");
    this.program = programOf(this.folder, "midfill");
    this.mark = join(this.folder, "midfill-installed");
    this.lock = join(storage, "installing");
  }

  /** Whether it was installed to the end, though something may have been taken out of it since. */
  async isInstalled(): Promise<boolean> {
    try {
      await readFile(this.mark);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Make it, in place of what is there.
   *
   * @throws Trouble if it cannot be made; nothing half-made is left then.
   */
  async install(wanted: Installation): Promise<void> {
    await this.locked(async () => {
      try {
        await this.remove();
        wanted.onStep("making an environment");
        const made = await run(wanted.python.program, ["-m", "venv", this.folder], this.options(wanted));
        this.check(made, wanted, environmentProblem);
        wanted.onStep("installing");
        const pip = ["-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"];
        const arguments_ = [...pip, ...wanted.pipArguments, wanted.source];
        const installed = await run(programOf(this.folder, "python"), arguments_, this.options(wanted));
        this.check(installed, wanted, (ran, storage) => pipProblem(ran, storage, wanted.source));
        if (!(await isProgram(this.program))) {
          throw new Trouble(notInstalled(wanted.source, "it brings no program called midfill"));
        }
        await writeFile(this.mark, `${wanted.source}\n`);
      } catch (error) {
        await this.remove().catch(() => undefined);
        throw error instanceof Trouble ? error : new Trouble(notWritable(this.storage, error));
      }
    });
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  private options(wanted: Installation) {
    return { signal: wanted.signal, onLine: wanted.onLine, timeout: NOTHING_HAPPENS, env: cleanEnvironment() };
  }

  private check(ran: Ran, wanted: Installation, problemOf: (ran: Ran, storage: string) => Problem): void {
    if (wanted.signal.aborted) {
      throw new Trouble(CANCELLED);
    }
    if (ran.code !== 0) {
      throw new Trouble(problemOf(ran, this.storage));
    }
  }

  /** Another window may be at it. */
  private async locked(work: () => Promise<void>): Promise<void> {
    try {
      await mkdir(this.storage, { recursive: true });
    } catch (error) {
      throw new Trouble(notWritable(this.storage, error));
    }
    try {
      if (await this.isOrphaned()) {
        await rm(this.lock, { force: true });
      }
      const handle = await open(this.lock, "wx");
      await handle.writeFile(String(process.pid));
      await handle.close();
    } catch (error) {
      const busy = (error as NodeJS.ErrnoException).code === "EEXIST";
      throw new Trouble(busy ? BUSY : notWritable(this.storage, error));
    }
    try {
      await work();
    } finally {
      await rm(this.lock, { force: true });
    }
  }

  private async isOrphaned(): Promise<boolean> {
    try {
      process.kill(Number(await readFile(this.lock, "utf8")), 0);
      return false;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "ESRCH";
    }
  }
}

/** Variables that would lead Python or pip out of the environment are left out. */
export function cleanEnvironment(variables: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const { PYTHONHOME: _home, PYTHONPATH: _path, PIP_TARGET: _target, PIP_USER: _user, PIP_PREFIX: _prefix, ...others } = variables;
  return others;
}

const BUSY: Problem = {
  kind: "busy",
  message: "Another window is installing Midfill. Wait for it, then restart Midfill here.",
  actions: ["restart"],
};
