import { type LanguageClientOptions, LanguageClient, type ServerOptions } from "vscode-languageclient/node";

/** A language client that logs what goes wrong; what to tell the user is decided elsewhere. */
export class QuietClient extends LanguageClient {
  constructor(serverOptions: ServerOptions, clientOptions: LanguageClientOptions) {
    super("midfill", "Midfill", serverOptions, clientOptions);
  }

  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }

  override warn(message: string, data?: unknown): void {
    super.warn(message, data, false);
  }

  override info(message: string, data?: unknown): void {
    super.info(message, data, false);
  }
}
