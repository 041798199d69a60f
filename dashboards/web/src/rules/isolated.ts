import { useQuery } from "@tanstack/react-query";
import { statusQuery } from "../api/queries";
import type { IsolatedRule, Status } from "../api/types";

/** How often it is asked whether rules failed; it is rare, and every open console asks. */
const LOOKS_MS = 5_000;

const NONE: readonly IsolatedRule[] = [];
const isolatedOf = ({ isolated }: Status): readonly IsolatedRule[] => isolated;

/** Return the rules that failed and are watched no more. */
export function useIsolated(): readonly IsolatedRule[] {
  const { data } = useQuery({ ...statusQuery, select: isolatedOf, refetchInterval: LOOKS_MS });
  return data ?? NONE;
}
