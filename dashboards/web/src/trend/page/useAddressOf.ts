import { useEffect, useRef } from "react";
import { useNavigate } from "react-router";
import { rangeOf, searchOf, type TrendAddress, viewFrom } from "../data/address";
import type { ViewKeeper } from "../data/viewKeeper";

/** Change a part of the address; `replace` leaves no step behind for the browser's way back. */
export type Change = (part: Partial<TrendAddress>, replace?: boolean) => void;

/** A hand that moves on writes no address at every step. */
const RESTS_MS = 300;

/**
 * Keep the address and the view the same, whichever changes: by a gesture, or by a link and the browser's way back.
 *
 * @returns how to change another part of the address.
 */
export function useAddressOf(keeper: ViewKeeper, address: TrendAddress): Change {
  const navigate = useNavigate();
  const told = searchOf(address);
  // What we wrote ourselves may be older than the view by now, and must not pull it back.
  const written = useRef(told);
  const seen = (part: Partial<TrendAddress> = {}) =>
    searchOf({ ...address, range: rangeOf(keeper.view), ...part });
  const write = (search: string, replace: boolean) => {
    written.current = search;
    void navigate({ search }, { replace });
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: the view follows the address only when the address changes
  useEffect(() => {
    if (told === written.current) return;
    written.current = told;
    keeper.choose(viewFrom(address.range, keeper.now()));
  }, [told]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is written follows from the address and the view alone
  useEffect(() => {
    let rest: ReturnType<typeof setTimeout> | undefined;
    let last = told;
    const stop = keeper.subscribe(() => {
      // What lives moves by itself, ten times a second, and its address stays the same.
      if (seen() === last) return;
      last = seen();
      clearTimeout(rest);
      if (last !== told) rest = setTimeout(() => write(seen(), true), RESTS_MS);
    });
    return () => {
      stop();
      clearTimeout(rest);
    };
  }, [keeper, told]);
  return (part, replace = false) => write(seen(part), replace);
}
