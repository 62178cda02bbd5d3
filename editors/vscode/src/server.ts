import { type ChildProcess, spawn } from "node:child_process";
import { type Disposable, EventEmitter, type LogOutputChannel } from "vscode";
import {
  CloseAction,
  ErrorAction,
  ExecuteCommandRequest,
  type LanguageClientOptions,
  type LSPAny,
  type Middleware,
  ResponseError,
  RevealOutputChannelOn,
} from "vscode-languageclient/node";
import { CrashLimit, MOST_CRASHES, WITHIN_MILLISECONDS } from "./core/crash_limit";
import { MISSING } from "./core/installation_problems";
import { oldVersion, type Program, probe } from "./core/probing";
import type { Problem } from "./core/problem";
import { type EngineStatus, engineStatus, type ServerState } from "./core/status";
import type { Environment } from "./environment";
import { QuietClient } from "./quiet_client";

const START_SECONDS = 60;
const STOP_MILLISECONDS = 2000;
const EXIT_MILLISECONDS = 500;

/** The server's process and the connection to it, started again when it ends by itself. */
export class Server implements Disposable {
  private readonly changes = new EventEmitter<void>();
  /** The server or its engine is not as it was. */
  readonly onDidChange = this.changes.event;
  state: ServerState = "stopped";
  engine: EngineStatus | undefined;
  problem: Problem | undefined;

  private readonly crashes = new CrashLimit();
  private life: Life | undefined;
  private timer: NodeJS.Timeout | undefined;
  private work: Promise<void> = Promise.resolve();

  constructor(
    private readonly environment: Environment,
    private readonly log: LogOutputChannel,
    private readonly middleware: Middleware,
    private readonly tell: (problem: Problem) => void,
  ) {}

  /** The connection, if there is one. */
  get client(): QuietClient | undefined {
    return this.state === "running" ? this.life?.client : undefined;
  }

  /** Start it, or start it anew; what the user asks for is always tried. */
  async restart(): Promise<void> {
    this.crashes.forget();
    this.become("starting");
    await this.one(async () => {
      await this.end();
      await this.begin("starting");
    });
  }

  async stop(): Promise<void> {
    await this.one(async () => {
      await this.end();
      this.become("stopped");
    });
  }

  /** Nothing is to be started here for now. */
  become(state: ServerState, problem?: Problem): void {
    this.state = state;
    this.problem = problem;
    if (state !== "running") {
      this.engine = undefined;
    }
    this.changes.fire();
  }

  /**
   * Have the server do something.
   *
   * @throws Error if it is not there, or refuses.
   */
  async execute<T>(command: string, ...args: LSPAny[]): Promise<T> {
    if (!this.client) {
      throw new Error("the server is not running");
    }
    return (await this.client.sendRequest(ExecuteCommandRequest.type, { command, arguments: args })) as T;
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.changes.dispose();
  }

  /** One after the other, whatever comes in between. */
  private one(work: () => Promise<void>): Promise<void> {
    this.work = this.work.then(work, work);
    return this.work;
  }

  private async begin(state: ServerState): Promise<void> {
    this.become(state);
    const program = await this.environment.find();
    if (!program) {
      this.become("missing", MISSING);
      this.tell(MISSING);
      return;
    }
    this.log.info(`starting ${program.file}`);
    const life = new Life(program, this.log, this.middleware, (engine) => {
      if (life === this.life) {
        this.engine = engine;
        this.changes.fire();
      }
    });
    this.life = life;
    void life.gone.then((why) => this.one(() => this.lost(life, why)));
    const version = await life.start();
    if (version === undefined || life !== this.life) {
      return; // `lost` says more
    }
    const old = oldVersion(program, version);
    if (old) {
      await this.end();
      this.become("failed", old);
      this.tell(old);
      return;
    }
    this.log.info(`Midfill ${version} is running`);
    this.become("running");
  }

  /** The server has ended by itself. */
  private async lost(life: Life, why: string): Promise<void> {
    if (life !== this.life) {
      return;
    }
    this.log.error(`the server has ended: ${why}`);
    await this.end();
    const problem = life.hasRun ? undefined : await probe(life.program);
    if (problem) {
      this.become("failed", problem);
      this.tell(problem);
      return;
    }
    const delay = this.crashes.crashed(Date.now());
    if (delay === undefined) {
      const given = givenUp(why);
      this.log.error(given.message);
      this.become("failed", given);
      this.tell(given);
      return;
    }
    this.become("restarting");
    this.timer = setTimeout(() => void this.one(() => this.begin("restarting")), delay);
  }

  private async end(): Promise<void> {
    clearTimeout(this.timer);
    const life = this.life;
    this.life = undefined;
    await life?.end();
  }
}

function givenUp(why: string): Problem {
  const minutes = WITHIN_MILLISECONDS / 60_000;
  return {
    kind: "crashing",
    message: `The Midfill server has ended ${MOST_CRASHES} times within ${minutes} minutes and is not started again (${why}).`,
    actions: ["restart", "log"],
  };
}

/** One process, from its start to its end. */
class Life {
  readonly client: QuietClient;
  /** Resolves when it has ended, or has to be given up, with the reason. */
  readonly gone: Promise<string>;
  /** Whether it has ever answered. */
  hasRun = false;
  private child: ChildProcess | undefined;
  private leave: (why: string) => void = () => undefined;

  constructor(
    readonly program: Program,
    log: LogOutputChannel,
    middleware: Middleware,
    onStatus: (status: EngineStatus) => void,
  ) {
    this.gone = new Promise((resolve) => {
      this.leave = resolve;
    });
    const options: LanguageClientOptions = {
      documentSelector: [{ scheme: "file" }, { scheme: "untitled" }, { scheme: "vscode-notebook-cell" }],
      outputChannel: log,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      middleware,
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => {
          this.leaveSoon("it closed the connection");
          return { action: CloseAction.DoNotRestart, handled: true };
        },
      },
    };
    this.client = new QuietClient(async () => this.spawn(), options);
    this.client.onNotification("midfill/status", (params: unknown) => {
      const status = engineStatus(params);
      if (status) {
        onStatus(status);
      }
    });
  }

  /** The server's version; undefined if it did not start. */
  async start(): Promise<string | undefined> {
    const late = setTimeout(() => {
      this.leave(`it did not answer within ${START_SECONDS} seconds`);
      this.child?.kill("SIGKILL");
    }, 1000 * START_SECONDS);
    try {
      await this.client.start();
      const result = this.client.initializeResult;
      if (!result) {
        this.leaveSoon("it closed the connection at once");
        return undefined;
      }
      this.hasRun = true;
      return result.serverInfo?.version ?? "";
    } catch (error) {
      this.leaveSoon(error instanceof ResponseError ? error.message : String(error));
      return undefined;
    } finally {
      clearTimeout(late);
    }
  }

  async end(): Promise<void> {
    const child = this.child;
    try {
      await this.client.dispose(STOP_MILLISECONDS);
    } catch {
      // It may have ended already, or never begun.
    }
    if (child && child.exitCode === null && child.signalCode === null) {
      setTimeout(() => child.kill("SIGKILL"), STOP_MILLISECONDS).unref();
    }
  }

  /** What the process itself says of its end is a better reason, and may come a moment later. */
  private leaveSoon(why: string): void {
    setTimeout(() => this.leave(why), EXIT_MILLISECONDS);
  }

  private spawn(): Promise<ChildProcess> {
    return new Promise((resolve, reject) => {
      const child = spawn(this.program.file, ["lsp"], { stdio: "pipe", windowsHide: true });
      this.child = child;
      child.stdin.on("error", () => undefined); // a process that is gone takes nothing more
      child.once("spawn", () => resolve(child));
      child.once("error", (error) => {
        this.leave(error.message);
        reject(error);
      });
      child.once("exit", (code, signal) => this.leave(signal ? `ended by ${signal}` : `exit status ${code}`));
    });
  }
}
