import { useState } from "preact/hooks";
import { filterError } from "../lib/topic.ts";
import { useApp } from "./context.ts";
import { Dialog } from "./Dialog.tsx";
import { SelectField, TextField } from "./form.tsx";

export const QOS = [
  ["0", "0"],
  ["1", "1"],
  ["2", "2"],
] as const;

interface Props {
  onClose: () => void;
  onSubscribe: (topic: string, qos: 0 | 1 | 2) => Promise<boolean>;
}

/** Subscribe a client to a topic on its behalf. */
export function SubscribeDialog({ onClose, onSubscribe }: Props) {
  const { t } = useApp().i18n;
  const [topic, setTopic] = useState("");
  const [qos, setQos] = useState<"0" | "1" | "2">("0");
  return (
    <Dialog
      title={t("client.subscribe")}
      yes={t("client.subscribe")}
      disabled={filterError(topic) !== null}
      onClose={onClose}
      onYes={() => onSubscribe(topic, Number(qos) as 0 | 1 | 2)}
    >
      <FilterField value={topic} onInput={setTopic} autofocus />
      <SelectField label="QoS" value={qos} options={QOS} onChange={setQos} />
    </Dialog>
  );
}

interface FieldProps {
  value: string;
  onInput: (topic: string) => void;
  autofocus?: boolean;
}

/** A topic filter; what is wrong with it is said once there is something. */
export function FilterField({ value, onInput, autofocus = false }: FieldProps) {
  const { t } = useApp().i18n;
  const wrong = value === "" ? null : filterError(value);
  return (
    <TextField
      label={t("field.filter")}
      value={value}
      onInput={onInput}
      placeholder="sensors/+/temperature"
      hint={t("topic.hint")}
      bad={wrong ? t(wrong) : undefined}
      mono
      autofocus={autofocus}
    />
  );
}
