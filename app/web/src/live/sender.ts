/** Hands pieces and reports to the server until it has them; what it refuses is said, not lost. */

import { csrfToken } from "../csrf";
import { words } from "../words";
import type { PieceStore } from "./piece_store";

/** The server has the session (`result` is its page), or says why it will not have it. */
export type Outcome = { result: string } | { refused: string };

/** The server does not know who sends, or takes the page for another's: it is to sign in again. */
export class SignedOut extends Error {}

/** While the connection is lost, so long between tries; sooner where the browser says it is back. */
const WAITS_MS = [1000, 3000, 8000, 20_000];

export class Sender {
  private sending: Promise<void> | null = null;

  constructor(private readonly store: PieceStore) {}

  /** Sends whatever is stored, one after the other; a lost connection leaves it stored. */
  sendPieces(): Promise<void> {
    this.sending ??= this.sendAll().finally(() => {
      this.sending = null;
    });
    return this.sending;
  }

  /** Hands in the session; tries again while the connection is lost, and calls `waits` then.
   *
   * Throws SignedOut, and where the last try failed. */
  async finish(sessionId: string, waits: () => void = () => {}): Promise<Outcome> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.finishOnce(sessionId);
      } catch (error) {
        const wait = WAITS_MS[attempt];
        if (wait === undefined || error instanceof SignedOut) throw error;
        waits();
        await connectedOr(wait);
      }
    }
  }

  private async finishOnce(sessionId: string): Promise<Outcome> {
    await this.sendAll();
    const stored = (await this.store.reports()).find((each) => each.sessionId === sessionId);
    if (!stored) throw new Error("there is no such session here");
    const response = await request("POST", stored.address, JSON.stringify(stored.report));
    const answer = (await response.json()) as {
      result?: string;
      missing?: number[];
      error?: string;
    };
    if (answer.result) {
      await this.store.forgetReport(sessionId);
      return { result: answer.result };
    }
    if (answer.missing) return { refused: words("live.part_missing") };
    return { refused: answer.error ?? words("upload.failed") };
  }

  private async sendAll(): Promise<void> {
    for (const { address, piece } of await this.store.pieces()) {
      const response = await request("PUT", address, piece);
      // A piece that the server will never take would hold up all others.
      if (response.ok || response.status === 409 || response.status === 422) {
        await this.store.forget(address);
      } else {
        throw new Error(`the server answered ${response.status}`);
      }
    }
  }
}

/** Until the browser says that there is a connection again, but not longer than `ms`. */
function connectedOr(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      clearTimeout(timer);
      window.removeEventListener("online", go);
      resolve();
    };
    const timer = setTimeout(go, ms);
    window.addEventListener("online", go);
  });
}

/** Throws where no answer came, or one that says to come back. */
async function request(method: string, url: string, body: BodyInit): Promise<Response> {
  const type = typeof body === "string" ? "application/json" : "application/gzip";
  const response = await fetch(url, {
    method,
    headers: { "Content-Type": type, "X-CSRFToken": csrfToken() },
    body,
  });
  if (response.status === 400 || response.status === 401) throw new SignedOut();
  if (response.status >= 500 || response.status === 429) {
    throw new Error(`the server answered ${response.status}`);
  }
  return response;
}
