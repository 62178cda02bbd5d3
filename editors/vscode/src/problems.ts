import { commands, env, Uri, window } from "vscode";
import { type Action, type Problem, TITLES } from "./core/problem";

const PYTHON_DOWNLOADS = "https://www.python.org/downloads/";

/** Tell the user what is wrong, with buttons for what can be done. */
export async function tell(problem: Problem): Promise<void> {
  const titles = problem.actions.map((action) => TITLES[action]);
  const show = problem.kind === "cancelled" ? window.showInformationMessage : window.showErrorMessage;
  const chosen = await show(problem.message, ...titles);
  const action = problem.actions.find((one) => TITLES[one] === chosen);
  if (action) {
    await perform(action, problem);
  }
}

async function perform(action: Action, problem: Problem): Promise<void> {
  switch (action) {
    case "install":
    case "installAnew":
      return await commands.executeCommand("midfill.install");
    case "restart":
      return await commands.executeCommand("midfill.restart");
    case "log":
      return await commands.executeCommand("midfill.showLog");
    case "settings":
      return await commands.executeCommand("workbench.action.openSettings", "midfill.server");
    case "trust":
      return await commands.executeCommand("workbench.trust.manage");
    case "fetch":
      return await commands.executeCommand("midfill.fetchModel", problem.model);
    case "python":
      await env.openExternal(Uri.parse(PYTHON_DOWNLOADS));
  }
}
