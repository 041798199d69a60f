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

export function KeyboardHelp() {
  const { t } = useTranslation();
  const [opened, { open, close }] = useDisclosure(false);
  useShortcut("?", open);
  return (
    <Dialog opened={opened} onClose={close} title={t("help.title")}>
      <table className="help-table">
        <tbody>
          {KEYS.map(([keys, what]) => (
            <tr key={what}>
              <td>
                {keys.map((key) => (
                  <kbd key={key} className="key">
                    {key}
                  </kbd>
                ))}
              </td>
              <td>{t(`help.${what}`)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}
