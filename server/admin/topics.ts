/** Subscribed filters and retained topics as a tree, one level at a time. */
import type { AdminDeps } from "./deps.ts";
import type { TopicNode, TopicTree } from "./extra_rows.ts";
import { Slices, sortSliced } from "./slices.ts";

const LIMIT_MAX = 1000;

export function createTopics({ broker, plugins }: AdminDeps) {
  return {
    /** What lies directly below `prefix` ("" = the top), by name; at most `limit` of them. */
    async tree(prefix: string, limit: number): Promise<TopicTree> {
      const slices = new Slices(() => broker.clock.mono());
      const nodes = new Map<string, TopicNode>();
      const base = prefix === "" ? "" : `${prefix}/`;

      const node = (topic: string): TopicNode | null => {
        if (!topic.startsWith(base)) return null;
        const end = topic.indexOf("/", base.length);
        const name = end < 0 ? topic.slice(base.length) : topic.slice(base.length, end);
        let known = nodes.get(name);
        if (!known) {
          known = { name, topic: base + name, routes: 0, retained: 0, children: false, is_route: false };
          nodes.set(name, known);
        }
        if (end >= 0) known.children = true;
        return known;
      };

      for (const filter of broker.router.topics()) {
        if (slices.due()) await slices.rest();
        const n = node(filter);
        if (!n) continue;
        n.routes++;
        if (filter === n.topic) n.is_route = true;
      }
      for (const m of plugins.service("emqx_retainer")?.messages() ?? []) {
        if (slices.due()) await slices.rest();
        const n = m === null ? null : node(m.topic);
        if (n) n.retained++;
      }
      const sorted = await sortSliced([...nodes.values()], (a, b) => (a.name < b.name ? -1 : 1), slices);
      const max = Math.min(limit, LIMIT_MAX);
      return { prefix, nodes: sorted.slice(0, max), truncated: sorted.length > max };
    },
  };
}
