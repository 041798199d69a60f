import type { History } from "../../api/types";
import { type Columns, lowerBound } from "./columns";
import { silencesIn, silentAfterMs } from "./silence";

const ROOM_FOR = 256;

/** A point's samples: they grow at the end while it lives, and are forgotten from the beginning. */
export class Samples implements Columns {
  time: Float64Array;
  value: Float64Array;
  quality: Uint8Array;
  silence: Uint8Array;
  silentMs = Number.POSITIVE_INFINITY;
  first = 0;
  end = 0;

  constructor(capacity: number = ROOM_FOR) {
    this.time = new Float64Array(capacity);
    this.value = new Float64Array(capacity);
    this.quality = new Uint8Array(capacity);
    this.silence = new Uint8Array(capacity);
  }

  static from(history: History): Samples {
    const samples = new Samples(history.time_ms.length + ROOM_FOR);
    samples.extend(history);
    samples.findSilences();
    return samples;
  }

  get length(): number {
    return this.end - this.first;
  }

  /** Milliseconds of the newest sample; -Infinity when there is none. */
  get newestMs(): number {
    return this.length > 0 ? (this.time[this.end - 1] as number) : Number.NEGATIVE_INFINITY;
  }

  /** Put a sample at the end; one that is not newer changes nothing. Tells whether it was put. */
  append(timeMs: number, value: number | null, quality: number): boolean {
    if (timeMs <= this.newestMs) return false;
    if (this.end === this.time.length) this.#makeRoom();
    if (timeMs - this.newestMs > this.silentMs) this.silence[this.end - 1] = 1;
    this.time[this.end] = timeMs;
    this.value[this.end] = value ?? Number.NaN;
    this.quality[this.end] = quality;
    this.silence[this.end] = 0;
    this.end += 1;
    return true;
  }

  extend(history: History): void {
    history.time_ms.forEach((timeMs, index) => {
      this.append(timeMs, history.value[index] ?? null, history.quality[index] ?? 0);
    });
  }

  /** Judge anew where the point was silent, by all that is known of it. */
  findSilences(): void {
    this.silence = silencesIn(this);
    this.silentMs = silentAfterMs(this, this.end - 1);
  }

  /** Let what history holds from a time on take the place of what came live, which may have left some out. */
  replaceFrom(fromMs: number, history: History): void {
    const live = this.#copyAfter(Math.max(history.time_ms.at(-1) ?? 0, fromMs));
    this.end = lowerBound(this, fromMs);
    this.extend(history);
    this.extend(live);
    this.findSilences();
  }

  /** Forget what is older, but for the one sample that still holds then. */
  forgetBefore(timeMs: number): void {
    this.first = Math.max(this.first, lowerBound(this, timeMs) - 1);
  }

  #copyAfter(timeMs: number): History {
    const from = lowerBound(this, timeMs + 1);
    return {
      time_ms: [...this.time.subarray(from, this.end)],
      value: [...this.value.subarray(from, this.end)],
      quality: [...this.quality.subarray(from, this.end)],
    };
  }

  #makeRoom(): void {
    const capacity = this.length * 2 + ROOM_FOR;
    const moved = <Column extends Float64Array | Uint8Array>(column: Column, to: Column): Column => {
      to.set(column.subarray(this.first, this.end));
      return to;
    };
    this.time = moved(this.time, new Float64Array(capacity));
    this.value = moved(this.value, new Float64Array(capacity));
    this.quality = moved(this.quality, new Uint8Array(capacity));
    this.silence = moved(this.silence, new Uint8Array(capacity));
    this.end = this.length;
    this.first = 0;
  }
}
