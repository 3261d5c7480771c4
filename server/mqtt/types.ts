/** Values of the wire format. Names follow MQTT 5.0; times are in the units of the specification (seconds). */

export type ProtocolVersion = 3 | 4 | 5;
export type QoS = 0 | 1 | 2;
/** Key and value, order and duplicates kept [MQTT-3.3.2-18]. */
export type UserProperty = [key: string, value: string];

/** A decoder's refusal: a value, not an exception. `code` is an MQTT 5 reason code. */
export class ProtocolError {
  constructor(
    readonly code: number,
    readonly why: string,
  ) {}
}

export interface PublishProperties {
  payloadFormat?: 0 | 1;
  /** Seconds. */
  messageExpiry?: number;
  topicAlias?: number;
  responseTopic?: string;
  correlationData?: Uint8Array;
  userProperties?: UserProperty[];
  /** Only towards a client. */
  subscriptionIds?: number[];
  contentType?: string;
}

export interface WillPacket {
  topic: string;
  payload: Uint8Array;
  qos: QoS;
  retain: boolean;
  /** Seconds; 0 without the property. */
  delay: number;
  /** Without willDelayInterval; null when there are none. */
  properties: PublishProperties | null;
}

export interface ConnectPacket {
  protocolName: "MQTT" | "MQIsdp";
  version: ProtocolVersion;
  /** Bit 0x80 of the protocol level. */
  isBridge: boolean;
  cleanStart: boolean;
  keepalive: number;
  clientId: string;
  will: WillPacket | null;
  username: string | null;
  password: Uint8Array | null;
  /** Seconds; 0 when absent; 0xFFFFFFFF = never. Always 0 for 3.x (the channel applies the zone's value). */
  sessionExpiry: number;
  /** 0 = not sent (then 65535). */
  receiveMaximum: number;
  /** 0 = not sent (no limit). */
  maximumPacketSize: number;
  topicAliasMaximum: number;
  requestResponseInfo: boolean;
  requestProblemInfo: boolean;
  userProperties: UserProperty[] | null;
  authMethod: string | null;
  authData: Uint8Array | null;
}

export interface ConnackProperties {
  sessionExpiry?: number;
  receiveMaximum?: number;
  maximumQos?: 0 | 1;
  retainAvailable?: boolean;
  maximumPacketSize?: number;
  assignedClientId?: string;
  topicAliasMaximum?: number;
  reasonString?: string;
  userProperties?: UserProperty[];
  wildcardSubscription?: boolean;
  subscriptionIds?: boolean;
  sharedSubscription?: boolean;
  serverKeepalive?: number;
  responseInfo?: string;
  serverReference?: string;
  authMethod?: string;
  authData?: Uint8Array;
}

export interface SubscribeRequest {
  filter: string;
  qos: QoS;
  nl: boolean;
  rap: boolean;
  rh: 0 | 1 | 2;
}

export interface SubscribePacket {
  packetId: number;
  /** 0 = none. */
  subscriptionId: number;
  userProperties: UserProperty[] | null;
  requests: SubscribeRequest[];
}

export interface UnsubscribePacket {
  packetId: number;
  userProperties: UserProperty[] | null;
  filters: string[];
}

export interface DisconnectPacket {
  code: number;
  /** undefined = not sent. */
  sessionExpiry?: number;
  reasonString?: string;
  userProperties?: UserProperty[];
  serverReference?: string;
}

export interface AuthPacket {
  code: number;
  method: string | null;
  data: Uint8Array | null;
  reasonString?: string;
  userProperties?: UserProperty[];
}
