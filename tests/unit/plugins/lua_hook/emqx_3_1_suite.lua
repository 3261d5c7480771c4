-- The scripts of test/emqx_lua_hook_SUITE.erl of emqx-lua-hook (branch release-3.1, https://github.com/emqx/emqx-lua-hook), word for word; what
-- stands between them, and these lines, is not theirs.
-- Copyright (c) 2013-2019 EMQ Technologies Co., Ltd. All Rights Reserved. Licensed under the Apache License, Version 2.0.

-- >>> case01 abc.lua
function on_message_publish(ClientId, Username, topic, payload, qos, retain)
    return topic, "hello", qos, retain
end

function register_hook()
    return "on_message_publish"
end

-- >>> case02 abc.lua
function on_message_publish(ClientId, Username, topic, payload, qos, retain)
    return false
end

function register_hook()
    return "on_message_publish"
end

-- >>> case03 abc.lua
function on_message_publish(ClientId, Username, topic, payload, qos, retain)
    return 9/0
end

function register_hook()
    return "on_message_publish"
end

-- >>> case04 abc.lua
function on_message_publish(ClientId, Username, topic, payload, qos, retain)
    if ClientId == "broker" then
        return topic, "hello broker", qos, retain
    else
        return false
    end
end

function register_hook()
    return "on_message_publish"
end

-- >>> case11 abc.lua
function on_message_deliver(ClientId, Username, topic, payload, qos, retain)
    return 0
end

function register_hook()
    return "on_message_deliver"
end

-- >>> case12 abc.lua
function on_message_deliver(ClientId, Username, topic, payload, qos, retain)
    return false
end

function register_hook()
    return "on_message_deliver"
end

-- >>> case13 abc.lua
function on_message_deliver(ClientId, Username, topic, payload, qos, retain)
    return 9/0
end

function register_hook()
    return "on_message_deliver"
end

-- >>> case21 abc.lua
function on_message_acked(ClientId, Username, Topic, Payload, Qos, Retain)
    return 0
end

function register_hook()
    return "on_message_acked"
end

-- >>> case22 abc.lua
function on_message_acked(topic, payload, qos, retain)
    return false
end

function register_hook()
    return "on_message_acked"
end

-- >>> case23 abc.lua
function on_message_acked(topic, payload, qos, retain)
    return 9/0
end

function register_hook()
    return "on_message_acked"
end

-- >>> case31 abc.lua
function on_client_connected(ClientId, UserName, ReturnCode)
    return 0
end

function register_hook()
    return "on_client_connected"
end

-- >>> case32 abc.lua
function on_client_connected(topic, payload, qos, retain)
    return 9/0
end

function register_hook()
    return "on_client_connected"
end

-- >>> case41 abc.lua
function on_client_subscribe(ClientId, Username, Topic)
    if Topic == "a/b/c" then
        Topic = "a1/b1/c1";
    end
    return Topic
end

function register_hook()
    return "on_client_subscribe"
end

-- >>> case42 abc.lua
function on_client_subscribe(ClientId, Username, Topic)
    return false
end

function register_hook()
    return "on_client_subscribe"
end

-- >>> case43 abc.lua
function on_client_subscribe(ClientId, Username, Topic)
    return 9/0
end

function register_hook()
    return "on_client_subscribe"
end

-- >>> case51 abc.lua
function on_client_unsubscribe(ClientId, Username, Topic)
    if Topic == "a/b/c" then
        Topic = "a1/b1/c1";
    end
    return Topic
end

function register_hook()
    return "on_client_unsubscribe"
end

-- >>> case52 abc.lua
function on_client_unsubscribe(ClientId, Username, Topic)
    return false
end

function register_hook()
    return "on_client_unsubscribe"
end

-- >>> case53 abc.lua
function on_client_unsubscribe(ClientId, Username, Topic)
    return 9/0
end

function register_hook()
    return "on_client_unsubscribe"
end

-- >>> case61 abc.lua
function on_client_disconnected(ClientId, UserName, Error)
    return 0
end

function register_hook()
    return "on_client_disconnected"
end

-- >>> case62 abc.lua
function on_client_disconnected(ClientId, UserName, Error)
    return 9/0
end

function register_hook()
    return "on_client_disconnected"
end

-- >>> case71 abc.lua
function on_session_subscribed(ClientId, Username, Topic)
    return 0
end

function register_hook()
    return "on_session_subscribed"
end

-- >>> case72 abc.lua
function on_session_subscribed(ClientId, Username, Topic)
    return false
end

function register_hook()
    return "on_session_subscribed"
end

-- >>> case73 abc.lua
function on_session_subscribed(ClientId, Username, Topic)
    return 9/0
end

function register_hook()
    return "on_session_subscribed"
end

-- >>> case81 abc.lua
function on_session_unsubscribed(ClientId, Username, Topic)
    return 0
end

function register_hook()
    return "on_session_unsubscribed"
end

-- >>> case82 abc.lua
function on_session_unsubscribed(ClientId, Username, Topic)
    return false
end

function register_hook()
    return "on_session_unsubscribed"
end

-- >>> case83 abc.lua
function on_session_unsubscribed(ClientId, Username, Topic)
    return 9/0
end

function register_hook()
    return "on_session_unsubscribed"
end

-- >>> case101 abc.lua
function on_message_publish(clientid, username, topic, payload, qos, retain)
    return topic, "hello", qos, retain
end

function register_hook()
    return "on_message_publish"
end

-- >>> case101 mn.lua
function on_client_subscribe(ClientId, Username, Topic)
    if Topic == "a/b/c" then
        Topic = "a1/b1/c1";
    end
    return Topic
end

function register_hook()
    return "on_client_subscribe"
end

-- >>> case110 abc.lua
function on_message_publish(clientid, username, topic, payload, qos, retain)
    return "changed/topic", "hello", qos, retain
end

function register_hook()
    return "on_message_publish"
end

-- >>> case111 abc.lua
function on_message_publish(topic, payload, qos, retain)
    return "changed/topic", "hello", qos, retain
end

function register_hook()
    return "on_message_publish"
end

-- >>> case112 abc.lua
function on_message_publish(clientid, username, topic, payload, qos, retain)
    return "changed/topic", "hello", qos, retain
end

function register_hook()
    return "on_message_publish"
end

-- >>> case113 abc.lua
function on_message_publish(clientid, username, topic, payload, qos, retain)
    return "changed/topic", "hello", qos, retain
end

function register_hook()
    return "on_message_publish"
end

-- >>> case114 abc.lua.x
function on_message_publish(clientid, username, topic, payload, qos, retain)
    return "changed/topic", "hello", qos, retain
end

function register_hook()
    return "on_message_publish"
end

-- >>> case115 abc.lua
function on_message_publish(clientid, username, topic, payload, qos, retain)
    return "changed/topic", "hello", qos, retain
end
function on_client_subscribe(ClientId, Username, Topic)
    return "play/football"
end

function register_hook()
    return "on_message_publish", "on_client_subscribe"
end

-- >>> case201 abc.lua
function on_session_subscribed(ClientId, Username, Topic)
    return 0
end

function on_session_subscribed1()
    return "on_session_subscribed"
end

-- >>> case202 abc.lua
function abc(ClientId, Username, Topic)
    return 0
end

9/0

-- >>> case204 abc.lua
function on_message_publish(clientid, username, topic, payload, qos, retain)
    return topic, payload .. "_Z", qos, retain
end
function on_client_subscribe(ClientId, Username, Topic)
    return "play/football"
end

function register_hook()
    return "on_message_publish", "on_client_subscribe", "on_message_publish"
end

-- >>> case205 abc.lua
function on_message_publish(clientid, username, topic, payload, qos, retain)
    return topic, "hello", qos, retain
end_with_error

function register_hook()
    return "on_message_publish", "on_client_subscribe", "on_message_publish"
end

-- >>> case301 abc.lua
function on_client_authenticate(Clientid, Username, Peername, Password)
    return "ok"
end

function register_hook()
    return "on_client_authenticate"
end

-- >>> case302 abc.lua
function on_client_check_acl(Clientid, Username, Peername, Password, PubSub, Topic)
    return "allow"
end

function register_hook()
    return "on_client_check_acl"
end
