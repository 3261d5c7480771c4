import { Component, type ComponentChildren, type FunctionComponent, h } from "preact";

/** A component that is drawn again only when a prop changed (what `preact/compat` has, without the rest of it). */
export function memo<P extends object>(inner: FunctionComponent<P>): FunctionComponent<P> {
  return class Memo extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      const now = this.props as Record<string, unknown>;
      const then = next as Record<string, unknown>;
      return Object.keys(then).some((k) => now[k] !== then[k]);
    }
    override render(): ComponentChildren {
      return h(inner, this.props as P);
    }
  } as unknown as FunctionComponent<P>;
}
