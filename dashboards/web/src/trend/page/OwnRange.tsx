import { useTranslation } from "react-i18next";
import { stretch } from "../data/view";
import type { ViewKeeper } from "../data/viewKeeper";
import { RangeDialog } from "./RangeDialog";

interface Props {
  keeper: ViewKeeper;
  onClose: () => void;
}

/** Show a stretch that is written rather than pointed at. */
export function OwnRange({ keeper, onClose }: Props) {
  const { t } = useTranslation();
  return (
    <RangeDialog
      title={t("trend.ownTitle")}
      submit={t("trend.show")}
      first={keeper.view}
      nowMs={keeper.now()}
      onChoose={(fromMs, toMs) => keeper.choose(stretch(fromMs, toMs, keeper.now()))}
      onClose={onClose}
    />
  );
}
