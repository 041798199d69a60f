import { NativeSelect } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useTranslation } from "react-i18next";
import { PriorityMark } from "../alarms/PriorityMark";
import { PRIORITIES } from "../api/types";
import { Dialog } from "../shell/Dialog";
import { useShortcut } from "../shell/shortcuts";
import type { SoundMode } from "./annunciator";
import { sound, useAttending, useSounding, useSoundModes } from "./sound";
import { play, unlockSound } from "./tones";

const MODES: readonly SoundMode[] = ["repeat", "once", "off"];

/** Silence while it sounds, settings otherwise; both keep their place in the header. */
export function SoundControl() {
  const { t } = useTranslation();
  const [opened, { open, close }] = useDisclosure(false);
  const sounding = useSounding();
  useAttending();
  useShortcut("m", sound.silence);
  return (
    <>
      <button
        type="button"
        className="button plain"
        data-sounding={sounding ?? undefined}
        title={sounding ? t("sound.silence") : t("sound.open")}
        aria-label={sounding ? t("sound.silence") : t("sound.open")}
        onClick={sounding ? sound.silence : open}
      >
        <svg width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" aria-hidden="true">
          <path d="M2 6h2.500L8 3v10L4.500 10H2z" fill="currentColor" />
          {sounding && (
            <path d="M10.500 5.500a4 4 0 0 1 0 5M12.500 3.500a7 7 0 0 1 0 9" strokeWidth="1.500" />
          )}
        </svg>
      </button>
      <Dialog opened={opened} onClose={close} title={t("sound.title")}>
        <div className="form">
          <SoundSettings />
          <p className="secondary">{t("sound.hint")}</p>
        </div>
      </Dialog>
    </>
  );
}

function SoundSettings() {
  const { t } = useTranslation();
  const modes = useSoundModes();
  return PRIORITIES.map((priority) => (
    <div key={priority} className="sound-setting">
      <PriorityMark priority={priority} look="acknowledged" />
      <NativeSelect
        size="xs"
        aria-label={t("priority.label", { priority })}
        value={modes[priority]}
        data={MODES.map((mode) => ({ value: mode, label: t(`sound.${mode}`) }))}
        onChange={(event) => sound.setMode(priority, event.currentTarget.value as SoundMode)}
      />
      <button type="button" className="button" onClick={() => void unlockSound().then(() => play(priority))}>
        {t("sound.test")}
      </button>
    </div>
  ));
}
