import { type ReactNode, useId, useState } from "react";
import { useTranslation } from "react-i18next";
import { type NumberField, numberFrom } from "./fields";

interface LabelledProps {
  label: string;
  /** Behind the label; empty: none. */
  unit?: string;
  children: (id: string) => ReactNode;
}

/** A thing to fill in with its label before it. */
export function Labelled({ label, unit = "", children }: LabelledProps) {
  const id = useId();
  return (
    <div className="tuning-field">
      <label htmlFor={id}>
        {label}
        {unit && <span className="secondary">, {unit}</span>}
      </label>
      {children(id)}
    </div>
  );
}

interface NumberProps {
  label: string;
  unit?: string;
  field: NumberField;
  value: number | null;
  disabled: boolean;
  onChange: (value: number | null) => void;
}

/** A number that people write; what is no number is told and not taken, and is gone when they leave. */
export function NumberInput({ label, unit = "", field, value, disabled, onChange }: NumberProps) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState<string | null>(null);
  const wrong = typed !== null && numberFrom(typed, field) === undefined;
  const take = (text: string) => {
    setTyped(text);
    const read = numberFrom(text, field);
    if (read !== undefined) onChange(read);
  };
  return (
    <Labelled label={label} unit={unit}>
      {(id) => (
        <>
          <input
            id={id}
            className="plain-input number"
            inputMode="decimal"
            autoComplete="off"
            value={typed ?? (value === null ? "" : String(value))}
            placeholder={field.optional && t("tuning.optional")}
            disabled={disabled}
            aria-invalid={wrong || undefined}
            aria-describedby={wrong ? `${id}-wrong` : undefined}
            onChange={(event) => take(event.currentTarget.value)}
            onBlur={() => setTyped(null)}
          />
          {wrong && (
            <p id={`${id}-wrong`} className="tuning-wrong">
              {t("tuning.noNumber")}
            </p>
          )}
        </>
      )}
    </Labelled>
  );
}

interface TextProps {
  label: string;
  value: string;
  disabled: boolean;
  hint?: string;
  onChange: (value: string) => void;
}

/** Words that people write; they are taken when they leave, since half an expression is a mistake. */
export function TextInput({ label, value, disabled, hint, onChange }: TextProps) {
  const [typed, setTyped] = useState<string | null>(null);
  const take = () => {
    if (typed !== null && typed !== value) onChange(typed);
    setTyped(null);
  };
  return (
    <Labelled label={label}>
      {(id) => (
        <input
          id={id}
          className="plain-input"
          value={typed ?? value}
          title={hint}
          disabled={disabled}
          onChange={(event) => setTyped(event.currentTarget.value)}
          onBlur={take}
          onKeyDown={(event) => {
            if (event.key === "Enter") take();
          }}
        />
      )}
    </Labelled>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  disabled: boolean;
  choices: readonly (readonly [value: string, words: string])[];
  onChange: (value: string) => void;
}

export function ChoiceInput({ label, value, disabled, choices, onChange }: ChoiceProps) {
  return (
    <Labelled label={label}>
      {(id) => (
        <select
          id={id}
          className="plain-input"
          value={value}
          disabled={disabled}
          onChange={(event) => onChange(event.currentTarget.value)}
        >
          {choices.map(([one, words]) => (
            <option key={one} value={one}>
              {words}
            </option>
          ))}
        </select>
      )}
    </Labelled>
  );
}
