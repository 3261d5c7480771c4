/** Every function: its example is true, its table says what it takes. */
import { expect, test } from "bun:test";
import { compileRule, FUNCTIONS, type Value } from "../../../../../../server/plugins/rule_engine/sql/index.ts";
import { eventOf, MESSAGE } from "../../../../../support/rule_sql.ts";

test.each(FUNCTIONS.map((f) => [f.example, f] as const))("%s", (example, f) => {
  const [row] = compileRule(`SELECT ${example} AS x FROM "t"`).run(eventOf(MESSAGE));
  expect(row?.x as unknown).toEqual(JSON.parse(f.result));
  expect(example).toContain(`${f.name}(`);
});

const evaluated = (expr: string): Value => compileRule(`SELECT ${expr} AS x FROM "t"`).run(eventOf({ ...MESSAGE, payload: PAYLOAD }))[0]?.x;
const PAYLOAD = '{"a":[1,2,3],"m":{"b":{"c":5}},"s":"text"}';

/** What EMQX's manuals of 4.4 and 5.x say that these give, and what happens at the edges. */
const ROWS: readonly (readonly [expr: string, value: unknown])[] = [
  ["abs(-12)", 12],
  ["cosh(1.5)", 2.352409615243247],
  ["sinh(0.5)", 0.5210953054937474],
  ["tan(1.4)", 5.797883715482887],
  ["atanh(0.8853516482022625)", 1.4000000000000001],
  ["ceil(1.34)", 2],
  ["floor(1.34)", 1],
  ["round(1.34)", 1],
  ["round(1.54)", 2],
  ["round(2.5)", 3],
  ["round(-0.4)", 0],
  ["exp(10)", 22026.465794806718],
  ["sqrt(3)", 1.7320508075688772],
  ["fmod(-32, 5)", -2],
  ["fmod(5, 5)", 0],
  ["is_int(1)", true],
  ["is_float(1.234)", true],
  ["is_num('val')", false],
  ["is_array(payload.a)", true],
  ["is_map(payload.m)", true],
  ["is_map(payload.a)", false],
  ["is_empty(map_new())", true],
  ["is_empty([0])", false],
  ["is_empty(0)", false],
  ["str(1234)", "1234"],
  ["str(0.300000004)", "0.300000004"],
  ["str(3.14159265359)", "3.1415926536"],
  ["str(0.000000314159265359)", "0.0000003142"],
  ["str(1e21)", "1000000000000000000000"],
  ["str(payload.missing)", "undefined"],
  ["str(null)", "null"],
  ["str(payload.m)", '{"b":{"c":5}}'],
  ["int(3.14)", 3],
  ["int(-3.14)", -4],
  ["int('-100')", -100],
  ["int('+200')", 200],
  ["int('0010')", 10],
  ["int('3.1415e2')", 314],
  ["int('9007199254740993')", 9007199254740993n],
  ["int(substr('Number 100', 7))", 100],
  ["float('3.14e-4')", 0.000314],
  ["float('0.000012345', 5)", 0.00001],
  ["float2str(20.2, 10)", "20.2"],
  ["float2str(20.2, 17)", "20.19999999999999929"],
  ["float2str(0.1, 25)", "0.1000000000000000055511151"],
  ["float2str(0.100001, 5)", "0.1"],
  ["float2str(0.00000000001, 20)", "0.00000000001"],
  ["bool(0)", false],
  ["map('{\"a\":1}')", { a: 1 }],
  ["map([['a', 1], ['b', 2]])", { a: 1, b: 2 }],
  ["map(map_to_entries(payload.m)).b.c", 5],
  ["ascii('a')", 97],
  ["find('..., Value: 1.2', 'Value:')", "Value: 1.2"],
  ["find('..., Value: 1.2', 'Data')", ""],
  ["find('Front, Middle, End', ', ', 'leading')", ", Middle, End"],
  ["join_to_string(', ', ['a', 'b', 'c'])", "a, b, c"],
  ["join_to_string([1, null, true])", "1, null, true"],
  ["ltrim(unescape('\\t  hello  \\n'))", "hello  \n"],
  ["trim(unescape('\\t  hello \\r\\n'))", "hello"],
  ["pad('hello', 8)", "hello   "],
  ["pad('hello', 8, 'leading')", "   hello"],
  ["pad('hello', 8, 'both')", " hello  "],
  ["pad('hello', 8, 'trailing', 'abc')", "helloabcabcabc"],
  ["pad('hello', 3)", "hello"],
  ["pad('🚀', 3, 'leading', '-')", "--🚀"],
  ["replace('ab..cd..ef', '..', '**')", "ab**cd**ef"],
  ["replace('ab..cd..ef', '..', '')", "abcdef"],
  ["replace('ab..cd..ef', '..', '$&$$1$')", "ab$&$$1$cd$&$$1$ef"],
  ["replace('ab..cd..ef', '..', '**', 'leading')", "ab**cd..ef"],
  ["replace('ab..cd..ef', '..', '$&', 'trailing')", "ab..cd$&ef"],
  ["reverse('a🚀b')", "b🚀a"],
  ["rm_prefix('foo/bar', 'xxx/')", "foo/bar"],
  ["split('a;', ';')", ["a"]],
  ["split('a;;b;;c', ';', 'notrim')", ["a", "", "b", "", "c"]],
  ["split('a;b;c', ';', 'leading')", ["a", "b;c"]],
  ["split('a;b;c', ';', 'trailing')", ["a;b", "c"]],
  ["split(';a;b;c', ';', 'leading_notrim')", ["", "a;b;c"]],
  ["split('a;b;c;', ';', 'trailing_notrim')", ["a;b;c", ""]],
  ["split('abc', ';')", ["abc"]],
  ["tokens('a;;b', ';')", ["a", "b"]],
  ["tokens(unescape('a\\rb\\nc\\r\\nd'), ';', 'nocrlf')", ["a", "b", "c", "d"]],
  ["tokens('', ',')", []],
  ["sprintf('hello, ~s!', 'steve')", "hello, steve!"],
  ["sprintf('count: ~p~n', 100)", "count: 100\n"],
  ["sprintf('~5s|~-5s|~.2s', 'ab', 'ab', 'abc')", "   ab|ab   |ab"],
  ["sprintf('~4..0b ~.16b ~.16B ~.16#', 7, 255, 255, 255)", "0007 ff FF 16#FF"],
  ["sprintf('~.2f ~10.1f ~e', 1.005, 2.25, 1.5)", "1.00        2.3 1.50000e+0"],
  ["sprintf('~w ~p', [1, 'a'], payload.m)", '[1,"a"] {"b":{"c":5}}'],
  ["sprintf('~~ ~c ~3c', 65, 66)", "~ A BBB"],
  ["substr('hello', 0)", "hello"],
  ["substr('hello world!', 6, 5)", "world"],
  ["substr('abcdef', 2)", "cdef"],
  ["substr('abc', 9)", ""],
  ["substr('a🚀b', 1, 1)", "🚀"],
  ["strlen('你好🚀')", 3],
  ["unescape('\\x41\\\"\\\\')", 'A"\\'],
  ["map_get('data', json_decode('{\"msg\": \"hello\"}'), '')", ""],
  ["map_get('value', payload.m, [])", []],
  ["map_get('x', payload.missing)", undefined],
  ["map_get('b', map_put('b', 1, json_decode('{\"a\": 1}')))", 1],
  ["map_get('a.b', json_decode('{\"a.b\":1}'))", 1],
  ["map_put('a[1]', 5, json_decode('{\"a\":[1,2]}'))", { a: [5, 2] }],
  ["map_put('a', 1, payload.missing)", { a: 1 }],
  ["mget(['a', 'b'], mput(['a', 'b'], 2, json_decode('{\"c\": 1}')))", 2],
  ["mget(['b', 'c'], payload.m)", 5],
  ["mget('__proto__', payload.m)", undefined],
  ["map_put('__proto__', 1, map_new())", JSON.parse('{"__proto__":1}')],
  ["contains(2.3, [1.8, 2.5])", false],
  ["contains([1, 2], ['a', [1, 2]])", true],
  ["contains('2', [1, 2])", false],
  ["sublist(3, [1,2,3,4])", [1, 2, 3]],
  ["sublist(10, [1,2])", [1, 2]],
  ["sublist(2, 10, [1,2,3,4])", [2, 3, 4]],
  ["sublist(9, 1, [1])", []],
  ["md5('some val')", "1b68352b3e9c2de52ffd322e30bffcc4"],
  ["sha('some val')", "f85ba28ff5ea84a0cbfa118319acb0c5e58ee2b9"],
  ["sha256('some val')", "67f97635d8a0e064f60ba6e8846a0ac0be664f18f0c1dc6445cd3542d2b71993"],
  ["hash('sha', 'some val') = sha('some val')", true],
  ["gunzip(hexstr2bin('1F8B0800000000000003CB48CDC9C95728CF2FCA49010085114A0D0B000000'))", "hello world"],
  ["zip_uncompress(hexstr2bin('789CCB48CDC9C95728CF2FCA4901001A0B045D'))", "hello world"],
  ["bitand(-10, -8)", -16],
  ["bitor(-10, -8)", -2],
  ["bitxor(-10, -8)", 14],
  ["bitsl(-8, 2)", -32],
  ["bitsr(8, 4)", 0],
  ["bitsr(-8, 6)", -1],
  ["bitsl(1, 40)", 2 ** 40],
  ["bitsl(1, 64)", 18446744073709551616n],
  ["bitsr(bitsl(1, 64), 60)", 16],
  ["bitand('18446744073709551615', 255)", 255],
  ["bitand(4294967295, 4294967295)", 4294967295],
  ["bitnot(-12)", 11],
  ["bitsize('你好')", 48],
  ["subbits('abc', 8)", 97],
  ["subbits('abc', 9, 8)", 98],
  ["subbits('abc', 9, 16, 'integer', 'signed', 'big')", 25187],
  ["subbits('abc', 9, 16, 'integer', 'signed', 'little')", 25442],
  ["subbits(hexstr2bin('9F4E58'), 1, 16, 'integer', 'signed', 'big')", -24754],
  ["subbits(hexstr2bin('9F4E58'), 1, 16, 'integer', 'unsigned', 'little')", 20127],
  ["subbits(hexstr2bin('9F4E58'), 1, 16, 'float', 'unsigned', 'big')", -0.00713348388671875],
  ["subbits(base64_decode('n05Y'), 9, 4)", 4],
  ["subbits(hexstr2bin('9F4E58'), 5, 12)", 0xf4e],
  ["subbits(hexstr2bin('F0'), 1, 4, 'integer', 'signed')", -1],
  ["subbits('abc', 20, 100)", 3],
  ["subbits('abc', 25, 8)", undefined],
  ["subbits('abc', 9, 16, 'bits')", "bc"],
  ["subbits(hexstr2bin('FFFFFFFFFFFFFFFF'), 64)", 18446744073709551615n],
  ["subbits(hexstr2bin('40490FDB'), 1, 32, 'float')", Math.fround(Math.PI)],
  ["base64_encode(hexstr2bin('CB48CD'))", "y0jN"],
  ["base64_encode(hexstr2bin('FBFF'), 'urlsafe')", "-_8="],
  ["base64_encode(hexstr2bin('FBFF'), 'urlsafe', 'no_padding')", "-_8"],
  ["bin2hexstr(base64_decode('-_8'))", "FBFF"],
  ["json_encode(json_decode( '{ \"a\" : 1 }' ))", '{"a":1}'],
  ["json_decode('12345678901234567890')", 12345678901234567890n],
  ["json_decode('1.2345678901234567890')", 1.2345678901234567],
  ["bin2hexstr(hexstr2bin('ABEF123'))", "0ABEF123"],
  ["unix_ts_to_rfc3339(1708671600)", "2024-02-23T07:00:00+00:00"],
  ["unix_ts_to_rfc3339(-1)", "1969-12-31T23:59:59+00:00"],
  ["rfc3339_to_unix_ts('2024-02-23T15:56:30Z')", 1708703790],
  ["rfc3339_to_unix_ts('2022-04-25T16:11:16+08:00')", 1650874276],
  ["rfc3339_to_unix_ts('2024-02-23T15:56:30.87Z', 'microsecond')", 1708703790870000],
  ["rfc3339_to_unix_ts('2024-02-23T15:56:30.535904509Z', 'nanosecond')", 1708703790535904509n],
  ["rfc3339_to_unix_ts('1969-12-31T23:59:59.5Z')", -1],
  ["format_date('second', '+0800', '%Y-%m-%d %H:%M:%S%:z', 1653561612)", "2022-05-26 18:40:12+08:00"],
  ["format_date('millisecond', '+08:00', '%Y-%m-%d %H:%M:%S.%6N%z', 1708933353472)", "2024-02-26 15:42:33.472000+0800"],
  ["format_date('millisecond', '+08:20:30', '%Y-%m-%d %H:%M:%S.%3N%::z', 1708933353472)", "2024-02-26 16:03:03.472+08:20:30"],
  ["format_date('second', 'Z', '%Y')", "2023"],
  ["format_date('nanosecond', 0, '%N', '1708703790535904509')", "535904509"],
  ["format_date('second', -12600, '%H:%M %:z %%', 0)", "20:30 -03:30 %"],
  ["date_to_unix_ts('second', '+08:00', '%Y-%m-%d %H:%M:%S%:z', '2024-02-23 15:00:00')", 1708671600],
  ["date_to_unix_ts('second', 14400, '%Y-%m-%d %H:%M:%S%:z', '2024-02-23 15:00:00')", 1708686000],
  ["date_to_unix_ts('second', '%Y-%m-%d %H-%M-%S', '2022-05-26 10-40-12')", 1653561612],
  ["date_to_unix_ts('millisecond', '%Y-%m-%dT%H:%M:%S.%3N%z', '2024-02-29T00:00:00.250+0100')", 1709161200250],
  ["date_to_unix_ts('second', 'local', '%Y-%m-%d', '1970-01-02')", 86400],
  ["timezone_to_offset_seconds('Z')", 0],
  ["timezone_to_offset_seconds('-01:30:15')", -5415],
  ["now_rfc3339('millisecond')", "2023-11-14T22:13:20.000+00:00"],
  ["mongo_date()", { $date: "2023-11-14T22:13:20.000Z" }],
  ["coalesce([payload.missing, 5])", 5],
  ["coalesce(payload.missing)", undefined],
  ["coalesce_ne('', null, 'x')", "x"],
  ["contains_topic_match([ 'a/#' ], 'a/b')", true],
  ["contains_topic(['a/#'], 'a/b')", false],
  ['contains_topic(json_decode(\'[{"topic":"t","qos":1}]\'), \'t\', 2)', false],
];

test.each(ROWS.map(([expr, value]) => [expr, value] as const))("%s", (expr, value) => {
  expect(evaluated(expr) as unknown).toEqual(value);
});

test("names are unique, small and of letters: nobody has to quote one", () => {
  const names = FUNCTIONS.map((f) => f.name);
  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((name) => !/^[a-z][a-z0-9_]*$/.test(name))).toEqual([]);
  expect(names.length).toBeGreaterThan(140);
});

/** The whole list of 3.1, and of 4.4 and 5.x but for what is refused with a reason. */
const LISTS =
  "msgid qos flags flag topic clientid clientip peerhost username payload contains_topic contains_topic_match null mod eq abs acos acosh asin asinh " +
  "atan atanh ceil cos cosh exp floor fmod log log10 log2 power round sin sinh sqrt tan tanh bitnot bitand bitor bitxor bitsl bitsr bitsize bytesize " +
  "subbits str str_utf8 bool int float float2str map bin2hexstr hexstr2bin is_null is_null_var is_not_null is_not_null_var is_str is_bool is_int " +
  "is_float is_num is_map is_array lower ltrim reverse rtrim strlen substr trim upper split concat tokens sprintf sprintf_s pad replace regex_match " +
  "regex_replace regex_extract ascii find join_to_string map_to_redis_hset_args join_to_sql_values_string unescape map_new map_get map_put map_keys " +
  "map_values map_to_entries mget mput nth length sublist first last contains md5 sha sha256 hash zip unzip gzip gunzip zip_compress zip_uncompress " +
  "base64_encode base64_decode json_decode json_encode now_rfc3339 unix_ts_to_rfc3339 rfc3339_to_unix_ts now_timestamp format_date date_to_unix_ts " +
  "timezone_to_second timezone_to_offset_seconds mongo_date random uuid_v4 uuid_v4_no_hyphen coalesce coalesce_ne headers header timestamp peername rm_prefix";

test("everything that EMQ X had and EMQX has is there", () => {
  const names = new Set(FUNCTIONS.map((f) => f.name));
  expect(LISTS.split(" ").filter((name) => !names.has(name))).toEqual([]);
});

test("what is left out says why", () => {
  for (const name of ["jq", "getenv", "schema_decode", "term_encode", "kv_store_get"])
    expect(() => compileRule(`SELECT ${name}(a) FROM "t"`)).toThrow(/there is no function \w+\(\) \(.{10,}\)/);
});
