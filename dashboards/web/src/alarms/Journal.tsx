import type { JournalEntry } from "../api/types";
import { useNamed } from "../i18n";
import { useTimes } from "../text/format";

/** What happened and who did it, the newest first. */
export function Journal({ entries }: { entries: readonly JournalEntry[] }) {
  const named = useNamed();
  const times = useTimes();
  return (
    <ol className="journal">
      {entries.toReversed().map((entry) => (
        <li key={`${entry.at} ${entry.transition}`}>
          <time dateTime={entry.at} className="secondary">
            {times.moment(entry.at)}
          </time>
          <div>
            {named("transition", entry.transition)} · {entry.actor}
            {entry.comment && <q>{entry.comment}</q>}
          </div>
        </li>
      ))}
    </ol>
  );
}
