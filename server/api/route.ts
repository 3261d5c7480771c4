/** What a route is: one row, from which its handler, its entry in the list of routes and its part of the OpenAPI document are made. */
import type { Static, TObject, TSchema } from "@sinclair/typebox";
import type { Admin } from "../admin/index.ts";
import type { Query } from "../admin/query.ts";
import type { Code } from "./contract.ts";

/** Where the API is served: 8080, 18083, or the socket of the command line. */
export type Kind = "management" | "dashboard" | "ctl";

export interface Caller {
  kind: "app" | "user" | "ctl";
  name: string;
}

export interface Call<Body = Record<string, unknown>> {
  readonly admin: Admin;
  readonly caller: Caller;
  readonly server: Kind;
  /** Asked from this machine. */
  isLocal(): boolean;
  /** Path parameters, percent-decoded. */
  readonly path: Readonly<Record<string, string>>;
  readonly query: Query;
  /** Fields of the body, those of the query in front of them. */
  readonly params: Body;
  /** The JSON of the body as it came; undefined = none. */
  readonly json: unknown;
  readonly request: Request;
  /** `POST /auth`. */
  login(username: unknown, password: unknown): Promise<Response>;
  /** The answer goes on for as long as the client likes, and may. @throws Busy */
  stream(): Streaming;
}

/** An answer that goes on. */
export interface Streaming {
  /** The client does not read: its connection is cut. */
  cut(): void;
  /** Whoever asked may not come in any more (application, user or password are others now), or its listener has been stopped. */
  isOver(): boolean;
}

export interface RouteDef<Body extends TObject = TObject> {
  readonly name: string;
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Below `/api/v3`, as the list of routes shows it. */
  readonly path: string;
  readonly descr: string;
  /** Default: everywhere. */
  readonly on?: readonly Kind[];
  /** Without credentials. */
  readonly open?: true;
  /**
   * What it changes is to be there after a restart: answered when it is kept. While nothing can be kept it is refused; or, where that would
   * stand in the way of a remedy (what is deleted makes room, settings say what to do) or of somebody who must be kept out now, made in
   * memory, and the answer says so. "by itself": whether anything has to be kept depends on whose it is; the command looks after it.
   */
  readonly keeps?: "or refuse" | "or tell" | "by itself";
  /** 404 while this plugin does not run. */
  readonly plugin?: string;
  readonly query?: TObject;
  readonly body?: Body;
  /** The body may be an array: then it is not taken as fields. */
  readonly array?: TSchema;
  /** A field that is not there, or a body that is no object, is refused: what was misspelt would pass for not asked. */
  readonly strict?: true;
  /** Code and message for fields whose type is wrong, where it is not 108. */
  readonly errors?: Readonly<Record<string, { code: Exclude<Code, 0>; message: string }>>;
  /** `data` of the answer; undefined = none. */
  readonly data?: TSchema;
  /** `data` is a list with `meta`. */
  readonly paged?: true;
  /** Content type when the answer is not the JSON envelope. */
  readonly type?: string;
  handle(call: Call<Static<Body>>): Response | Promise<Response>;
}

export type AnyRoute = Omit<RouteDef, "handle"> & { handle(call: Call): Response | Promise<Response> };

/** Types the handler's parameters by the body's schema. */
export function route<Body extends TObject>(def: RouteDef<Body>): AnyRoute {
  return def as unknown as AnyRoute;
}

/** Segments of a route's path. */
export function segmentsOf(path: string): string[] {
  return path.split("/").filter((s) => s !== "");
}
