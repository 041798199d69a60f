/** A draft on a stretch of history. */
export interface Question<Draft> {
  draft: Draft;
  fromMs: number;
  toMs: number;
}

export interface PreviewState<Draft, Answer> {
  /** What is drawn: the newest answer, with the question that it is for; null before the first. */
  shown: { question: Question<Draft>; answer: Answer } | null;
  /** Whether a newer answer is on its way. */
  asking: boolean;
  /** Why the newest question has no answer; undefined: nothing is wrong. */
  failure: unknown;
}

type Ask<Draft, Answer> = (question: Question<Draft>, signal: AbortSignal) => Promise<Answer>;

/**
 * Asks what a draft would do while somebody moves it.
 *
 * One question at a time is on its way, and the newest waits: a hand that moves on makes the server neither hurry nor
 * fall behind. What was drawn stays until its successor is here. A question about another stretch is cancelled, since
 * nobody looks there any more.
 */
export class Previewer<Draft, Answer> {
  state: PreviewState<Draft, Answer> = { shown: null, asking: false, failure: undefined };
  #ask: Ask<Draft, Answer>;
  #running: { question: Question<Draft>; abort: AbortController } | null = null;
  #waiting: Question<Draft> | null = null;
  #listeners = new Set<() => void>();

  constructor(ask: Ask<Draft, Answer>) {
    this.#ask = ask;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  want(question: Question<Draft>): void {
    if (this.#running === null) {
      void this.#run(question);
      return;
    }
    this.#waiting = question;
    if (!sameStretch(this.#running.question, question)) this.#running.abort.abort();
  }

  /** Want nothing more; what was drawn stays. */
  stop(): void {
    this.#waiting = null;
    this.#running?.abort.abort();
  }

  async #run(question: Question<Draft>): Promise<void> {
    const abort = new AbortController();
    this.#running = { question, abort };
    this.#set({ asking: true });
    try {
      const answer = await this.#ask(question, abort.signal);
      if (!abort.signal.aborted) this.#set({ shown: { question, answer }, failure: undefined });
    } catch (failure) {
      if (!abort.signal.aborted) this.#set({ failure });
    }
    this.#running = null;
    const next = this.#waiting;
    this.#waiting = null;
    if (next) await this.#run(next);
    else this.#set({ asking: false });
  }

  #set(change: Partial<PreviewState<Draft, Answer>>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

const sameStretch = (a: Question<unknown>, b: Question<unknown>) =>
  a.fromMs === b.fromMs && a.toMs === b.toMs;
