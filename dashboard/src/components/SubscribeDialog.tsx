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
  const wrong = filterError(topic);
  return (
    <Dialog
      title={t("client.subscribe")}
      yes={t("client.subscribe")}
      disabled={wrong !== null}
      onClose={onClose}
      onYes={() => onSubscribe(topic, Number(qos) as 0 | 1 | 2)}
    >
      <TextField
        label={t("field.filter")}
        value={topic}
        onInput={setTopic}
        placeholder="sensors/+/temperature"
        hint={t("topic.hint")}
        bad={topic !== "" && wrong ? t(wrong) : undefined}
        mono
        autofocus
      />
      <SelectField label="QoS" value={qos} options={QOS} onChange={setQos} />
    </Dialog>
  );
}
