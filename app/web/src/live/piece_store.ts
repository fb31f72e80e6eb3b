/** What the server has not acknowledged yet, kept over a closed tab or a lost connection. */

import type { Feedback } from "./feedback";

export interface StoredPiece {
  address: string;
  piece: Blob;
}

/** What the server is told of a session; what is asked at its end comes last. */
export interface Report extends Partial<Feedback> {
  exercise_id: string;
  started_at: string;
  pain_before: number;
  pain_after: number | null;
}

/** Of a session before the camera. */
export interface CoachReport extends Report {
  counted: number;
  pieces: number;
}

/** Of a session by the timer, as the person tells it. */
export interface GuidedReport extends Report {
  repetitions: number;
  minutes: number;
}

/** A session of this device that the server does not have yet. Without `pain_after` it was broken
 * off, as by a closed tab. */
export interface StoredReport {
  sessionId: string;
  address: string;
  name: string;
  report: Report;
}

const NAME = "homestretch-sessions";

/** Sessions of one browser; pieces by address, reports by session. */
export class PieceStore {
  private constructor(private readonly database: IDBDatabase) {}

  static async open(): Promise<PieceStore> {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("pieces", { keyPath: "address" });
      request.result.createObjectStore("reports", { keyPath: "sessionId" });
    };
    return new PieceStore(await done(request));
  }

  async keep(piece: StoredPiece): Promise<void> {
    await this.run("pieces", "readwrite", (store) => store.put(piece));
  }

  async forget(address: string): Promise<void> {
    await this.run("pieces", "readwrite", (store) => store.delete(address));
  }

  async pieces(): Promise<StoredPiece[]> {
    return this.run("pieces", "readonly", (store) => store.getAll());
  }

  async keepReport(report: StoredReport): Promise<void> {
    await this.run("reports", "readwrite", (store) => store.put(report));
  }

  async forgetReport(sessionId: string): Promise<void> {
    await this.run("reports", "readwrite", (store) => store.delete(sessionId));
  }

  async reports(): Promise<StoredReport[]> {
    return this.run("reports", "readonly", (store) => store.getAll());
  }

  private run<T>(
    name: "pieces" | "reports",
    mode: IDBTransactionMode,
    act: (store: IDBObjectStore) => IDBRequest<T>,
  ): Promise<T> {
    const transaction = this.database.transaction(name, mode);
    const request = act(transaction.objectStore(name));
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
