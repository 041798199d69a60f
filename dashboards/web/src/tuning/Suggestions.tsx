import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Candidate, RuleContent, Suggestion } from "../api/types";
import { useLocal } from "../i18n";
import { withCondition, withLimit } from "../rules/content";
import { problemWords } from "../shell/problems";
import { formatNumber, formatQuantity } from "../text/format";
import { NumberInput } from "./inputs";
import { eventsWithin, type LabelledEvent, sameEvents } from "./labelledEvents";
import { useSuggestion } from "./queries";
import type { Stretch } from "./stretch";

interface Props {
  ruleId: number;
  draft: RuleContent;
  /** Of the draft's limits. */
  unit: string;
  stretch: Stretch;
  events: readonly LabelledEvent[];
  onTake: (draft: RuleContent) => void;
}

const FIRST_TARGET = 1;
const TARGET = { key: "target", kind: "number", above: 0 } as const;

/** Asks for settings that meet a target, and shows what else could be had. */
export function Suggestions({ ruleId, draft, unit, stretch, events, onTake }: Props) {
  const { t } = useTranslation();
  const local = useLocal();
  const [target, setTarget] = useState(FIRST_TARGET);
  const suggest = useSuggestion(ruleId);
  const known = eventsWithin(events, stretch);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    suggest.mutate({ ...stretch, targetPerDay: target, events: known });
  };
  return (
    <section aria-label={t("tuning.suggestions")}>
      <h3>{t("tuning.suggestions")}</h3>
      <form className="tuning-fields" onSubmit={submit}>
        <NumberInput
          label={t("tuning.target")}
          field={TARGET}
          value={target}
          disabled={false}
          onChange={(value) => setTarget(value ?? target)}
        />
        <button type="submit" className="button" disabled={suggest.isPending}>
          {suggest.isPending ? t("tuning.suggesting") : t("tuning.suggest")}
        </button>
      </form>
      {suggest.error && (
        <p className="refusal" role="alert">
          {problemWords(suggest.error, t)}
        </p>
      )}
      {suggest.data && (
        <>
          {!sameEvents(known, suggest.variables.events) && (
            <p className="secondary">{t("tuning.labelsOutdated")}</p>
          )}
          <p role="status">{local(suggest.data.words)}</p>
          <Curve suggestion={suggest.data} draft={draft} unit={unit} onTake={onTake} />
        </>
      )}
    </section>
  );
}

interface CurveProps extends Pick<Props, "draft" | "unit" | "onTake"> {
  suggestion: Suggestion;
}

/** What is proposed, and what else can be had, from few alarms to many. */
function Curve({ suggestion, draft, unit, onTake }: CurveProps) {
  const { t } = useTranslation();
  const chosen = settingsOf(suggestion.chosen);
  const hasLabels = suggestion.chosen.labels > 0;
  const others = suggestion.curve.filter((candidate) => settingsOf(candidate) !== chosen);
  return (
    <table className="table curve" aria-label={t("tuning.curve")}>
      <thead>
        <tr>
          <th scope="col" className="number">
            {t("tuning.column.perDay")}
          </th>
          {hasLabels && (
            <th scope="col" className="number" title={t("tuning.hint.labels_missed")}>
              {t("tuning.column.missed")}
            </th>
          )}
          {suggestion.side !== null && (
            <th scope="col" className="number">
              {t("tuning.column.limit")}
              <small>{t("tuning.column.deadband")}</small>
            </th>
          )}
          <th scope="col">{t("tuning.column.delays")}</th>
          <th scope="col">
            <span className="visually-hidden">{t("tuning.takeIt")}</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {[suggestion.chosen, ...others].map((candidate) => {
          const isChosen = settingsOf(candidate) === chosen;
          const words = wordsOf(candidate, unit);
          return (
            <tr key={settingsOf(candidate)} data-picked={isChosen || undefined}>
              <td className="number">
                {isChosen && <b className="proposed">{t("tuning.proposed")} </b>}
                {formatNumber(candidate.alarms_per_day)}
              </td>
              {hasLabels && <Missed candidate={candidate} />}
              {suggestion.side !== null && (
                <td className="number">
                  {words.limit}
                  <small>{words.deadband}</small>
                </td>
              )}
              <td className="nowrap">{words.delays}</td>
              <td>
                <button
                  type="button"
                  className="button"
                  aria-label={t("tuning.takeCandidate", {
                    settings: Object.values(words).filter(Boolean).join(", "),
                  })}
                  onClick={() => onTake(withCandidate(draft, suggestion, candidate))}
                >
                  {t("tuning.takeIt")}
                </button>
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** How many labelled events nobody would have been told of. */
function Missed({ candidate }: { candidate: Candidate }) {
  const { t } = useTranslation();
  const missed = candidate.labels - candidate.labels_caught;
  return (
    <td className="number">
      {missed > 0 ? <b>{t("tuning.missedOf", { missed, of: candidate.labels })}</b> : 0}
    </td>
  );
}

const settingsOf = ({ limit, deadband, on_delay_s, off_delay_s }: Candidate) =>
  `${limit} ${deadband} ${on_delay_s} ${off_delay_s}`;

const wordsOf = (candidate: Candidate, unit: string) => ({
  limit: formatQuantity(candidate.limit, unit),
  deadband: candidate.limit === null ? "" : formatQuantity(candidate.deadband, unit),
  delays: `${formatQuantity(candidate.on_delay_s, "s")} / ${formatQuantity(candidate.off_delay_s, "s")}`,
});

/** Return the draft with a candidate's settings. */
function withCandidate(draft: RuleContent, { side }: Suggestion, candidate: Candidate): RuleContent {
  const { limit, deadband, on_delay_s, off_delay_s } = candidate;
  const timed = withCondition(draft, { on_delay_s, off_delay_s });
  if (side === null || limit === null) return timed;
  return withLimit(withCondition(timed, { deadband }), side, limit);
}
