import { setImmediate } from "node:timers/promises";
import { commands, type ExtensionContext, window, workspace } from "vscode";
import type { Middleware } from "vscode-languageclient/node";
import { registerCommands } from "./commands";
import { engineFailed, modelToFetch } from "./core/fetching";
import { forServer, NEED_RESTART } from "./core/settings";
import { Environment } from "./environment";
import { Fills } from "./fills";
import { Pages } from "./pages";
import { tell } from "./problems";
import { Server } from "./server";
import { StatusItem } from "./status_item";
import { sizeOfModel } from "./tool";

let running: { server: Server; environment: Environment } | undefined;

export async function activate(context: ExtensionContext): Promise<void> {
  const log = window.createOutputChannel("Midfill", { log: true });
  const environment = new Environment(context, log);
  const middleware: Middleware = {
    workspace: {
      configuration: async (params, token, next) => {
        const answer = await next(params, token);
        return Array.isArray(answer) ? answer.map(forServer) : answer;
      },
      didChangeConfiguration: async (sections, next) => {
        await setImmediate(); // whoever has to restart the server has heard of the change by then
        if (server.state === "running") {
          await next(sections);
        }
      },
    },
    handleWorkDoneProgress: (token, params, next) => {
      fills.heard(token, params);
      next(token, params);
    },
  };
  const server = new Server(environment, log, middleware, (problem) => void tell(problem));
  const fills = new Fills(() => server.client);
  const pages = new Pages();
  const status = new StatusItem(server);
  running = { server, environment };
  let failureTold: string | undefined;
  context.subscriptions.push(
    log,
    server,
    fills,
    pages,
    status,
    ...registerCommands({ environment, fills, log, pages, server, status }),
    server.onDidChange(() => {
      void commands.executeCommand("setContext", "midfill.running", server.state === "running");
      void commands.executeCommand("setContext", "midfill.paused", server.engine?.activity === "paused");
      if (server.state !== "running") {
        fills.clear();
      }
      const failure = server.engine?.state === "failed" ? server.engine.detail : undefined;
      if (failure !== undefined && failure !== failureTold) {
        void tellFailure(environment, failure);
      }
      failureTold = failure;
    }),
    workspace.onDidChangeConfiguration((event) => {
      if (workspace.isTrusted && NEED_RESTART.some((name) => event.affectsConfiguration(name))) {
        void server.restart();
      }
    }),
    workspace.onDidGrantWorkspaceTrust(() => void server.restart()),
  );
  if (!workspace.isTrusted) {
    server.become("untrusted");
    return;
  }
  void server.restart();
}

export async function deactivate(): Promise<void> {
  await Promise.all([running?.server.stop(), running?.environment.cancel()]);
}

async function tellFailure(environment: Environment, detail: string): Promise<void> {
  const model = modelToFetch(detail);
  const bytes = model === undefined ? undefined : await sizeOfModel(environment, model);
  await tell(engineFailed(detail, bytes));
}
