import type { Alarm, Command, Snapshot, ValueRow, WorkOrder } from "../api/types";
import type { LiveStore } from "./store";

/** The server sends a heartbeat every 5 s; silence for this long means that the picture may be old. */
export const WATCHDOG_MS = 12_000;
const RETRY_FIRST_MS = 250;
const RETRY_MAX_MS = 15_000;

/** The session is gone. */
const CLOSED_UNAUTHENTICATED = 4401;
/** We read too slowly and missed events. */
const CLOSED_TOO_SLOW = 4001;

interface Sequenced {
  seq: number;
  topic: string;
  data: unknown;
}

type Message =
  | { type: "hello"; epoch: string; seq: number; resumed: boolean; now: string }
  | { type: "events"; events: Sequenced[] }
  | { type: "values"; values: ValueRow[] }
  | { type: "facility" }
  | { type: "heartbeat"; seq: number; now: string };

export interface LiveStatus {
  /** `connecting` only before the first picture; `stale`: what is shown may be old. */
  state: "connecting" | "live" | "stale";
  /** Milliseconds UTC of the last message, by this machine's clock; null before the first. */
  heardAt: number | null;
  /** Server's clock minus this machine's clock, in milliseconds. */
  clockOffsetMs: number;
}

export interface ChannelParts {
  store: LiveStore;
  openSocket: (query: string) => WebSocket;
  fetchSnapshot: () => Promise<Snapshot>;
  onUnauthenticated: () => void;
  /** The site may be another one: it changed, or nobody was there to hear that it did. */
  onSiteChanged: () => void;
  /** A change of rules was proposed or decided, or may have been while nobody heard. */
  onRulesChanged: () => void;
}

/**
 * The live channel's client: resumes where it left, or takes a snapshot and what follows it.
 *
 * Events that arrive while the snapshot is on its way wait; those that the snapshot already contains are dropped by
 * their number, so none is lost and none is applied twice.
 */
export class LiveChannel {
  status: LiveStatus = { state: "connecting", heardAt: null, clockOffsetMs: 0 };
  #parts: ChannelParts;
  #socket: WebSocket | null = null;
  #epoch = "";
  #seq = 0;
  /** Events that wait for a snapshot; null when none is on its way. */
  #waiting: Sequenced[] | null = null;
  #attempts = 0;
  #watchdog: ReturnType<typeof setTimeout> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #listeners = new Set<() => void>();

  constructor(parts: ChannelParts) {
    this.#parts = parts;
  }

  start(): void {
    if (this.#socket) return;
    const query = this.#epoch ? `?epoch=${encodeURIComponent(this.#epoch)}&since=${this.#seq}` : "";
    const socket = this.#parts.openSocket(query);
    this.#socket = socket;
    socket.onmessage = (event) => this.#hear(socket, JSON.parse(event.data as string) as Message);
    socket.onclose = (event) => this.#lose(socket, event.code);
    this.#armWatchdog();
  }

  /** Close for good, and begin from nothing when started again. */
  stop(): void {
    clearTimeout(this.#watchdog);
    clearTimeout(this.#retry);
    this.#drop();
    this.#epoch = "";
    this.#attempts = 0;
    this.#setStatus({ state: "connecting", heardAt: null });
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #hear(socket: WebSocket, message: Message): void {
    if (socket !== this.#socket) return;
    this.#armWatchdog();
    this.status.heardAt = Date.now();
    switch (message.type) {
      case "hello":
        this.#setStatus({ clockOffsetMs: Date.parse(message.now) - Date.now() });
        this.#greet(socket, message.epoch, message.resumed);
        break;
      case "events":
        this.#takeEvents(message.events);
        break;
      case "values":
        this.#parts.store.putValues(message.values);
        break;
      case "facility":
        this.#parts.onSiteChanged();
        break;
      case "heartbeat":
        this.#setStatus({ clockOffsetMs: Date.parse(message.now) - Date.now() });
        break;
    }
  }

  #greet(socket: WebSocket, epoch: string, resumed: boolean): void {
    this.#attempts = 0;
    if (this.status.state === "stale") {
      this.#parts.onSiteChanged();
      this.#parts.onRulesChanged();
    }
    if (resumed && epoch === this.#epoch) {
      this.#setStatus({ state: "live" });
      // Values are not numbered, so those that changed meanwhile come only with a snapshot.
      void this.#parts.fetchSnapshot().then((snapshot) => this.#parts.store.putValues(snapshot.values), noop);
      return;
    }
    this.#waiting = [];
    this.#parts.fetchSnapshot().then(
      (snapshot) => this.#takeSnapshot(socket, epoch, snapshot),
      () => socket.close(),
    );
  }

  #takeSnapshot(socket: WebSocket, epoch: string, snapshot: Snapshot): void {
    if (socket !== this.#socket) return;
    if (snapshot.epoch !== epoch) {
      socket.close();
      return;
    }
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    this.#epoch = snapshot.epoch;
    this.#seq = snapshot.seq;
    this.#parts.store.replace(snapshot);
    this.#takeEvents(waiting);
    this.#parts.store.flush();
    this.#setStatus({ state: "live" });
  }

  #takeEvents(events: readonly Sequenced[]): void {
    if (this.#waiting) {
      this.#waiting.push(...events);
      return;
    }
    for (const event of events) {
      if (event.seq <= this.#seq) continue;
      this.#seq = event.seq;
      if (event.topic === "alarm") this.#parts.store.putAlarm(event.data as Alarm);
      else if (event.topic === "work_order") this.#parts.store.putOrder(event.data as WorkOrder);
      else if (event.topic === "command") this.#parts.store.putCommand(event.data as Command);
      else if (event.topic === "rule_change") this.#parts.onRulesChanged();
    }
  }

  #lose(socket: WebSocket, code: number): void {
    if (socket !== this.#socket) return;
    this.#drop();
    if (code === CLOSED_UNAUTHENTICATED) {
      this.#parts.onUnauthenticated();
      return;
    }
    if (code === CLOSED_TOO_SLOW) this.#epoch = "";
    this.#setStale();
    const backoff = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** this.#attempts);
    this.#attempts += 1;
    // Spread out, so that a hundred consoles do not come back in the same instant.
    this.#retry = setTimeout(() => this.start(), backoff * (0.5 + Math.random() / 2));
  }

  #armWatchdog(): void {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => {
      const socket = this.#socket;
      if (socket) this.#lose(socket, 0);
    }, WATCHDOG_MS);
  }

  #drop(): void {
    clearTimeout(this.#watchdog);
    const socket = this.#socket;
    this.#socket = null;
    this.#waiting = null;
    socket?.close();
  }

  #setStale(): void {
    if (this.status.state === "live") this.#setStatus({ state: "stale" });
  }

  #setStatus(change: Partial<LiveStatus>): void {
    this.status = { ...this.status, ...change };
    for (const listener of this.#listeners) listener();
  }
}

function noop(): void {}
