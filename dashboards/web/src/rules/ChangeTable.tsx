import { useTranslation } from "react-i18next";
import { Link, useNavigate } from "react-router";
import type { RuleChange } from "../api/types";
import { useTimes } from "../text/format";

const COLUMNS = ["number", "state", "reason", "author", "proposed", "size"] as const;

interface Props {
  changes: readonly RuleChange[];
  /** Id of the change beside the list; NaN: none. */
  picked: number;
}

export function ChangeTable({ changes, picked }: Props) {
  const { t } = useTranslation();
  const times = useTimes();
  const navigate = useNavigate();
  return (
    <table className="table">
      <thead>
        <tr>
          {COLUMNS.map((column) => (
            <th key={column} scope="col">
              {t(`rule.change.${column}`)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {changes.map((change) => (
          <tr
            key={change.id}
            data-picked={change.id === picked || undefined}
            onClick={() => void navigate(`/rule-changes/${change.id}`)}
          >
            <td>
              <Link
                className="link"
                to={`/rule-changes/${change.id}`}
                aria-current={change.id === picked || undefined}
              >
                {change.id}
              </Link>
            </td>
            <td className="nowrap">{t(`rule.state.${change.state}`)}</td>
            <td className="wide">{change.reason}</td>
            <td>{change.author}</td>
            <td className="nowrap">{times.moment(change.proposed_at)}</td>
            <td>{change.size}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
