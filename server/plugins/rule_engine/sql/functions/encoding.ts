/** Bytes and text in other forms: hashes, compression, base64, hexadecimal digits, JSON, identifiers. Bytes that are UTF-8 come back as text. */
import { createHash, randomUUID } from "node:crypto";
import { deflateRawSync, deflateSync, gunzipSync, gzipSync, inflateRawSync, inflateSync } from "node:zlib";
import { ArgumentError, Refusal } from "../errors.ts";
import { parseJson } from "../json.ts";
import { bounded, bytesOf, MAX_TEXT, textOrBytes, toJson, type Value } from "../values.ts";
import { oneOf, Table, text, textOrBytesArg } from "./table.ts";

const algorithm = oneOf("md5", "sha", "sha1", "sha224", "sha256", "sha384", "sha512");

function digest(name: string, data: Value): string {
  return createHash(name === "sha" ? "sha1" : name)
    .update(bytesOf(textOrBytesArg(data)))
    .digest("hex");
}

export const hashes = new Table("hashes")
  .add("md5", "data", "MD5, as hexadecimal digits.", "md5('hello')", "5d41402abc4b2a76b9719d911017c592", (d) => digest("md5", d))
  .add("sha", "data", "SHA-1, as hexadecimal digits.", "sha('hello')", "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d", (d) => digest("sha1", d))
  .add(
    "sha256",
    "data",
    "SHA-256, as hexadecimal digits.",
    "sha256('hello')",
    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
    (d) => digest("sha256", d),
  )
  .add("sha512", "data", "SHA-512, as hexadecimal digits.", "substr(sha512('hello'), 0, 16)", "9b71d224bd62f378", (d) =>
    digest("sha512", d),
  )
  .add(
    "hash",
    "algorithm, data",
    "md5, sha, sha224, sha256, sha384 or sha512.",
    "hash('md5', 'hello')",
    "5d41402abc4b2a76b9719d911017c592",
    (a, d) => digest(algorithm(a), d),
    {
      checks: { 0: algorithm },
    },
  );

const LIMITS = { maxOutputLength: MAX_TEXT };

function compressed(how: (data: Uint8Array, options: typeof LIMITS) => Uint8Array): (data: Value) => Value {
  return (data) => textOrBytes(bounded(how(bytesOf(textOrBytesArg(data)), LIMITS)));
}

function restored(form: string, how: (data: Uint8Array, options: typeof LIMITS) => Uint8Array): (data: Value) => Value {
  return (data) => {
    const bytes = bytesOf(textOrBytesArg(data));
    try {
      return textOrBytes(how(bytes, LIMITS));
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE")
        throw new Refusal(`the result would have more than ${MAX_TEXT} bytes`);
      throw new ArgumentError(form, data);
    }
  };
}

export const compression = new Table("compression")
  .add("gzip", "data", "Compressed, with gzip's header and checksum.", "gunzip(gzip('hello'))", "hello", compressed(gzipSync))
  .add(
    "gunzip",
    "bytes",
    "What gzip compressed; at most 1 MiB.",
    "gunzip(hexstr2bin('1F8B0800000000000013CB48CDC9C9070086A6103605000000'))",
    "hello",
    restored("bytes that gzip made", gunzipSync),
  )
  .add("zip", "data", "Compressed (DEFLATE), without a header.", "bin2hexstr(zip('hello'))", "CB48CDC9C90700", compressed(deflateRawSync))
  .add(
    "unzip",
    "bytes",
    "What zip compressed; at most 1 MiB.",
    "unzip(hexstr2bin('CB48CDC9C90700'))",
    "hello",
    restored("bytes that zip made", inflateRawSync),
  )
  .add(
    "zip_compress",
    "data",
    "Compressed, with zlib's header and checksum.",
    "bin2hexstr(zip_compress('hello'))",
    "789CCB48CDC9C90700062C0215",
    compressed(deflateSync),
  )
  .add(
    "zip_uncompress",
    "bytes",
    "What zip_compress compressed; at most 1 MiB.",
    "zip_uncompress(hexstr2bin('789CCB48CDC9C90700062C0215'))",
    "hello",
    restored("bytes that zip_compress made", inflateSync),
  );

const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;
const option = oneOf("", "urlsafe", "no_padding");

function toBase64(data: Value, ...options: Value[]): string {
  const words = options.map(option);
  const bytes = Buffer.from(bytesOf(textOrBytesArg(data)));
  const isSafe = words.includes("urlsafe");
  const digits = bounded(bytes.toString(isSafe ? "base64url" : "base64"));
  if (words.includes("no_padding")) return digits.replace(/=+$/, "");
  return isSafe ? digits + "=".repeat((4 - (digits.length % 4)) % 4) : digits;
}

function fromBase64(data: Value): Value {
  const digits = text(data).replace(/[\r\n\t ]/g, "");
  if (!BASE64.test(digits) || digits.replace(/=+$/, "").length % 4 === 1) throw new ArgumentError("base64", data);
  return textOrBytes(Buffer.from(digits, "base64"));
}

function hex(data: Value): string {
  return bounded(Buffer.from(bytesOf(textOrBytesArg(data))).toString("hex")).toUpperCase();
}

export const encoding = new Table("encoding")
  .add(
    "base64_encode",
    "data[, option, …]",
    "In base64. Options: 'urlsafe' (- and _ for + and /), 'no_padding'.",
    "base64_encode('hello')",
    "aGVsbG8=",
    toBase64,
  )
  .add(
    "base64_decode",
    "text",
    "Out of base64, either alphabet, with padding or without.",
    "base64_decode('aGVsbG8=')",
    "hello",
    fromBase64,
  )
  .add("bin2hexstr", "data", "As hexadecimal digits.", "bin2hexstr('abc')", "616263", hex)
  .add("sqlserver_bin2hexstr", "data", "The same as SQL Server writes it.", "sqlserver_bin2hexstr('abc')", "0x616263", (d) => `0x${hex(d)}`)
  .add(
    "hexstr2bin",
    "text",
    "Out of hexadecimal digits; of an odd number the first one stands alone.",
    "hexstr2bin('616263')",
    "abc",
    (s) => {
      const digits = text(s).replace(/^0[xX]/, "");
      if (!/^[0-9a-fA-F]*$/.test(digits)) throw new ArgumentError("hexadecimal digits", s);
      return textOrBytes(Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, "hex"));
    },
  )
  .add("json_encode", "value", "As JSON.", `json_encode([1, 'a', null])`, '[1,"a",null]', (v) => toJson(v), { cost: "none" })
  .add("json_decode", "text", "Out of JSON. Whole numbers of any length are exact.", `json_decode('{"a":[1]}')`, { a: [1] }, decoded, {
    cost: "none",
  });

function decoded(value: Value): Value {
  const json = text(value);
  try {
    return parseJson(json);
  } catch (err) {
    if (err instanceof Refusal) throw err;
    throw new ArgumentError("JSON", json);
  }
}

export const identifiers = new Table("identifiers")
  .add("uuid_v4", "", "A random UUID.", "strlen(uuid_v4())", 36, () => randomUUID(), { isPure: false })
  .add("uuid_v4_no_hyphen", "", "The same without hyphens.", "strlen(uuid_v4_no_hyphen())", 32, () => randomUUID().replaceAll("-", ""), {
    isPure: false,
  });
