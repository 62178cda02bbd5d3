/** How often a server that ends by itself is started again. */

export const MOST_CRASHES = 4;
export const WITHIN_MILLISECONDS = 3 * 60_000;
const FIRST_DELAY = 250;

/** Remembers when the server ended by itself. */
export class CrashLimit {
  private times: number[] = [];

  constructor(
    private readonly most = MOST_CRASHES,
    private readonly within = WITHIN_MILLISECONDS,
  ) {}

  /**
   * The server has ended by itself.
   *
   * @param now in milliseconds.
   * @returns how long to wait before it is started again; undefined if that has to end.
   */
  crashed(now: number): number | undefined {
    this.times = this.times.filter((time) => now - time < this.within);
    this.times.push(now);
    return this.times.length < this.most ? FIRST_DELAY * 2 ** (this.times.length - 1) : undefined;
  }

  /** The user wants it to be tried again. */
  forget(): void {
    this.times = [];
  }
}
