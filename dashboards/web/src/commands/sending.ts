import { useMutation } from "@tanstack/react-query";
import { api, data, ProblemError } from "../api/client";
import { queryClient } from "../api/queries";
import type { Command, Point, Session } from "../api/types";
import { liveStore } from "../live/live";

export interface Asked {
  value: number;
  hold_s: number;
  reason: string;
  /** The command that held the point when the person looked. */
  holder: number | null;
}

/** How long a command may hold, as people choose it; the longest that the point allows comes last. */
export const HOLDS_S: readonly number[] = [900, 3_600, 14_400, 28_800, 86_400];

export function holdsFor(longest_s: number): number[] {
  return [...HOLDS_S.filter((seconds) => seconds < longest_s), longest_s];
}

/** Tell whether this person may command a point. */
export function mayCommand(session: Session | null | undefined, point: Point): boolean {
  if (!session || !point.commandable) return false;
  return (
    session.permissions.includes("command_device") && point.commandable.roles.includes(session.account.role)
  );
}

/** Return an identity for a request; `crypto.randomUUID` exists on encrypted pages only. */
function newRequestId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Keeps a request's identity until the server has answered: asked again after a lost answer, it does nothing twice. */
export class RequestIdentity {
  #id = newRequestId();

  get id(): string {
    return this.#id;
  }

  answered(error: unknown): void {
    if (error === null || error instanceof ProblemError) this.#id = newRequestId();
  }
}

function take(command: Command): void {
  liveStore.putCommand(command);
  liveStore.flush();
}

function refresh(): Promise<void> {
  return queryClient.invalidateQueries({ queryKey: ["commands"] });
}

export function useSetPoint(point: Point, identity: RequestIdentity) {
  return useMutation({
    mutationFn: (asked: Asked) =>
      data(api.POST("/api/commands", { body: { ...asked, request_id: identity.id, point_key: point.key } })),
    onSuccess: take,
    onSettled: (_command, error) => {
      identity.answered(error);
      return refresh();
    },
  });
}

export function useTakeBack(command: Command) {
  return useMutation({
    mutationFn: (reason: string) =>
      data(
        api.POST("/api/commands/{command_id}/take-back", {
          params: { path: { command_id: command.id } },
          body: { reason },
        }),
      ),
    onSuccess: take,
    onSettled: refresh,
  });
}
