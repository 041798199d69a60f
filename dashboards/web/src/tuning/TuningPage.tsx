import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation, useParams } from "react-router";
import { facilityQuery, sessionQuery } from "../api/queries";
import type { Asset, Point, RuleDetail } from "../api/types";
import { useLocal } from "../i18n";
import { serverNow, useLiveStatus } from "../live/live";
import { contentOf, limitUnit, sameContent } from "../rules/content";
import { ruleQuery } from "../rules/queries";
import { LoadState } from "../shell/LoadState";
import { problemWords } from "../shell/problems";
import { useTrend } from "../trend/useTrend";
import { Differing } from "./Differing";
import { DraftForm } from "./DraftForm";
import { FiguresTable } from "./FiguresTable";
import { Labels } from "./Labels";
import { LongTest } from "./LongTest";
import { withEvent } from "./labelledEvents";
import { SendToReview } from "./SendToReview";
import { StretchBar } from "./StretchBar";
import { Suggestions } from "./Suggestions";
import { stretchFrom, viewOf } from "./stretch";
import { TuningChart } from "./TuningChart";
import { useLabels } from "./useLabels";
import { usePreview } from "./usePreview";

/** A rule and what another would have raised, on history; a draft that is better is sent to review from here. */
export function TuningPage() {
  const { t } = useTranslation();
  const id = Number(useParams().ruleId);
  const facility = useQuery(facilityQuery);
  const rule = useQuery(ruleQuery(id));
  const { heardAt } = useLiveStatus();
  const [begun, setBegun] = useState(0);
  const asset = facility.data?.assets.find((one) => one.id === rule.data?.asset_id);
  const point = asset?.points.find((one) => one.key === rule.data?.point_key);
  // Before the server's clock is known, "the last day" means nothing.
  if (!facility.data || !rule.data || heardAt === null) {
    const failed = facility.isError || rule.isError;
    return <LoadState failed={failed} retry={() => void Promise.all([facility.refetch(), rule.refetch()])} />;
  }
  if (!asset || !point) return <p className="empty">{t("asset.unknown")}</p>;
  return (
    <Tuning
      key={`${id} ${begun}`}
      rule={rule.data}
      asset={asset}
      point={point}
      onStartAgain={() => setBegun(begun + 1)}
    />
  );
}

interface Props {
  rule: RuleDetail;
  asset: Asset;
  point: Point;
  /** Forget the draft and begin from what is live now. */
  onStartAgain: () => void;
}

/** Conditions that settings can be suggested for. */
const SUGGESTIBLE = new Set(["threshold", "rate_of_change", "window", "counter", "state", "forbidden_state"]);

function Tuning({ rule, asset, point, onStartAgain }: Props) {
  const { t } = useTranslation();
  const { search } = useLocation();
  const { data: session } = useQuery(sessionQuery);
  const may = session?.permissions.includes("change_rules") ?? false;
  // The draft builds on what its author saw, whatever is live meanwhile.
  const [seen] = useState(rule);
  const live = useMemo(() => contentOf(seen.definition), [seen]);
  const [draft, setDraft] = useState(live);
  const [stretch, setStretch] = useState(() => stretchFrom(search, serverNow()));
  const points = useMemo(() => [point], [point]);
  const trend = useTrend(points, () => viewOf(stretch));
  const preview = usePreview(rule.id, draft, stretch, may);
  const tried = preview.shown?.answer;
  const { keeper } = trend;
  const show = useCallback((fromMs: number, toMs: number) => keeper.show(fromMs, toMs), [keeper]);
  const changed = !sameContent(live, draft);
  const [events, setEvents] = useLabels(rule.id);
  return (
    <div className="tuning">
      <div className="page-head">
        <Title rule={rule} asset={asset} />
        <StretchBar keeper={keeper} stretch={stretch} onChange={setStretch} />
        <span className="grow" />
        {may && <SendToReview rule={seen} draft={draft} changed={changed || !seen.on} />}
      </div>
      <div className="tuning-look">
        <Notes rule={rule} seen={seen} may={may} failure={preview.failure} onStartAgain={onStartAgain} />
        <TuningChart
          {...{ points, point, trend, live, draft, stretch, preview, may, events }}
          priority={rule.priority}
          onDraft={setDraft}
          onLabel={(event) => setEvents(withEvent(events, event))}
        />
        {tried && (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keyboard
          <section className="panel scrolls tuning-outcome" tabIndex={0} aria-label={t("tuning.figures")}>
            <FiguresTable label={t("tuning.figures")} live={tried.live} draft={tried.draft} />
            <Differing tried={tried} onShow={show} />
          </section>
        )}
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keyboard */}
      <section className="panel scrolls tuning-side" tabIndex={0} aria-label={t("tuning.form")}>
        <div className="tuning-side-head">
          <h2>{t("tuning.form")}</h2>
          {may && (
            <button type="button" className="button" disabled={!changed} onClick={() => setDraft(live)}>
              {t("tuning.asLive")}
            </button>
          )}
        </div>
        <DraftForm draft={draft} asset={asset} unit={rule.unit} disabled={!may} onChange={setDraft} />
        {may && <Labels events={events} tried={tried} keeper={keeper} onChange={setEvents} />}
        {may && SUGGESTIBLE.has(draft.condition.type) && (
          <Suggestions
            {...{ draft, stretch, events }}
            ruleId={rule.id}
            unit={limitUnit(draft.condition, rule.unit)}
            onTake={setDraft}
          />
        )}
        {may && <LongTest ruleId={rule.id} draft={draft} events={events} />}
      </section>
    </div>
  );
}

function Title({ rule, asset }: Pick<Props, "rule" | "asset">) {
  const { t } = useTranslation();
  const local = useLocal();
  return (
    <h1>
      <Link className="link" to={`/rules/${rule.id}`}>
        ‹ {t("tuning.back")}
      </Link>{" "}
      {local(asset.name)}: {local(rule.title)}
    </h1>
  );
}

interface NotesProps extends Pick<Props, "rule" | "onStartAgain"> {
  /** What the draft builds on. */
  seen: RuleDetail;
  may: boolean;
  failure: unknown;
}

/** What somebody should know before they go on. */
function Notes({ rule, seen, may, failure, onStartAgain }: NotesProps) {
  const { t } = useTranslation();
  return (
    <>
      {!may && <p className="tuning-note">{t("tuning.look")}</p>}
      {!seen.on && may && <p className="tuning-note">{t("tuning.off")}</p>}
      {rule.revision !== seen.revision && (
        <div className="refusal tuning-note" role="alert">
          {t("tuning.changed")}{" "}
          <button type="button" className="button" onClick={onStartAgain}>
            {t("tuning.startAgain")}
          </button>
        </div>
      )}
      {failure !== undefined && (
        <p className="refusal" role="alert">
          {problemWords(failure, t)}
        </p>
      )}
    </>
  );
}
