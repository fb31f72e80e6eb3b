/** The page of a session with the coach: its steps, what it shows and what it says. */

import type { Frame, Size } from "../coach/landmarks";
import { plural, share, words } from "../words";
import { Awake } from "./awake";
import { Camera, type CameraProblem, CameraRefused } from "./camera";
import { askWhyStopped, chosen, readFeedback } from "./feedback";
import { type CoachReport, PieceStore } from "./piece_store";
import { Recorder } from "./recorder";
import { Sender, SignedOut } from "./sender";
import { type CoachPage, PictureCheck, Session, type Shown } from "./session";
import { drawSkeleton } from "./skeleton";
import { Speech } from "./speech";
import { claimSession, OneCoach } from "./tabs";

type Step = "before" | "loading" | "check" | "moving" | "after" | "sending";

/** How long the picture must do before the first set begins on its own. */
const STEADY_S = 3;

/** A notice stays for so long at least, then until the next repetition. */
const NOTICED_MS = 5000;

export async function runLivePage(root: HTMLElement): Promise<void> {
  const source = root.querySelector('script[type="application/json"]')?.textContent;
  if (!source) throw new Error("the session's page has no data");
  new LivePage(root, JSON.parse(source) as CoachPage, await PieceStore.open()).listen();
}

class LivePage {
  private readonly speech = new Speech(document.documentElement.lang || "en");
  private readonly awake = new Awake();
  private readonly coach = new OneCoach(navigator.locks, () => this.handOver());
  private readonly sender: Sender;
  private readonly camera: Camera;
  private step: Step = "before";
  private size: Size = { width: 0, height: 0 };
  private check: PictureCheck | null = null;
  private goodSinceS: number | null = null;
  private session: Session | null = null;
  private recorder: Recorder | null = null;
  private startedAt = "";
  private lastCount = 0;
  private lastStage = "";
  private isOffline = false;
  private noticedMs = 0;
  private letSessionGo: () => void = () => {};
  private keeping: Promise<void> = Promise.resolve();

  constructor(
    private readonly root: HTMLElement,
    private readonly page: CoachPage,
    private readonly store: PieceStore,
  ) {
    this.sender = new Sender(store);
    this.camera = new Camera(this.find<HTMLVideoElement>("video"), {
      loading: (done) => this.showLoading(done),
      ready: (size) => this.beginCheck(size),
      frame: (frame, people) => this.take(frame, people),
      lost: () => this.waitForCamera(),
      failed: (why) => {
        console.error(why);
        this.fail(words("live.cannot_work"));
      },
    });
  }

  listen(): void {
    this.on("start", () => void this.start(false));
    this.on("here", () => void this.start(true));
    this.on("ready", () => this.beginSets());
    this.on("sound", (button) => this.toggleSound(button));
    this.on("go-on", () => this.session?.goOn());
    this.on("camera", () => void this.reopenCamera());
    this.on("stop", () => void this.stop());
    this.on("send", () => void this.send());
    document.addEventListener("visibilitychange", () => this.lookAway());
    // Until here a press would have been lost.
    this.find<HTMLButtonElement>('[data-action="start"]').disabled = false;
  }

  /** With `over`, the coach is taken from the tab that has it. */
  private async start(over: boolean): Promise<void> {
    if (this.step !== "before") return;
    if (this.session) {
      location.reload(); // another session needs an id of its own
      return;
    }
    if (this.pain("pain_before") === null) {
      this.say(words("live.choose_pain_before"));
      return;
    }
    if (!(await this.coach.take(over))) {
      this.tellElsewhere();
      return;
    }
    this.go("loading");
    try {
      await this.camera.start();
      await this.awake.keep();
      // Another tab may have taken the coach while the person was asked for the camera.
      if (this.step === "before") this.letGo();
    } catch (error) {
      if (!(error instanceof CameraRefused)) throw error;
      this.giveUp(cameraWords(error.problem));
    }
  }

  /** Another tab has the coach now. */
  private handOver(): void {
    if (this.step === "moving") void this.end(words("live.taken_over"));
    else {
      this.giveUp("");
      this.tellElsewhere();
    }
  }

  private tellElsewhere(): void {
    this.say(words("live.elsewhere"));
    this.action("here").hidden = false;
  }

  /** The camera gave out. What was counted stands; the patient says how it goes on. */
  private waitForCamera(): void {
    if (this.step !== "moving") {
      this.giveUp(cameraWords("lost"));
      return;
    }
    this.action("camera").hidden = false;
    this.action("camera").focus();
    this.notice(words("live.camera_stopped"));
  }

  private async reopenCamera(): Promise<void> {
    const button = this.action("camera");
    button.hidden = true;
    try {
      await this.camera.reopen();
      this.notice(words("live.camera_back"));
    } catch (error) {
      if (!(error instanceof CameraRefused)) throw error;
      this.notice(cameraWords(error.problem));
      button.hidden = false;
      button.focus();
    }
  }

  /** Out of sight a page gets no pictures, and a phone may end it: what there is, is kept first. */
  private lookAway(): void {
    if (this.step !== "moving") return;
    if (document.visibilityState === "visible") this.notice(words("live.away"));
    else this.keeping = this.keeping.then(() => this.recorder?.close());
  }

  private showLoading(done: number): void {
    this.find<HTMLProgressElement>("progress").value = done;
    this.text("loading", words("live.loading", { share: share(done) }));
  }

  private beginCheck(size: Size): void {
    this.size = size;
    const canvas = this.find<HTMLCanvasElement>("canvas");
    Object.assign(canvas, size);
    this.check = new PictureCheck(this.page, size);
    this.go("check");
  }

  private take(frame: Frame, people: number): void {
    drawSkeleton(this.find<HTMLCanvasElement>("canvas"), frame);
    if (this.step === "check") this.judge(frame, people);
    else if (this.step === "moving") this.follow(frame);
  }

  /** The first set begins when the picture has done for a while, or when the person says so. */
  private judge(frame: Frame, people: number): void {
    const faults = this.check?.update(frame, people) ?? [];
    const said = faults[0] ?? words("live.good");
    if (this.text("check", said)) this.speech.say(said);
    if (faults.length > 0) this.goodSinceS = null;
    else this.goodSinceS ??= frame.tS;
    if (this.goodSinceS !== null && frame.tS - this.goodSinceS >= STEADY_S) this.beginSets();
  }

  private beginSets(): void {
    if (this.step !== "check") return;
    this.camera.followOne();
    this.letSessionGo = claimSession(navigator.locks, this.page.sessionId);
    this.session = new Session(this.page, this.size);
    this.recorder = new Recorder(this.size, (number, piece) => this.keep(number, piece));
    this.startedAt = new Date().toISOString();
    this.go("moving");
    this.speech.say(words("live.begin"));
  }

  private follow(frame: Frame): void {
    if (!this.session || !this.recorder) return;
    const recorder = this.recorder;
    this.keeping = this.keeping.then(() => recorder.add(frame));
    const shown = this.session.update(frame);
    this.show(shown);
    if (shown.stage.kind === "finished") void this.end(words("live.done"));
  }

  private show({ stage, count, share: way, holdS, cue, person }: Shown): void {
    const { sets, repetitions, holdS: asked } = this.page.dose;
    if (stage.kind === "moving") {
      this.text("count", String(stage.done));
      this.text("of", words("live.of", { count: repetitions }));
      if (stage.done > this.lastCount) {
        this.speech.say(String(stage.done));
        if (performance.now() - this.noticedMs > NOTICED_MS) this.text("notice", "");
      }
      this.lastCount = stage.done;
    }
    const resting = stage.kind === "resting";
    const where =
      stage.kind === "resting"
        ? plural("live.rest", Math.ceil(stage.leftS), { set: stage.set + 1, sets })
        : stage.kind === "moving"
          ? words("live.set", { set: stage.set, sets })
          : "";
    this.text("set", where);
    if (stage.kind !== this.lastStage && this.lastStage) {
      const told = stage.kind === "moving" ? words("live.say_next_set") : "";
      this.speech.say(resting ? words("live.say_rest") : told);
    }
    this.lastStage = stage.kind;
    this.action("go-on").hidden = !resting;
    this.find<HTMLMeterElement>("meter").value = way;
    if (holdS !== null) this.text("hold", plural("live.hold", asked, { held: Math.floor(holdS) }));
    if (cue !== null) {
      this.text("cue", cue);
      this.speech.say(cue);
    }
    if (person !== null) this.notice(this.wordsFor(person));
    this.root.dataset.count = String(count);
  }

  private wordsFor(person: "gone" | "another" | "back"): string {
    if (person === "another") return this.page.messages.second_person ?? words("live.gone");
    return person === "gone" ? words("live.gone") : words("live.back");
  }

  private async stop(): Promise<void> {
    if (this.step === "moving") askWhyStopped(this.root);
    await this.end(words("live.stopped"));
  }

  private async end(told: string): Promise<void> {
    if (this.step !== "moving") return;
    this.go("after");
    this.letGo();
    this.text("ended", told);
    this.speech.say(`${told} ${words("live.how_much_pain")}`);
    const recorder = this.recorder;
    this.keeping = this.keeping.then(() => recorder?.close());
    await this.keeping;
  }

  private async send(): Promise<void> {
    if (this.step !== "after") return;
    const after = this.pain("pain_after");
    if (after === null) {
      this.say(words("live.choose_pain_after"));
      return;
    }
    this.go("sending");
    this.say(words("upload.sending"));
    try {
      await this.keeping;
      if (!this.recorder || this.recorder.count === 0) {
        this.giveUp(words("live.nothing_recorded"));
        return;
      }
      await this.keepReport(after);
      const outcome = await this.sender.finish(this.page.sessionId, () =>
        this.say(words("live.trying")),
      );
      if ("result" in outcome) location.assign(outcome.result);
      else this.giveUp(outcome.refused);
    } catch (error) {
      this.letSessionGo(); // the page Today sends it too
      this.go("after");
      this.say(error instanceof SignedOut ? words("live.signed_out") : words("live.offline"));
    }
  }

  /** A piece is kept here until the server has it; the report grows with it, so that a session
   * broken off can still be handed in. */
  private async keep(number: number, piece: Blob): Promise<void> {
    await this.store.keep({ address: `${this.page.addresses.pieces}${number}`, piece });
    await this.keepReport(null, number + 1);
    this.sender.sendPieces().then(
      () => this.tellConnection(words("live.online"), false),
      (error) =>
        this.tellConnection(
          error instanceof SignedOut ? words("live.signed_out") : words("live.no_connection"),
          true,
        ),
    );
  }

  private tellConnection(told: string, isOffline: boolean): void {
    if (this.step === "moving" && (isOffline || this.isOffline)) this.say(told);
    this.isOffline = isOffline;
  }

  private async keepReport(
    painAfter: number | null,
    pieces = this.recorder?.count ?? 0,
  ): Promise<void> {
    const report: CoachReport = {
      exercise_id: this.page.exercise.id,
      started_at: this.startedAt,
      pain_before: this.pain("pain_before") ?? 0,
      pain_after: painAfter,
      counted: this.session?.count ?? 0,
      pieces,
      ...readFeedback(this.root),
    };
    const { sessionId, addresses } = this.page;
    const name = document.querySelector("h1")?.textContent ?? this.page.exercise.id;
    await this.store.keepReport({ sessionId, address: addresses.finish, name, report });
  }

  private toggleSound(button: HTMLElement): void {
    const on = this.speech.toggle();
    button.setAttribute("aria-pressed", String(on));
    button.textContent = words(on ? "live.sound_on" : "live.sound_off");
  }

  private giveUp(told: string): void {
    this.letGo();
    this.go("before");
    this.say(told);
  }

  /** What was done before can still be sent. */
  private fail(told: string): void {
    if (this.step === "moving") void this.end(told);
    else this.giveUp(told);
  }

  /** Of camera, screen and the place among the tabs. */
  private letGo(): void {
    this.camera.stop();
    this.coach.release();
    void this.awake.letGo();
  }

  private go(step: Step): void {
    this.step = step;
    // A change of the language loads the page again, and would end the session.
    document.body.dataset.liveStep = step;
    for (const part of this.root.querySelectorAll<HTMLElement>("[data-step]")) {
      part.hidden = !part.dataset.step?.split(" ").includes(step);
    }
    this.root.querySelector<HTMLElement>(`[data-step~="${step}"] [data-focus]`)?.focus();
    this.action("here").hidden = true;
    this.say("");
  }

  /** Something of the moment during the sets, written and spoken. */
  private notice(told: string): void {
    this.text("notice", told);
    this.speech.say(told);
    this.noticedMs = performance.now();
  }

  private say(told: string): void {
    this.text("message", told);
  }

  /** Whether the text was another before. */
  private text(place: string, words: string): boolean {
    const element = this.find<HTMLElement>(`[data-text="${place}"]`);
    if (element.textContent === words) return false;
    element.textContent = words;
    return true;
  }

  private pain(name: string): number | null {
    const value = chosen(this.root, name);
    return value === null ? null : Number(value);
  }

  private on(action: string, act: (button: HTMLElement) => void): void {
    const button = this.action(action);
    button.addEventListener("click", () => act(button));
  }

  private action(name: string): HTMLElement {
    return this.find<HTMLElement>(`[data-action="${name}"]`);
  }

  private find<T extends Element>(selector: string): T {
    const element = this.root.querySelector<T>(selector);
    if (!element) throw new Error(`the page has no ${selector}`);
    return element;
  }
}

function cameraWords(problem: CameraProblem | "lost"): string {
  const told: Record<CameraProblem | "lost", () => string> = {
    denied: () => words("live.camera_denied"),
    none: () => words("live.camera_none"),
    in_use: () => words("live.camera_in_use"),
    unsupported: () => words("live.camera_unsupported"),
    lost: () => words("live.camera_lost"),
  };
  return `${told[problem]()} ${words("live.without_camera")}`;
}
