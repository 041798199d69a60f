import { useCallback, useEffect, useSyncExternalStore } from "react";
import type { Priority } from "../api/types";
import { liveChannel, liveStore } from "../live/live";
import { Annunciator, DEFAULT_MODES, type SoundMode, type SoundModes } from "./annunciator";
import { onSoundLockChange, play, soundLocked } from "./tones";

const STORED = "watchkeeper.sound";
const REPEAT_MS = 4_000;

function storedModes(): SoundModes {
  const stored = localStorage.getItem(STORED);
  return stored === null
    ? DEFAULT_MODES
    : { ...DEFAULT_MODES, ...(JSON.parse(stored) as Partial<SoundModes>) };
}

/** What sounds now and how it is set; lives as long as the page. */
class Sound {
  modes = storedModes();
  /** The priority that repeats now; null: quiet. */
  sounding: Priority | null = null;
  #annunciator = new Annunciator();
  #listeners = new Set<() => void>();

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  setMode(priority: Priority, mode: SoundMode): void {
    this.modes = { ...this.modes, [priority]: mode };
    localStorage.setItem(STORED, JSON.stringify(this.modes));
    this.#tell();
  }

  silence = (): void => {
    this.#annunciator.silence();
    this.#tell();
  };

  /** Listen to the live list until the returned function is called. */
  attend(): () => void {
    const hear = () => {
      if (liveChannel.status.state !== "live") return;
      const news = this.#annunciator.hear(liveStore.view.alarms, this.modes);
      if (news !== null) play(news);
      this.#tell();
    };
    const repeat = () => {
      const priority = this.#annunciator.repeating(this.modes);
      if (priority !== null) play(priority);
    };
    const forget = liveStore.subscribe(hear);
    const timer = setInterval(repeat, REPEAT_MS);
    return () => {
      forget();
      clearInterval(timer);
      this.#annunciator.reset();
    };
  }

  #tell(): void {
    this.sounding = this.#annunciator.repeating(this.modes);
    for (const listener of this.#listeners) listener();
  }
}

export const sound = new Sound();

export function useAttending(): void {
  useEffect(() => sound.attend(), []);
}

export function useSounding(): Priority | null {
  return useSyncExternalStore(sound.subscribe, () => sound.sounding);
}

export function useSoundModes(): SoundModes {
  return useSyncExternalStore(sound.subscribe, () => sound.modes);
}

export function useSoundLocked(): boolean {
  const subscribe = useCallback((listener: () => void) => onSoundLockChange(listener), []);
  return useSyncExternalStore(subscribe, soundLocked);
}
