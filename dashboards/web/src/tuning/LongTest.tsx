import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Backtest, RuleContent } from "../api/types";
import { serverNow } from "../live/live";
import { problemWords } from "../shell/problems";
import { FiguresTable } from "./FiguresTable";
import { ChoiceInput } from "./inputs";
import { eventsWithin, type LabelledEvent } from "./labelledEvents";
import { useBacktest } from "./queries";

const DAYS = [7, 30, 90, 365] as const;
const DAY_MS = 86_400_000;

interface Props {
  ruleId: number;
  draft: RuleContent;
  events: readonly LabelledEvent[];
}

/** Runs the draft over a long time in the background, with all samples. */
export function LongTest({ ruleId, draft, events }: Props) {
  const { t } = useTranslation();
  const [days, setDays] = useState<number>(DAYS[1]);
  const { start, cancel, test, isOver } = useBacktest(ruleId);
  const begin = () => {
    const toMs = serverNow();
    const stretch = { fromMs: toMs - days * DAY_MS, toMs };
    start.mutate({ draft, ...stretch, events: eventsWithin(events, stretch) });
  };
  const runs = start.isPending || (test !== undefined && !isOver);
  const problem = start.error ?? cancel.error;
  const result = test?.result;
  return (
    <section aria-label={t("tuning.test")}>
      <h3>{t("tuning.test")}</h3>
      <p className="secondary">{t("tuning.testHint")}</p>
      <div className="tuning-fields">
        <ChoiceInput
          label={t("tuning.testSpan")}
          value={String(days)}
          disabled={runs}
          choices={DAYS.map((count) => [String(count), t("tuning.days", { count })])}
          onChange={(value) => setDays(Number(value))}
        />
        {runs ? (
          <button type="button" className="button" onClick={() => cancel.mutate()} disabled={!test}>
            {t("tuning.cancel")}
          </button>
        ) : (
          <button type="button" className="button" onClick={begin}>
            {t("tuning.start")}
          </button>
        )}
      </div>
      {problem && (
        <p className="refusal" role="alert">
          {problemWords(problem, t)}
        </p>
      )}
      {test && <Progress test={test} />}
      {result && start.variables && start.variables.draft !== draft && (
        <p className="secondary">{t("tuning.outdated")}</p>
      )}
      {result && <FiguresTable label={t("tuning.testFigures")} live={result.live} draft={result.draft} />}
    </section>
  );
}

function Progress({ test }: { test: Backtest }) {
  const { t } = useTranslation();
  const words = t(`tuning.testState.${test.state}`, {
    percent: Math.floor(test.progress * 100),
    samples: test.result?.samples,
    new: test.result?.new,
    missed: test.result?.missed,
  });
  return (
    <>
      {test.state === "running" && (
        <progress className="tuning-progress" value={test.progress} aria-label={words} />
      )}
      <p role="status">{words}</p>
      {test.error && <p className="refusal">{test.error}</p>}
    </>
  );
}
