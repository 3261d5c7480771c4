/** What narrows a list by a word and by a state; both are in the address. */
import { useApp } from "./context.ts";
import { SearchBox, Segments } from "./form.tsx";

interface Props {
  /** What is searched. */
  label: string;
  /** Beside "all". */
  states: readonly (readonly [string, string])[];
}

export function StateSearch({ label, states }: Props) {
  const { router, i18n } = useApp();
  const { t } = i18n;
  const { q = "", state = "" } = router.place.value.query;
  return (
    <div class="toolbar">
      <SearchBox value={q} label={label} onSearch={(text) => router.patch({ q: text, page: null })} />
      <Segments
        label={t("field.state")}
        value={state}
        onChange={(s) => router.patch({ state: s, page: null })}
        options={[["", t("plugins.all")], ...states]}
      />
    </div>
  );
}
