import type { TrendSource } from "./source";
import { loadTrack, suffices, type Track, type Wanted, wantedFor } from "./track";
import { spanOf, type View } from "./view";

/** So many samples of all points together are shown one by one; beyond them buckets are asked for. */
export const MOST_SAMPLES = 120_000;
/** A wheel turns on for a moment: the question waits until the view rests. */
const REST_MS = 120;
/** How often what came live is replaced by what history holds, which leaves nothing out. */
const REFRESH_MS = 10_000;
const RETRY_MS = 10_000;
/** History keeps a sample a moment after it was told live. */
const OVERLAP_MS = 3_000;

export interface LoadStatus {
  loading: boolean;
  /** Undefined when the last question was answered. */
  failure: unknown;
}

interface Question {
  wanted: Wanted;
  keys: readonly number[];
  abort: AbortController;
}

/**
 * Keeps the tracks of some points fit for what is looked at.
 *
 * What is drawn stays until its successor has arrived; a question that a newer view has made stale is cancelled.
 */
export class TrackLoader {
  status: LoadStatus = { loading: false, failure: undefined };
  /** Grows with every change of what is known. */
  version = 0;
  #source: TrendSource;
  #now: () => number;
  #keys: readonly number[] = [];
  #tracks = new Map<number, Track>();
  #refreshAt = new Map<number, number>();
  #question: Question | null = null;
  #refreshing: AbortController | null = null;
  #rest: ReturnType<typeof setTimeout> | undefined;
  #restingAt = "";
  #view: View | null = null;
  #pixels = 0;
  #retryAt = 0;
  #unsubscribe: (() => void)[] = [];
  #listeners = new Set<() => void>();

  constructor(source: TrendSource, now: () => number) {
    this.#source = source;
    this.#now = now;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  track(key: number): Track | undefined {
    return this.#tracks.get(key);
  }

  now(): number {
    return this.#now();
  }

  setPoints(keys: readonly number[]): void {
    this.#keys = keys;
    for (const known of this.#tracks.keys()) if (!keys.includes(known)) this.#tracks.delete(known);
    for (const forget of this.#unsubscribe) forget();
    this.#unsubscribe = keys.map((key) => this.#source.subscribe(key, () => this.#takeLive(key)));
    this.#changed();
    this.#consider();
  }

  /** Say what is looked at and on how many pixels; asks only for what is not there yet. */
  want(view: View, pixels: number): void {
    this.#view = view;
    this.#pixels = pixels;
    this.#consider();
    this.#refresh();
  }

  retry(): void {
    this.#retryAt = 0;
    this.#ask();
  }

  stop(): void {
    this.#stopResting();
    this.#question?.abort.abort();
    this.#refreshing?.abort();
    for (const forget of this.#unsubscribe) forget();
    this.#unsubscribe = [];
    this.#question = null;
    this.#refreshing = null;
  }

  #lacking(): readonly number[] {
    const view = this.#view;
    if (!view || this.#pixels <= 0) return [];
    return this.#keys.filter((key) => {
      const track = this.#tracks.get(key);
      return track === undefined || !suffices(track, view, this.#pixels);
    });
  }

  #consider(): void {
    const lacking = this.#lacking();
    if (lacking.length === 0) {
      this.#stopResting();
      return;
    }
    if (this.#answers(lacking) || this.#now() < this.#retryAt) return;
    if (lacking.every((key) => !this.#tracks.has(key))) this.#ask();
    else this.#askAtRest();
  }

  /** Ask when the view has rested for a moment; that a live view follows now is no unrest. */
  #askAtRest(): void {
    const view = this.#view;
    const place = view?.live ? `live ${Math.round(spanOf(view))}` : `${view?.fromMs} ${view?.toMs}`;
    if (this.#rest !== undefined && place === this.#restingAt) return;
    clearTimeout(this.#rest);
    this.#restingAt = place;
    this.#rest = setTimeout(() => this.#ask(), REST_MS);
  }

  /** Tell whether the question under way will answer what lacks. */
  #answers(lacking: readonly number[]): boolean {
    const [question, view] = [this.#question, this.#view];
    if (!question || !view || !lacking.every((key) => question.keys.includes(key))) return false;
    const { fromMs, toMs, reachesNow, widthMs } = question.wanted;
    const covers = fromMs <= view.fromMs && (reachesNow || view.toMs <= toMs);
    return covers && wantedFor(view, this.#pixels, this.#now()).widthMs >= widthMs;
  }

  #stopResting(): void {
    clearTimeout(this.#rest);
    this.#rest = undefined;
  }

  #ask(): void {
    this.#stopResting();
    const view = this.#view;
    const keys = this.#lacking();
    if (!view || keys.length === 0) return;
    this.#question?.abort.abort();
    const wanted = wantedFor(view, this.#pixels, this.#now());
    const question = { wanted, keys, abort: new AbortController() };
    this.#question = question;
    this.#setStatus({ loading: true, failure: undefined });
    Promise.all(
      keys.map(async (key) => {
        const track = await this.#load(key, wanted, view, question.abort.signal);
        if (this.#question === question) this.#put(key, track);
      }),
    ).then(
      () => this.#finish(question, undefined),
      (failure: unknown) => this.#finish(question, failure),
    );
  }

  #load(key: number, wanted: Wanted, view: View, signal: AbortSignal): Promise<Track> {
    return loadTrack(this.#source, key, wanted, view, MOST_SAMPLES / this.#keys.length, signal);
  }

  #finish(question: Question, failure: unknown): void {
    if (this.#question !== question) return;
    this.#question = null;
    question.abort.abort();
    if (failure !== undefined) this.#retryAt = this.#now() + RETRY_MS;
    this.#setStatus({ loading: false, failure });
    this.#consider();
  }

  #put(key: number, track: Track): void {
    if (!this.#keys.includes(key)) return;
    const known = this.#tracks.get(key);
    if (known && track.reachesNow) carryLive(known, track);
    this.#tracks.set(key, track);
    this.#takeLive(key);
    this.#refreshAt.set(key, this.#now() + Math.max(REFRESH_MS, track.buckets?.widthMs ?? 0));
    this.#changed();
  }

  #takeLive(key: number): void {
    const [track, sample] = [this.#tracks.get(key), this.#source.newest(key)];
    if (!track?.reachesNow || !sample) return;
    if (track.buckets === null || sample[3] >= track.toMs - track.buckets.widthMs) {
      if (track.samples.append(sample[3], sample[1], sample[2])) this.#changed();
    }
  }

  /** Replace what came live by what history holds, one question at a time. */
  #refresh(): void {
    const view = this.#view;
    if (!view?.live || this.#refreshing || this.#question) return;
    const key = this.#keys.find(
      (one) => this.#now() >= (this.#refreshAt.get(one) ?? Number.POSITIVE_INFINITY),
    );
    const track = key === undefined ? undefined : this.#tracks.get(key);
    if (key === undefined || !track) return;
    const abort = new AbortController();
    this.#refreshing = abort;
    this.#refreshAt.set(key, this.#now() + REFRESH_MS);
    this.#renew(key, track, view, abort.signal)
      .catch(() => undefined) // The picture is live all the same, and the next turn asks again.
      .finally(() => {
        if (this.#refreshing === abort) this.#refreshing = null;
      });
  }

  async #renew(key: number, track: Track, view: View, signal: AbortSignal): Promise<void> {
    if (track.buckets || track.samples.length > MOST_SAMPLES) {
      const renewed = await this.#load(key, wantedFor(view, this.#pixels, this.#now()), view, signal);
      if (this.#tracks.get(key) === track) this.#put(key, renewed);
      return;
    }
    const from = Math.max(track.fromMs, Math.floor(track.toMs - OVERLAP_MS));
    const to = Math.ceil(this.#now());
    const newest = await this.#source.samples(key, from, to + OVERLAP_MS, MOST_SAMPLES, signal);
    if (this.#tracks.get(key) !== track) return;
    track.samples.replaceFrom(from, newest);
    track.toMs = to;
    track.fromMs = Math.max(track.fromMs, view.fromMs - spanOf(view));
    track.samples.forgetBefore(track.fromMs);
    this.#changed();
  }

  #setStatus(status: LoadStatus): void {
    this.status = status;
    this.#changed();
  }

  #changed(): void {
    this.version += 1;
    for (const listener of this.#listeners) listener();
  }
}

/** What came live while history was asked may not be in its answer. */
function carryLive(from: Track, to: Track): void {
  const { samples } = from;
  for (let index = samples.first; index < samples.end; index += 1) {
    const at = samples.time[index] as number;
    if (to.buckets && at < to.toMs - to.buckets.widthMs) continue;
    to.samples.append(at, samples.value[index] as number, samples.quality[index] as number);
  }
}
