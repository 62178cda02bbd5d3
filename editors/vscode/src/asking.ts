import { window, workspace } from "vscode";
import { expanded } from "./core/finding";
import { wrongPackage } from "./core/package";

/** What the user has entered last, to be mended where it did not do. */
let entered = "";

/** What pip is to install; undefined if the user does not say. */
export async function packageToInstall(): Promise<string | undefined> {
  const set = setting();
  if (set) {
    return expanded(set);
  }
  const answer = await window.showInputBox({
    title: "Install Midfill",
    prompt: "From where: the folder of a checkout, a wheel, or what a package index has. Kept in midfill.server.package.",
    placeHolder: "~/midfill",
    value: entered,
    ignoreFocusOut: true,
    validateInput: wrongPackage,
  });
  entered = answer?.trim() ?? entered;
  return answer === undefined ? undefined : expanded(entered);
}

/** Keep what could be installed, unless it is set already. */
export async function keepPackage(): Promise<void> {
  if (!setting() && entered) {
    await workspace.getConfiguration("midfill.server").update("package", entered, true);
  }
}

function setting(): string {
  return workspace.getConfiguration("midfill.server").get("package", "").trim();
}
