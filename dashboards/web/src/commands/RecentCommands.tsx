import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { assetCommandsQuery } from "../api/queries";
import type { Asset, Command } from "../api/types";
import { useLanguage, useLocal } from "../i18n";
import { useLiveView } from "../live/live";
import { useTimes } from "../text/format";
import { wordsOf } from "../text/quality";

/** The last commands of an asset, the newest first. */
export function RecentCommands({ asset }: { asset: Asset }) {
  const { t } = useTranslation();
  const { commands } = useLiveView();
  const living = commands.filter((command) => command.asset_id === asset.id);
  const versions = living.map((command) => `${command.id}.${command.version}`).join();
  const recent = useQuery({
    ...assetCommandsQuery(asset.id),
    queryKey: [...assetCommandsQuery(asset.id).queryKey, versions],
    placeholderData: (before) => before,
  });
  const shown = recent.data?.commands ?? [];
  if (shown.length === 0) return null;
  return (
    <table className="table" aria-label={t("command.recent")}>
      <thead>
        <tr>
          <th scope="col">{t("command.column.time")}</th>
          <th scope="col">{t("command.column.point")}</th>
          <th scope="col" className="number">
            {t("command.column.value")}
          </th>
          <th scope="col">{t("command.column.state")}</th>
          <th scope="col">{t("command.column.author")}</th>
          <th scope="col">{t("command.column.reason")}</th>
        </tr>
      </thead>
      <tbody>
        {shown.map((command) => (
          <Row key={command.id} asset={asset} command={command} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ asset, command }: { asset: Asset; command: Command }) {
  const { t } = useTranslation();
  const local = useLocal();
  const language = useLanguage();
  const { moment } = useTimes();
  const point = asset.points.find((one) => one.key === command.point_key);
  return (
    <tr title={command.detail ?? undefined}>
      <td>{moment(command.requested_at)}</td>
      <td>{point && local(point.title)}</td>
      <td className="number">{point && wordsOf(point, command.value, language)}</td>
      <td>{t(`command.state.${command.state}`)}</td>
      <td>{command.author}</td>
      <td className="ellipsis">{command.reason}</td>
    </tr>
  );
}
