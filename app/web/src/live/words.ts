/** What the live session says to the patient, written and spoken. */

import type { CameraProblem } from "./camera";

const WITHOUT = "Or do the exercise without the camera.";
const KEPT = "Your session is kept on this device.";

export const WORDS = {
  camera: {
    denied: `The camera is blocked for this page. Allow it in your browser, then try again. ${WITHOUT}`,
    none: `We found no camera on this device. ${WITHOUT}`,
    in_use: `Another app may be using the camera. Close that app, then try again. ${WITHOUT}`,
    unsupported: `This browser cannot use a camera. ${WITHOUT}`,
    lost: `The camera stopped. Turn it on again. ${WITHOUT}`,
  } satisfies Record<CameraProblem | "lost", string>,
  choosePainBefore: "Please choose your pain, from 0 to 10, before you start.",
  choosePainAfter: "Please choose your pain now, from 0 to 10.",
  elsewhere: "The camera coach is open in another tab or window. Go on there, or use it here.",
  takenOver: "You went on in another tab or window. You can still send what you did here.",
  tooWeak: (why: string) => `The camera coach cannot work on this device (${why}). ${WITHOUT}`,
  loading: (percent: number) => `Getting the coach ready: ${percent} %`,
  good: "Good. Stay there.",
  begin: "Begin.",
  rest: "Rest.",
  beginNextSet: "Begin the next set.",
  of: (repetitions: number) => `of ${repetitions}`,
  set: (set: number, sets: number) => `Set ${set} of ${sets}`,
  resting: (seconds: number, set: number, sets: number) =>
    `Rest: ${seconds} seconds. Then set ${set} of ${sets}.`,
  hold: (seconds: number, asked: number) => `Hold: ${seconds} of ${asked} seconds`,
  gone: "We cannot see you. Your count is kept. Step back in front of the camera.",
  back: "We see you again. Go on.",
  away: "The coach waited while this page was out of sight. Go on when you are ready.",
  cameraStopped:
    "The camera stopped. Your count is kept. Turn the camera on to go on, or stop here.",
  cameraBack: "The camera is on again. Go on.",
  stopped: "You stopped. That is fine.",
  finished: "Well done. You did all of it.",
  askPain: "How much pain do you have now?",
  soundOn: "Sound is on",
  soundOff: "Sound is off",
  sending: "Sending…",
  trying: `No connection. We keep trying. ${KEPT}`,
  offline: `No connection. ${KEPT} You can go on.`,
  online: "The connection is back.",
  notSent: `The internet connection failed. ${KEPT} Press Send again.`,
  signedOut: `You were signed out. ${KEPT} Sign in again, and open Today to send it.`,
  nothingRecorded: "Nothing was recorded. Please try again.",
  missing: "Some of the session is missing on this device.",
  answered: (status: number) => `The server answered ${status}.`,
} as const;
