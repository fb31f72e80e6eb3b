/** Says what is also written on the page; silent where the browser can't speak or it is muted. */

export class Speech {
  private muted = false;

  /** `language` is the page's; the voice is one of the patients' own country, where there is one. */
  constructor(private readonly language: string) {}

  /** Whether anything will be heard. */
  get isOn(): boolean {
    return !this.muted && "speechSynthesis" in globalThis;
  }

  say(text: string): void {
    if (!this.isOn) return;
    // The newest matters: what was not said yet is out of date.
    speechSynthesis.cancel();
    const words = new SpeechSynthesisUtterance(text);
    words.lang = `${this.language}-US`;
    speechSynthesis.speak(words);
  }

  /** Whether it speaks afterwards. */
  toggle(): boolean {
    this.muted = !this.muted;
    if (this.muted && "speechSynthesis" in globalThis) speechSynthesis.cancel();
    return this.isOn;
  }
}
