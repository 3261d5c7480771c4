/** The REST API of a running broker, as the dashboard's administrator asks it. */
import type { RunningBroker } from "./executable.ts";

export interface ApiAnswer<T> {
  code: number;
  data: T;
  message?: string;
}

/** Its functions may be taken out of it by name. Paths: below `/api/v3/`. */
export class Rest {
  constructor(
    /** The one that runs now. */
    private readonly broker: () => RunningBroker,
    /** The administrator's. */
    public password = "public",
  ) {}

  ask = (method: string, path: string, body?: unknown): Promise<Response> =>
    fetch(`http://127.0.0.1:${this.broker().ports.dashboard}/api/v3/${path}`, {
      method,
      headers: { authorization: `Basic ${btoa(`admin:${this.password}`)}`, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });

  answer = async <T>(method: string, path: string, body?: unknown): Promise<ApiAnswer<T>> =>
    (await (await this.ask(method, path, body)).json()) as ApiAnswer<T>;

  /** What is answered. Rejects when it is refused. */
  api = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const { code, data, message } = await this.answer<T>(method, path, body);
    if (code !== 0) throw new Error(`${method} ${path}: ${code} ${message ?? ""}`);
    return data;
  };
}
