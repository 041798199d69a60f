import type { Priority } from "../api/types";

interface Tone {
  hertz: number;
  beeps: number;
  beepS: number;
  gapS: number;
}

/** The more urgent the higher, faster and longer, so that the ear tells them apart without counting. */
const TONES: Record<Priority, Tone> = {
  1: { hertz: 988, beeps: 5, beepS: 0.12, gapS: 0.06 },
  2: { hertz: 740, beeps: 3, beepS: 0.16, gapS: 0.1 },
  3: { hertz: 587, beeps: 2, beepS: 0.2, gapS: 0.15 },
  4: { hertz: 440, beeps: 1, beepS: 0.25, gapS: 0 },
};

const LOUDNESS = 0.25;
const EDGE_S = 0.01;

let context: AudioContext | null = null;

const audio = () => {
  context ??= new AudioContext();
  return context;
};

/** Tell whether the browser still refuses to sound: it does until the person has clicked or typed. */
export function soundLocked(): boolean {
  return audio().state !== "running";
}

/** Ask the browser to let sound through; works only out of a click or a key. */
export async function unlockSound(): Promise<void> {
  await audio().resume();
}

export function onSoundLockChange(listener: () => void): () => void {
  audio().addEventListener("statechange", listener);
  return () => audio().removeEventListener("statechange", listener);
}

export function play(priority: Priority): void {
  if (soundLocked()) return;
  const { hertz, beeps, beepS, gapS } = TONES[priority];
  for (let beep = 0; beep < beeps; beep += 1)
    playBeep(hertz, audio().currentTime + beep * (beepS + gapS), beepS);
}

function playBeep(hertz: number, at: number, lasts: number): void {
  const oscillator = audio().createOscillator();
  const gain = audio().createGain();
  oscillator.frequency.value = hertz;
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(LOUDNESS, at + EDGE_S);
  gain.gain.setValueAtTime(LOUDNESS, at + lasts - EDGE_S);
  gain.gain.linearRampToValueAtTime(0, at + lasts);
  oscillator.connect(gain).connect(audio().destination);
  oscillator.start(at);
  oscillator.stop(at + lasts);
}
