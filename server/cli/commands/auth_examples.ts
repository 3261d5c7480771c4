/** What emqx_auth_ldap, emqx_auth_redis and emqx_auth_mongo look for with the settings they come with, as EMQ X 3.1 documented it. */
import { type Command, take, UsageError } from "../command.ts";

/** Definitions of OpenLDAP's slapd.conf; they need core.schema, cosine.schema and inetorgperson.schema. */
const LDAP_SCHEMA = `attributetype ( 1.3.6.1.4.1.11.2.53.2.2.3.1.2.3.1.3
  NAME 'isEnabled'
  DESC 'FALSE: the device may not come in'
  EQUALITY booleanMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.7
  SINGLE-VALUE )

attributetype ( 1.3.6.1.4.1.11.2.53.2.2.3.1.2.3.4.1
  NAME ( 'mqttPublishTopic' 'mpt' )
  DESC 'topic filter that may be published to'
  EQUALITY caseExactMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )

attributetype ( 1.3.6.1.4.1.11.2.53.2.2.3.1.2.3.4.2
  NAME ( 'mqttSubscriptionTopic' 'mst' )
  DESC 'topic filter that may be subscribed to'
  EQUALITY caseExactMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )

attributetype ( 1.3.6.1.4.1.11.2.53.2.2.3.1.2.3.4.3
  NAME ( 'mqttPubSubTopic' 'mpst' )
  DESC 'topic filter for both'
  EQUALITY caseExactMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )

objectclass ( 1.3.6.1.4.1.11.2.53.2.2.3.1.2.3.4
  NAME 'mqttUser'
  SUP top
  AUXILIARY
  MAY ( mqttPublishTopic $ mqttSubscriptionTopic $ mqttPubSubTopic ) )

objectclass ( 1.3.6.1.4.1.11.2.53.2.2.3.1.2.3.2
  NAME 'mqttDevice'
  SUP top
  STRUCTURAL
  MUST ( uid )
  MAY ( isEnabled ) )

objectclass ( 1.3.6.1.4.1.11.2.53.2.2.3.1.2.3.3
  NAME 'mqttSecurity'
  SUP top
  AUXILIARY
  MAY ( userPassword ) )`;

/** Passwords are "public": a hash, and plain. */
const LDIF = `dn: dc=emqx,dc=io
objectClass: top
objectClass: dcObject
objectClass: organization
dc: emqx
o: emqx.io

dn: ou=device,dc=emqx,dc=io
objectClass: top
objectClass: organizationalUnit
ou: device

dn: uid=joe,ou=device,dc=emqx,dc=io
objectClass: top
objectClass: mqttUser
objectClass: mqttDevice
objectClass: mqttSecurity
uid: joe
isEnabled: TRUE
userPassword: {SHA}YcmysX23eieEG77qv/kjRIsPY4g=
mqttPublishTopic: joe/up/#
mqttSubscriptionTopic: joe/down/#
mqttPubSubTopic: joe/both/#

dn: uid=ann,ou=device,dc=emqx,dc=io
objectClass: top
objectClass: mqttUser
objectClass: mqttDevice
objectClass: mqttSecurity
uid: ann
isEnabled: FALSE
userPassword: public`;

const REDIS = `HMSET mqtt_user:joe password public is_superuser 0
HMSET mqtt_user:root password public is_superuser 1
HMSET mqtt_acl:joe joe/up/# 2 joe/down/# 1 joe/both/# 3`;

const MONGO = `db.mqtt_user.insertOne({ username: "joe", password: "efa1f375d76194fa51a3556a97e641e61685f914d446979da50a551a4333ffd7", is_superuser: false })
db.mqtt_user.createIndex({ username: 1 }, { unique: true })
db.mqtt_acl.insertOne({ username: "joe", clientid: "joe-1", publish: ["joe/up/#"], subscribe: ["joe/down/#"], pubsub: ["joe/both/#"] })
db.mqtt_acl.createIndex({ username: 1 })`;

/** Command -> what it is called with -> what it prints. */
const EXAMPLES: Readonly<Record<string, Readonly<Record<string, { doc: string; text: string }>>>> = {
  "ldap-schema": {
    "": { doc: "Print the LDAP schema that emqx_auth_ldap looks for, for slapd.conf", text: LDAP_SCHEMA },
    ldif: { doc: "Print entries of it, as an example", text: LDIF },
  },
  "redis-example": { "": { doc: "Print the keys that emqx_auth_redis looks for, as an example", text: REDIS } },
  "mongo-example": { "": { doc: "Print the documents that emqx_auth_mongo looks for, as an example", text: MONGO } },
};

export const exampleCommands: readonly Command[] = Object.entries(EXAMPLES).map(([name, forms]) => ({
  name,
  usage: Object.entries(forms).map(([word, { doc }]) => [`${name} ${word}`.trim(), doc] as const),
  async run(ctx, args) {
    const word = args.length === 0 ? "" : (take(args, 1)[0] ?? "");
    const form = Object.hasOwn(forms, word) ? forms[word] : undefined;
    if (form === undefined) throw new UsageError();
    ctx.show({ text: form.text }, form.text.split("\n"));
  },
}));
