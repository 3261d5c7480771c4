/** Payloads that say whose they are, at every position: number, publisher and topic over and over. */
export function payloadOf(n: number, from: string, topic: string, size: number): Buffer {
  const head = `${n}|${from}|${topic}|`;
  return Buffer.alloc(Math.max(size, head.length), head);
}

/** Number of the message; -1 = these are no bytes of ours. */
export function numberOf(payload: Uint8Array): number {
  let n = 0;
  for (let i = 0; i < payload.length && i < 10; i++) {
    const c = payload[i] as number;
    if (c === 0x7c) return i > 0 ? n : -1;
    if (c < 48 || c > 57) return -1;
    n = n * 10 + c - 48;
  }
  return -1;
}
