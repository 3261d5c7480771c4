/** What rules can write to: the only list. */
import type { Kinds } from "../actions.ts";
import { FILE_ACTION, fileResource } from "./file.ts";
import { INFLUX } from "./influx.ts";
import { KAFKA } from "./kafka.ts";
import { MONGO } from "./mongo.ts";
import { MQTT } from "./mqtt.ts";
import { NATS } from "./nats.ts";
import { REDIS } from "./redis.ts";
import { SQL } from "./sql.ts";

const ALL = [SQL, REDIS, MONGO, MQTT, KAFKA, NATS, INFLUX];

/** `files`: the directory below which files are written. */
export function connectors({ files }: { files: () => string }): Required<Kinds> {
  return {
    resources: [...ALL.flatMap(({ resources }) => resources), fileResource(files)],
    actions: [...ALL.flatMap(({ actions }) => actions), FILE_ACTION],
  };
}
