/** Which settings are the server's, and which ask for another start of it. */

/** Settings that are for the extension alone. */
const OURS = "server";

/** Changes of these count from the next start. */
export const NEED_RESTART = ["midfill.model", "midfill.completion", "midfill.server"] as const;

/** The settings as the server is to see them. */
export function forServer(settings: unknown): unknown {
  if (typeof settings !== "object" || settings === null || Array.isArray(settings)) {
    return settings;
  }
  return Object.fromEntries(Object.entries(settings).filter(([name]) => name !== OURS));
}

/** Whether suggestions are wanted in a language. */
export function enabledIn(language: string | undefined, enabled: boolean, languages: unknown): boolean {
  const own = language === undefined ? undefined : (languages as Record<string, { enabled?: unknown } | undefined> | undefined)?.[language];
  return typeof own?.enabled === "boolean" ? own.enabled : enabled;
}
