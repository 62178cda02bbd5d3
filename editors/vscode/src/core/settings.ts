/** Which settings are the server's, and which ask for another start of it. */

/** Settings that are for the extension alone. */
const OURS = "server";

/** Changes of these count from the next start. */
export const NEED_RESTART = [
  "midfill.model",
  "midfill.endpoint",
  "midfill.endpointTokenFile",
  "midfill.completion",
  "midfill.server.command",
] as const;

/**
 * The settings as the server is to see them.
 *
 * An empty text chooses nothing, and is left out: a server that is older than the extension
 * complains of settings that it does not know.
 */
export function forServer(settings: unknown): unknown {
  if (typeof settings !== "object" || settings === null || Array.isArray(settings)) {
    return settings;
  }
  return Object.fromEntries(Object.entries(settings).filter(([name, value]) => name !== OURS && value !== ""));
}

/** Whether suggestions are wanted in a language. */
export function enabledIn(language: string | undefined, enabled: boolean, languages: unknown): boolean {
  const own = language === undefined ? undefined : (languages as Record<string, { enabled?: unknown } | undefined> | undefined)?.[language];
  return typeof own?.enabled === "boolean" ? own.enabled : enabled;
}
