import type { Alarm, Priority } from "../api/types";
import { PRIORITIES } from "../api/types";

export type SoundMode = "off" | "once" | "repeat";
export type SoundModes = Record<Priority, SoundMode>;

export const DEFAULT_MODES: SoundModes = { 1: "repeat", 2: "repeat", 3: "once", 4: "off" };

/**
 * Decides what is to be heard.
 *
 * Silencing quiets what sounds now and says nothing about having seen it; a new alarm sounds again.
 */
export class Annunciator {
  /** The unacknowledged alarms heard of so far, each with the priority it had. */
  #known = new Map<number, Priority>();
  #sounding = new Set<number>();

  /** Take the newest list; return the most urgent priority that is to sound once now, or null. */
  hear(alarms: readonly Alarm[], modes: SoundModes): Priority | null {
    const unseen = new Map(
      alarms.filter((alarm) => !alarm.acknowledged).map((alarm) => [alarm.id, alarm.priority]),
    );
    let news: Priority | null = null;
    for (const [id, priority] of unseen) {
      const known = this.#known.get(id);
      if (known !== undefined && known <= priority) continue;
      if (modes[priority] === "off") continue;
      if (modes[priority] === "repeat") this.#sounding.add(id);
      if (news === null || priority < news) news = priority;
    }
    this.#known = unseen;
    for (const id of this.#sounding) if (!unseen.has(id)) this.#sounding.delete(id);
    return news;
  }

  /** Return the most urgent priority that repeats, or null when all is quiet. */
  repeating(modes: SoundModes): Priority | null {
    const sounding = [...this.#sounding].map((id) => this.#known.get(id));
    return PRIORITIES.find((priority) => modes[priority] === "repeat" && sounding.includes(priority)) ?? null;
  }

  silence(): void {
    this.#sounding.clear();
  }

  /** Forget everything: whoever comes next hears what nobody has acknowledged. */
  reset(): void {
    this.#known.clear();
    this.#sounding.clear();
  }
}
