import { useTranslation } from "react-i18next";
import { useSoundLocked } from "./sound";
import { unlockSound } from "./tones";

/** Says so when a new alarm could not be heard. */
export function SoundBanner() {
  const { t } = useTranslation();
  if (!useSoundLocked()) return null;
  return (
    <div className="banner" role="status">
      {t("sound.locked")}
      <button type="button" className="button" onClick={() => void unlockSound()}>
        {t("sound.unlock")}
      </button>
    </div>
  );
}
