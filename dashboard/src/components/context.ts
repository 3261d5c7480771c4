/** How components reach the models. */
import { createContext } from "preact";
import { useContext, useEffect, useRef } from "preact/hooks";
import type { App } from "../models/app.ts";

export const AppContext = createContext<App | null>(null);

export function useApp(): App {
  const app = useContext(AppContext);
  if (!app) throw new Error("no AppContext");
  return app;
}

/** A model that lives as long as the component (give the component a `key` when its subject changes). */
export function useModel<M extends { dispose(): void }>(create: (app: App) => M): M {
  const app = useApp();
  const ref = useRef<M | null>(null);
  ref.current ??= create(app);
  const model = ref.current;
  useEffect(() => () => model.dispose(), [model]);
  return model;
}
