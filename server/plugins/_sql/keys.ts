/** The configuration keys that MySQL and PostgreSQL have alike, under names of their own. */
import { flag, integer, parsed, text } from "../../lib/config_entry.ts";
import { ONE_SELECT, oneSelect } from "./one_select.ts";
import type { Dialect } from "./query.ts";

export const AUTH_QUERY = "select password from mqtt_user where username = '%u' limit 1";
export const SUPER_QUERY = "select is_superuser from mqtt_user where username = '%u' limit 1";
export const ACL_QUERY =
  "select allow, ipaddr, username, clientid, access, topic from mqtt_acl where ipaddr = '%a' or username = '%u' or username = '$all' or clientid = '%c'";

export const poolEntry = () => integer(8, "Connections to the server.", { min: 1, max: 256 });
export const databaseEntry = () => text("mqtt", "Database that has the tables.");
const question = (dialect: Dialect, def: string, doc: string, o: { unset?: string } = {}) =>
  parsed(def, ONE_SELECT, (text) => oneSelect(text, dialect), doc, o);
export const authQueryEntry = (dialect: Dialect) =>
  question(
    dialect,
    AUTH_QUERY,
    "Asked for a client's password: password, or password and salt, in this order. %u, %c, %a, %cn, %dn in quotes are values.",
  );
export const superQueryEntry = (dialect: Dialect) =>
  question(
    dialect,
    SUPER_QUERY,
    "Asked whether a client may do everything: 1 or true in the first column. Empty, or left out of a file = nobody is asked.",
    {
      unset: "",
    },
  );
export const aclQueryEntry = (dialect: Dialect) =>
  question(
    dialect,
    ACL_QUERY,
    "Asked for a client's rules: allow, ipaddr, username, clientid, access, topic. The last row is looked at first. Empty, or left out of a file = no rules.",
    { unset: "" },
  );
export const prepareEntry = () =>
  flag("on", "Keep prepared statements on the server; off behind a pooler such as PgBouncer in transaction mode.", { required: false });
