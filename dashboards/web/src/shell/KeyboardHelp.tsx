import { useDisclosure } from "@mantine/hooks";
import { useTranslation } from "react-i18next";
import { Dialog } from "./Dialog";
import { useShortcut } from "./shortcuts";

const KEYS = [
  [["↑", "↓"], "move"],
  [["PgUp", "PgDn"], "page"],
  [["Home", "End"], "ends"],
  [["Space"], "select"],
  [["Shift ↑", "Shift ↓"], "range"],
  [["Ctrl A"], "all"],
  [["A"], "acknowledge"],
  [["Enter"], "detail"],
  [["/"], "filter"],
  [["M"], "silence"],
  [["Esc"], "escape"],
  [["?"], "help"],
] as const;

const TREND_KEYS = [
  [["←", "→", "Shift ←"], "pan"],
  [["+", "−"], "zoom"],
  [[",", "."], "cursor"],
  [["Backspace", "0"], "back"],
  [["End"], "live"],
] as const;

export function KeyboardHelp() {
  const { t } = useTranslation();
  const [opened, { open, close }] = useDisclosure(false);
  useShortcut("?", open);
  return (
    <Dialog opened={opened} onClose={close} title={t("help.title")}>
      <table className="help-table">
        <tbody>
          {KEYS.map(([keys, what]) => (
            <KeyRow key={what} keys={keys} words={t(`help.${what}`)} />
          ))}
        </tbody>
        <tbody>
          <tr>
            <th scope="rowgroup" colSpan={2}>
              {t("trend.help.title")}
            </th>
          </tr>
          {TREND_KEYS.map(([keys, what]) => (
            <KeyRow key={what} keys={keys} words={t(`trend.help.${what}`)} />
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}

function KeyRow({ keys, words }: { keys: readonly string[]; words: string }) {
  return (
    <tr>
      <td>
        {keys.map((key) => (
          <kbd key={key} className="key">
            {key}
          </kbd>
        ))}
      </td>
      <td>{words}</td>
    </tr>
  );
}
