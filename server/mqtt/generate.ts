/**
 * The door to mqtt-packet, which encodes the packets that are rare and have no user properties to keep in order: SUBACK, UNSUBACK,
 * DISCONNECT, AUTH. What clients send is decoded by hand throughout: mqtt-packet is not strict enough, and whoever checks a packet
 * completely has already read it.
 */
import { generate, type Packet, writeToStream } from "mqtt-packet";
import type { ProtocolVersion } from "./types.ts";

export function generatePacket(version: ProtocolVersion, packet: Packet): Uint8Array {
  // Its default is to make 65,536 buffers, some 10 MB, at the first packet.
  if (writeToStream.cacheNumbers) writeToStream.cacheNumbers = false;
  return generate(packet, { protocolVersion: version });
}
