import type { App } from "./index.js";

/** What a test gives. */
export interface World {
  /** Variables, as `env` in `wharf.toml`. There are no others. */
  env?: Record<string, string>;
  /** Secrets' values by the names that `secrets` in `wharf.toml` grants them under. */
  secrets?: Record<string, string>;
  /** Who answers what the handler fetches, by origin (`https://api.example.com`). Nothing else can be reached. */
  upstreams?: Record<string, (request: Request) => Response | Promise<Response>>;
}

/** What a handler sees of the world in a test. */
export class Host {
  constructor(world?: World);
  /** Has a request answered: a path, a URL or a `Request`. One at a time, as an instance does. */
  call(app: App, request: string | URL | Request, init?: RequestInit): Promise<Response>;
  /** The lines that `log` wrote. */
  readonly log: { level: string; message: string; fields?: Record<string, unknown> }[];
  /** What the handler fetched, in order. */
  readonly sent: Request[];
}
