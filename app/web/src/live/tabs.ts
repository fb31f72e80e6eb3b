/** One camera coach in a browser at a time, and which sessions a tab still works on. */

const COACH = "homestretch-coach";
const SESSION = "homestretch-session-";

/** The camera coach, held by one tab. */
export class OneCoach {
  private letGo: (() => void) | null = null;

  /** `taken` is called when another tab has taken the coach from this one. */
  constructor(
    private readonly locks: LockManager,
    private readonly taken: () => void,
  ) {}

  /** Whether this tab has the coach now; with `over`, it is taken from the tab that has it. */
  take(over: boolean): Promise<boolean> {
    if (this.letGo) return Promise.resolve(true);
    return new Promise((resolve, reject) => {
      this.locks
        .request(COACH, over ? { steal: true } : { ifAvailable: true }, (lock) => {
          resolve(lock !== null);
          if (lock === null) return undefined;
          return new Promise<void>((done) => {
            this.letGo = done;
          });
        })
        .catch((error: unknown) => {
          if (!(error instanceof DOMException && error.name === "AbortError")) reject(error);
          else if (this.letGo) {
            this.letGo = null;
            this.taken();
          }
        });
    });
  }

  release(): void {
    this.letGo?.();
    this.letGo = null;
  }
}

/** Tells other tabs that this one has the session, until it is closed or the answer is called. */
export function claimSession(locks: LockManager, sessionId: string): () => void {
  let letGo = () => {};
  const held = new Promise<void>((done) => {
    letGo = done;
  });
  void locks.request(SESSION + sessionId, () => held);
  return letGo;
}

/** The ids of the sessions that some tab is still working on. */
export async function sessionsOfTabs(locks: LockManager): Promise<Set<string>> {
  const { held = [] } = await locks.query();
  return new Set(
    held.flatMap(({ name }) => (name?.startsWith(SESSION) ? [name.slice(SESSION.length)] : [])),
  );
}
