/** The files with which EMQ X 3.1's plugins came that ask somebody outside: every line in force, and those that stand commented out. */

/** Plugin -> its file, without the words. */
export const AUTH_FILES: Readonly<Record<string, string>> = {
  emqx_auth_http: `auth.http.auth_req = http://127.0.0.1:8991/mqtt/auth
auth.http.auth_req.method = post
auth.http.auth_req.params = clientid=%c,username=%u,password=%P
auth.http.super_req = http://127.0.0.1:8991/mqtt/superuser
auth.http.super_req.method = post
auth.http.super_req.params = clientid=%c,username=%u
auth.http.acl_req = http://127.0.0.1:8991/mqtt/acl
auth.http.acl_req.method = get
auth.http.acl_req.params = access=%A,username=%u,clientid=%c,ipaddr=%a,topic=%t`,
  emqx_auth_jwt: `auth.jwt.secret = emqxsecret
#auth.jwt.pubkey = etc/certs/jwt_public_key.pem
auth.jwt.from = password
auth.jwt.verify_claims = off
#auth.jwt.verify_claims.username = %u`,
  emqx_auth_ldap: `auth.ldap.servers = 127.0.0.1
auth.ldap.port = 389
auth.ldap.pool = 8
auth.ldap.bind_dn = cn=root,dc=emqx,dc=io
auth.ldap.bind_password = public
auth.ldap.timeout = 30s
auth.ldap.device_dn = ou=device,dc=emqx,dc=io
auth.ldap.match_objectclass = mqttUser
auth.ldap.username.attributetype = uid
auth.ldap.password.attributetype = userPassword
auth.ldap.ssl = false
#auth.ldap.ssl.certfile = etc/certs/cert.pem
#auth.ldap.ssl.keyfile = etc/certs/key.pem
#auth.ldap.ssl.cacertfile = etc/certs/cacert.pem
#auth.ldap.ssl.verify = verify_peer
#auth.ldap.ssl.fail_if_no_peer_cert = true`,
  emqx_auth_mongo: `auth.mongo.type = single
#auth.mongo.rs_set_name = mqtt
auth.mongo.server = 127.0.0.1:27017
auth.mongo.pool = 8
#auth.mongo.login = mqtt
#auth.mongo.password = public
#auth.mongo.auth_source = admin
auth.mongo.database = mqtt
#auth.mongo.ssl = false
#auth.mongo.ssl_opts.keyfile = etc/certs/key.pem
#auth.mongo.ssl_opts.certfile = etc/certs/cert.pem
#auth.mongo.ssl_opts.cacertfile = etc/certs/cacert.pem
#auth.mongo.w_mode = safe
#auth.mongo.r_mode = slave_ok
auth.mongo.topology.pool_size = 1
auth.mongo.topology.max_overflow = 0
#auth.mongo.topology.overflow_ttl = 1000
#auth.mongo.topology.overflow_check_period = 1000
#auth.mongo.topology.local_threshold_ms = 1000
#auth.mongo.topology.connect_timeout_ms = 20000
#auth.mongo.topology.socket_timeout_ms = 100
#auth.mongo.topology.server_selection_timeout_ms = 30000
#auth.mongo.topology.wait_queue_timeout_ms = 1000
#auth.mongo.topology.heartbeat_frequency_ms = 10000
#auth.mongo.topology.min_heartbeat_frequency_ms = 1000
auth.mongo.auth_query.collection = mqtt_user
auth.mongo.auth_query.password_field = password
auth.mongo.auth_query.password_hash = sha256
auth.mongo.auth_query.selector = username=%u
auth.mongo.super_query = on
auth.mongo.super_query.collection = mqtt_user
auth.mongo.super_query.super_field = is_superuser
auth.mongo.super_query.selector = username=%u
auth.mongo.acl_query = on
auth.mongo.acl_query.collection = mqtt_acl
#auth.mongo.acl_query.selector.1 = username=%u,clientid=%c
#auth.mongo.acl_query.selector.2 = username=$all
auth.mongo.acl_query.selector = username=%u`,
  emqx_auth_mysql: `auth.mysql.server = 127.0.0.1:3306
auth.mysql.pool = 8
#auth.mysql.username = root
#auth.mysql.password = public
auth.mysql.database = mqtt
auth.mysql.auth_query = select password from mqtt_user where username = '%u' limit 1
auth.mysql.password_hash = sha256
#auth.mysql.password_hash = pbkdf2,sha256,1000,20
auth.mysql.super_query = select is_superuser from mqtt_user where username = '%u' limit 1
auth.mysql.acl_query = select allow, ipaddr, username, clientid, access, topic from mqtt_acl where ipaddr = '%a' or username = '%u' or username = '$all' or clientid = '%c'`,
  emqx_auth_pgsql: `auth.pgsql.server = 127.0.0.1:5432
auth.pgsql.pool = 8
auth.pgsql.username = root
#auth.pgsql.password = public
auth.pgsql.database = mqtt
auth.pgsql.encoding = utf8
auth.pgsql.ssl = false
#auth.pgsql.ssl_opts.keyfile = etc/certs/key.pem
#auth.pgsql.ssl_opts.certfile = etc/certs/cert.pem
#auth.pgsql.ssl_opts.cacertfile = etc/certs/cacert.pem
auth.pgsql.auth_query = select password from mqtt_user where username = '%u' limit 1
auth.pgsql.password_hash = sha256
#auth.pgsql.password_hash = salt,bcrypt
#auth.pgsql.pbkdf2_macfun = sha256
#auth.pgsql.pbkdf2_iterations = 1000
#auth.pgsql.pbkdf2_dklen = 20
auth.pgsql.super_query = select is_superuser from mqtt_user where username = '%u' limit 1
auth.pgsql.acl_query = select allow, ipaddr, username, clientid, access, topic from mqtt_acl where ipaddr = '%a' or username = '%u' or username = '$all' or clientid = '%c'`,
  emqx_auth_redis: `auth.redis.type = single
auth.redis.server = 127.0.0.1:6379
#auth.redis.sentinel = mymaster
auth.redis.pool = 8
auth.redis.database = 0
#auth.redis.password = public
auth.redis.auth_cmd = HMGET mqtt_user:%u password
auth.redis.password_hash = plain
#auth.redis.password_hash = salt,sha256
auth.redis.super_cmd = HGET mqtt_user:%u is_superuser
auth.redis.acl_cmd = HGETALL mqtt_acl:%u`,
};

/** As somebody writes it who uses all that it shows. The last line of a key counts. */
export const uncommented = (text: string): string => text.replaceAll(/^#/gm, "");
