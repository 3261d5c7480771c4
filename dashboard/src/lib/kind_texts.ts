/** Kinds of actions and resources in the language of whoever looks at them. */
import type { Spec, Specs } from "./params.ts";

interface Kind {
  title: string;
  description: string;
  params: Specs;
}

/** `said`: a text of the API in that language. */
export function translated<K extends Kind>(kind: K, said: (text: string) => string): K {
  return { ...kind, title: said(kind.title), description: said(kind.description), params: specsIn(kind.params, said) };
}

const specsIn = (specs: Specs, said: (text: string) => string): Specs =>
  Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, specIn(spec, said)]));

function specIn(spec: Spec, said: (text: string) => string): Spec {
  return {
    ...spec,
    title: said(spec.title),
    description: said(spec.description),
    ...(spec.schema && { schema: specsIn(spec.schema, said) }),
    ...(spec.items && { items: specIn(spec.items, said) }),
  };
}
