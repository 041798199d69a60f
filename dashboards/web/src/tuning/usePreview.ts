import { useEffect, useState, useSyncExternalStore } from "react";
import type { RuleContent, Tried } from "../api/types";
import { Previewer, type PreviewState } from "./previewer";
import { askTry } from "./queries";
import type { Stretch } from "./stretch";

/** Try a draft whenever it or the stretch changes; never for those who may not. */
export function usePreview(
  ruleId: number,
  draft: RuleContent,
  { fromMs, toMs }: Stretch,
  may: boolean,
): PreviewState<RuleContent, Tried> {
  const [previewer] = useState(() => new Previewer(askTry(ruleId)));
  useEffect(() => {
    if (may) previewer.want({ draft, fromMs, toMs });
  }, [previewer, draft, fromMs, toMs, may]);
  useEffect(() => () => previewer.stop(), [previewer]);
  return useSyncExternalStore(previewer.subscribe, () => previewer.state);
}
